"""The promise registry: what the security page may say, and the tests that show it.

`docs/promises.toml` lists the promises. A test marked `@pytest.mark.promise("id")` is evidence for
one; `tests/promise_plugin.py` records its outcome in `.promises.json`. Nothing is proven by
words: `check` fails when a promise marked proven has no passing test or has a failing one.

    python -m dev.promises            the table: promise, status, passing tests, their names
    python -m dev.promises check      fail when the registry claims more than the tests showed
    python -m dev.promises page       write the security page; --check only compares
"""

from __future__ import annotations

import ast
import fcntl
import html
import json
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from dev.settings import ROOT

REGISTRY: Final = ROOT / "docs/promises.toml"
EVIDENCE: Final = ROOT / ".promises.json"
TESTS: Final = ROOT / "tests"
PAGE: Final = ROOT / "layers/common/imagelayer/static/security.html"
CONTACT: Final = "security@imagelayer.app"

Status = Literal["proven", "not yet proven"]
Outcome = Literal["passed", "failed", "skipped"]

# Of several runs of one test the worst counts, and a run counts more than a skip.
_WORST_FIRST: Final[Sequence[Outcome]] = ("failed", "passed", "skipped")
_FIELDS: Final = {"id", "sentence", "page_section", "status", "implemented_in", "breaks_if"}


class RegistryError(Exception):
    """The registry, or a test that refers to it, is wrong in itself."""


@dataclass(frozen=True)
class Promise:
    """One public sentence, and what stands behind it."""

    id: str
    sentence: str
    page_section: str
    status: Status
    implemented_in: tuple[str, ...]
    breaks_if: str
    missing: str = ""

    @property
    def is_proven(self) -> bool:
        """Whether the registry claims it; `check` decides whether it may."""
        return self.status == "proven"


@dataclass(frozen=True)
class Result:
    """The outcome of one test that is evidence for some promises."""

    promises: tuple[str, ...]
    outcome: Outcome


Evidence = Mapping[str, Result]


@dataclass(frozen=True)
class Tests:
    """The results that bear on one promise, by outcome."""

    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, promise_id: str, evidence: Evidence) -> Tests:
        """Pick one promise's results out."""
        by_outcome: dict[Outcome, list[str]] = {outcome: [] for outcome in _WORST_FIRST}
        for node, result in sorted(evidence.items()):
            if promise_id in result.promises:
                by_outcome[result.outcome].append(node)
        return cls(**{outcome: tuple(nodes) for outcome, nodes in by_outcome.items()})


def load(path: Path = REGISTRY) -> dict[str, Promise]:
    """The registry by id, in its own order. Raises RegistryError."""
    promises: dict[str, Promise] = {}
    for entry in tomllib.loads(path.read_text("utf-8")).get("promise", []):
        promise = _promise(entry)
        if promise.id in promises:
            raise RegistryError(f"{promise.id}: listed twice")
        promises[promise.id] = promise
    return promises


def _promise(entry: Mapping[str, Any]) -> Promise:
    name = entry.get("id", "a promise without id")
    if absent := _FIELDS - entry.keys():
        raise RegistryError(f"{name}: has no {', '.join(sorted(absent))}")
    if unknown := entry.keys() - _FIELDS - {"missing"}:
        raise RegistryError(f"{name}: unknown field {', '.join(sorted(unknown))}")
    promise = Promise(**{**entry, "implemented_in": tuple(entry["implemented_in"])})
    if promise.status not in ("proven", "not yet proven"):
        raise RegistryError(f"{name}: status must be `proven` or `not yet proven`")
    if not promise.is_proven and not promise.missing:
        raise RegistryError(f"{name}: say in `missing` what is missing")
    if promise.is_proven and promise.missing:
        raise RegistryError(f"{name}: is proven, so nothing is missing; delete `missing`")
    return promise


# ─── Evidence ────────────────────────────────────────────────────────────────────────────────────


def read_evidence(path: Path = EVIDENCE) -> dict[str, Result]:
    """What the test runs since the file was last removed have shown, by test."""
    if not path.exists():
        return {}
    tests = json.loads(path.read_text("utf-8"))["tests"]
    return {
        node: Result(tuple(entry["promises"]), entry["outcome"]) for node, entry in tests.items()
    }


def merge_evidence(results: Evidence, path: Path = EVIDENCE) -> None:
    """Add a run's results. A test that failed in any run stays failed until the file is removed.

    Runs at the same time add theirs one after the other.
    """
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _merge(results, path)


def _merge(results: Evidence, path: Path) -> None:
    merged = read_evidence(path)
    for node, result in results.items():
        earlier = merged.get(node)
        outcome = worst(earlier.outcome, result.outcome) if earlier else result.outcome
        merged[node] = Result(result.promises, outcome)
    tests = {
        node: {"promises": list(result.promises), "outcome": result.outcome}
        for node, result in sorted(merged.items())
    }
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps({"tests": tests}, indent=1) + "\n", "utf-8")
    draft.replace(path)


