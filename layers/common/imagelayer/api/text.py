"""What free text must be, and what people paste along with what they mean.

Free text has something to see, and nothing that hides or reorders what is seen. A name is read by
others, in mails and dashboards, so what is stored must be what is shown. Joiners, marks of
direction, variation selectors and the tags of flags stay: scripts and emoji need them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

# A name is on one line, without characters that hide, reorder or look like markup. A line may be
# drawn on a picture, where `design.fonts` says what can be. Prose may have several lines.
type TextKind = Literal["name", "line", "prose"]

INVISIBLE = "must have at least one visible character"
ONE_LINE = "must be text on one line, without control characters"
CONTROLS = "must not have control characters other than tabs and line breaks"
HIDING = "must not have characters that are invisible or change the direction of text"
MARKUP = "must be text on one line without < or >"
RULES = (INVISIBLE, ONE_LINE, CONTROLS, HIDING, MARKUP)

_NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_PROSE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Embeddings, overrides and isolates of direction; separators that no script needs; annotations.
_HIDING = re.compile(
    "[\u00ad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0001]"
)
# Letters and symbols that are drawn as nothing: fillers, and the blank pattern of braille.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Longer than any code, and than what may stand around it.
_LONGEST_CODE = 200


def broken_rule(text: str, kind: TextKind) -> str | None:
    """Which of `RULES` a text breaks, or None. Empty text breaks none: its length is another."""
    if kind == "prose":
        if _NOT_IN_PROSE.search(text):
            return CONTROLS
    elif _NOT_ON_A_LINE.search(text):
        return ONE_LINE
    if text and not any(map(_is_visible, text)):
        return INVISIBLE
    if kind != "name":
        return None
    if _HIDING.search(text):
        return HIDING
    return MARKUP if "<" in text or ">" in text else None


def trimmed(text: str) -> str:
    """Without the blanks and invisible characters around it. Line breaks stay, and so do joiners
    and tags: an emoji can end with one."""
    first, last = 0, len(text)
    while first < last and _is_margin(text[first]):
        first += 1
    while last > first and _is_margin(text[last - 1]):
        last -= 1
    return text[first:last]


def compact(text: str) -> str:
    """Without any blanks and invisible characters: for tokens, which a mail may have broken."""
    return "".join(
        each for each in text if not (each.isspace() or unicodedata.category(each) == "Cf")
    )


def code(text: str) -> str:
    """A code without what it was written down with: blanks, dashes, full-width letters, the digits
    of another script."""
    if len(text) > _LONGEST_CODE:
        return text
    return "".join(
        str(unicodedata.decimal(each)) if each.isdecimal() else each
        for each in unicodedata.normalize("NFKC", text)
        if unicodedata.category(each) not in {"Zs", "Cf", "Pd"} and each != "\u2212"
    )


def _is_margin(character: str) -> bool:
    return unicodedata.category(character) == "Zs" or _HIDING.match(character) is not None


def _is_visible(character: str) -> bool:
    """Whether a character draws something by itself. One that is not assigned here may be an emoji
    of a newer Unicode."""
    category = unicodedata.category(character)
    if category == "Cn":
        point = ord(character)
        is_noncharacter = point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF
        is_ignorable = point == 0x2065 or 0xFFF0 <= point <= 0xFFF8 or 0xE0000 <= point <= 0xE0FFF
        return not (is_noncharacter or is_ignorable)
    return category[0] in "LNPS" and character not in _BLANK
