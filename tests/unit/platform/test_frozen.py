"""Frozen classes behave as `dataclass(frozen=True)` has them behave."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import copy, replace
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property, partial
from typing import Any, ClassVar

import pytest

from imagelayer.platform.frozen import field, frozen


@frozen
class Point:
    """One point."""

    x: int
    y: int = 2
    secret: str = field(default="s", repr=False)
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def sum(self) -> int:
        return self.x + self.y

    @cached_property
    def twice(self) -> int:
        return 2 * self.x


@frozen
class Named(Point):
    """A point with a name."""

    name: str = "n"


@frozen
class Checked:
    """One that is checked."""

    rule: ClassVar[str] = "low is at most high"
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low must not be above high")


@dataclass(frozen=True)
class Reference:
    """`Named` as dataclasses has it."""

    x: int
    y: int = 2
    secret: str = dataclass_field(default="s", repr=False)
    notes: dict[str, int] = dataclass_field(default_factory=dict)
    name: str = "n"


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, 3), {"name": "a"}),
    ((1, 3, "t", {"a": 1}, "b"), {}),
    ((), {"name": "c", "x": 1}),
]


@pytest.mark.parametrize(("values", "named"), ARGUMENTS)
def test_a_class_takes_and_shows_what_a_dataclass_does(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    made, reference = Named(*values, **named), Reference(*values, **named)
    assert vars(made) == vars(reference)
    assert repr(made) == repr(reference).replace("Reference", "Named")
    assert "secret" not in repr(made)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((), {"y": 1}),
        ((1,), {"x": 1}),
        ((1,), {"other": 1}),
        ((), {"other": 1}),
        ((1, 2, "s", {}, "n", 6), {}),
        ((1, 2, "s", {}, "n", 6), {"x": 1}),
    ],
)
@pytest.mark.parametrize("shape", [Named, Reference])
def test_missing_unknown_double_and_surplus_arguments_are_refused(
    shape: Callable[..., object], values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"Named|Reference"):
        shape(*values, **named)


def test_a_class_variable_is_not_a_field() -> None:
    assert repr(Checked(1, 2)) == "Checked(low=1, high=2)"
    assert Checked.rule == Checked(1, 2).rule


def test_no_field_can_be_set_or_deleted() -> None:
    point: Any = Point(1)
    for change in (partial(setattr, point, "x", 3), partial(setattr, point, "z", 3)):
        with pytest.raises(AttributeError, match="cannot change"):
            change()
    with pytest.raises(AttributeError, match="cannot change"):
        del point.x
    assert (point.x, point.sum, point.twice) == (1, 3, 2)


def test_equality_and_hash_are_by_the_fields_and_the_class() -> None:
    assert Checked(1, 2) == Checked(low=1, high=2)
    assert hash(Checked(1, 2)) == hash(Checked(1, 2))
    assert Checked(1, 2) != Checked(1, 3)
    assert Point(1) != Named(1)
    seen = Point(1)
    assert seen.twice == 2
    assert seen == Point(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


def test_each_instance_gets_a_default_of_its_own() -> None:
    first, second = Point(1), Point(1)
    first.notes["a"] = 1
    assert second.notes == {}


def test_a_class_is_checked_when_it_is_made_and_when_it_is_replaced() -> None:
    assert replace(Checked(1, 2), high=5) == Checked(1, 5)
    with pytest.raises(ValueError, match="above"):
        Checked(3, 2)
    with pytest.raises(ValueError, match="above"):
        replace(Checked(1, 2), low=3)


def test_instances_can_be_copied_and_pickled() -> None:
    named = Named(1, name="a")
    assert copy(named) == named
    assert pickle.loads(pickle.dumps(named)) == named
