"""Lines break where a reader expects it, are even, and never exceed their width."""

# ruff: noqa: RUF001  (full-width punctuation looks like Latin)
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelayer.render.pango import Face, advance
from imagelayer.render.typesetting import Setting, break_lines, is_right_to_left, tokens

FACE = Face("Inter", 800)


def set_in(text: str, width: float, most: int = 9, **options: bool) -> Setting:
    setting = break_lines(text, FACE, width, most, **options)
    assert setting is not None
    return setting


def test_lines_are_even_and_the_last_is_not_a_lonely_word() -> None:
    """Greedy breaking would leave "now" alone."""
    assert set_in("Every coat is on sale now", 11.5).lines == ("Every coat is", "on sale now")


@given(
    words=st.lists(
        st.sampled_from(["a", "sale", "autumn", "collection", "is", "here"]),
        min_size=1,
        max_size=24,
    ),
    width=st.floats(6, 20),
)
@settings(max_examples=150, deadline=None)
def test_every_word_is_set_once_in_order_and_within_the_width(
    words: list[str], width: float
) -> None:
    setting = set_in(" ".join(words), width, 99)
    assert " ".join(setting.lines).split() == words
    space = advance(" ", FACE)
    for line in setting.lines:
        parts = line.split()
        filled = sum(advance(word, FACE) for word in parts) + space * (len(parts) - 1)
        assert filled <= width + 1e-9
        assert filled <= setting.width + 1e-9


@pytest.mark.parametrize("word", ["Donaudampfschifffahrt", "ไทยไทยไทยไทยไทยไทยไทย"])
def test_a_word_wider_than_a_line_is_not_set(word: str) -> None:
    assert break_lines(word, FACE, advance(word, FACE) - 0.1, 9) is None
    assert break_lines(word, FACE, advance(word, FACE) + 0.1, 9) is not None


def test_more_lines_than_allowed_are_not_set() -> None:
    assert break_lines("one two three four five", FACE, 5.0, 2) is None


@pytest.mark.parametrize(
    "text",
    [
        "我们的秋季新品系列，现已上市。欢迎选购！",
        "秋の新作「コレクション」が、ついに登場しました。",
    ],
)
@pytest.mark.parametrize("width", [4.0, 5.0, 6.0, 7.0, 9.0])
def test_no_ideographic_line_begins_or_ends_with_the_wrong_punctuation(
    text: str, width: float
) -> None:
    lines = set_in(text, width, inside_words=True).lines
    assert "".join(lines) == text
    assert len(lines) > 1
    for line in lines:
        assert line[0] not in "，。！、」ー"
        assert not line.endswith("「")


def test_a_line_breaks_after_a_clause_where_it_can() -> None:
    assert set_in("温暖层次，经久耐用", 6.0).lines == ("温暖层次，", "经久耐用")


def test_a_word_of_katakana_is_not_broken() -> None:
    setting = set_in("秋の新コレクションが登場しました", 8.0)
    assert any("コレクション" in line for line in setting.lines)


def test_hyphens_break_words_only_when_asked() -> None:
    assert "Pour-" not in " ".join(set_in("Horizon Pour-Over Kettle", 8.0).lines).split()
    assert break_lines("noise-cancelling", FACE, 6.0, 3) is None
    assert set_in("noise-cancelling", 6.0, inside_words=True).lines == ("noise-", "cancelling")


@pytest.mark.parametrize("glue", ["\u00a0", "\u202f", "\u2060"])
def test_a_line_never_breaks_at_what_forbids_it(glue: str) -> None:
    assert len(tokens(f"18{glue}km")) == 1


def test_emoji_sequences_stay_whole() -> None:
    assert [token.text for token in tokens("Go 👩🏽‍🚀👨‍👩‍👧 now")] == ["Go", "👩🏽‍🚀👨‍👩‍👧", "now"]


@pytest.mark.parametrize(
    ("text", "right_to_left"),
    [("مرحبا Hello", True), ("Hello مرحبا", False), ("123 שלום", True), ("!?", False)],
)
def test_the_first_letter_decides_the_direction(text: str, right_to_left: bool) -> None:
    assert is_right_to_left(text) is right_to_left
