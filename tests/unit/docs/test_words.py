"""What we write keeps to docs/style.md."""

from __future__ import annotations

import re

import pytest

from dev import words
from dev.settings import ROOT


def test_no_phrase_is_used_that_the_style_rules_out() -> None:
    found = [
        f'{each.path}:{each.line}: "{each.found}" (better: {each.instead})'
        for path in words.files()
        for each in words.findings(path)
    ]
    assert found == []


def phrases(text: str) -> list[str]:
    return [match[0] for rule in words.RULES for match in rule.pattern.finditer(text)]


def test_every_phrase_on_the_left_of_the_style_page_is_found() -> None:
    page = (ROOT / "docs/style.md").read_text("utf-8")
    left = [row.split("|")[1] for row in page.splitlines() if row.startswith("| ")][2:]
    missed = [each.strip() for each in left if not phrases(re.sub(r"\*|…", "", each))]
    assert missed == BY_REVIEW_ALONE


# Judgements that no pattern can make.
BY_REVIEW_ALONE = [
    "*Claim*, for five things",
    "Where one is logged in",
    "The code of the second factor of the user",
    "A client out of credits asks once *(commit)*",
]


@pytest.mark.parametrize(
    "text",
    [
        "There is no such brand.",
        "The key is no longer valid.",
        "where there are no limits",
        "Ask for a reset mail",
        "No request is admitted twice.",
        "It stands for an organization.",
        "Living standards",
    ],
)
def test_ordinary_english_raises_no_alarm(text: str) -> None:
    assert phrases(text) == []


def test_comments_docstrings_and_what_the_product_says_are_read_and_code_is_not() -> None:
    source = '''
# Somebody asks
# meanwhile.
nobody = "tests are told"


def test_that_is_told_apart():
    """Untold."""
'''

    def read(name: str) -> list[str]:
        return sorted(text for _, text in words.of_python(name, source))

    assert read("tests/unit/x.py") == [
        " Somebody asks\n meanwhile.",
        "Untold.",
        "test that is told apart",
    ]
    assert "tests are told" in read("layers/common/x.py")
