"""The names and characters a request is checked against are those of the bundled files."""

# ruff: noqa: RUF001  (full-width punctuation looks like Latin)
from __future__ import annotations

import json

import pytest
from fontTools.ttLib import TTFont

from dev import fonts as source
from dev.settings import ROOT
from imagelayer.design.fonts import FALLBACKS, FAMILIES, check_text, covers, find_family
from imagelayer.platform.errors import Problem

FOLDER = ROOT / "layers/render/fonts"
FACES = [
    (family, weight) for family, weights in {**FAMILIES, **FALLBACKS}.items() for weight in weights
]


def refused(text: str, family: str = "Inter") -> str:
    with pytest.raises(Problem) as caught:
        check_text("body.text.headline", text, family)
    assert (caught.value.status, caught.value.param) == (422, "text.headline")
    return caught.value.detail


def test_every_face_is_bundled_and_no_other_file() -> None:
    named = {source.file_name(family, weight) for family, weight in FACES}
    assert {path.name for path in FOLDER.glob("*.ttf")} == named
    assert {package.family for package in source.PACKAGES} == {*FAMILIES, *FALLBACKS}


@pytest.mark.parametrize("family", [*FAMILIES, *FALLBACKS])
def test_every_font_has_its_license_beside_it(family: str) -> None:
    terms = (FOLDER / f"{family.replace(' ', '')}-OFL.txt").read_text()
    assert "SIL OPEN FONT LICENSE Version 1.1" in terms
    assert "Copyright" in terms.splitlines()[0]


@pytest.mark.parametrize(("family", "weight"), FACES)
def test_a_file_is_the_face_its_name_says(family: str, weight: int) -> None:
    with TTFont(FOLDER / source.file_name(family, weight), lazy=True) as font:
        names, metrics = font["name"], font["OS/2"]
        own = names.getDebugName(16) or names.getDebugName(1)
        assert own.replace(" ", "").startswith(family.replace(" ", ""))
        assert metrics.usWeightClass == weight
        # Bit 1 would forbid embedding altogether.
        assert not metrics.fsType & 2


def test_no_reduced_font_bears_a_reserved_name() -> None:
    """The Open Font License, 3: a modified font may not use a name its license reserves."""
    for family in ("Noto Sans SC", "Noto Sans JP", "Noto Sans KR", "Noto Color Emoji"):
        first = (FOLDER / f"{family.replace(' ', '')}-OFL.txt").read_text().splitlines()[0]
        reserved = first.partition("Reserved Font Name")[2]
        assert "Noto" not in reserved


def test_the_coverage_is_that_of_the_files() -> None:
    assert json.loads(source.COVERAGE.read_text()) == source.coverage()


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_covered_is_in_a_file_and_what_is_not_is_in_none(family: str) -> None:
    faces = [(family, FAMILIES[family][0])]
    faces += [(fallback, weights[0]) for fallback, weights in FALLBACKS.items()]
    had = set().union(*(source.characters(*face) for face in faces))
    for point in range(0x20, 0x3400, 7):
        assert covers(family, point) == (point in had)


@pytest.mark.parametrize(
    "text",
    [
        "Łódź, Příliš žluťoučký kůň, ₹ 1 299,–",
        "Ελληνικά · Кириллица · Tiếng Việt",
        "مرحبا بالعالم ١٢٣",
        "שלום עולם",
        "हिन्दी क्षत्रिय · বাংলা · தமிழ் · ไทย",
        "你好，世界 · こんにちは · 한국어",
        "👩🏽‍🚀 👨‍👩‍👧 🇩🇪 1️⃣ ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☕︎",
        "★ → ∑ ✓ ™ ½ …",
        "nbsp\u00a0and\u202fnarrow, zero\u200bwidth, soft\u00adhyphen",
        '<b>not markup</b> & "quotes"',
    ],
)
def test_text_that_can_be_drawn_is_taken(text: str) -> None:
    for family in FAMILIES:
        check_text("body.text.headline", text, family)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("bell\x07", "U+0007"),
        ("two\nlines", "U+000A"),
        ("c1\x85", "U+0085"),
        ("half \ud83d of a pair", "U+D83D"),
        ("private \ue000", "U+E000"),
        ("over\u202eride", "U+202E"),
        ("isolate\u2066", "U+2066"),
        ("separator\u2028", "U+2028"),
        ("runes ᚠ", "U+16A0"),
        ("cuneiform 𒀀", "U+12000"),
        ("noncharacter \ufdd0", "U+FDD0"),
        ("unassigned \U000e0fff", "U+E0FFF"),
        ("null\x00", "U+0000"),
    ],
)
def test_a_character_that_cannot_be_drawn_is_refused_by_its_number(text: str, point: str) -> None:
    """And never echoed: it may be anything."""
    assert point in refused(text)


@pytest.mark.parametrize("text", ["", " ", "\u00a0\u3000", "\u200b", "\u200e\ufe0f \u2060"])
def test_text_with_nothing_to_see_is_refused(text: str) -> None:
    assert "blank" in refused(text)


def test_a_pile_of_marks_is_refused_and_pointed_letters_are_not() -> None:
    assert "marks" in refused("Z" + "\u0301\u0316\u0321" * 3)
    check_text("body.text.headline", "בְּרֵאשִׁ֖ית")
    check_text("body.text.headline", "ที่นี่ กี๊")


def test_a_face_is_found_or_refused() -> None:
    assert find_family("body.typography.heading", "Inter", 800) == ("Inter", 800)
    for family, weight, param in (
        ("Arial", 400, "typography.heading.family"),
        ("inter", 400, "typography.heading.family"),
        ("Noto Sans", 400, "typography.heading.family"),
        ("Inter", 350, "typography.heading.weight"),
    ):
        with pytest.raises(Problem) as caught:
            find_family("body.typography.heading", family, weight)
        assert (caught.value.status, caught.value.param) == (422, param)
