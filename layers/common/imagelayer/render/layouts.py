"""Where the words of a design stand: which sizes, which lines, which boxes. Nothing is drawn here.

A design is a stack of blocks with sizes in fixed proportion to its first, so there is one number to
find: the largest first size at which the whole stack fits its zone and every word is legible.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

from imagelayer.design.fonts import BODY, FAMILIES, HEADING, STAND_IN, belongs
from imagelayer.render.pango import Face, capitals, heaviness
from imagelayer.render.typesetting import break_lines, is_right_to_left, tokens

type Kind = Literal["text", "pill", "chip", "rule"]
type Tone = Literal["ink", "accent", "muted"]
type Insets = tuple[float, float, float, float]


class TextDoesNotFit(ValueError):
    """The text is too long for the picture at the smallest legible size. The message, which is
    public, says what to shorten and by how much."""


class Box(NamedTuple):
    """Left, top, right and bottom in pixels; the right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    def grown(self, by: int) -> "Box":
        """The box with a border around it."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def meets(self, other: "Box") -> bool:
        """Whether the two share a pixel."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Block:
    """One part of a design.

    `ratio` is its size by the stack's first; `smallest` and `largest` are shares of the square root
    of the picture's area; `gap` is the space above it by its own size. `by_capitals` says that its
    box runs from the top of its capitals to its last baseline, as it does in Latin, Greek and
    Cyrillic; otherwise it has the full height of its lines.
    """

    role: str
    text: str
    face: Face
    ratio: float
    smallest: float
    largest: float
    leading: float = 1.3
    most_lines: int = 6
    tone: Tone = "ink"
    kind: Kind = "text"
    gap: float = 0.9
    tracking: float = 0.0
    beside: bool = False
    by_capitals: bool = True


@dataclass(frozen=True)
class Placed:
    """A block with its size, its lines and its box; a pill's box is the pill."""

    block: Block
    size: int
    lines: tuple[str, ...]
    box: Box


@dataclass(frozen=True)
class Layout:
    """The zone a design may use and its alignment in it."""

    zone: Box
    anchor: Literal["top", "middle", "bottom"]
    sideways: bool
    mirrored: bool


# Between blocks of one row, by the size of the first.
_GUTTER: Final = 1
# Characters of a headline that may be larger than others: one word, as on a poster.
_SHORT: Final = 8
_WORTH_BREAKING: Final = 0.7
# A headline stays on fewer lines while that leaves it this share of its size, a longer one more.
_WORTH_A_LINE: Final = 0.78
_WORTH_A_LINE_OF_MANY: Final = 0.9
_MANY: Final = 3
_DESCENT: Final = 0.22
_LATIN_TOP: Final = 0x0530
_PUNCTUATION: Final = frozenset("–—‘’“”„…•€™−")  # noqa: RUF001
_TIGHT: Final = -0.018


def blocks_of(
    text: Mapping[str, Any] | None,
    template: Mapping[str, Any] | None,
    typography: Mapping[str, Any] | None,
) -> list[Block]:
    """The blocks of a design, from its plain dictionary; empty without one.

    ValueError for an unknown template or a face that is not bundled.
    """
    faces = _faces(typography)
    if template is not None:
        make = _TEMPLATES.get(template["type"])
        if make is None:
            raise ValueError("unknown template")
        blocks = make(template, *faces)
    elif text is not None:
        blocks = _free_text(text, *faces)
    else:
        return []
    return [_fitting(block) for block in blocks if block.text or block.kind == "rule"]


def _faces(typography: Mapping[str, Any] | None) -> tuple[Face, Face, Face]:
    """Heading, body, and the body's strong weight."""
    given = typography or {}
    heading = _face(given.get("heading"), HEADING)
    body = _face(given.get("body"), BODY)
    stronger = [weight for weight in FAMILIES[body.family] if weight >= 600]
    strong = Face(body.family, stronger[0] if stronger else FAMILIES[body.family][-1])
    return heading, body, strong


