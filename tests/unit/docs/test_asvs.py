"""docs/security/asvs.md answers every requirement, and what it names as evidence exists.

docs/security/sessions.md, which it rests on, has the code's own numbers and words.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from dev.settings import ROOT
from imagelayer.identity import link_tokens, places, second_factor, sessions, tokens
from imagelayer.identity.passwords import MAX_LENGTH, MIN_LENGTH, MIN_SCORE, PRODUCT_WORDS
from imagelayer.identity.sessions import MAX_SESSIONS
from imagelayer.limits.rate_limits import POLICIES

PAGE = ROOT / "docs/security/asvs.md"
SESSIONS = ROOT / "docs/security/sessions.md"

# ASVS 5.0.0, chapters V6 to V9: every requirement by its level.
LEVELS = {
    1: "6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2 "
    "7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1",
    2: "6.1.2 6.1.3 6.2.9 6.2.10 6.2.11 6.2.12 6.3.3 6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 "
    "6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4 7.1.1 7.1.2 7.1.3 7.3.1 7.3.2 7.4.3 7.4.4 "
    "7.4.5 7.5.1 7.5.2 7.6.1 7.6.2 8.1.2 8.2.3 8.4.1 9.2.2 9.2.3 9.2.4",
    3: "6.3.5 6.3.6 6.3.7 6.3.8 6.4.5 6.4.6 6.5.6 6.5.7 6.5.8 6.6.4 6.7.1 6.7.2 7.5.3 8.1.3 "
    "8.1.4 8.2.4 8.3.2 8.3.3 8.4.2",
}
EXPECTED = sorted(
    (f"v5.0.0-{each}", level) for level, ids in LEVELS.items() for each in ids.split()
)
STATUSES = ("met", "not met", "not applicable")


@dataclass(frozen=True)
class Row:
    """One requirement as the page answers it."""

    id: str
    level: int
    asks: str
    status: str
    how: str
    shown_by: str

    @property
    def tests(self) -> list[str]:
        """The tests it names, as `path::name`."""
        return re.findall(r"`(tests/[^`]+)`", self.shown_by)

    @property
    def documents(self) -> list[str]:
        """The documents it links to."""
        return re.findall(r"\]\(([^)]+)\)", self.shown_by)

    @classmethod
    def read(cls, line: str) -> Row:
        """Read a line of the tables."""
        name, level, *rest = (cell.strip() for cell in line.strip().strip("|").split("|"))
        return cls(name, int(level), *rest)


TEXT = PAGE.read_text("utf-8")
ROWS = [Row.read(line) for line in TEXT.splitlines() if line.startswith("| v5")]
NAMED = sorted({test for row in ROWS for test in row.tests})


def by_id(row: Row) -> str:
    return row.id


@cache
def functions(path: Path) -> frozenset[str]:
    """The tests of a file as pytest names them, without its parameters."""
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            found |= {f"{node.name}::{method.name}" for method in methods}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def test_every_requirement_is_answered_once_at_its_level() -> None:
    assert sorted((row.id, row.level) for row in ROWS) == EXPECTED


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_an_answer_says_what_is_asked_how_it_stands_and_why(row: Row) -> None:
    assert row.status in STATUSES
    assert row.asks
    assert row.how.endswith(".")


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file()
    assert function in functions(ROOT / path)


@pytest.mark.parametrize("row", [row for row in ROWS if row.status == "met"], ids=by_id)
def test_what_is_met_has_something_to_show_for_it(row: Row) -> None:
    assert all((PAGE.parent / document).is_file() for document in row.documents)
    assert row.level == 3 or row.tests or row.documents


@pytest.mark.parametrize("row", [row for row in ROWS if row.status == "not met"], ids=by_id)
def test_what_is_not_met_at_level_1_or_2_is_said_at_the_top(row: Row) -> None:
    line = f"- `{row.id}` (level {row.level}): {row.asks}"
    assert (line in TEXT.splitlines()) == (row.level < 3)


def test_nothing_else_is_said_at_the_top() -> None:
    listed = re.findall(r"^- `(v5[^`]+)`", TEXT, re.MULTILINE)
    assert listed == [row.id for row in ROWS if row.status == "not met" and row.level < 3]


@pytest.mark.parametrize("status", STATUSES)
def test_the_counts_are_right(status: str) -> None:
    counts = Counter(row.level for row in ROWS if row.status == status)
    cells = " | ".join(str(counts[level]) for level in LEVELS)
    assert f"| {status} | {cells} | {counts.total()} |" in TEXT.splitlines()


def test_the_context_words_are_the_documented_ones() -> None:
    words = ", ".join(f"`{word}`" for word in PRODUCT_WORDS)
    assert f"| {words} | always |" in SESSIONS.read_text("utf-8").splitlines()


def of(seconds: int, unit: str) -> str:
    """A duration in whole units."""
    size = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}[unit]
    assert seconds % size == 0
    return f"{seconds // size} {unit}s"


@pytest.mark.parametrize(
    "said",
    [
        f"| ends without use after | {of(sessions.IDLE_SECONDS, 'day')} |",
        f"| ends in any case after | {of(sessions.ABSOLUTE_SECONDS, 'day')} |",
        f"| access token | {of(tokens.ACCESS_SECONDS, 'minute')} |",
        f"| {link_tokens.VERIFICATION_HOURS} hours, once |",
        f"| {link_tokens.RESET_MINUTES} minutes, once |",
        f"| {link_tokens.INVITATION_DAYS} days, once |",
        f"{second_factor.STEP_SECONDS}-second steps",
        f"A user may have {MAX_SESSIONS} dashboard sessions.",
        f"within {of(sessions.REUSE_GRACE_SECONDS, 'second')}: answered again",
        f"within {of(places.PLACE_SECONDS, 'day')}",
        f"`{tokens.ACCESS_TYPE}` | `{tokens.ACCESS_AUDIENCE}`",
        f"`{tokens.END_USER_TYPE}` | `{tokens.END_USER_AUDIENCE}`",
        f"At least {MIN_LENGTH} characters, at most {MAX_LENGTH}",
        f"below a score of {MIN_SCORE}",
    ],
)
def test_the_documented_lifetimes_are_those_in_force(said: str) -> None:
    assert said in SESSIONS.read_text("utf-8")


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("login", "{quota} logins in 5 minutes"),
        ("bad-credential", "{quota} refused keys or tokens"),
        ("login-account", "{quota} failures a day, {burst} at once, all strangers"),
        ("second-factor", "{quota} a day, {burst} at once"),
        ("password-check", "{quota} an hour, {burst} at once"),
        ("mail-per-address", "{quota} an hour to one address"),
        ("mail-per-ip", "{quota} an hour caused by one client address"),
    ],
)
def test_the_documented_limits_on_guessing_are_those_in_force(limit: str, said: str) -> None:
    policy = POLICIES[limit]
    text = " ".join(SESSIONS.read_text("utf-8").split())
    assert said.format(quota=policy.quota, burst=policy.burst) in text
