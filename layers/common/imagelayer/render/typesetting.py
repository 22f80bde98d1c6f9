"""Where lines of text break, and how large they can be.

Words are measured once per face; everything after that is arithmetic, so trying a size costs
microseconds. Lines are as even as they can be made, and the last is not a lonely short word.
"""

# ruff: noqa: RUF001  (the punctuation of every script looks like some other)
import math
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from imagelayer.render.pango import Face, advance

# Unicode's line breaking (UAX 14) for the scripts that are bundled: at spaces, after hyphens and
# dashes inside a word, and between ideographs unless one of these rules forbids it.
_NO_START: Final = frozenset(
    "!),.:;?]}¢°’”†‡›℃∶、。〃〆〕〗〞﹚﹜！＂％＇），．：；？］｝～〉》」』】〙〟"
    "々ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿーｧｨｩｪｫｬｭｮｯｰ゛゜ヽヾ゠‐–—…‥・"
)
_NO_END: Final = frozenset("([{£¥‘“‹《「『【〔〖〝﹙﹛＄（．［｛￡￥〈〘«")
_CLAUSE_ENDS: Final = frozenset("、。，．！？：；")
_SPACES: Final = re.compile("[ \t\u1680\u2000-\u2006\u2008-\u200a\u205f\u3000]+")
_DASHES: Final = re.compile("(?<=\\w[\u2013\u2014/])(?=\\w)|\u200b")
_HYPHENS: Final = re.compile("(?<=\\w[-\u2010\u2013\u2014/])(?=\\w)|\u200b")


class Token(NamedTuple):
    """The shortest piece a line can be broken around; `spaced` when a space comes before it."""

    text: str
    spaced: bool


@lru_cache(maxsize=512)
def tokens(text: str, inside_words: bool = False) -> tuple[Token, ...]:
    """Split a text at every place where a line may break.

    `inside_words` adds places that only a text in need breaks at: after hyphens and between kana
    of a foreign word.
    """
    found: list[Token] = []
    # A soft hyphen would have to be drawn where a line breaks at it, and lines break at words here.
    for word in _SPACES.split(text.replace("\u00ad", "").strip()):
        spaced = bool(found)
        for part in (_HYPHENS if inside_words else _DASHES).split(word):
            for piece in _ideographs(part, inside_words):
                found.append(Token(piece, spaced))
                spaced = False
    return tuple(token for token in found if token.text)


def _ideographs(word: str, inside_words: bool) -> list[str]:
    """Split before and after ideographs and kana, save where a line may not begin or end."""
    pieces: list[str] = []
    for character in word:
        last = pieces[-1][-1] if pieces else ""
        joined = (
            not pieces
            or not (_is_wide(character) or _is_wide(last))
            or (_is_katakana(character) and _is_katakana(last) and not inside_words)
            or character in _NO_START
            or last in _NO_END
            or unicodedata.category(character).startswith("M")
            or character in "\ufe0e\ufe0f\u200d\u2060"
            or last in "\u200d\u2060"
        )
        if joined and pieces:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _is_katakana(character: str) -> bool:
    return "\u30a1" <= character <= "\u30ff"


@lru_cache(maxsize=4096)
def _is_wide(character: str) -> bool:
    """Whether a line may break beside it: ideographs, kana and full-width forms. Korean breaks at
    its spaces."""
    return (
        character != ""
        and (
            "\u2e80" <= character <= "\ua4cf"
            or "\uf900" <= character <= "\ufaff"
            or "\uff00" <= character <= "\uff60"
            or "\U00020000" <= character <= "\U0003ffff"
        )
        and unicodedata.east_asian_width(character) in "WF"
    )


@lru_cache(maxsize=512)
def _widths(text: str, face: Face, inside_words: bool) -> tuple[float, ...]:
    """Every token's advance in ems."""
    return tuple(_advance(token.text, face) for token in tokens(text, inside_words))


