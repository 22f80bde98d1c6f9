"""Mutation run: makes each mutant of `dev.mutants` and sees whether a test notices it.

    python -m dev.mutate [--only credits/store,limits] [--again] [--tests 60]

First, which lines of the package each test reaches is recorded, test file by test file, and kept in
`.mutation/` until the file changes. Then pytest collects the tests once. Each mutant is a fork of
that process with the code of one function replaced; no file is touched. It runs the tests that
reach the mutated statement, the cheapest first, then those that reach what few others do or reach
little else, and stops at the first failure. A test that also fails without the mutant proves
nothing and is left out. The number of tests and the CPU seconds of a mutant are bounded; a mutant
that computes without end counts as killed, one whose tests run out as survived.

The results go to docs/mutation.md. dev/mutants.toml lists mutants that no test can or need notice,
with the reason; an entry that names no mutant, or one that a test kills, fails the run.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import inspect
import itertools
import json
import math
import os
import pkgutil
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

from dev.mutants import PACKAGE, Mutant, mutants
from dev.settings import ROOT

sys.path.insert(0, str(PACKAGE.parent))

CACHE = ROOT / ".mutation"
COVERAGE = CACHE / "coverage.json"
RESULTS = CACHE / "results.json"
LISTED = ROOT / "dev" / "mutants.toml"
PAGE = ROOT / "docs" / "mutation.md"

# Whose other mutants are sampled as well: money, limits, identity.
SAMPLED = ("credits/", "limits/", "identity/")
DATA_MODULES = {
    "__init__",
    "answer_schemas",
    "problem_schemas",
    "records",
    "routes",
    "schemas",
    "wiring",
    "pages",
}
# Tests of all routes reach everything and check no clause; these take longest and kill least.
FOLDERS = ("tests/unit", "tests/integration")
LEFT_OUT = (
    "tests/integration/discovery",
    "tests/integration/every_endpoint",
    "tests/integration/fallback",
    "tests/integration/providers",
    "tests/integration/samples",
    "tests/integration/whole_flow",
    "tests/unit/api",
    "tests/unit/design",
    "tests/unit/dev",
    "tests/unit/discovery",
    "tests/unit/docs",
    "tests/unit/http",
    "tests/unit/identity/test_sign_up_orders.py",
    "tests/unit/image_models",
    "tests/unit/render",
)
CPU_SECONDS = 45
TEST_SECONDS = 15  # of the tests of one mutant together, as they took when they were recorded
WAIT_SECONDS = 600  # of a mutant that waits without computing
WARM_SECONDS = 45
# How many cases of one parametrized test come before other tests.
CASES_FIRST = 2

# By test: the lines it reaches of each function, as a bit set counted from the function's first.
Reach = dict[str, dict[str, int]]


class Result(NamedTuple):
    """The outcome of a mutant: `killed`, `survived` or `unreached`; the test that killed it."""

    outcome: str
    by: str = ""
    tests: int = 0


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="dev.mutate", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="modules or folders, comma-separated")
    parser.add_argument("--among", default="", help="test files or folders, comma-separated")
    parser.add_argument("--conditions", action="store_true", help="conditions only")
    parser.add_argument("--again", action="store_true", help="run what an earlier run killed again")
    parser.add_argument("--tests", type=int, default=60, help="most tests of a mutant")
    asked = parser.parse_args()
    os.environ["CI"] = "1"  # hypothesis tries the same examples each time
    os.chdir(ROOT)
    CACHE.mkdir(exist_ok=True)
    chosen = [
        mutant
        for module in target_modules(asked.only)
        for mutant in mutants(module, sampled=is_sampled(module) and not asked.conditions)
    ]
    listed = read_listed()
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], text=True).strip()
    reach, seconds = record_reach(tuple(filter(None, asked.among.split(","))) or FOLDERS)
    results = read_results()
    to_run = [each for each in chosen if asked.again or not _is_known(each, results, reach)]
    order: dict[str, int] = {}
    counted: Counter[str] = Counter()
    for each in to_run:
        order[each.name] = counted[each.module]
        counted[each.module] += 1
    # Conditions first, then of each module the same number: a run that is stopped says something.
    to_run.sort(key=lambda each: (not each.is_condition, order[each.name]))
    tests = Tests(reach, seconds, results, asked.tests)
    plan = {each.name: tests.of(each) for each in to_run}
    run(to_run, plan, results)
    everything = not asked.only and not asked.conditions
    faults = write_page(
        chosen,
        results,
        listed,
        asked.tests,
        everything=everything,
        commit=commit if everything and asked.again else "",
    )
    for fault in faults:
        print(fault)
    sys.exit(bool(faults))


def is_sampled(module: str) -> bool:
    """Whether other mutants than those of conditions are run."""
    return module.startswith(SAMPLED) and module.rpartition("/")[2] not in DATA_MODULES


def target_modules(only: str = "") -> list[str]:
    """Every module with a condition or of a sampled folder that `only` names."""
    wanted = tuple(filter(None, only.split(",")))
    names = sorted(str(path.relative_to(PACKAGE))[:-3] for path in PACKAGE.rglob("*.py"))
    chosen = [each for each in names if not wanted or each.startswith(wanted)]
    return [each for each in chosen if mutants(each, sampled=is_sampled(each))]


def read_listed() -> dict[str, tuple[str, str]]:
    """The listed mutants by name: `equivalent` or `redundant`, and the reason."""
    found = tomllib.loads(LISTED.read_text())["mutant"]
    return {
        f"{each['module']} {each['where']}: {each['change']}": (each["kind"], each["reason"])
        for each in found
    }


def read_results() -> dict[str, Result]:
    """What earlier runs found."""
    if not RESULTS.exists():
        return {}
    return {name: Result(*found) for name, found in json.loads(RESULTS.read_text()).items()}


def _is_known(mutant: Mutant, results: dict[str, Result], reach: Reach) -> bool:
    known = results.get(mutant.name)
    return known is not None and known.outcome == "killed" and (not known.by or known.by in reach)


# ─── The package's functions ───────────────────────────────────────────────────────────────────


def functions_of(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """A module's own functions and methods by qualified name, without their decorators."""
    for name, value in list(vars(module).items()):
        if inspect.isclass(value) and value.__module__ == module.__name__:
            for attribute, member in list(vars(value).items()):
                for function in _plain(member, module):
                    yield f"{name}.{attribute}", function
        else:
            for function in _plain(value, module):
                yield name, function


