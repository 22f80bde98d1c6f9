"""Words on a picture read, keep clear of the logo and the edges, and never overflow."""

import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dev.settings import ROOT
from imagelayer.render import layouts, studio, words
from imagelayer.render.color import contrast_ratio, relative_luminance
from imagelayer.render.compositor import (
    BrandReport,
    TextDoesNotFit,
    compose,
    palette_distance,
)
from imagelayer.render.logos import Corner
from imagelayer.render.pango import Raster, draw
from imagelayer.render.tones import theme
from imagelayer.render.words import TextReport

# Twenty, hostile ones among them: nothing to choose from, nothing that stands out, all that glares.
PALETTES: dict[str, tuple[str, ...]] = {
    "none": (),
    "black": ("#000000",),
    "white": ("#FFFFFF",),
    "mid-gray": ("#777777",),
    "all-mid-grays": ("#767676", "#787878", "#7A7A7A", "#808080"),
    "single-red": ("#E4002B",),
    "single-yellow": ("#FFE600",),
    "yellow-and-white": ("#FFF200", "#FFFFFF"),
    "near-identical": ("#3A6EA5", "#3B6FA6"),
    "neon": ("#39FF14", "#FF00FF", "#00FFFF", "#FFFF00"),
    "pure-primaries": ("#FF0000", "#00FF00", "#0000FF"),
    "pure-blue": ("#0000FF",),
    "pastels": ("#FDF6F0", "#F8E1D9", "#DDEBF0", "#CFE3D4"),
    "near-blacks": ("#050505", "#0A0A12", "#101018"),
    "orange-on-teal": ("#FF6F00", "#00897B"),
    "red-and-green": ("#C62828", "#2E7D32"),
    "sunrise": ("#2A1712", "#C4471B", "#F08A3C", "#F7C67F", "#FFF3E0"),
    "navy": ("#0A2540", "#1F6FEB", "#7FD1E0", "#EAF6FA"),
    "mixed": ("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#E9C46A", "#FAF3E3"),
    "olive-and-cream": ("#6B705C", "#CB997E", "#FFE8D6"),
}
DESIGNS: dict[str, dict[str, Any]] = {
    "text": {
        "text": {
            "headline": "The autumn collection is here",
            "subhead": "Warm layers, made to last.",
            "cta": "Shop now",
            "caption": "While stocks last",
        }
    },
    "stat": {
        "template": {
            "type": "stat",
            "value": "73 %",
            "label": "of teams ship on-brand pictures in a minute",
            "source": "Customer survey, 2026",
        }
    },
    "quote": {
        "template": {
            "type": "quote",
            "quote": "We stopped arguing about shades of orange.",
            "author": "Maya Okafor",
            "role": "Head of Brand",
        }
    },
    "announcement": {
        "template": {
            "type": "announcement",
            "headline": "Same-day roasting",
            "subhead": "By your door at night.",
            "cta": "See how",
            "badge": "New",
        }
    },
    "product": {
        "template": {
            "type": "product",
            "name": "Horizon Kettle",
            "tagline": "Quiet as dawn.",
            "price": "$129",
            "cta": "Pre-order",
        }
    },
    "event": {
        "template": {
            "type": "event",
            "title": "An evening with our roasters",
            "date": "Thu 3 December",
            "place": "Lisbon",
            "cta": "Save a seat",
        }
    },
}
TEXTS: dict[str, dict[str, Any]] = {
    "short": {"text": {"headline": "Sale"}},
    "long": {
        "text": {
            "headline": "Everything we learned from ten years of building calm, careful software "
            "for people who would rather be outside",
            "subhead": "A free two-hundred-page field guide for small teams, with checklists, "
            "worked examples and honest mistakes, and no email needed to read it.",
            "cta": "Download the guide",
            "caption": "PDF, 14 MB. Licensed CC BY 4.0. Translated into eleven languages.",
        }
    },
    "arabic": {
        "text": {
            "headline": "مجموعة الخريف وصلت الآن",
            "subhead": "طبقات دافئة صنعت لتدوم طويلاً، من مصانع نعرفها بالاسم.",
            "cta": "تسوق الآن",
        }
    },
    "chinese": {"text": {"headline": "我们的秋季新品系列现已上市", "cta": "立即选购"}},
    "hindi": {"text": {"headline": "दीपावली की हार्दिक शुभकामनाएँ", "subhead": "नई दिल्ली"}},
    "mixed": {
        "text": {"headline": "Hello 你好 مرحبا नमस्ते 👩🏽‍🚀🎉", "subhead": "One headline 🇩🇪 ❤️"}
    },
    "cyrillic": {"text": {"headline": "Осенняя коллекция уже здесь", "subhead": "Тёплые вещи."}},
    "accents": {"text": {"headline": "ÉÀÜ Ångström ĐẶC BIỆT", "subhead": "Świąteczna wyprzedaż"}},
    "emoji-alone": {"text": {"headline": "🎉", "cta": "➡️"}},
    "marks-alone": {"text": {"headline": "!!!", "subhead": "…"}},
    "thai": {"text": {"headline": "สวัสดี ประเทศไทย", "subhead": "ยินดีต้อนรับ"}},
    "cta-alone": {"text": {"cta": "Shop now"}},
    "caption-alone": {"text": {"caption": "While stocks last"}},
}
SIZES = [(480, 480), (600, 315), (360, 640), (792, 198), (320, 1200)]


