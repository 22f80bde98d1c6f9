"""The faults that a mutation run makes."""

from __future__ import annotations

from types import SimpleNamespace

from dev.mutants import all_mutants

SOURCE = '''
class Store:
    def lease(self, lease, now):
        same = "#lease = :lease" if lease else "attribute_not_exists(#lease)"
        self.table.update(
            expression="SET #status = :running",
            condition=f"#status = :queued AND (#at <= :now OR #by = :by) AND {same}",
        )

def check(value):
    """A docstring."""
    if value is None or value < 3:
        raise ValueError
    if value:
        return value
    return 0
'''


def test_each_clause_alternative_and_boundary_is_a_fault_of_its_own() -> None:
    found = [each for each in all_mutants("store", SOURCE) if each.is_condition]
    assert [each.change for each in found] == [
        "condition `#lease = :lease` dropped",
        "condition `attribute_not_exists(#lease)` dropped",
        "`#status = :queued` dropped",
        "`(#at <= :now OR #by = :by)` dropped",
        "alternative `#at <= :now` dropped",
        "alternative `#by = :by` dropped",
        "`#at <= :now` with `<`",
    ]
    assert {each.where for each in found} == {"Store.lease"}


def test_other_code_is_flipped_negated_and_dropped() -> None:
    found = [each for each in all_mutants("store", SOURCE) if each.where == "check"]
    assert sorted(each.change for each in found) == sorted(
        [
            "`value is None or value < 3` without `value is None`",
            "`value is None or value < 3` without `value < 3`",
            "`value is None or value < 3` negated",
            "`value is None` with `is not`",
            "`value < 3` with `<=`",
            "`value < 3` with `>=`",
            "`raise ValueError` dropped",
            "`value` negated",
            "`return value` dropped",
        ]
    )


def test_a_fault_changes_what_the_code_does_and_nothing_else() -> None:
    results = {}
    for mutant in all_mutants("store", SOURCE):
        if mutant.where == "check":
            names: dict[str, object] = {}
            exec(compile(mutant.tree(), "store.py", "exec"), names)  # noqa: S102
            check = names["check"]
            assert callable(check)
            try:
                results[mutant.change] = check(3)
            except ValueError:
                results[mutant.change] = "raised"
    assert results.pop("`value < 3` with `<=`") == "raised"
    assert results.pop("`value < 3` with `>=`") == "raised"
    assert results.pop("`value is None or value < 3` negated") == "raised"
    assert results.pop("`value is None` with `is not`") == "raised"
    assert results.pop("`value` negated") == 0
    assert results.pop("`return value` dropped") == 0
    assert set(results.values()) == {3}


def test_a_dropped_clause_always_holds_and_a_dropped_alternative_never() -> None:
    conditions = {}
    for mutant in all_mutants("store", SOURCE):
        if mutant.is_condition:
            asked: dict[str, str] = {}
            names: dict[str, object] = {}
            exec(compile(mutant.tree(), "store.py", "exec"), names)  # noqa: S102
            store = names["Store"]
            assert isinstance(store, type)
            made = store()
            made.table = SimpleNamespace(update=asked.update)
            made.lease("m-1", 0)
            conditions[mutant.change] = asked["condition"]
    always = "OR attribute_exists(#pk) OR attribute_not_exists(#pk))"
    never = "AND attribute_exists(#pk) AND attribute_not_exists(#pk))"
    rest = "(#at <= :now OR #by = :by) AND #lease = :lease"
    assert conditions["`#status = :queued` dropped"] == f"(#status = :queued {always} AND {rest}"
    assert conditions["alternative `#at <= :now` dropped"] == (
        f"#status = :queued AND ((#at <= :now {never} OR #by = :by) AND #lease = :lease"
    )
    assert conditions["condition `#lease = :lease` dropped"] == (
        f"#status = :queued AND (#at <= :now OR #by = :by) AND (#lease = :lease {always}"
    )
