"""The checker must be able to say no: each way a page could claim too much is tried here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev import promises
from dev.promises import Promise, RegistryError, Result, Status

pytest_plugins = ["pytester"]

NODE = "tests/test_a.py::test_one"


def promise(name: str = "kept", status: Status = "proven", **changes: object) -> Promise:
    fields: dict[str, object] = {
        "id": name,
        "sentence": f"{name} <b>in full</b>",
        "page_section": "Encryption",
        "status": status,
        "implemented_in": (),
        "breaks_if": "somebody breaks it",
        "missing": "" if status == "proven" else "the edge & more",
    }
    return Promise(**{**fields, **changes})  # type: ignore[arg-type]


def registry(*listed: Promise) -> dict[str, Promise]:
    return {each.id: each for each in listed}


def result(outcome: promises.Outcome, *ids: str) -> Result:
    return Result(ids or ("kept",), outcome)


class TestCheck:
    def test_a_proven_promise_with_a_passing_test_holds(self) -> None:
        evidence = {NODE: result("passed")}
        assert promises.problems(registry(promise()), evidence, {}) == []

    @pytest.mark.parametrize(
        "evidence",
        [{}, {NODE: result("skipped")}, {NODE: result("passed", "another")}],
        ids=["nothing ran", "skipped", "evidence of another promise"],
    )
    def test_a_proven_promise_without_a_passing_test_fails(
        self, evidence: dict[str, Result]
    ) -> None:
        assert promises.problems(registry(promise()), evidence, {}) == [
            "kept: marked proven, but no test that shows it passed"
        ]

    def test_one_failing_test_outweighs_any_passing_one(self) -> None:
        evidence = {NODE: result("passed"), "tests/test_a.py::test_two": result("failed")}
        assert promises.problems(registry(promise()), evidence, {}) == [
            "kept: marked proven, but tests/test_a.py::test_two failed"
        ]

    def test_what_is_not_yet_proven_may_lack_tests(self) -> None:
        assert promises.problems(registry(promise(status="not yet proven")), {}, {}) == []

    def test_a_path_that_does_not_exist_fails(self, tmp_path: Path) -> None:
        (tmp_path / "here.py").touch()
        listed = promise(status="not yet proven", implemented_in=("here.py", "gone.py"))
        assert promises.problems(registry(listed), {}, {}, tmp_path) == [
            "kept: implemented_in names gone.py, which does not exist"
        ]

    def test_a_mark_with_an_unknown_id_fails(self) -> None:
        found = promises.problems(registry(), {}, {"misspelled": [NODE]})
        assert found == [f"misspelled: is no promise, but {NODE} is marked with it"]

    def test_the_registry_of_the_product_is_sound(self) -> None:
        listed = promises.load()
        assert len(listed) == 27
        unproven = {
            each.id: promise(each.id, "not yet proven", implemented_in=each.implemented_in)
            for each in listed.values()
        }
        assert promises.problems(unproven, {}, promises.marked_tests()) == []


class TestRegistry:
    ENTRY = (
        '[[promise]]\nid = "kept"\nsentence = "S."\npage_section = "P"\nstatus = "{status}"\n'
        'implemented_in = []\nbreaks_if = "B"\n{more}'
    )

    def load(self, folder: Path, status: str = "proven", more: str = "", times: int = 1) -> None:
        path = folder / "promises.toml"
        path.write_text(self.ENTRY.format(status=status, more=more) * times)
        promises.load(path)

    def test_a_complete_entry_is_read(self, tmp_path: Path) -> None:
        self.load(tmp_path)

    def test_what_is_not_proven_must_say_what_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(RegistryError, match="what is missing"):
            self.load(tmp_path, "not yet proven")

    def test_what_is_proven_misses_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(RegistryError, match="delete `missing`"):
            self.load(tmp_path, more='missing = "much"\n')

    @pytest.mark.parametrize("status", ["Proven", "", "unproven"])
    def test_there_are_two_statuses(self, tmp_path: Path, status: str) -> None:
        with pytest.raises(RegistryError, match="status must be"):
            self.load(tmp_path, status)

    def test_a_misspelled_field_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(RegistryError, match="unknown field mising"):
            self.load(tmp_path, more='mising = "much"\n')

    def test_an_id_is_listed_once(self, tmp_path: Path) -> None:
        with pytest.raises(RegistryError, match="listed twice"):
            self.load(tmp_path, times=2)


class TestEvidence:
    def test_runs_are_merged(self, tmp_path: Path) -> None:
        path = tmp_path / "evidence.json"
        promises.merge_evidence({"a": result("passed")}, path)
        promises.merge_evidence({"b": result("passed", "x", "y")}, path)
        assert promises.read_evidence(path) == {
            "a": result("passed"),
            "b": result("passed", "x", "y"),
        }

    @pytest.mark.parametrize(
        ("first", "second", "merged"),
        [
            ("failed", "passed", "failed"),
            ("passed", "failed", "failed"),
            ("skipped", "passed", "passed"),
            ("passed", "skipped", "passed"),
        ],
    )
    def test_of_two_runs_of_a_test_the_worse_counts(
        self,
        tmp_path: Path,
        first: promises.Outcome,
        second: promises.Outcome,
        merged: promises.Outcome,
    ) -> None:
        path = tmp_path / "evidence.json"
        promises.merge_evidence({NODE: result(first)}, path)
        promises.merge_evidence({NODE: result(second)}, path)
        assert promises.read_evidence(path) == {NODE: result(merged)}

    def test_nothing_is_known_before_the_first_run(self, tmp_path: Path) -> None:
        assert promises.read_evidence(tmp_path / "evidence.json") == {}


def test_marked_tests_are_found_without_running_them(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_marks.py").write_text(
        "import pytest\n"
        "pytestmark = [pytest.mark.promise('module')]\n"
        "raise RuntimeError('importing this would fail')\n"
        "@pytest.mark.promise('one', 'two')\n"
        "async def test_both(): ...\n"
        "@pytest.mark.promise('class')\n"
        "class TestThing:\n"
        "    @pytest.mark.parametrize('x', [pytest.param(1, marks=pytest.mark.promise('case'))])\n"
        "    def test_inside(self, x): ...\n"
        "@pytest.mark.promise('helper')\n"
        "def helper(): ...\n"
    )
    both, inside = "tests/test_marks.py::test_both", "tests/test_marks.py::TestThing::test_inside"
    assert promises.marked_tests(folder, tmp_path) == {
        "module": [both, inside],
        "one": [both],
        "two": [both],
        "class": [inside],
        "case": [inside],
    }


def test_the_table_names_every_test_with_its_outcome() -> None:
    listed = registry(promise(), promise("open", "not yet proven"))
    evidence = {
        f"{NODE}[a]": result("passed"),
        f"{NODE}[b]": result("passed"),
        "tests/test_a.py::test_two": result("failed"),
    }
    marked = {"kept": [NODE], "open": ["tests/test_a.py::test_three"]}
    assert promises.table(listed, evidence, marked).splitlines() == [
        "promise  status          passing  tests",
        "───────  ──────────────  ───────  ────────────────────────────────────────",
        "kept     proven                2  FAILED   test_a.py::test_two",
        "                                  test_a.py::test_one (2 cases)",
        "open     not yet proven        0  not run  test_a.py::test_three",
        "",
        "1 of 2 promises proven; 2 tests passed as evidence.",
        "A failure stays on record until `make test` begins anew.",
    ]


class TestPage:
    def test_it_says_plainly_what_is_not_proven(self) -> None:
        text = promises.page(registry(promise("open", "not yet proven")), {})
        assert '<p class="state">Not yet proven</p>' in text
        assert "the edge &amp; more" in text
        assert "No tests yet." in text

    def test_words_of_the_registry_cannot_become_markup(self) -> None:
        text = promises.page(registry(promise()), {"kept": [NODE]})
        assert "kept &lt;b&gt;in full&lt;/b&gt;" in text
        assert "1 test<" in text

    def test_it_loads_and_runs_nothing(self) -> None:
        """Its policy is default-src 'none' with inline styles only."""
        text = promises.page(promises.load(), promises.marked_tests())
        for forbidden in ("<script", "<link", "<img", "@import", "url(", " style=", " onclick="):
            assert forbidden not in text

    def test_it_is_the_same_every_time(self) -> None:
        listed, marked = promises.load(), promises.marked_tests()
        assert promises.page(listed, marked) == promises.page(listed, marked)


class TestPlugin:
    """The plugin itself, in a pytest of its own."""

    SOURCE = (
        "import pytest\n"
        "@pytest.mark.promise('kept')\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_passes(n): ...\n"
        "@pytest.mark.promise('kept')\n"
        "def test_fails(): assert False\n"
        "@pytest.fixture\n"
        "def broken():\n"
        "    yield\n"
        "    raise OSError\n"
        "@pytest.mark.promise('kept')\n"
        "def test_fails_afterwards(broken): ...\n"
        "@pytest.mark.promise('kept')\n"
        "def test_skips(): pytest.skip()\n"
        "@pytest.mark.promise('kept')\n"
        "@pytest.mark.xfail\n"
        "def test_is_expected_to_fail(): assert False\n"
        "def test_is_no_evidence(): ...\n"
    )

    @pytest.fixture(autouse=True)
    def project(self, pytester: pytest.Pytester) -> None:
        pytester.makefile(".toml", promises=TestRegistry.ENTRY.format(status="proven", more=""))
        pytester.makeini(
            "[pytest]\npromise_registry = promises.toml\npromise_evidence = evidence.json\n"
        )

    def outcomes(self, pytester: pytest.Pytester) -> dict[str, str]:
        tests = json.loads((pytester.path / "evidence.json").read_text())["tests"]
        assert all(entry["promises"] == ["kept"] for entry in tests.values())
        return {node.partition("::")[2]: entry["outcome"] for node, entry in tests.items()}

    @pytest.mark.parametrize("workers", ["0", "2"], ids=["one process", "xdist"])
    def test_outcomes_are_noted(self, pytester: pytest.Pytester, workers: str) -> None:
        pytester.makepyfile(self.SOURCE)
        pytester.runpytest("-p", "tests.promise_plugin", "-n", workers)
        assert self.outcomes(pytester) == {
            "test_passes[1]": "passed",
            "test_passes[2]": "passed",
            "test_fails": "failed",
            "test_fails_afterwards": "failed",
            "test_skips": "skipped",
            "test_is_expected_to_fail": "skipped",
        }

    @pytest.mark.parametrize("workers", ["0", "2"], ids=["one process", "xdist"])
    def test_an_unknown_id_is_a_collection_error(
        self, pytester: pytest.Pytester, workers: str
    ) -> None:
        pytester.makepyfile(
            "import pytest\n@pytest.mark.promise('misspelled')\ndef test_one(): ...\n"
        )
        run = pytester.runpytest("-p", "tests.promise_plugin", "-n", workers)
        assert run.ret != pytest.ExitCode.OK
        run.assert_outcomes(errors=1)
        run.stdout.fnmatch_lines(["*::test_one: 'misspelled' is not a promise of *"])
        assert not (pytester.path / "evidence.json").exists()