def studio_picture(size: tuple[int, int], palette: tuple[str, ...], style: str) -> Image.Image:
    return studio.paint("x", seed=3, width=size[0], height=size[1], palette=palette, style=style)


def hostile(kind: str, size: tuple[int, int]) -> Image.Image:
    width, height = size
    if kind == "noise":
        random = np.random.default_rng(3)
        return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    side = {"fine-checkers": 1, "checkers": 40, "halves": 10_000}[kind]
    rows, columns = np.indices((height, width)) // side
    if kind == "halves":
        rows, columns = np.zeros_like(rows), (np.indices((height, width))[1] > width * 0.2)
    board = (((rows + columns) % 2) * 255).astype(np.uint8)
    return Image.fromarray(np.repeat(board[..., None], 3, axis=2))


def logo(ink: str, size: tuple[int, int] = (110, 34)) -> Image.Image:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    image.paste(ink, (4, 4, size[0] - 4, size[1] - 4))
    return image


LOGOS = {"logo": logo("#101020"), "logo_dark": logo("#FDF8F0")}


@pytest.fixture
def without_glyphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is laid but the letters, so that what is behind them can be measured."""

    def blank(*arguments: Any, **options: Any) -> Raster:
        raster = draw(*arguments, **options)
        return replace(raster, image=Image.new(raster.image.mode, raster.image.size))

    monkeypatch.setattr(words, "draw", blank)


def contrast_behind(picture: Image.Image, text: TextReport) -> float:
    """WCAG contrast of a block, from every pixel of its box."""
    color = np.array([int(text.color[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.uint8)
    own = float(relative_luminance(color))
    box = (text.x, text.y, text.x + text.width, text.y + text.height)
    low, high = np.percentile(relative_luminance(np.asarray(picture.crop(box))), (5, 95))
    assert not low < own < high
    return min(contrast_ratio(own, float(low)), contrast_ratio(own, float(high)))


def pictures(palette: tuple[str, ...], number: int) -> Iterator[Image.Image]:
    """A studio picture and a hostile one: one square, one wide, and which is which takes turns."""
    square, wide = (480, 480), (600, 315)
    sizes = (square, wide) if number % 2 else (wide, square)
    yield studio_picture(sizes[0], palette, studio.STYLES[number % len(studio.STYLES)])
    yield hostile(["noise", "fine-checkers", "checkers", "halves"][number % 4], sizes[1])


@pytest.mark.usefixtures("without_glyphs")
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", PALETTES)
def test_every_word_of_every_design_reads_in_every_palette(name: str, design: str) -> None:
    palette = PALETTES[name]
    number = list(PALETTES).index(name) + list(DESIGNS).index(design)
    for picture in pictures(palette, number):
        branded = compose(picture, palette=palette, logos=LOGOS, **DESIGNS[design])
        assert branded.report.texts
        for text in branded.report.texts:
            measured = contrast_behind(branded.image, text)
            assert measured >= 4.5, (text, measured)
            assert text.contrast == pytest.approx(measured, rel=0.1)
            assert text.passed


@pytest.mark.usefixtures("without_glyphs")
def test_without_a_veil_the_same_words_would_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deliberately wrong control."""
    monkeypatch.setattr(words, "_veil", lambda canvas, base, *_, **__: canvas.paste(base))
    picture = hostile("checkers", (480, 480))
    report = compose(picture, palette=PALETTES["navy"], logos={}, **DESIGNS["text"]).report
    assert not report.passed
    assert any(text.contrast < 4.5 for text in report.texts)