def heading_of(typography: Mapping[str, Any] | None) -> Face:
    """The face of a brand's headings."""
    return _faces(typography)[0]


def _face(given: Mapping[str, Any] | None, default: tuple[str, int]) -> Face:
    family, weight = (given["family"], int(given["weight"])) if given else default
    if weight not in FAMILIES.get(family, ()):
        raise ValueError("the face is not bundled")
    return Face(family, weight)


def _fitting(block: Block) -> Block:
    """Adapt a block to its script: only Latin, Greek and Cyrillic bear tracking, and the others
    need room above and below. A family that lacks a letter of these three is not mended letter by
    letter: another sets the whole block, as the report then says."""
    if not _spells(block.face.family, block.text):
        block = replace(block, face=_nearest(STAND_IN, heaviness(block.face)))
    if all(ord(sign) < _LATIN_TOP or sign in _PUNCTUATION for sign in block.text):
        return block
    return replace(block, tracking=0.0, leading=max(block.leading, 1.4), by_capitals=False)


def _spells(family: str, text: str) -> bool:
    return all(
        belongs(family, ord(sign))
        for sign in text
        if sign.isalpha() and (ord(sign) < _LATIN_TOP or "\u1e00" <= sign <= "\u1fff")
    )


def _nearest(family: str, weight: int) -> Face:
    return Face(family, min(FAMILIES[family], key=lambda own: (abs(own - weight), own)))


def _headline(text: str | None, heading: Face, *, largest: float = 0.118, lines: int = 5) -> Block:
    if len(text or "") <= _SHORT:
        largest *= 1.6
    wide = heading.family not in ("Bebas Neue", "Oswald")
    return Block(
        "headline",
        text or "",
        heading,
        1.0,
        0.03,
        largest,
        leading=1.1 if wide else 1.06,
        most_lines=lines,
        tracking=_TIGHT if wide else 0.0,
        gap=0.42,
    )


def _subhead(text: str | None, body: Face, *, ratio: float = 0.4) -> Block:
    return Block("subhead", text or "", body, ratio, 0.0195, 0.036, leading=1.42, gap=1.05)


def _cta(text: str | None, strong: Face, *, beside: bool = False) -> Block:
    return Block(
        "cta",
        text or "",
        strong,
        0.34,
        0.0185,
        0.03,
        most_lines=1,
        kind="pill",
        gap=1.5,
        beside=beside,
    )


def _chip(role: str, text: str | None, strong: Face) -> Block:
    return Block(
        role, text or "", strong, 0.27, 0.0165, 0.024, most_lines=1, kind="chip", tracking=0.02
    )


def _caption(role: str, text: str | None, body: Face, *, gap: float = 1.5) -> Block:
    return Block(role, text or "", body, 0.27, 0.0165, 0.022, leading=1.4, tone="muted", gap=gap)


def _rule(gap: float) -> Block:
    return Block("rule", "", HEADING_FACE, 0.09, 0.004, 0.008, kind="rule", tone="accent", gap=gap)


HEADING_FACE: Final = Face(*HEADING)