def _plain(value: Any, module: ModuleType) -> Iterator[FunctionType]:
    value = getattr(value, "__func__", value)
    if isinstance(value, property):
        value = value.fget
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, FunctionType) and value.__module__ == module.__name__:
        yield value


def import_all() -> dict[str, ModuleType]:
    """Every module of the package, such as `credits/store`."""
    package = importlib.import_module("imagelayer")
    for found in pkgutil.walk_packages(package.__path__, "imagelayer."):
        importlib.import_module(found.name)
    return {
        name.removeprefix("imagelayer.").replace(".", "/"): module
        for name, module in list(sys.modules.items())
        if name.startswith("imagelayer.")
    }


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def apply(mutant: Mutant, module: ModuleType) -> None:
    """Give a function the mutant's code, in this process."""
    path = str(module.__file__)
    compiled = _codes(compile(mutant.tree(), path, "exec"))
    new = next(code for code in compiled if code.co_qualname == mutant.where)
    for where, function in functions_of(module):
        if where == mutant.where:
            function.__code__ = new
            return
    raise LookupError(mutant.name)


# ─── What each test reaches ────────────────────────────────────────────────────────────────────


def record_reach(among: tuple[str, ...]) -> tuple[Reach, dict[str, float]]:
    """By test that passes, the lines it reaches, and its CPU seconds; test files that changed are
    run again."""
    known: dict[str, Any] = json.loads(COVERAGE.read_text()) if COVERAGE.exists() else {}
    hashes = {
        str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("test_*.py"))
        if not str(path.relative_to(ROOT)).startswith(LEFT_OUT)
    }
    changed = [
        path
        for path, is_now in hashes.items()
        if path.startswith(among) and known.get(path, {}).get("hash") != is_now
    ]
    kept = {path: found for path, found in known.items() if path in hashes}
    if changed:
        print(f"recording what the tests of {len(changed)} files reach")
        child = os.fork()
        if not child:
            recorder = _Recorder()
            _pytest(changed, recorder)
            found = {
                path: {"hash": hashes[path], "tests": recorder.reached.get(path, {})}
                for path in changed
            }
            COVERAGE.write_text(json.dumps(kept | found))
            os._exit(0)
        os.waitpid(child, 0)
        kept = json.loads(COVERAGE.read_text())
    chosen = {
        test: recorded
        for path, found in kept.items()
        if path.startswith(among)
        for test, recorded in found["tests"].items()
    }
    reach = {
        test: {where: int(bits, 16) for where, bits in recorded["reached"].items()}
        for test, recorded in chosen.items()
    }
    return reach, {test: recorded["seconds"] for test, recorded in chosen.items()}