@pytest.mark.parametrize(
    ("size", "insets", "least"),
    [
        ((540, 540), (0.0, 0.0, 0.0, 0.0), 0.45),
        ((540, 675), (0.0, 0.0, 0.0, 0.0), 0.38),
        ((540, 960), (0.14, 0.06, 0.35, 0.06), 0.45),
    ],
    ids=["square", "portrait", "reel"],
)
def test_much_of_an_upright_picture_is_left_as_it_was(
    size: tuple[int, int], insets: tuple[float, float, float, float], least: float
) -> None:
    palette = PALETTES["sunrise"]
    picture = studio_picture(size, palette, "sunrise")
    text = {"headline": "Wake up somewhere higher", "cta": "Taste it first"}
    made = compose(picture, palette=palette, logos={}, insets=insets, text=text)
    before, after = np.asarray(picture), np.asarray(made.image)
    rows = (before == after).all(axis=(1, 2))
    assert rows.mean() >= least
    # Above what the platform covers with its controls, and below it too.
    assert rows[0]
    assert rows[-1] == (insets[2] > 0)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("name", PALETTES)
def test_a_theme_reads_on_its_own_ground(name: str, dark: bool) -> None:
    chosen = theme(PALETTES[name], dark)

    def ratio(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
        first, second = (
            float(relative_luminance(np.array(color, dtype=np.uint8))) for color in (one, other)
        )
        return contrast_ratio(first, second)

    for color in (chosen.ink, chosen.muted, chosen.accent):
        assert ratio(color, chosen.ground) >= 4.75
    assert ratio(chosen.label, chosen.pill) >= 4.5
    assert ratio(chosen.pill, chosen.ground) >= 2.9


def box_of(item: Any) -> tuple[int, int, int, int]:
    return item.x, item.y, item.x + item.width, item.y + item.height


def apart(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    """The gap between two boxes along the axis that keeps them apart; negative when they meet."""
    across = max(one[0] - other[2], other[0] - one[2])
    down = max(one[1] - other[3], other[1] - one[3])
    return max(across, down)


def assert_well_placed(report: BrandReport, size: tuple[int, int]) -> None:
    for text in report.texts:
        left, top, right, bottom = box_of(text)
        edge = min(size) * 0.03
        assert left >= edge
        assert top >= edge
        assert right <= size[0] - edge
        assert bottom <= size[1] - edge
        if report.logo is not None:
            gap = apart(box_of(text), box_of(report.logo))
            assert gap >= report.logo.clear_space_required_px, text.role
    inks = [box_of(text) for text in report.texts if text.role != "brandmark"]
    for one, other in itertools.pairwise(inks):
        assert apart(one, other) >= 1


@pytest.mark.parametrize("corner", ["auto", "top-left", "top-right", "bottom-left", "bottom-right"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*DESIGNS, *TEXTS])
def test_words_keep_off_the_logo_its_clear_space_the_edges_and_each_other(
    name: str, size: tuple[int, int], corner: Corner
) -> None:
    picture = Image.new("RGB", size, "#40608A")
    try:
        report = compose(
            picture,
            palette=PALETTES["mixed"],
            logos=LOGOS,
            corner=corner,
            **{**DESIGNS, **TEXTS}[name],
        ).report
    except TextDoesNotFit:
        # The smallest banner cannot hold what fills a page; everything else must fit.
        assert name == "long"
        assert min(size) < 400
        return
    assert report.logo is not None
    if corner != "auto":
        assert report.logo.corner == corner
    assert_well_placed(report, size)


@pytest.mark.parametrize("name", ["text", "quote", "arabic", "long"])
def test_words_stay_out_of_what_the_platform_covers(name: str) -> None:
    size, insets = (540, 960), (0.14, 0.06, 0.35, 0.06)
    report = compose(
        Image.new("RGB", size, "#40608A"),
        palette=PALETTES["navy"],
        logos=LOGOS,
        insets=insets,
        **{**DESIGNS, **TEXTS}[name],
    ).report
    assert report.logo is not None
    for item in (*report.texts, report.logo):
        left, top, right, bottom = box_of(item)
        assert top >= size[1] * 0.14 - 1
        assert bottom <= size[1] * 0.65 + 1
        assert left >= size[0] * 0.06 - 1
        assert right <= size[0] * 0.94 + 1


def test_right_to_left_text_stands_on_the_right() -> None:
    size = (600, 315)
    report = compose(
        Image.new("RGB", size, "#40608A"), palette=(), logos={}, **TEXTS["arabic"]
    ).report
    edges = {text.x + text.width for text in report.texts if text.role != "cta"}
    assert len(edges) == 1
    assert min(text.x for text in report.texts) > size[0] * 0.3


def test_the_headline_is_the_largest_and_captions_are_legible() -> None:
    for size in SIZES:
        texts = {
            text.role: text.size
            for text in compose(
                Image.new("RGB", size, "#40608A"), palette=(), logos={}, **DESIGNS["text"]
            ).report.texts
        }
        assert texts["headline"] > texts["subhead"] > texts["caption"] >= 11


@pytest.mark.parametrize(
    ("headline", "family"),
    [("Autumn sale", "Poppins"), ("Осенняя распродажа", "Inter"), ("你好 Autumn", "Poppins")],
)
def test_a_family_that_lacks_a_letter_sets_none_of_the_text(headline: str, family: str) -> None:
    """And the report says which one does; ideographs are drawn by a fallback beside any family."""
    typography = {"heading": {"family": "Poppins", "weight": 700}}
    report = compose(
        Image.new("RGB", (480, 480)),
        palette=(),
        logos={},
        text={"headline": headline},
        typography=typography,
    ).report
    assert (report.texts[0].family, report.texts[0].weight) == (family, 700)


@pytest.mark.parametrize("word", ["W" * 110, "ไ" * 110])
def test_a_text_that_cannot_be_set_legibly_is_refused(word: str) -> None:
    with pytest.raises(TextDoesNotFit):
        compose(Image.new("RGB", (480, 480)), palette=(), logos={}, text={"headline": word})


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ({"headline": "W" * 60, "cta": "Go"}, "headline"),
        ({"headline": "Hi", "cta": "W" * 40}, "cta"),
        ({"headline": "Hi there", "subhead": "W" * 200}, "subhead"),
    ],
)
def test_the_text_that_is_too_long_is_named_and_fits_when_it_is_as_short_as_said(
    text: dict[str, str], role: str
) -> None:
    size = (256, 256)

    def composed(words: dict[str, str]) -> None:
        compose(Image.new("RGB", size), palette=(), logos={}, text=words)

    with pytest.raises(TextDoesNotFit) as refused:
        composed(text)
    found = re.fullmatch(rf"Shorten {role} to about (\d+) characters", str(refused.value))
    assert found, str(refused.value)
    composed({**text, role: text[role][: int(found[1])]})


