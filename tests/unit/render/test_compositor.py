"""The compositor lays the logo exactly, legibly and clear of the edges, and reports the truth."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagelayer.render import studio
from imagelayer.render.color import contrast_ratio, relative_luminance
from imagelayer.render.compositor import compose, palette_distance
from imagelayer.render.logos import Corner

PALETTE = ("#14213D", "#E63946", "#F4A261", "#FAF3E3")
SIZES = [(1024, 1024), (1200, 630), (1080, 1920)]


def logo(ink: str, size: tuple[int, int] = (160, 48)) -> Image.Image:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((2, 2, size[1] - 3, size[1] - 3), fill=ink)
    draw.rectangle((size[1] + 8, size[1] // 4, size[0] - 3, size[1] * 3 // 4), fill=ink)
    # A soft edge and a speckle of exact colors, which any resampling would disturb.
    alpha = np.asarray(image).copy()
    alpha[0, :, 3] = 90
    rows, columns = np.nonzero(alpha[..., 3] == 255)
    alpha[rows[::3], columns[::3], 0] ^= 5
    return Image.fromarray(alpha)


DARK_INK, PALE_INK = logo("#101020"), logo("#FDF8F0")


def flat(color: str, size: tuple[int, int] = (1024, 1024)) -> Image.Image:
    return Image.new("RGB", size, color)


@pytest.mark.parametrize("watermark", [False, True])
@pytest.mark.parametrize("style", studio.STYLES)
def test_opaque_logo_pixels_are_exact_at_full_size(style: str, watermark: bool) -> None:
    picture = studio.paint("x", seed=2, width=1200, height=630, palette=PALETTE, style=style)
    result = compose(picture, palette=PALETTE, logos={"logo": DARK_INK}, watermark=watermark)
    placed = result.report.logo
    assert placed is not None
    assert placed.scale == 1.0
    box = (placed.x, placed.y, placed.x + placed.width, placed.y + placed.height)
    given, shown = np.asarray(DARK_INK), np.asarray(result.image.crop(box))
    opaque = given[..., 3] == 255
    assert opaque.sum() > 1000
    assert (shown[opaque] == given[opaque][:, :3]).all()


@pytest.mark.parametrize("size", [(8, 8), (40, 12), (160, 48), (2048, 300), (300, 2048)])
@pytest.mark.parametrize("canvas", SIZES)
def test_a_logo_is_never_enlarged_and_fits(canvas: tuple[int, int], size: tuple[int, int]) -> None:
    placed = compose(
        flat("#FFFFFF", canvas), palette=(), logos={"logo": Image.new("RGBA", size, "#101020")}
    ).report.logo
    assert placed is not None
    assert placed.scale <= 1
    assert placed.width <= min(size[0], canvas[0] * 0.28)
    assert placed.height <= min(size[1], min(canvas) * 0.14)
    fits = size[0] <= canvas[0] * 0.28 and size[1] <= min(canvas) * 0.14
    assert (placed.scale == 1) == fits


@pytest.mark.parametrize("canvas", [*SIZES, (64, 64), (96, 400)])
@pytest.mark.parametrize("corner", ["auto", "top-left", "top-right", "bottom-left", "bottom-right"])
def test_clear_space_is_kept_on_every_side(canvas: tuple[int, int], corner: Corner) -> None:
    placed = compose(
        flat("#FFFFFF", canvas), palette=(), logos={"logo": DARK_INK}, corner=corner
    ).report.logo
    assert placed is not None
    right = canvas[0] - placed.x - placed.width
    below = canvas[1] - placed.y - placed.height
    assert placed.clear_space_px == min(placed.x, placed.y, right, below)
    assert placed.clear_space_px >= placed.height / 4
    assert placed.clear_space_required_px >= placed.height / 4
    assert placed.passed


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_the_corner_asked_for_is_used(corner: Corner) -> None:
    placed = compose(
        flat("#FFFFFF"), palette=(), logos={"logo": DARK_INK}, corner=corner
    ).report.logo
    assert placed is not None
    assert placed.corner == corner
    assert (placed.x < 512) == corner.endswith("left")
    assert (placed.y < 512) == corner.startswith("top")


@pytest.mark.parametrize("calm", ["top-left", "top-right", "bottom-left", "bottom-right"])
def test_auto_takes_the_calm_corner(calm: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    rows = slice(0, 400) if calm.startswith("top") else slice(624, 1024)
    columns = slice(0, 500) if calm.endswith("left") else slice(524, 1024)
    noise[rows, columns] = 250
    placed = compose(Image.fromarray(noise), palette=(), logos={"logo": DARK_INK}).report.logo
    assert placed is not None
    assert (placed.corner, placed.plate) == (calm, False)


def test_none_lays_no_logo() -> None:
    picture = flat("#808080")
    result = compose(picture, palette=(), logos={"logo": DARK_INK}, corner="none")
    assert result.report.logo is None
    assert result.image.tobytes() == picture.tobytes()


@pytest.mark.parametrize(("ground", "variant"), [("#101828", "logo_dark"), ("#F8F4EC", "logo")])
def test_the_variant_made_for_the_background_is_used(ground: str, variant: str) -> None:
    logos = {"logo": DARK_INK, "logo_dark": PALE_INK, "logo_mono": logo("#808080")}
    placed = compose(flat(ground), palette=PALETTE, logos=logos).report.logo
    assert placed is not None
    assert (placed.variant, placed.plate) == (variant, False)
    assert placed.contrast > 10


@pytest.mark.parametrize("ink", [DARK_INK, PALE_INK, logo("#7F7F7F"), logo("#E63946")])
@pytest.mark.parametrize("ground", ["#000000", "#202840", "#7F7F7F", "#E63946", "#FFFFFF"])
def test_a_lone_logo_always_ends_up_legible(ground: str, ink: Image.Image) -> None:
    result = compose(flat(ground), palette=PALETTE, logos={"logo": ink})
    placed = result.report.logo
    assert placed is not None
    assert placed.contrast >= 3
    assert placed.passed


def test_a_plate_appears_only_where_it_is_needed() -> None:
    needed = compose(flat("#101828"), palette=PALETTE, logos={"logo": DARK_INK})
    spared = compose(flat("#FAF3E3"), palette=PALETTE, logos={"logo": DARK_INK})
    assert needed.report.logo is not None
    assert spared.report.logo is not None
    assert needed.report.logo.plate
    assert not spared.report.logo.plate
    # Far from the logo the picture is what it was.
    assert needed.image.getpixel((512, 512)) == (0x10, 0x18, 0x28)


@pytest.mark.parametrize("ground", ["#101828", "#FAF3E3", "#E63946"])
def test_reported_contrast_is_that_of_the_finished_picture(ground: str) -> None:
    square = Image.new("RGBA", (120, 40), (0, 0, 0, 0))
    square.paste((16, 16, 32, 255), (30, 0, 90, 40))
    result = compose(flat(ground), palette=PALETTE, logos={"logo": square})
    placed = result.report.logo
    assert placed is not None
    behind = np.asarray(
        result.image.crop((placed.x + 4, placed.y + 20, placed.x + 6, placed.y + 22))
    )
    ink = float(relative_luminance(np.array([16, 16, 32], dtype=np.uint8)))
    expected = contrast_ratio(ink, float(relative_luminance(behind).mean()))
    assert placed.contrast == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("ground", ["#101828", "#FFFFFF", "#808080", "#E63946"])
@pytest.mark.parametrize("size", SIZES)
def test_the_watermark_shows_everywhere_but_on_the_logo(ground: str, size: tuple[int, int]) -> None:
    logos = {"logo": DARK_INK, "logo_dark": PALE_INK}
    plain = compose(flat(ground, size), palette=PALETTE, logos=logos)
    marked = compose(flat(ground, size), palette=PALETTE, logos=logos, watermark=True)
    assert plain.report == marked.report
    placed = marked.report.logo
    assert placed is not None
    space = placed.clear_space_required_px
    change = np.abs(np.asarray(plain.image, np.int16) - np.asarray(marked.image, np.int16)).max(-1)
    protected = (
        slice(placed.y - space, placed.y + placed.height + space),
        slice(placed.x - space, placed.x + placed.width + space),
    )
    assert not change[protected].any()
    change[protected] = 255
    tiles = 4
    for row in np.array_split(change, tiles):
        for tile in np.array_split(row, tiles, axis=1):
            assert (tile > 24).mean() > 0.02


def test_palette_distance_is_zero_on_the_palette_and_its_tints() -> None:
    stripes = Image.new("RGB", (4, 4))
    for column, color in enumerate(PALETTE):
        stripes.paste(color, (column, 0, column + 1, 4))
    assert palette_distance(stripes, PALETTE) == pytest.approx(0, abs=0.01)
    assert palette_distance(flat("#FFFFFF", (8, 8)), PALETTE) == pytest.approx(0, abs=0.01)
    green = palette_distance(flat("#00FF00", (8, 8)), PALETTE)
    assert green is not None
    assert green > 15


def test_palette_distance_is_absent_without_a_palette() -> None:
    report = compose(flat("#00FF00"), palette=(), logos={}).report
    assert report.to_dict() == {
        "palette_distance": None,
        "treatment": "none",
        "logo": None,
        "texts": [],
        "checks": [],
        "passed": True,
    }


def test_an_off_brand_picture_does_not_pass() -> None:
    report = compose(flat("#00FF00"), palette=PALETTE, logos={}).report
    assert not report.passed


def test_the_report_is_plain_json() -> None:
    report = compose(flat("#14213D"), palette=PALETTE, logos={"logo_dark": PALE_INK}).report
    parsed = json.loads(json.dumps(report.to_dict()))
    assert parsed["logo"]["variant"] == "logo_dark"
    assert parsed["passed"] is True


def test_every_measure_of_the_report_is_a_check_of_its_own() -> None:
    picture = flat("#14213D")
    good = compose(picture, palette=PALETTE, logos={"logo_dark": PALE_INK}).report
    assert [(check.name, check.passed) for check in good.checks] == [
        ("palette_distance", True),
        ("logo_contrast", True),
        ("logo_clear_space", True),
        ("logo_size", True),
    ]
    off_brand = compose(flat("#00FF00"), palette=PALETTE, logos={"logo": DARK_INK}).report
    assert [check.name for check in off_brand.checks if not check.passed] == ["palette_distance"]
    tiny = compose(picture, palette=PALETTE, logos={"logo": PALE_INK.resize((20, 6))}).report
    assert [check.name for check in tiny.checks if not check.passed] == ["logo_size"]
    assert not tiny.passed


def test_a_logo_on_a_busy_ground_gets_a_plate_however_well_it_reads() -> None:
    stripes = np.full((1024, 1024, 3), 250, dtype=np.uint8)
    stripes[:, ::12] = 120
    placed = compose(Image.fromarray(stripes), palette=(), logos={"logo": DARK_INK}).report.logo
    assert placed is not None
    assert placed.plate


def test_the_weaker_a_logo_reads_the_less_detail_it_bears() -> None:
    """The same shallow stripes behind ink that stands out and ink that barely does."""
    stripes = np.full((1024, 1024, 3), 250, dtype=np.uint8)
    stripes[:, ::12] = 190
    picture = Image.fromarray(stripes)
    strong, weak = (
        compose(picture, palette=(), logos={"logo": logo(ink)}).report.logo
        for ink in ("#101020", "#858585")
    )
    assert strong is not None
    assert weak is not None
    assert not strong.plate
    assert weak.plate


def test_a_logo_is_large_enough_on_a_skyscraper() -> None:
    wide = Image.new("RGBA", (400, 60), "#101020")
    placed = compose(flat("#FFFFFF", (320, 1200)), palette=(), logos={"logo": wide}).report.logo
    assert placed is not None
    assert placed.width == 160


def test_the_given_picture_is_left_alone() -> None:
    picture = flat("#808080")
    compose(picture, palette=PALETTE, logos={"logo": DARK_INK}, watermark=True)
    assert picture.tobytes() == flat("#808080").tobytes()


@pytest.mark.parametrize(
    ("logos", "corner"),
    [
        ({"icon": DARK_INK}, "auto"),
        ({"logo": DARK_INK}, "middle"),
        ({"logo": Image.new("RGBA", (20, 20), (9, 9, 9, 0))}, "auto"),
    ],
)
def test_wrong_arguments_are_refused(logos: dict[str, Image.Image], corner: Corner) -> None:
    with pytest.raises(ValueError, match=r"logo|corner"):
        compose(flat("#808080"), palette=(), logos=logos, corner=corner)