def _pytest(arguments: Sequence[str], plugin: object) -> None:
    """pytest in this process; what it prints goes to `.mutation/pytest.log`."""
    terminal = os.dup(1)
    sys.stdout.flush()
    os.dup2(os.open(CACHE / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    try:
        pytest.main(
            [
                "-s",
                "-p",
                "no:cacheprovider",
                "-o",
                f"promise_evidence={CACHE / 'promises.json'}",
                *arguments,
            ],
            plugins=[plugin],
        )
    finally:
        os.dup2(terminal, 1)


class _Recorder:
    """Records which lines of the package's functions each test reaches."""

    def __init__(self) -> None:
        self.reached: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._functions: dict[int, tuple[str, int]] = {}  # by the identity of the code
        self._lines: dict[str, int] = defaultdict(int)
        self._passed = True

    def pytest_collection_finish(self) -> None:
        """Listen to the functions."""
        monitoring = sys.monitoring
        monitoring.use_tool_id(monitoring.COVERAGE_ID, "mutate")
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, self._note)
        for name, module in import_all().items():
            for where, function in functions_of(module):
                for code in _codes(function.__code__):
                    first = function.__code__.co_firstlineno
                    self._functions[id(code)] = (f"{name} {where}", first)
                    monitoring.set_local_events(
                        monitoring.COVERAGE_ID, code, monitoring.events.LINE
                    )

    def _note(self, code: CodeType, line: int) -> object:
        where, first = self._functions[id(code)]
        self._lines[where] |= 1 << max(0, line - first)
        return sys.monitoring.DISABLE

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record one test."""
        self._lines.clear()
        self._passed = True
        sys.monitoring.restart_events()
        began = time.process_time()
        result = yield
        if self._passed:
            path = item.nodeid.partition("::")[0]
            lines = {where: f"{bits:x}" for where, bits in self._lines.items()}
            seconds = round(time.process_time() - began, 3)
            self.reached[path][item.nodeid] = {"seconds": seconds, "reached": lines}
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails or is skipped proves nothing."""
        self._passed = self._passed and report.outcome == "passed"


class Tests:
    """Which tests a mutant runs, and in what order."""

    def __init__(
        self, reach: Reach, seconds: dict[str, float], results: dict[str, Result], most: int
    ) -> None:
        self._reach = reach
        self._results = results
        self._most = most
        self._seconds = seconds
        self._costs = {test: round(math.log(max(each, 0.001), 4)) for test, each in seconds.items()}
        self._ranked: dict[tuple[str, int], list[str]] = {}  # by function and lines
        count: Counter[tuple[str, int]] = Counter()
        for reached in reach.values():
            count.update(reached.items())
        self._rarity = {
            test: sum(1 / count[each] for each in reached.items())
            for test, reached in reach.items()
        }

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that reach a mutant, first the one that killed it before."""
        where = f"{mutant.module} {mutant.where}"
        start = _first_line(mutant.module, mutant.where)
        wanted = sum(1 << line - start for line in range(mutant.lines[0], mutant.lines[1] + 1))
        if (where, wanted) not in self._ranked:
            self._ranked[where, wanted] = self._rank(mutant.module, where, wanted)
        ranked = self._ranked[where, wanted]
        killer = self._results.get(mutant.name, Result("")).by
        if killer in ranked:
            ranked = [killer, *(test for test in ranked if test != killer)]
        return ranked

    def _rank(self, module: str, where: str, wanted: int) -> list[str]:
        """By turns those that reach lines which few of them reach, and those that reach little
        else. Those that cost less come first, by powers of four: dozens of unit tests take as long
        as one that goes through moto."""
        reach = self._reach
        tests = [test for test, reached in reach.items() if reached.get(where, 0) & wanted]
        tests = tests or [test for test, reached in reach.items() if where in reached]
        count: Counter[tuple[str, int]] = Counter()
        own = {
            test: [each for each in reach[test].items() if each[0].startswith(f"{module} ")]
            for test in tests
        }
        for reached in own.values():
            count.update(reached)

        def rarity(test: str) -> float:
            return self._rarity[test] + 5 * sum(1 / count[each] for each in own[test])

        rarest = sorted(tests, key=rarity, reverse=True)
        shortest = sorted(tests, key=lambda test: len(reach[test]))
        ranked = list(
            dict.fromkeys(test for pair in zip(shortest, rarest, strict=True) for test in pair)
        )
        cases: Counter[str] = Counter()
        first: list[str] = []
        later: list[str] = []
        for test in ranked:
            name = test.partition("[")[0]
            cases[name] += 1
            (first if cases[name] <= CASES_FIRST else later).append(test)
        ranked = sorted(first + later, key=lambda test: self._costs[test])
        seconds = itertools.accumulate(self._seconds[test] for test in ranked)
        affordable = sum(each <= TEST_SECONDS for each in seconds)
        return ranked[: min(self._most, affordable) or 1]


@functools.cache
def _first_line(module: str, where: str) -> int:
    compiled = _codes(compile((PACKAGE / f"{module}.py").read_text(), "", "exec"))
    return next(code.co_firstlineno for code in compiled if code.co_qualname == where)


# ─── The run ───────────────────────────────────────────────────────────────────────────────────


def run(to_run: Sequence[Mutant], plan: dict[str, list[str]], results: dict[str, Result]) -> None:
    """Run mutants and note their results as they come."""
    if not to_run:
        return
    tests = sorted({test.partition("::")[0] for found in plan.values() for test in found})
    _pytest(tests, _Runner(to_run, plan, results))


class _Runner:
    """Runs each mutant in a fork, in place of pytest's own loop."""

    def __init__(
        self, to_run: Sequence[Mutant], plan: dict[str, list[str]], results: dict[str, Result]
    ) -> None:
        self._to_run = to_run
        self._plan = plan
        self._results = results
        self._failed = ""
        self._sound: dict[str, bool] = {}  # tests that pass without a mutant
        self._warmed_at = 0.0

    def pytest_sessionstart(self) -> None:
        """Let hypothesis stop at the first example that fails: no one reads it."""
        from hypothesis import Phase, settings  # pytest must have seen its plugin first

        settings.register_profile("mutate", settings(), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutate")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed:
            self._failed = self._failed or report.nodeid

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run every mutant."""
        items = {item.nodeid: item for item in session.items}
        modules = import_all()
        for number, mutant in enumerate(self._to_run, 1):
            self._warm(session)
            tests = [items[test] for test in self._plan[mutant.name] if test in items]
            began = time.monotonic()
            result = self._try(mutant, modules[mutant.module], tests)
            self._results[mutant.name] = result
            RESULTS.write_text(json.dumps(self._results, indent=0))
            seconds = time.monotonic() - began
            print(
                f"{number}/{len(self._to_run)} {result.outcome} {seconds:.1f} s {mutant.name} "
                f"{result.by or f'({result.tests} tests)'}",
                file=sys.stderr,
                flush=True,
            )
        return True

    def _warm(self, session: pytest.Session) -> None:
        """Have the slow beginnings of an integration test in memory for all forks."""
        if time.monotonic() - self._warmed_at < WARM_SECONDS:
            return
        for item in session.items:
            if "owner" in getattr(item, "fixturenames", ()):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                break
        self._failed = ""
        self._warmed_at = time.monotonic()

    def _try(self, mutant: Mutant, module: ModuleType, tests: list[pytest.Item]) -> Result:
        tests = [test for test in tests if self._sound.get(test.nodeid, True)]
        while tests:
            killer = self._fork(tests, mutant, module)
            if killer is None:
                return Result("survived", tests=len(tests))
            found = next((test for test in tests if test.nodeid == killer), None)
            if found is None:  # it computed without end
                return Result("killed", killer)
            if killer not in self._sound:
                self._sound[killer] = self._fork([found]) is None
            if self._sound[killer]:
                return Result("killed", killer)
            tests = [test for test in tests if test is not found]
        return Result("unreached")

    def _fork(
        self,
        tests: list[pytest.Item],
        mutant: Mutant | None = None,
        module: ModuleType | None = None,
    ) -> str | None:
        """The test that fails first, or None."""
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            signal.alarm(WAIT_SECONDS)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            try:
                if mutant is not None and module is not None:
                    apply(mutant, module)
                for item, then in zip(tests, [*tests[1:], None], strict=True):
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)
                    if self._failed:
                        break
            except BaseException as fault:  # noqa: BLE001
                self._failed = self._failed or repr(fault)
            os.write(writes, self._failed.encode())
            os._exit(0)
        os.close(writes)
        with os.fdopen(reads, "rb") as pipe:
            said = pipe.read().decode()
        _, status = os.waitpid(child, 0)
        return said or ("its limit of time" if status else None)


# ─── The page ──────────────────────────────────────────────────────────────────────────────────

HEAD = """# Mutation

`make mutate` makes small faults in the code, one at a time, and runs the tests that reach each of
them. A fault that no test notices is a decision that could be lost without a failing build.
`make mutate ONLY=generations/store` runs one module and brings its lines here up to date, as does
`python -m dev.mutate --again` all of them. `dev/mutate.py` writes this page.

- **Conditions**: of every conditional write, each clause of an `AND` dropped, each alternative of
  an `OR` dropped, a condition of one clause dropped whole, `<` and `<=` exchanged, `>` and `>=`.
- **Other code** of credits, limits and identity: comparisons flipped and moved by one, conditions
  negated, operands, `raise` and early `return` dropped. Of each module {sample} mutants are run,
  always the same ones.
- **Listed**: mutants that change nothing that can be observed (*equivalent*), and those whose work
  another condition of the same transaction, or a fresh random id, does as well (*redundant*).
  `dev/mutants.toml` has the reasons. The score is the share of the others that a test kills.

Each mutant runs at most {tests} of the tests that reach it, the cheapest first, and no more than
{seconds} seconds of them. Only tests that run in one process take part: what a true race shows on
the local cloud is not counted here.

{run}
Mutants that survived it are run again when tests are added, and their lines brought up to date.
When mutants were first run, tests killed 87 of 162 conditions, and 33 of 44 sampled mutants of
other code.

"""
RUN = re.compile(r"The last run of every mutant was on commit `\w+`\.")
TITLES = "| module | conditions | killed | listed | score | other code | killed | listed | score |"


def write_page(
    chosen: Sequence[Mutant],
    results: dict[str, Result],
    listed: dict[str, tuple[str, str]],
    most: int,
    *,
    everything: bool,
    commit: str = "",
) -> list[str]:
    """Write the page; `commit` is what every mutant was just run on. Returns what is wrong with the
    list of mutants."""
    from dev.mutants import SAMPLE

    faults = []
    names = {each.name for each in chosen}
    modules = list(dict.fromkeys(each.module for each in chosen))
    for name in listed:
        if name.partition(" ")[0] in modules and name not in names and everything:
            faults.append(f"dev/mutants.toml names no mutant: {name}")
        elif name in names and name in results and results[name].outcome == "killed":
            faults.append(f"dev/mutants.toml lists a mutant that a test kills: {name}")
    rows, survivors = ({}, {}) if everything else _read_page()
    for module in modules:
        mine = [each for each in chosen if each.module == module and each.name in results]
        halves = [[each for each in mine if each.is_condition == kind] for kind in (True, False)]
        numbers = [number for half in halves for number in _numbers(half, results, listed)]
        if not halves[1] and module in rows:
            numbers[3:] = rows[module][3:]
        rows[module] = numbers
        survivors[module] = [
            each.name
            for each in mine
            if results[each.name].outcome != "killed" and each.name not in listed
        ]
    lines = [TITLES, "| --- |" + " ---: |" * 8]
    for module in sorted(rows):
        lines.append(_row(module, rows[module]))
    for folder in (*SAMPLED, ""):
        inside = [row for module, row in rows.items() if module.startswith(folder)]
        total = [sum(row[place] for row in inside) for place in range(6)]
        lines.append(_row(f"**{folder.rstrip('/') or 'all'}**", total))
    left = sorted(name for found in survivors.values() for name in found)
    lines += ["", "## Survivors", ""]
    lines += [f"- {name}" for name in left] or ["None."]
    earlier = RUN.search(PAGE.read_text()) if PAGE.exists() else None
    run_on = f"The last run of every mutant was on commit `{commit}`." if commit else ""
    head = HEAD.format(
        sample=SAMPLE,
        tests=most,
        seconds=TEST_SECONDS,
        run=run_on or (earlier[0] if earlier else "No run has made every mutant yet."),
    )
    PAGE.write_text(head + "\n".join(lines) + "\n")
    return faults


def _numbers(
    half: Sequence[Mutant], results: dict[str, Result], listed: dict[str, tuple[str, str]]
) -> list[int]:
    killed = sum(results[each.name].outcome == "killed" for each in half)
    return [len(half), killed, sum(each.name in listed for each in half)]


def _row(module: str, numbers: list[int]) -> str:
    cells: list[object] = [module]
    for of, killed, listed in (numbers[:3], numbers[3:]):
        score = f"{100 * killed // (of - listed)}%" if of > listed else ""
        cells += [of or "", killed if of else "", (listed or "") if of else "", score]
    return f"| {' | '.join(str(cell) for cell in cells)} |".replace("|  |", "| |")


def _read_page() -> tuple[dict[str, list[int]], dict[str, list[str]]]:
    """The rows and survivors of an earlier run."""
    rows: dict[str, list[int]] = {}
    survivors: dict[str, list[str]] = defaultdict(list)
    for line in PAGE.read_text().splitlines() if PAGE.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 9 and "/" in cells[0]:
            numbers = [int(cell or 0) for cell in (*cells[1:4], *cells[5:8])]
            rows[cells[0]] = numbers
        elif line.startswith("- ") and line.split(" ")[1] in rows:
            name = line.removeprefix("- ")
            survivors[name.partition(" ")[0]].append(name)
    return rows, survivors


if __name__ == "__main__":
    main()