def test_a_headline_takes_no_line_that_gains_little(monkeypatch: pytest.MonkeyPatch) -> None:
    typography = {"heading": {"family": "Playfair Display", "weight": 900}}

    def headline() -> TextReport:
        text = {"headline": "Свежий кофе каждое утро"}
        picture = Image.new("RGB", (1200, 630))
        return compose(
            picture, palette=(), logos={}, text=text, typography=typography
        ).report.texts[0]

    few = headline()
    assert few.lines == 2
    # The control: as large as the words can be, they take a line more.
    monkeypatch.setattr(layouts, "_on_fewer_lines", lambda found, *_: found)
    many = headline()
    assert many.lines == 3
    assert few.size < many.size <= few.size / 0.78 + 1


def test_a_longer_text_is_set_smaller() -> None:
    def size_of(headline: str) -> int:
        report = compose(
            Image.new("RGB", (480, 480)), palette=(), logos={}, text={"headline": headline}
        ).report
        return report.texts[0].size

    sizes = [size_of("word " * count) for count in (4, 8, 16, 22)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


@pytest.mark.parametrize("name", DESIGNS)
def test_logo_pixels_stay_exact_beside_words(name: str) -> None:
    picture = studio_picture((1200, 630), PALETTES["mixed"], "bauhaus")
    exact = logo("#101020", (160, 60))
    branded = compose(picture, palette=PALETTES["mixed"], logos={"logo": exact}, **DESIGNS[name])
    placed = branded.report.logo
    assert placed is not None
    assert placed.scale == 1.0
    given, shown = np.asarray(exact), np.asarray(branded.image.crop(box_of(placed)))
    opaque = given[..., 3] == 255
    assert (shown[opaque] == given[opaque][:, :3]).all()


def test_a_brand_without_a_logo_is_named() -> None:
    picture = studio_picture((480, 480), PALETTES["navy"], "mesh-gradient")
    named = compose(picture, palette=PALETTES["navy"], logos={}, brandmark="Solstice").report
    assert [text.role for text in named.texts] == ["brandmark"]
    assert named.logo is None
    with_logo = compose(picture, palette=PALETTES["navy"], logos=LOGOS, brandmark="Solstice")
    assert not with_logo.report.texts
    for nameless in (None, "", "  "):
        report = compose(picture, palette=PALETTES["navy"], logos={}, brandmark=nameless).report
        assert not report.texts
    hidden = compose(
        picture, palette=PALETTES["navy"], logos={}, brandmark="Solstice", corner="none"
    )
    assert not hidden.report.texts


@pytest.mark.parametrize("ground", ["#000000", "#FFFFFF", "#7F7F7F", "#E63946", "#00FF00"])
def test_a_brands_name_reads_on_any_ground(ground: str) -> None:
    for kind in (Image.new("RGB", (480, 480), ground), hostile("noise", (480, 480))):
        text = compose(kind, palette=PALETTES["mixed"], logos={}, brandmark="Solstice").report.texts
        assert text[0].contrast >= 4.5


def test_a_name_on_busy_ground_has_a_plate_with_room_around_it() -> None:
    picture = studio_picture((1200, 630), PALETTES["mixed"], "bauhaus")
    made = compose(picture, palette=PALETTES["mixed"], logos={}, brandmark="Civic")
    name = made.report.texts[0]
    changed = (np.asarray(made.image) != np.asarray(picture)).any(axis=2)
    rows, columns = np.nonzero(changed)
    room = name.height // 2
    assert rows.min() <= name.y - room
    assert rows.max() >= name.y + name.height + room - 1
    assert columns.min() <= name.x - room
    assert columns.max() >= name.x + name.width + room - 1
    # On calm ground there is none.
    black = Image.new("RGB", (1200, 630))
    calm = compose(black, palette=PALETTES["mixed"], logos={}, brandmark="Civic")
    calm.image.paste("black", box_of(calm.report.texts[0]))
    assert calm.image.getbbox() is None


def test_a_treatment_moves_a_picture_to_the_palette() -> None:
    green = hostile("noise", (256, 256)).convert("L").convert("RGB")
    green = Image.merge(
        "RGB", (Image.new("L", green.size), green.getchannel("G"), Image.new("L", green.size))
    )
    palette = PALETTES["sunrise"]
    far = palette_distance(green, palette)
    auto = compose(green, palette=palette, logos={}, treatment="auto").report
    duotone = compose(green, palette=palette, logos={}, treatment="duotone").report
    untouched = compose(green, palette=palette, logos={}).report
    assert far is not None
    assert untouched.palette_distance == far > 8
    assert not untouched.passed
    assert auto.treatment == "tint"
    assert auto.palette_distance is not None
    assert auto.palette_distance <= 8
    assert duotone.palette_distance is not None
    assert duotone.palette_distance < 3


@pytest.mark.parametrize("name", [name for name in PALETTES if name != "none"])
def test_a_treated_picture_passes_whatever_the_palette(name: str) -> None:
    picture = hostile("noise", (200, 200))
    report = compose(picture, palette=PALETTES[name], logos={}, treatment="auto").report
    assert report.passed


def test_a_picture_on_the_palette_is_left_alone() -> None:
    picture = studio_picture((256, 256), PALETTES["navy"], "sunrise")
    branded = compose(picture, palette=PALETTES["navy"], logos={}, treatment="auto")
    assert branded.report.treatment == "none"
    assert branded.image.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": {"headline": "a"}, "template": {"type": "stat", "value": "1", "label": "b"}},
        {"template": {"type": "poster"}},
        {"text": {"headline": "a"}, "typography": {"heading": {"family": "Arial", "weight": 400}}},
    ],
)
def test_a_design_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="text|template|face"):
        compose(Image.new("RGB", (200, 200)), palette=(), logos={}, **wrong)