def _advance(piece: str, face: Face) -> float:
    # Ideographs are as wide as they are high.
    return float(len(piece)) if all(map(_is_wide, piece)) else advance(piece, face)


class Setting(NamedTuple):
    """A text broken into lines; `width` is that of the longest, in ems."""

    lines: tuple[str, ...]
    width: float


def is_right_to_left(text: str) -> bool:
    """Whether the first letter with a direction runs from right to left (UAX 9, P2 and P3)."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


@lru_cache(maxsize=2048)
def break_lines(
    text: str,
    face: Face,
    width: float,
    most: int,
    tracking: float = 0.0,
    *,
    inside_words: bool = False,
) -> Setting | None:
    """Break a text into as few lines of at most `width` ems as it needs, evenly.

    None when a word is wider than a line or when more than `most` lines are needed.
    """
    pieces = tokens(text, inside_words)
    space = advance(" ", face) + tracking
    sizes = [
        size + tracking * len(piece.text)
        for piece, size in zip(pieces, _widths(text, face, inside_words), strict=True)
    ]
    gaps = [space if piece.spaced else 0.0 for piece in pieces]
    if max(sizes) > width:
        return None
    count = _fewest(sizes, gaps, width)
    if count > most:
        return None
    starts = _even(
        sizes, gaps, width, count, [_penalty(pieces, end) for end in range(len(pieces) + 1)]
    )
    ends = [*starts[1:], len(pieces)]
    lines = tuple(_line(pieces[a:b]) for a, b in zip(starts, ends, strict=True))
    longest = max(_span(sizes, gaps, a, b) for a, b in zip(starts, ends, strict=True))
    return Setting(lines, longest)


def _line(pieces: Sequence[Token]) -> str:
    text = ""
    for piece in pieces:
        text += (" " if piece.spaced and text else "") + piece.text
    return text


def _span(sizes: Sequence[float], gaps: Sequence[float], start: int, end: int) -> float:
    return math.fsum(sizes[start:end]) + math.fsum(gaps[start + 1 : end])


def _fewest(sizes: Sequence[float], gaps: Sequence[float], width: float) -> int:
    count, filled = 1, 0.0
    for number, size in enumerate(sizes):
        wider = filled + (gaps[number] if filled else 0.0) + size
        if wider > width:
            count, wider = count + 1, size
        filled = wider
    return count


def _penalty(pieces: Sequence[Token], end: int) -> float:
    """How much a break before the token `end` hurts, in squared ems: between ideographs more than
    at a space, after a clause less."""
    if not 0 < end < len(pieces) or pieces[end].spaced:
        return 0.0
    if pieces[end - 1].text[-1] in _CLAUSE_ENDS:
        return -4.0
    return 3.0 if any(piece.spaced for piece in pieces) else 0.0


def _even(
    sizes: Sequence[float],
    gaps: Sequence[float],
    width: float,
    count: int,
    penalties: Sequence[float],
) -> list[int]:
    """First tokens of `count` lines, by the least sum of squared differences from the mean line."""
    number = len(sizes)
    target = min(width, _span(sizes, gaps, 0, number) / count)
    # costs[lines][end]: the least cost of setting the tokens before `end` in so many lines.
    costs = [[math.inf] * (number + 1) for _ in range(count + 1)]
    froms = [[0] * (number + 1) for _ in range(count + 1)]
    costs[0][0] = 0.0
    for line in range(1, count + 1):
        for end in range(line, number + 1):
            for start in range(end - 1, line - 2, -1):
                filled = _span(sizes, gaps, start, end)
                if filled > width:
                    break
                cost = costs[line - 1][start] + (filled - target) ** 2 + penalties[end]
                if cost < costs[line][end] - 1e-12:
                    costs[line][end], froms[line][end] = cost, start
    starts, end = [], number
    for line in range(count, 0, -1):
        end = froms[line][end]
        starts.append(end)
    return starts[::-1]
