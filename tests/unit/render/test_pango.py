"""Text is shaped completely, from the bundled fonts alone, and to the same pixels everywhere."""

# ruff: noqa: RUF001  (letters of other scripts look like Latin ones)
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from dev.settings import ROOT
from imagelayer.design.fonts import FALLBACKS, FAMILIES
from imagelayer.render import pango
from imagelayer.render.pango import Face, ShapingBroken, advance, assert_shaping, draw

INTER = Face("Inter", 700)
BLACK = (0, 0, 0)
EVERY_SCRIPT = "Ąé Жу Ωμ مرحبا שלום हिन्दी বাংলা தமிழ் ไทย 你好 こんにちは 한국어 ★→∑ 👩🏽‍🚀🇩🇪1️⃣"


def ink(text: str, face: Face = INTER, size: float = 60) -> Image.Image:
    return draw((text,), face, size, color=BLACK).image


def mask(image: Image.Image) -> np.ndarray:
    return np.asarray(image.getchannel("A") if image.mode == "RGBA" else image)


def test_the_engine_that_is_installed_shapes() -> None:
    assert_shaping()


@pytest.mark.parametrize("change", ["width", "font"])
def test_an_engine_that_shapes_otherwise_is_not_used(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The deliberately wrong control: letters that are not joined, another font's letters."""
    library = pango._library()
    known = {"width": ("م ر ح ب ا", INTER), "font": ("AVATAR To", Face("Lora", 700))}[change]
    arabic = next(entry for entry in pango._KNOWN_WIDTHS if entry[0].startswith("مرحبا"))
    latin = next(entry for entry in pango._KNOWN_WIDTHS if entry[0] == "AVATAR To")
    expected = {"width": arabic, "font": latin}[change][2]
    monkeypatch.setattr(pango, "_KNOWN_WIDTHS", ((*known, expected),))
    with pytest.raises(ShapingBroken, match="wide"):
        pango._assert_shaping(library)


def test_letters_are_kerned() -> None:
    assert advance("AV", INTER) < advance("A", INTER) + advance("V", INTER) - 0.02


@pytest.mark.parametrize(
    ("whole", "parts"), [("لا", "ل ا"), ("क्ष", "क ष"), ("🇩🇪", "🇩 🇪"), ("👨‍👩‍👧", "👨 👩 👧")]
)
def test_what_belongs_together_becomes_one_shape(whole: str, parts: str) -> None:
    apart = sum(ink(part).width for part in parts.split())
    assert ink(whole).width < apart * 0.85


def test_arabic_runs_from_right_to_left_and_latin_inside_it_does_not() -> None:
    wide = mask(ink("ااا HHH"))
    columns = wide.sum(axis=0) / 255
    # Alefs are thin strokes; the broad capitals must be on the left.
    left, right = columns[: len(columns) // 2].sum(), columns[len(columns) // 2 :].sum()
    assert left > right


def test_an_emoji_is_drawn_in_color_and_letters_in_the_given_one() -> None:
    image = draw(("a 🎉",), INTER, 80, color=(10, 20, 30)).image
    assert image.mode == "RGBA"
    pixels = np.asarray(image)
    opaque = pixels[pixels[..., 3] == 255][:, :3]
    assert (opaque == (10, 20, 30)).all(axis=1).any()
    assert len(np.unique(opaque, axis=0)) > 50


@pytest.mark.parametrize("written", ["<b>x</b>", "&amp;", "& < > \" '", "<span size='1'>x"])
def test_text_is_never_read_as_markup(written: str) -> None:
    shown = ink(written).width
    letters = sum(advance(sign, INTER) for sign in written) * 60
    assert shown == pytest.approx(letters, rel=0.12)


@pytest.mark.parametrize(
    "face", [Face(family, weight) for family, weights in FAMILIES.items() for weight in weights]
)
def test_every_face_is_its_own(face: Face) -> None:
    """Fontconfig answers any name with some font; a wrong one would look like another's."""
    own = mask(ink("Hamburg 123", face))
    for family, weights in FAMILIES.items():
        for weight in weights:
            other = Face(family, weight)
            if other != face:
                theirs = mask(ink("Hamburg 123", other))
                assert own.shape != theirs.shape or (own != theirs).any()


def test_a_face_that_is_not_bundled_is_refused() -> None:
    for face in (Face("Arial", 400), Face("Inter", 350), Face("DejaVu Sans", 400)):
        with pytest.raises(ValueError, match="bundled"):
            draw(("x",), face, 20, color=BLACK)


def lift(first: str, word: str) -> int:
    """How many pixels higher a word ends behind another script than behind Latin, at 100 px."""

    def below_capitals(text: str) -> int:
        shown = mask(ink(text, size=100)) > 0
        width, space = ink(word, size=100).width, 20
        last, before = shown[:, -width:], shown[:, -width - space - 60 : -width - space]
        return int(np.nonzero(last.any(axis=1))[0][-1] - np.nonzero(before.any(axis=1))[0][-1])

    return below_capitals(f"HHH {word}") - below_capitals(f"{first} HHH {word}")


@pytest.mark.parametrize("word", ["ไทย", "عرب"])
@pytest.mark.parametrize("first", ["커피", "日本", "コーヒー"])
def test_every_script_stands_on_one_baseline(
    monkeypatch: pytest.MonkeyPatch, first: str, word: str
) -> None:
    assert abs(lift(first, word)) <= 2
    # The control: what Pango does by itself.
    monkeypatch.setattr(pango, "_stands_on_ideographs", lambda text: False)
    assert lift(first, word) > 5


def uneven(family: str) -> float:
    """How far figures differ in where they begin and end, in ems."""
    face = Face(family, FAMILIES[family][-1])
    drawn = [draw((figure,), face, 200, color=BLACK) for figure in "0123456789"]
    tops = [figure.y for figure in drawn]
    bottoms = [figure.y + figure.image.height for figure in drawn]
    return max(max(tops) - min(tops), max(bottoms) - min(bottoms)) / 200


@pytest.mark.parametrize("family", FAMILIES)
def test_figures_are_of_one_height_and_stand_on_the_line(family: str) -> None:
    assert uneven(family) <= 0.07


def test_without_lining_figures_they_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deliberately wrong control."""
    markup = pango._markup
    monkeypatch.setattr(
        pango,
        "_markup",
        lambda *given, **more: markup(*given, **more).replace("lnum=1", "lnum=0"),
    )
    assert uneven("Playfair Display") > 0.15


def test_lines_stand_at_equal_distances() -> None:
    one, two, three = (
        draw(("Hg",) * count, INTER, 50, color=BLACK, leading=1.3).image.height
        for count in (1, 2, 3)
    )
    assert (two - one, three - two) == (65, 65)


def test_japanese_and_chinese_forms_differ() -> None:
    """U+9AA8 is drawn differently in the two; kana in the text tell which is meant."""
    chinese = mask(draw(("骨",), INTER, 100, color=BLACK).image)
    japanese = mask(draw(("骨の",), INTER, 100, color=BLACK).image)[:, : chinese.shape[1]]
    assert japanese.shape != chinese.shape or (japanese != chinese).mean() > 0.01


def test_many_threads_draw_what_one_does() -> None:
    alone = ink(EVERY_SCRIPT).tobytes()
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: ink(EVERY_SCRIPT).tobytes(), range(24)))
    assert set(drawn) == {alone}


_SCRIPT = """
import hashlib, sys
from imagelayer.render.pango import Face, draw
lines = tuple(sys.argv[1].split("|"))
image = draw(lines, Face("Playfair Display", 700), 48, color=(9, 8, 7)).image
print(hashlib.sha256(image.tobytes()).hexdigest(), image.size)
"""


def drawn_elsewhere(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, f"{EVERY_SCRIPT}|second line"],
        env={"PYTHONPATH": str(ROOT / "layers/common"), "PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout


def test_other_processes_locales_and_font_settings_draw_the_same_pixels(tmp_path: Path) -> None:
    foreign = tmp_path / "fonts.conf"
    foreign.write_text(
        '<?xml version="1.0"?><fontconfig><dir>/usr/share/fonts</dir>'
        "<alias binding='strong'><family>Noto Sans</family><prefer><family>DejaVu Serif</family>"
        "</prefer></alias></fontconfig>"
    )
    plain = drawn_elsewhere()
    assert drawn_elsewhere() == plain
    settings = {
        "FONTCONFIG_FILE": str(foreign),
        "FONTCONFIG_PATH": "/etc/fonts",
        "FONTCONFIG_SYSROOT": str(tmp_path),
        "PANGO_LANGUAGE": "ja:ar",
        "LANGUAGE": "ja",
        "LC_ALL": "C.UTF-8",
        "HOME": str(tmp_path),
        "PYTHONHASHSEED": "7",
    }
    assert drawn_elsewhere(**settings) == plain


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTCONFIG_FILE", "/nowhere")
    before = dict(os.environ)
    with pango._environment(Path("/fonts")):
        assert os.environ["FONTCONFIG_FILE"] == "/fonts/fonts.conf"
    assert dict(os.environ) == before


def test_nothing_is_written_beside_the_fonts() -> None:
    """Lambda's layers are read-only."""
    ink(EVERY_SCRIPT)
    folder = ROOT / "layers/render/fonts"
    assert {path.suffix for path in folder.iterdir()} == {".ttf", ".txt", ".conf"}


@pytest.mark.parametrize(
    ("family", "sample"),
    [
        ("Noto Sans", "Ꜧ"),
        ("Noto Sans Arabic", "ع"),
        ("Noto Sans Hebrew", "ש"),
        ("Noto Sans Devanagari", "क"),
        ("Noto Sans Bengali", "ক"),
        ("Noto Sans Tamil", "க"),
        ("Noto Sans Thai", "ก"),
        ("Noto Sans JP", "が"),
        ("Noto Sans SC", "们"),
        ("Noto Sans KR", "한"),
        ("Noto Sans Symbols", "⚕"),
        ("Noto Sans Symbols 2", "🖎"),
        ("Noto Sans Math", "∯"),
    ],
)
def test_what_a_family_lacks_is_drawn_by_the_fallback_that_has_it(family: str, sample: str) -> None:
    """The same glyph as FreeType draws from that very file, and not the box of a missing one."""
    weight = max(FALLBACKS[family])
    file = ROOT / f"layers/render/fonts/{family.replace(' ', '')}-{weight}.ttf"
    left, top, right, bottom = ImageFont.truetype(file, 200).getmask(sample).getbbox()
    shown = ink(sample, size=200)
    assert shown.width == pytest.approx(right - left, abs=3)
    assert shown.height == pytest.approx(bottom - top, abs=3)
