"""The bundled fonts by name, and the characters they have.

The files are in the render layer; this module knows only names and code points, so a request can
be refused before a job is made of it. A test holds both against the files.
"""

from __future__ import annotations

import json
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from imagelayer.platform.errors import invalid

# The default typography of brands.
HEADING: Final = ("Inter", 800)
BODY: Final = ("Inter", 500)
# The available families with their weights (OpenType's usWeightClass).
FAMILIES: Final[Mapping[str, tuple[int, ...]]] = {
    "Bebas Neue": (400,),
    "DM Sans": (400, 500, 700),
    "Fraunces": (400, 600, 700),
    "Inter": (400, 500, 600, 700, 800),
    "Lora": (400, 500, 700),
    "Montserrat": (400, 500, 600, 700, 800),
    "Oswald": (400, 500, 700),
    "Playfair Display": (400, 700, 900),
    "Poppins": (400, 500, 600, 700, 800),
    "Space Grotesk": (400, 500, 700),
}
# Sets a text in Latin, Greek or Cyrillic whose own family lacks one of its letters.
STAND_IN: Final = "Inter"
# Where a family lacks a character, the first of these that has it.
FALLBACKS: Final[Mapping[str, tuple[int, ...]]] = {
    "Noto Sans": (400, 700),
    "Noto Sans Arabic": (400, 700),
    "Noto Sans Hebrew": (400, 700),
    "Noto Sans Devanagari": (400, 700),
    "Noto Sans Bengali": (400, 700),
    "Noto Sans Tamil": (400, 700),
    "Noto Sans Thai": (400, 700),
    "Noto Sans JP": (400, 700),
    "Noto Sans SC": (400, 700),
    "Noto Sans KR": (400, 700),
    "Noto Sans Symbols": (400, 700),
    "Noto Sans Symbols 2": (400,),
    "Noto Sans Math": (400,),
    "Noto Color Emoji": (400,),
}

# Characters no font draws, which steer how their neighbors are drawn: the marks of direction,
# (non-)joiners, breaks that are allowed or forbidden, variation selectors, and the tags that spell
# the flag of a region.
_STEERING: Final = frozenset(
    (0xAD, 0x61C, *range(0x200B, 0x2010), 0x2060, 0xFE0E, 0xFE0F, *range(0xE0020, 0xE0080))
)
_UNPRINTABLE: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
# One more than the most that pointed and cantillated Hebrew sets on one letter.
_MOST_MARKS: Final = 5


def find_family(location: str, family: str, weight: int) -> tuple[str, int]:
    """Return the requested family and weight. Raises Problem 422 for one that is not bundled."""
    weights = FAMILIES.get(family)
    if weights is None:
        raise invalid(f"{location}.family", f"must be one of {', '.join(FAMILIES)}")
    if weight not in weights:
        raise invalid(
            f"{location}.weight", f"must be one of {', '.join(map(str, weights))} for {family}"
        )
    return family, weight


def check_text(location: str, text: str, family: str = HEADING[0]) -> None:
    """Refuse text that cannot be drawn whole. Raises Problem 422.

    Refused are characters that neither `family` nor any fallback has, controls (line breaks among
    them: lines are broken where they fit), unpaired surrogates, private use, embeddings and
    overrides of direction, and piles of more combining marks than any script needs.
    """
    if all(character.isspace() or ord(character) in _STEERING for character in text):
        raise invalid(location, "must not be blank")
    marks = 0
    for character in text:
        point = ord(character)
        if point in _STEERING:
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if marks > _MOST_MARKS:
            raise invalid(location, "has too many combining marks on one letter")
        # Not those unassigned here: the emoji font may know a newer Unicode than Python does.
        if category in _UNPRINTABLE:
            raise invalid(location, f"must not contain U+{point:04X}, which is not printable")
        if not covers(family, point):
            raise invalid(location, f"has U+{point:04X}, which no bundled font can draw")


def covers(family: str, point: int) -> bool:
    """Whether a family or one of the fallbacks has a code point."""
    shared, own = _coverage()
    return _within(shared, point) or _within(own[family], point)


def belongs(family: str, point: int) -> bool:
    """Whether a family itself has a code point."""
    return _within(_coverage()[1][family], point)


def _within(ranges: Sequence[int], point: int) -> bool:
    # First and last of each range alternate: between a first and its last the place is odd.
    place = bisect_right(ranges, point)
    return place % 2 == 1 or (place > 0 and ranges[place - 1] == point)


@cache
def _coverage() -> tuple[list[int], dict[str, list[int]]]:
    """Read once per process, and only for designs with text."""
    data = (Path(__file__).parents[1] / "static/font_coverage.json").read_bytes()
    read = json.loads(data)
    return read["fallback"], read["families"]