def worst(*outcomes: Outcome) -> Outcome:
    """The outcome that counts of several."""
    return min(outcomes, key=_WORST_FIRST.index)


def marked_tests(tests: Path = TESTS, root: Path = ROOT) -> dict[str, list[str]]:
    """Promise id -> the tests marked for it, found by reading the files and running nothing."""
    found: dict[str, list[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"), str(path))
        for name, ids in _marks_of(tree.body, ()):
            node = f"{path.relative_to(root).as_posix()}::{name}"
            for promise_id in dict.fromkeys(ids):
                found.setdefault(promise_id, []).append(node)
    return found


def _marks_of(
    body: Iterable[ast.stmt], inherited: tuple[str, ...], prefix: str = ""
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`(test, promise ids)` of a module's or class's tests; `pytestmark` counts for all of them."""
    statements = list(body)
    for statement in statements:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark"
            for target in statement.targets
        ):
            inherited = (*inherited, *_ids_in(statement.value))
    for statement in statements:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                ids = (*inherited, *_ids_in(*statement.decorator_list))
                if name.startswith("test") and ids:
                    yield f"{prefix}{name}", ids
            case ast.ClassDef(name=name) if name.startswith("Test"):
                ids = (*inherited, *_ids_in(*statement.decorator_list))
                yield from _marks_of(statement.body, ids, f"{prefix}{name}::")


def _ids_in(*expressions: ast.expr) -> tuple[str, ...]:
    """The ids in every `….mark.promise("id", …)` inside the expressions."""
    return tuple(
        argument.value
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.promise")
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


# ─── Check ───────────────────────────────────────────────────────────────────────────────────────


def problems(
    promises: Mapping[str, Promise],
    evidence: Evidence,
    marked: Mapping[str, Sequence[str]],
    root: Path = ROOT,
) -> list[str]:
    """Everything in which the registry and the tests disagree; empty when the page may be shown."""
    found = [
        f"{promise_id}: is no promise, but {nodes[0]} is marked with it"
        for promise_id, nodes in marked.items()
        if promise_id not in promises
    ]
    for promise in promises.values():
        found += [
            f"{promise.id}: implemented_in names {path}, which does not exist"
            for path in promise.implemented_in
            if not (root / path).exists()
        ]
        if not promise.is_proven:
            continue
        tests = Tests.of(promise.id, evidence)
        found += [f"{promise.id}: marked proven, but {node} failed" for node in tests.failed]
        if not tests.passed:
            found.append(f"{promise.id}: marked proven, but no test that shows it passed")
    return found


# ─── Table ───────────────────────────────────────────────────────────────────────────────────────


def table(
    promises: Mapping[str, Promise], evidence: Evidence, marked: Mapping[str, Sequence[str]]
) -> str:
    """Promise, status, passing tests and their names, in columns."""
    rows: list[tuple[str, str, str, str]] = [("promise", "status", "passing", "tests")]
    for promise in promises.values():
        tests = Tests.of(promise.id, evidence)
        names = _names(promise.id, tests, marked)
        rows.append((promise.id, promise.status, str(len(tests.passed)), names[0] if names else ""))
        rows += [("", "", "", name) for name in names[1:]]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("─" * width for width in (*widths, 40)))
    proven = sum(promise.is_proven for promise in promises.values())
    passed = sum(result.outcome == "passed" for result in evidence.values())
    lines += [
        "",
        f"{proven} of {len(promises)} promises proven; {passed} tests passed as evidence.",
    ]
    if not evidence:
        lines.append("No evidence yet: run `make test`.")
    if any(result.outcome == "failed" for result in evidence.values()):
        lines.append("A failure stays on record until `make test` begins anew.")
    return "\n".join(lines)


def _names(promise_id: str, tests: Tests, marked: Mapping[str, Sequence[str]]) -> list[str]:
    seen = {_function(node) for node in (*tests.passed, *tests.failed, *tests.skipped)}
    waiting = [node for node in marked.get(promise_id, ()) if node not in seen]
    return [
        *(f"FAILED   {name}" for name in _grouped(tests.failed)),
        *_grouped(tests.passed),
        *(f"skipped  {name}" for name in _grouped(tests.skipped)),
        *(f"not run  {name}" for name in _grouped(waiting)),
    ]


def _grouped(nodes: Iterable[str]) -> list[str]:
    """Parametrized cases in one line, without the folder that all tests are in."""
    return [
        f"{name.removeprefix('tests/')}{f' ({count} cases)' if count > 1 else ''}"
        for name, count in Counter(_function(node) for node in nodes).items()
    ]


def _function(node: str) -> str:
    return node.partition("[")[0]


# ─── Page ────────────────────────────────────────────────────────────────────────────────────────

_STYLE: Final = (Path(__file__).parent / "pages/security.css").read_text("utf-8")
_MARK: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" '
    'stroke-linejoin="round" aria-hidden="true"><path d="m12 3 9 5-9 5-9-5 9-5Z"/>'
    '<path d="m3 12.5 9 5 9-5"/><path d="m3 17 9 5 9-5" opacity=".45"/></svg>'
)


@dataclass(frozen=True)
class _Section:
    """The promises that stand under one heading of the page."""

    title: str
    promises: list[Promise] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """The fragment that points at it."""
        return "-".join(word.lower() for word in self.title.split() if word != "&")


def page(promises: Mapping[str, Promise], marked: Mapping[str, Sequence[str]]) -> str:
    """The security page: one file without scripts, the same for the same registry and tests."""
    sections: dict[str, _Section] = {}
    for promise in promises.values():
        title = promise.page_section
        sections.setdefault(title, _Section(title)).promises.append(promise)
    proven = sum(promise.is_proven for promise in promises.values())
    links = "".join(
        f'<li><a href="#{section.anchor}">{html.escape(section.title)}</a></li>'
        for section in sections.values()
    )
    body = "\n".join(_section(section, marked) for section in sections.values())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Security · ImageLayer</title>
<meta name="description" content="What ImageLayer promises, and the tests that show it.">
<style>
{_STYLE}</style>
</head>
<body>
<a class="skip" href="#promises">Skip to the promises</a>
<header>
<p class="mark">{_MARK}ImageLayer</p>
<h1>Security you can re-run</h1>
<p class="lead">Every promise on this page is an entry in a registry that comes with the product.
It may call itself proven only while the tests marked for it pass; otherwise the build fails. What
the tests do not show yet says so.</p>
<div class="tally">
<p><strong>{proven}</strong> proven</p>
<p><strong>{len(promises) - proven}</strong> not yet proven</p>
<meter min="0" max="{len(promises)}" value="{proven}">{proven} of {len(promises)}</meter>
</div>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main id="promises">
{body}
</main>
<footer>
<p>Found something? Write to <a href="mailto:{CONTACT}">{CONTACT}</a>;
<a href="/.well-known/security.txt">security.txt</a> says the same for machines.</p>
<p>Tests are not a substitute for an independent audit, and this page does not claim one.</p>
</footer>
</body>
</html>
"""


def _section(section: _Section, marked: Mapping[str, Sequence[str]]) -> str:
    entries = "\n".join(_entry(promise, marked.get(promise.id, ())) for promise in section.promises)
    return f"""<section aria-labelledby="{section.anchor}">
<h2 id="{section.anchor}">{html.escape(section.title)}</h2>
{entries}
</section>"""


def _entry(promise: Promise, tests: Sequence[str]) -> str:
    state, label = ("proven", "Proven") if promise.is_proven else ("open", "Not yet proven")
    missing = (
        f'<p class="missing"><span>Still missing:</span> {html.escape(promise.missing)}</p>\n'
        if promise.missing
        else ""
    )
    return f"""<article class="{state}" id="{promise.id}">
<p class="state">{label}</p>
<div>
<h3>{html.escape(promise.sentence)}</h3>
{missing}{_tests(tests)}
</div>
</article>"""


def _tests(nodes: Sequence[str]) -> str:
    if not nodes:
        return '<p class="none">No tests yet.</p>'
    by_file: dict[str, list[str]] = {}
    for node in nodes:
        path, _, name = node.partition("::")
        by_file.setdefault(path.removeprefix("tests/"), []).append(name)
    files = "".join(
        f"<li><code>{html.escape(path)}</code><ul>"
        + "".join(f"<li>{html.escape(_sentence(name))}</li>" for name in names)
        + "</ul></li>"
        for path, names in by_file.items()
    )
    count = f"{len(nodes)} test{'s' if len(nodes) != 1 else ''}"
    return f"<details><summary>{count}</summary><ul>{files}</ul></details>"


def _sentence(name: str) -> str:
    """`TestLogin::test_a_wrong_password_is_refused` -> `Login: a wrong password is refused`."""
    *classes, function = name.split("::")
    words = function.removeprefix("test_").replace("_", " ")
    return ": ".join([*(each.removeprefix("Test") for each in classes), words])


# ─── Commands ────────────────────────────────────────────────────────────────────────────────────


def main(arguments: Sequence[str]) -> int:
    """Run one command; the table when none is named."""
    command, *options = arguments or ["table"]
    if command not in ("table", "check", "page") or set(options) - {"--check"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return _run(command, check="--check" in options)
    except RegistryError as error:
        print(f"{REGISTRY.relative_to(ROOT)}: {error}", file=sys.stderr)
        return 1


def _run(command: str, *, check: bool) -> int:
    promises, marked = load(), marked_tests()
    if command == "page":
        return _write_page(page(promises, marked), check=check)
    if command == "table":
        print(table(promises, read_evidence(), marked))
        return 0
    found = problems(promises, read_evidence(), marked)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _write_page(text: str, *, check: bool) -> int:
    if not check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == text:
        return 0
    print(
        "the security page is not what the registry and the marked tests say; "
        "run `python -m dev.promises page`",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
