"""Draw docs/images/hero.jpg, and docs/gallery.md with the sheets in docs/images/gallery: what each
style, template, script, preset and treatment looks like.

Run: make gallery. The same code draws the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from dev.progress import Progress
from dev.settings import ROOT
from imagelayer.design.designs import Treatment
from imagelayer.design.fonts import FAMILIES
from imagelayer.design.presets import PRESETS, SAFE_INSETS
from imagelayer.render import studio
from imagelayer.render.compositor import Composition, compose
from imagelayer.render.logos import Corner
from imagelayer.render.pango import Face, draw

DOCS = ROOT / "docs"
IMAGES = DOCS / "images"
SHEET_WIDTH, GAP, MARGIN = 1640, 20, 24
SHEET_LIMIT, HERO_LIMIT = 430_000, 250_000  # bytes
INK, FAINT, PAPER = (31, 36, 48), (104, 112, 128), (255, 255, 255)
NAME, NOTE = Face("Inter", 700), Face("Inter", 400)
NAME_SIZE, NOTE_SIZE = 17, 14
WIDE = PRESETS["open-graph"]


@dataclass(frozen=True)
class Brand:
    """A brand that does not exist."""

    name: str
    palette: tuple[str, ...]
    heading: tuple[str, int]
    body: tuple[str, int]
    logos: Mapping[str, Image.Image]

    def typography(self) -> dict[str, Any]:
        """As a job carries it."""
        roles = (("heading", self.heading), ("body", self.body))
        return {role: {"family": face[0], "weight": face[1]} for role, face in roles}


def _logos() -> dict[str, Image.Image]:
    assets = ROOT / "dev/assets"
    files = {"logo": "demo-logo.png", "logo_dark": "demo-logo-dark.png"}
    return {name: Image.open(assets / file).convert("RGBA") for name, file in files.items()}


SOLSTICE = Brand(
    "Solstice",
    ("#2A1712", "#C4471B", "#F08A3C", "#F7C67F", "#FFF3E0"),
    ("Inter", 800),
    ("Inter", 500),
    _logos(),
)
FATHOM = Brand(
    "Fathom",
    ("#0A2540", "#1F6FEB", "#7FD1E0", "#EAF6FA"),
    ("Space Grotesk", 700),
    ("DM Sans", 500),
    {},
)
NOCTURNE = Brand(
    "Nocturne",
    ("#160F29", "#5B2A86", "#E0559B", "#FFB88A"),
    ("Playfair Display", 900),
    ("Lora", 500),
    {},
)
PASTEL = Brand(
    "Petit Four",
    ("#FDF6F0", "#F8E1D9", "#DDEBF0", "#CFE3D4"),
    ("Poppins", 700),
    ("Poppins", 500),
    {},
)
CIVIC = Brand(
    "Civic",
    ("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#E9C46A", "#FAF3E3"),
    ("Montserrat", 800),
    ("Montserrat", 500),
    {},
)
BRANDS = (SOLSTICE, FATHOM, NOCTURNE, PASTEL)


@dataclass(frozen=True)
class Tile:
    """A picture and what stands below it."""

    image: Image.Image
    name: str
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """A page of tiles. `columns` of equal width, or None where each keeps its own proportion."""

    file: str
    title: str
    words: str
    alt: str
    tiles: Callable[[], Iterator[Tile]]
    count: int
    columns: int | None


def _picture(brand: Brand, style: str, size: tuple[int, int] = WIDE, seed: int = 4) -> Image.Image:
    return studio.paint(
        f"gallery {style}",
        seed=seed,
        width=size[0],
        height=size[1],
        palette=brand.palette,
        style=style,
    )


def _branded(picture: Image.Image, brand: Brand, **design: Any) -> Composition:
    return compose(
        picture,
        **{
            "palette": brand.palette,
            "logos": brand.logos,
            "typography": brand.typography(),
            "brandmark": brand.name,
            **design,
        },
    )


# ─── The sheets ────────────────────────────────────────────────────────────────────────────────


def _styles() -> Iterator[Tile]:
    palettes = (SOLSTICE, FATHOM, CIVIC, NOCTURNE, PASTEL)
    for number, style in enumerate(studio.STYLES):
        for pick in range(2):
            brand = palettes[(number + pick * 3) % len(palettes)]
            yield Tile(_picture(brand, style, (1024, 1024)), style, f"palette of {brand.name}")


TEMPLATES: Mapping[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "stat": (
        {
            "value": "73 %",
            "label": "of teams ship their first campaign within a day",
            "source": "Survey of 1,204 customers, 2026",
        },
        ("sunrise", "mesh-gradient", "orbs", "paper-waves"),
    ),
    "quote": (
        {
            "quote": "We stopped arguing about the logo and started talking about the work.",
            "author": "Amina Yusuf",
            "role": "Head of Brand",
        },
        ("contours", "paper-waves", "flow-field", "mesh-gradient"),
    ),
    "announcement": (
        {
            "badge": "New",
            "headline": "Autumn harvest has landed",
            "subhead": "Three farms, one roast, four weeks only",
            "cta": "Order now",
        },
        ("paper-waves", "isometric", "sunrise", "terrazzo"),
    ),
    "product": (
        {
            "name": "The Morning Box",
            "tagline": "Two bags, ground the way you brew",
            "price": "€ 24.90",
            "cta": "Add to cart",
        },
        ("orbs", "bauhaus", "mesh-gradient", "orbs"),
    ),
    "event": (
        {
            "date": "14 March · 18:30",
            "title": "An evening with the people who grow it",
            "place": "Old Customs House, Lisbon",
            "cta": "Save a seat",
        },
        ("retro-stripes", "contours", "bauhaus", "isometric"),
    ),
}


def _templates() -> Iterator[Tile]:
    for template, (fields, styles) in TEMPLATES.items():
        for brand, style in zip(BRANDS, styles, strict=True):
            made = _branded(_picture(brand, style), brand, template={"type": template, **fields})
            yield Tile(made.image, template, _contrast(made))


def _portraits() -> Iterator[Tile]:
    brands = (*BRANDS, CIVIC)
    for number, (template, (fields, styles)) in enumerate(TEMPLATES.items()):
        brand = brands[(number + 1) % len(brands)]
        picture = _picture(brand, styles[(number + 1) % 4], PRESETS["portrait"], seed=6)
        made = _branded(picture, brand, template={"type": template, **fields})
        yield Tile(made.image, template, _contrast(made))


def _contrast(made: Composition) -> str:
    """The worst of its texts, as the brand report has it."""
    return f"least contrast {min(text.contrast for text in made.report.texts):.1f}"


_SCRIPTS = (
    ("Latin", "Fresh beans at your door", "Roasted, packed and sent today"),
    ("Latin, Vietnamese", "Cà phê rang mới mỗi sáng", "Gửi đi ngay trong ngày"),
    ("Cyrillic", "Свежий кофе каждое утро", "Обжарен и отправлен сегодня"),
    ("Greek", "Φρέσκος καφές κάθε πρωί", "Καβουρδισμένος σήμερα"),
    ("Arabic", "قهوة طازجة كل صباح", "محمصة ومرسلة اليوم"),
    ("Hebrew", "קפה טרי בכל בוקר", "נקלה ונשלח היום"),
    ("Devanagari", "हर सुबह ताज़ी कॉफ़ी", "आज ही भुनी और भेजी गई"),
    ("Bengali", "প্রতিদিন সকালে তাজা কফি", "আজই ভাজা ও পাঠানো"),
    ("Tamil", "தினமும் காலையில் புதிய காபி", "இன்றே வறுத்து அனுப்பப்பட்டது"),
    ("Thai", "กาแฟสดใหม่ทุกเช้า", "คั่วและส่งวันนี้"),
    ("Japanese", "毎朝、挽きたてのコーヒーを", "焙煎したその日にお届け"),
    ("Simplified Chinese", "每天清晨新鲜烘焙", "当日烘焙、当日发货"),
    ("Korean", "매일 아침 갓 볶은 커피", "오늘 볶아 오늘 보냅니다"),
    ("Emoji", "Good morning ☕️ sunshine 🌞", "Flags 🇵🇹🇪🇹, runners 🏃🏾‍♀️, astronauts 👩🏽‍🚀"),
    ("All in one line", "Coffee قهوة コーヒー कॉफ़ी ☕️", "커피, кофе, καφές, קפה and กาแฟ"),
)


def _scripts() -> Iterator[Tile]:
    styles = ("sunrise", "paper-waves", "contours", "mesh-gradient", "orbs")
    for number, (script, headline, subhead) in enumerate(_SCRIPTS):
        brand = (SOLSTICE, FATHOM, NOCTURNE)[number % 3]
        picture = _picture(brand, styles[number % 5])
        made = _branded(picture, brand, text={"headline": headline, "subhead": subhead})
        yield Tile(made.image, script)


def _presets() -> Iterator[Tile]:
    text = {"headline": "Wake up somewhere higher", "cta": "Taste it first"}
    for name, size in PRESETS.items():
        made = _branded(
            _picture(SOLSTICE, "sunrise", size),
            SOLSTICE,
            text=text,
            insets=SAFE_INSETS.get(name, (0.0, 0.0, 0.0, 0.0)),
        )
        yield Tile(made.image, name, f"{size[0]} × {size[1]}")


_FOREST = Brand(
    "", ("#06281C", "#0F7A4F", "#6FD08C", "#E6F7E9"), ("Inter", 800), ("Inter", 500), {}
)
TREATMENTS: tuple[Treatment, ...] = ("none", "auto", "tint", "duotone")


def _treatments() -> Iterator[Tile]:
    for style, foreign in (("isometric", FATHOM), ("sunrise", _FOREST), ("orbs", CIVIC)):
        picture = _picture(foreign, style)
        for treatment in TREATMENTS:
            made = _branded(picture, SOLSTICE, treatment=treatment)
            distance = made.report.palette_distance
            yield Tile(made.image, treatment, f"palette distance {distance}")


def _marks() -> Iterator[Tile]:
    pale, dark = _picture(PASTEL, "mesh-gradient"), _picture(NOCTURNE, "flow-field")
    busy = _picture(CIVIC, "bauhaus")
    cases: tuple[tuple[str, Image.Image, Brand, Corner, dict[str, Any]], ...] = (
        ("on pale ground", pale, SOLSTICE, "auto", {}),
        ("on dark ground", dark, SOLSTICE, "auto", {}),
        ("on busy ground", busy, SOLSTICE, "auto", {}),
        ("in a corner asked for", busy, SOLSTICE, "bottom-left", {}),
        ("the name alone", pale, NOCTURNE, "auto", {}),
        ("the name, on dark ground", dark, FATHOM, "auto", {}),
        ("the name, on busy ground", busy, CIVIC, "auto", {}),
        ("with a test key", dark, SOLSTICE, "auto", {"watermark": True}),
    )
    for name, picture, brand, corner, more in cases:
        made = _branded(picture, brand, corner=corner, **more)
        yield Tile(made.image, name, _mark_note(made))


def _mark_note(made: Composition) -> str:
    logo = made.report.logo
    if logo is None:
        return f"contrast {made.report.texts[-1].contrast:.1f}"
    return f"{logo.variant}{' on a plate' if logo.plate else ''}, contrast {logo.contrast:.1f}"


def _typefaces() -> Iterator[Tile]:
    bodies = ("Inter", "DM Sans", "Lora", "Poppins", "Montserrat")
    for number, (family, weights) in enumerate(FAMILIES.items()):
        body = family if 500 in FAMILIES[family] else bodies[number % len(bodies)]
        brand = Brand(
            "", (SOLSTICE, FATHOM)[number % 2].palette, (family, weights[-1]), (body, 500), {}
        )
        text = {
            "headline": f"{family} sets the tone",
            "subhead": f"Body in {body}",
            "cta": "Read on",
        }
        made = _branded(_picture(brand, ("paper-waves", "contours")[number % 2]), brand, text=text)
        yield Tile(made.image, family, ", ".join(map(str, weights)))


SHEETS = (
    Sheet(
        "styles",
        "Styles of the studio model",
        "The built-in model paints these, in the brand's palette. Words of the prompt choose the"
        " style; the seed varies it.",
        "Ten styles, each in two palettes",
        _styles,
        2 * len(studio.STYLES),
        5,
    ),
    Sheet(
        "templates",
        "Templates",
        "`template` in `POST /v1/generations`, each in four palettes, among them one of pastels"
        " that has no dark color. Where the picture is too bright or too busy for the words it is"
        " veiled in a tone of the palette; text never falls below a contrast of 4.5.",
        "Five templates in four palettes, at 1200 by 630 pixels",
        _templates,
        4 * len(TEMPLATES),
        4,
    ),
    Sheet(
        "portraits",
        "Templates in portrait",
        "The same fields where the picture is tall: the words stand at the bottom.",
        "Five templates at 1080 by 1350 pixels",
        _portraits,
        len(TEMPLATES),
        5,
    ),
    Sheet(
        "scripts",
        "Text in many scripts",
        "`text` with a headline and a subhead. Right-to-left text turns the whole design round. A"
        " character that no bundled font has is refused with 422 instead of drawn as a box.",
        "Headlines in fifteen scripts and mixtures",
        _scripts,
        len(_SCRIPTS),
        3,
    ),
    Sheet(
        "typefaces",
        "Typefaces",
        "The bundled families a brand may be set in, with their weights (`GET /v1/fonts`).",
        "Ten typefaces, each on a banner",
        _typefaces,
        len(FAMILIES),
        5,
    ),
    Sheet(
        "presets",
        "Presets",
        "`preset` in `POST /v1/generations`, all at one scale. Words and logo keep out of what a"
        " platform covers with its own controls, as on stories and reels.",
        "Every preset in proportion, with the same words",
        _presets,
        len(PRESETS),
        None,
    ),
    Sheet(
        "treatments",
        "Palette treatments",
        "Three pictures in foreign colors, two of them far from the brand's. `auto` goes as far as"
        " a palette distance of 8 needs and leaves alone what is near enough; `none` leaves the"
        " picture as it came.",
        "Three pictures, each untreated, automatic, tinted and in duotone",
        _treatments,
        3 * len(TREATMENTS),
        4,
    ),
    Sheet(
        "marks",
        "Logo and name",
        "The variant that reads best is chosen by what is measured behind it; where none reads, a"
        " plate goes behind. A brand without a logo is signed with its name. Nothing is recolored,"
        " stretched or enlarged.",
        "The logo on pale, dark and busy ground, the name in its place, and a test watermark",
        _marks,
        8,
        4,
    ),
)


# ─── Drawing them ──────────────────────────────────────────────────────────────────────────────


def draw_sheet(sheet: Sheet, done: Callable[[], None] = lambda: None) -> bytes:
    """A contact sheet as a JPEG; `done` is called after each tile."""
    tiles = []
    for tile in sheet.tiles():
        tiles.append(_scaled(tile, sheet.columns))
        done()
    rows = _rows(tiles)
    height = MARGIN + sum(_row_height(row) + GAP for row in rows) - GAP + MARGIN
    page = Image.new("RGB", (SHEET_WIDTH, height), PAPER)
    y = MARGIN
    for row in rows:
        x, bottom = MARGIN, y + max(tile.image.height for tile in row)
        for tile in row:
            page.paste(tile.image, (x, bottom - tile.image.height))
            _write(page, tile.name, NAME, NAME_SIZE, INK, (x, bottom + 8))
            _write(page, tile.note, NOTE, NOTE_SIZE, FAINT, (x, bottom + 31))
            x += _slot(tile) + GAP
        y += _row_height(row) + GAP
    return jpeg(page, SHEET_LIMIT)


_PRESET_SCALE = 0.2
_SHORTEST = 20


def _scaled(tile: Tile, columns: int | None) -> Tile:
    scale = _PRESET_SCALE
    if columns is not None:
        width = (SHEET_WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
        scale = width / tile.image.width
    size = (round(tile.image.width * scale), max(_SHORTEST, round(tile.image.height * scale)))
    return Tile(tile.image.resize(size, Image.Resampling.LANCZOS), tile.name, tile.note)


def _rows(tiles: Sequence[Tile]) -> list[list[Tile]]:
    """As many in a row as fit; tiles of their own proportion by height, so that rows are even."""
    rows: list[list[Tile]] = [[]]
    room = SHEET_WIDTH - 2 * MARGIN
    for tile in sorted(tiles, key=lambda tile: -tile.image.height):
        used = sum(_slot(each) + GAP for each in rows[-1])
        if used + _slot(tile) > room:
            rows.append([])
        rows[-1].append(tile)
    return rows


def _slot(tile: Tile) -> int:
    """What a tile takes of its row: its picture or its caption, whichever is wider."""
    captions = ((tile.name, NAME, NAME_SIZE), (tile.note, NOTE, NOTE_SIZE))
    widths = [
        draw((text,), face, size, color=INK).image.width for text, face, size in captions if text
    ]
    return max(tile.image.width, *widths)


def _row_height(row: Sequence[Tile]) -> int:
    return max(tile.image.height for tile in row) + (52 if any(tile.note for tile in row) else 32)


def _write(
    page: Image.Image,
    text: str,
    face: Face,
    size: int,
    color: tuple[int, int, int],
    at: tuple[int, int],
) -> None:
    if text:
        raster = draw((text,), face, size, color=color)
        page.paste(color, (at[0], at[1] + raster.y), raster.image)


def jpeg(image: Image.Image, limit: int) -> bytes:
    """Encode at the best quality that stays under `limit` bytes."""
    for quality in range(92, 40, -3):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True, subsampling=0)
        if buffer.tell() <= limit:
            return buffer.getvalue()
    raise SystemExit("the picture does not fit its size limit")


def hero() -> Image.Image:
    """One branded Open Graph picture."""
    picture = studio.paint(
        "First light over the coffee hills",
        seed=13,
        width=WIDE[0],
        height=WIDE[1],
        palette=SOLSTICE.palette,
        style="sunrise",
    )
    text = {
        "headline": "First light, freshly roasted",
        "subhead": "From the hills to your door in two days",
        "cta": "Taste the harvest",
    }
    return _branded(picture, SOLSTICE, text=text).image


def page() -> str:
    """docs/gallery.md."""
    parts = [
        "# Gallery",
        "What the compositor and the built-in model make. Every picture here was drawn by the code"
        " beside it: `make gallery` draws all of them again, to the same bytes, and writes this"
        " page. Backgrounds are the studio model's; with another model they would be photographs"
        " or drawings, and all that is laid on them would be the same.",
    ]
    for sheet in SHEETS:
        parts += [
            f"## {sheet.title}",
            sheet.words,
            f"![{sheet.alt}](images/gallery/{sheet.file}.jpg)",
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the hero, the sheets and their page."""
    folder = IMAGES / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (IMAGES / "hero.jpg").write_bytes(jpeg(hero(), HERO_LIMIT))
    progress = Progress()
    finished = 0
    with progress.counting("pictures", sum(sheet.count for sheet in SHEETS)) as drawn:

        def done() -> None:
            nonlocal finished
            finished += 1
            drawn(finished)

        for sheet in SHEETS:
            with progress.step(sheet.title) as notes:
                data = draw_sheet(sheet, done)
                (folder / f"{sheet.file}.jpg").write_bytes(data)
                notes.append(f"{len(data) / 1000:.0f} kB")
    (DOCS / "gallery.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