def _free_text(text: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    headline = text.get("headline")
    return [
        _headline(headline, heading),
        _subhead(text.get("subhead"), body)
        if headline
        else replace(_subhead(text.get("subhead"), body, ratio=1.0), largest=0.06),
        _cta(text.get("cta"), strong),
        _caption("caption", text.get("caption"), body),
    ]


def _announcement(data: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    return [
        _chip("badge", data.get("badge"), strong),
        _headline(data["headline"], heading),
        _subhead(data.get("subhead"), body),
        _cta(data.get("cta"), strong),
    ]


def _stat(data: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    value = _headline(data["value"], heading, lines=1)
    return [
        replace(value, role="value", tone="accent", smallest=0.06, largest=0.3),
        replace(
            _subhead(data["label"], strong, ratio=0.24), role="label", largest=0.05, leading=1.3
        ),
        replace(
            _caption("source", data.get("source"), body), ratio=0.12, smallest=0.0205, largest=0.025
        ),
    ]


def _quote(data: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    mark = Block("mark", "“", heading, 1.9, 0.08, 0.17, most_lines=1, tone="accent")
    quote = _headline(data["quote"], heading, largest=0.08, lines=9)
    return [
        mark,
        replace(quote, role="quote", leading=1.22, smallest=0.026, gap=0.55),
        replace(
            _subhead(data["author"], strong, ratio=0.46), role="author", gap=1.5, largest=0.032
        ),
        replace(_caption("role", data.get("role"), body, gap=0.75), ratio=0.4, largest=0.027),
    ]


def _product(data: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    price = replace(
        _headline(data.get("price"), heading, lines=1),
        role="price",
        ratio=0.62,
        tone="accent",
        gap=0.75,
        smallest=0.028,
        largest=0.062,
    )
    return [
        replace(_headline(data["name"], heading), role="name"),
        replace(_subhead(data.get("tagline"), body), role="tagline"),
        price,
        _cta(data.get("cta"), strong, beside=bool(data.get("price"))),
    ]


def _event(data: Mapping[str, Any], heading: Face, body: Face, strong: Face) -> list[Block]:
    return [
        replace(_chip("date", data["date"], strong), ratio=0.32, largest=0.03, smallest=0.0185),
        replace(_headline(data["title"], heading), role="title"),
        replace(_subhead(data.get("place"), body), role="place"),
        _cta(data.get("cta"), strong),
    ]


_TEMPLATES: Final = {
    "stat": _stat,
    "quote": _quote,
    "announcement": _announcement,
    "product": _product,
    "event": _event,
}


def lay_out(size: tuple[int, int], blocks: Sequence[Block], insets: Insets) -> Layout:
    """Choose the zone for a design: a column beside the picture's subject where the picture is
    wide, the lower part where it is not."""
    width, height = size
    top, right, bottom, left = margins(size, insets)
    free = Box(left, top, width - right, height - bottom)
    mirrored = is_right_to_left(" ".join(block.text for block in blocks))
    sideways = width >= 1.2 * height
    long = sum(len(block.text) for block in blocks) > 150
    if sideways:
        breath = 0 if long else round(height * 0.055)
        free = free._replace(top=free.top + breath, bottom=free.bottom - breath)
        column = round(free.width * (0.72 if long or width >= 2.6 * height else 0.6))
        zone = (
            free._replace(left=free.right - column)
            if mirrored
            else free._replace(right=free.left + column)
        )
        return Layout(zone, "middle", sideways=True, mirrored=mirrored)
    share = 0.8 if long else 0.66
    zone = free._replace(top=max(free.top, free.bottom - round(height * share)))
    return Layout(zone, "bottom", sideways=False, mirrored=mirrored)


def margins(size: tuple[int, int], insets: Insets) -> tuple[int, int, int, int]:
    """What stays free at the top, right, bottom and left, in pixels."""
    width, height = size
    margin = max(8, round(min(size) * (0.09 if width >= 2.6 * height else 0.065)))
    top, right, bottom, left = insets
    return (
        max(margin, round(height * top)),
        max(margin, round(width * right)),
        max(margin, round(height * bottom)),
        max(margin, round(width * left)),
    )


def without(layout: Layout, kept_free: Box) -> Layout:
    """Cut a box, the logo's, off the zone, at the side where most of the zone remains."""
    zone = layout.zone
    if not zone.meets(kept_free):
        return layout
    cuts = [
        zone._replace(top=kept_free.bottom),
        zone._replace(bottom=kept_free.top),
        zone._replace(left=kept_free.right),
        zone._replace(right=kept_free.left),
    ]
    best = max(cuts, key=lambda cut: max(cut.width, 0) * max(cut.height, 0))
    return replace(layout, zone=best)


def place(size: tuple[int, int], blocks: Sequence[Block], layout: Layout) -> list[Placed]:
    """Set a design as large as its zone allows, on fewer lines where that costs little of its size.

    Words are broken inside only where the text would otherwise be much smaller. Raises
    TextDoesNotFit.
    """
    # Of a tall picture the width alone limits the words.
    unit = min(math.sqrt(size[0] * size[1]), size[0] * 1.1)
    whole = _largest(blocks, layout, unit, inside_words=False)
    if whole is not None and not any(map(_is_breakable, blocks)):
        return _on_fewer_lines(whole, blocks, layout, unit)
    broken = _largest(blocks, layout, unit, inside_words=True)
    if broken is None:
        raise TextDoesNotFit(_advice(blocks, layout, unit))
    if whole is None or _first(whole) < _WORTH_BREAKING * _first(broken):
        return broken
    return _on_fewer_lines(whole, blocks, layout, unit)


def _advice(blocks: Sequence[Block], layout: Layout, unit: float) -> str:
    """Which one text to shorten, and to about how many characters, so that all fit at the smallest
    size; the one that can keep the largest part of itself."""
    best: tuple[float, str, int] | None = None
    for block in blocks:
        if not block.text or block.role == "mark":
            continue
        fits, too_many = 0, len(block.text)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            shorter = replace(block, text=block.text[:middle].rstrip() or block.text[:1])
            changed = [shorter if each is block else each for each in blocks]
            if _largest(changed, layout, unit, (0, 0), inside_words=True) is None:
                too_many = middle
            else:
                fits = middle
        if fits and (best is None or fits / len(block.text) > best[0]):
            best = (fits / len(block.text), block.role, fits)
    if best is None:
        return "Shorten the text"
    return f"Shorten {best[1]} to about {best[2]} characters"


def _on_fewer_lines(
    found: list[Placed], blocks: Sequence[Block], layout: Layout, unit: float
) -> list[Placed]:
    """Take lines off a headline while what it loses in size is little.

    Not of one without spaces, such as a Japanese one: it is broken best where it was broken first.
    """
    headline = next((item for item in found if item.block.ratio == 1.0 and item.lines), None)
    if headline is None or not any(map(str.isspace, headline.block.text)):
        return found
    size = headline.size
    for count in range(len(headline.lines) - 1, 0, -1):
        share = _WORTH_A_LINE if count < _MANY else _WORTH_A_LINE_OF_MANY
        capped = [
            replace(block, most_lines=count) if block is headline.block else block
            for block in blocks
        ]
        span = (math.ceil(size * share), size)
        fewer = _largest(capped, layout, unit, span, inside_words=False)
        if fewer is None:
            break
        found = fewer
    return found


def _is_breakable(block: Block) -> bool:
    return tokens(block.text, inside_words=True) != tokens(block.text)


def _first(placed: Sequence[Placed]) -> float:
    """The number the whole stack's sizes follow from."""
    return max(item.size / item.block.ratio for item in placed if item.lines)


def _largest(
    blocks: Sequence[Block],
    layout: Layout,
    unit: float,
    span: tuple[int, int] = (0, 100_000),
    *,
    inside_words: bool,
) -> list[Placed] | None:
    """Set a design at the largest first size within a span, in pixels; None when none fits."""
    first = next((block for block in blocks if block.ratio == 1.0), blocks[0])
    low = max(8, math.ceil(first.smallest * unit / first.ratio), span[0])
    high = max(low, min(math.floor(first.largest * unit / first.ratio), span[1]))
    found = _arrange(blocks, layout, unit, low, inside_words=inside_words)
    while found is not None and low < high:
        middle = (low + high + 1) // 2
        tried = _arrange(blocks, layout, unit, middle, inside_words=inside_words)
        if tried is None:
            high = middle - 1
        else:
            low, found = middle, tried
    return found


def _size(block: Block, unit: float, base: int) -> int:
    smallest = max(11, math.ceil(block.smallest * unit))
    if block.kind == "rule":
        smallest = 2
    return max(smallest, min(round(block.ratio * base), math.floor(block.largest * unit)))


class _Row(NamedTuple):
    items: list[tuple[Block, int, tuple[str, ...], int, int]]
    gap: int

    @property
    def height(self) -> int:
        return max(item[4] for item in self.items)


def _arrange(
    blocks: Sequence[Block], layout: Layout, unit: float, base: int, *, inside_words: bool
) -> list[Placed] | None:
    """Set the stack at one size; None when it does not fit."""
    rows: list[_Row] = []
    for block in blocks:
        size = _size(block, unit, base)
        measured = _measure(block, size, layout.zone.width, inside_words=inside_words)
        if measured is None:
            return None
        lines, width, height = measured
        item = (block, size, lines, width, height)
        if block.beside and rows and _fits_beside(rows[-1], width, size, layout.zone.width):
            rows[-1].items.append(item)
        else:
            rows.append(_Row([item], _gap_above(block, size, rows)))
    total = sum(row.height for row in rows) + sum(row.gap for row in rows[1:]) + _hanging(rows[-1])
    if total > layout.zone.height:
        return None
    return _stacked(rows, layout, total)


def _hanging(row: _Row) -> int:
    """How far descenders reach below a row's last baseline."""
    block, size, *_ = row.items[0]
    return round(_DESCENT * size) if block.kind == "text" and block.by_capitals else 0


def _gap_above(block: Block, size: int, rows: Sequence[_Row]) -> int:
    """The space above a row: its own, and room for what hangs below the baseline before it."""
    if not rows:
        return 0
    overlapping = 0.0 if block.by_capitals else 0.3 * size
    return max(round(size * 0.3), round(block.gap * size + _hanging(rows[-1]) - overlapping))


def _fits_beside(row: _Row, width: int, size: int, room: int) -> bool:
    return sum(item[3] for item in row.items) + width + _GUTTER * size <= room


def _measure(
    block: Block, size: int, room: int, *, inside_words: bool
) -> tuple[tuple[str, ...], int, int] | None:
    """Lines, width and height of a block at a size; None when it does not fit the width."""
    if block.kind == "rule":
        return (), min(room, size * 12), size
    padding = _padding(block, size)
    if room <= 2 * padding:
        return None
    setting = break_lines(
        block.text,
        block.face,
        # A little room for the rounding of every glyph to a whole pixel.
        round((room - 2 * padding) / size * 0.985, 3),
        block.most_lines,
        block.tracking,
        inside_words=inside_words,
    )
    if setting is None:
        return None
    width = math.ceil(setting.width * size) + 2 * padding
    if block.kind != "text":
        return setting.lines, width, round(size * (2.5 if block.kind == "pill" else 1.9))
    if block.role == "mark":
        return setting.lines, width, round(size * 0.3)
    if not block.by_capitals:
        return setting.lines, width, math.ceil(len(setting.lines) * block.leading * size)
    top, baseline = capitals(block.text, block.face, block.leading)
    height = (baseline - top + (len(setting.lines) - 1) * block.leading) * size
    return setting.lines, width, math.ceil(height)


def _padding(block: Block, size: int) -> int:
    return {"pill": round(size * 1.15), "chip": round(size * 0.85)}.get(block.kind, 0)


def _stacked(rows: Sequence[_Row], layout: Layout, total: int) -> list[Placed]:
    zone = layout.zone
    spare = zone.height - total
    y = zone.top + {"top": 0, "middle": spare // 2, "bottom": spare}[layout.anchor]
    placed = []
    for number, row in enumerate(rows):
        y += row.gap if number else 0
        x = zone.right if layout.mirrored else zone.left
        for block, size, lines, width, height in row.items:
            left = x - width if layout.mirrored else x
            top = y + (row.height - height) // 2
            placed.append(Placed(block, size, lines, Box(left, top, left + width, top + height)))
            step = width + _GUTTER * size
            x += -step if layout.mirrored else step
        y += row.height
    return placed