_SCRIPT = """
import hashlib, json, sys
from PIL import Image
from imagelayer.render import studio
from imagelayer.render.compositor import compose
from imagelayer.render.encode import encode
palette = ("#14213D", "#E63946", "#F4A261", "#FAF3E3")
picture = studio.paint("x", seed=5, width=600, height=315, palette=palette)
logo = Image.new("RGBA", (90, 30), "#101020")
for design in json.loads(sys.argv[1]):
    made = compose(picture, palette=palette, logos={"logo": logo}, watermark=True, **design)
    for output_format in ("png", "jpeg", "webp", "avif"):
        print(hashlib.sha256(encode(made.image, output_format)).hexdigest())
    print(json.dumps(made.report.to_dict(), sort_keys=True))
"""


def made_elsewhere(**environment: str) -> str:
    import json

    designs = json.dumps([*DESIGNS.values(), TEXTS["mixed"], TEXTS["arabic"]])
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, designs],
        env={"PYTHONPATH": str(ROOT / "layers/common"), "PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return hashlib.sha256(done.stdout.encode()).hexdigest()


def test_the_same_design_is_the_same_bytes_in_another_process() -> None:
    one = made_elsewhere(PYTHONHASHSEED="1")
    other = made_elsewhere(PYTHONHASHSEED="2", LANGUAGE="ar", OPENBLAS_NUM_THREADS="1")
    assert one == other
