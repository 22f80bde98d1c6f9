"""Records the outcome of every test marked `@pytest.mark.promise("id")`, for `dev.promises`.

An id that is not in the registry is a collection error at the test's own file. Results travel in
`user_properties`, which pytest-xdist carries from its workers to the controller, and only the
controller writes them down.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from dev.promises import EVIDENCE, REGISTRY, Outcome, Result, load, merge_evidence, worst

PROPERTY = "promise"
_KNOWN = pytest.StashKey[frozenset[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the plugin's own tests point it elsewhere."""
    parser.addini("promise_registry", "the promises", default=str(REGISTRY))
    parser.addini("promise_evidence", "where results are noted", default=str(EVIDENCE))


def pytest_configure(config: pytest.Config) -> None:
    """Read the registry once."""
    config.addinivalue_line(
        "markers", "promise(id, …): evidence for promises of docs/promises.toml"
    )
    config.stash[_KNOWN] = frozenset(load(Path(config.getini("promise_registry"))))
    if not hasattr(config, "workerinput"):
        recorder = _Recorder(Path(config.getini("promise_evidence")))
        config.pluginmanager.register(recorder, "promise-recorder")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse a file whose tests name promises that do not exist."""
    report = yield
    known = collector.config.stash[_KNOWN]
    wrong = [
        f"{item.nodeid}: {promise_id!r} is not a promise of docs/promises.toml"
        for item in report.result or []
        if isinstance(item, pytest.Item)
        for promise_id in promises_of(item)
        if promise_id not in known
    ]
    if wrong:
        report.outcome = "failed"
        report.longrepr = "\n".join(wrong)
        report.result = []
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Attach the ids to the reports."""
    for item in items:
        item.user_properties += [(PROPERTY, promise_id) for promise_id in promises_of(item)]


def promises_of(item: pytest.Item) -> list[str]:
    """The ids a test is marked with, its class's and module's included."""
    ids = (str(argument) for mark in item.iter_markers("promise") for argument in mark.args)
    return list(dict.fromkeys(ids))


class _Recorder:
    """Gathers the reports of one run."""

    def __init__(self, evidence: Path) -> None:
        self._evidence = evidence
        self._results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's outcome is that of its three phases together."""
        promises = tuple(str(value) for name, value in report.user_properties if name == PROPERTY)
        if not promises or (report.when != "call" and report.outcome == "passed"):
            return
        earlier = self._results.get(report.nodeid)
        outcome = _outcome(report)
        self._results[report.nodeid] = Result(
            promises, worst(earlier.outcome, outcome) if earlier else outcome
        )

    def pytest_sessionfinish(self) -> None:
        """Add this run to what earlier ones have shown."""
        if self._results:
            merge_evidence(self._results, self._evidence)


def _outcome(report: pytest.TestReport) -> Outcome:
    """A test that is expected to fail shows nothing, whichever way it went."""
    return "skipped" if hasattr(report, "wasxfail") else report.outcome
