"""Text to pixels: Pango, HarfBuzz and FreeType as pyvips-binary's wheel carries them.

Shaping is complete in every bundled script, and an emoji is drawn in color. Only the fonts of the
render layer exist here: the system's configuration, fonts and locale play no part, so the same text
gives the same pixels everywhere. The wheel's library is called through ctypes: pyvips itself is
published as source alone, and one of its operations is all that is needed
(docs/decisions/0021-text-through-pango.md).

libvips serializes text itself and is set to use no threads of its own; the functions here may be
called from several threads.
"""

import ctypes
import html
import importlib.util
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from PIL import Image

from imagelayer.design.fonts import FALLBACKS, FAMILIES

type Align = Literal["start", "center"]
type Color = tuple[int, int, int]

# Pango's names of OpenType weights.
_WEIGHTS: Final[Mapping[int, str]] = {
    400: "Regular",
    500: "Medium",
    600: "Semi-Bold",
    700: "Bold",
    800: "Ultra-Bold",
    900: "Heavy",
}
_LINE_SEPARATOR: Final = "\u2028"
_DIRECTIONS: Final = "\u200e\u200f"
_CYRILLIC: Final = re.compile("[\u0400-\u052f]")
_GREEK: Final = re.compile("[\u0370-\u03ff]")
_KANA: Final = re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
# Scripts that Pango aligns by another baseline than the ideographic one.
_OFF_IDEOGRAPHIC: Final = re.compile("[\u0590-\u0fff]")
_HANGUL: Final = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
# Wider than what the emoji font draws in color: a mask of plain glyphs and a colored picture of
# them look the same, the picture only costs more.
_PERHAPS_COLORED: Final = re.compile(
    "[\u00a9\u00ae\u203c-\u2bff\u3030\u303d\u3297\u3299\ufe0f]|[\U0001f000-\U000fffff]"
)
_MEASURED_AT: Final = 100
_LARGEST_TEXT: Final = 4096


class ShapingBroken(RuntimeError):
    """The text engine is not the one that was tested: nothing may be drawn with it."""


class Face(NamedTuple):
    """A bundled family in one of its weights."""

    family: str
    weight: int


@dataclass(frozen=True)
class Raster:
    """Drawn text, cropped to its ink.

    `image` is a mask (mode L), or RGBA where an emoji brings its own colors. `x` and `y` are the
    ink's place from the start of the first line's box, in pixels.
    """

    image: Image.Image
    x: int
    y: int


class _Library:
    """The few functions of libvips and GLib that are needed."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("_libvips")
        if found is None or found.origin is None:
            raise ShapingBroken("pyvips-binary is not installed")
        # Symbols of the libraries that an extension module was linked with are found through it.
        library = ctypes.CDLL(found.origin)
        pointer, size = ctypes.c_void_p, ctypes.c_size_t
        self.init = _function(library, "vips_init", [ctypes.c_char_p], ctypes.c_int)
        # What follows the two fixed arguments is variadic.
        self.text = _function(
            library, "vips_text", [ctypes.POINTER(pointer), ctypes.c_char_p], ctypes.c_int
        )
        self.pixels = _function(
            library, "vips_image_write_to_memory", [pointer, ctypes.POINTER(size)], pointer
        )
        self.error = _function(library, "vips_error_buffer", [], ctypes.c_char_p)
        self.clear_error = _function(library, "vips_error_clear", [], None)
        self.unref = _function(library, "g_object_unref", [pointer], None)
        self.free = _function(library, "g_free", [pointer], None)
        self.sizes = [
            _function(library, f"vips_image_get_{name}", [pointer], ctypes.c_int)
            for name in ("width", "height", "bands", "xoffset", "yoffset")
        ]
        fonts = _fonts_folder(Path(found.origin))
        with _environment(fonts):
            if self.init(b"imagelayer"):
                raise ShapingBroken("libvips does not start")
            _function(library, "vips_concurrency_set", [ctypes.c_int], None)(1)
            _function(library, "vips_cache_set_max", [ctypes.c_int], None)(0)
            # Fontconfig and Pango read the environment when they first need it.
            self.draw(_markup("Aعक", Face("Inter", 400)), "Inter 20", colored=False)

    def draw(
        self, markup: str, font: str, *, colored: bool, align: Align = "start"
    ) -> tuple[Image.Image, int, int]:
        """Draw Pango markup, sizes in pixels; returns the ink and its offset."""
        made = ctypes.c_void_p()
        failed = self.text(
            ctypes.byref(made),
            markup.encode(),
            *_option("font", font.encode()),
            *_option("dpi", 72),
            *_option("align", 1 if align == "center" else 0),
            *_option("rgba", int(colored)),
            ctypes.c_void_p(None),
        )
        if failed:
            message = (self.error() or b"").decode(errors="replace")
            self.clear_error()
            raise ShapingBroken(f"Pango refused a text: {message.strip()}")
        try:
            width, height, bands, x, y = (read(made) for read in self.sizes)
            length = ctypes.c_size_t()
            memory = self.pixels(made, ctypes.byref(length))
        finally:
            self.unref(made)
        if not memory:
            raise ShapingBroken("libvips could not draw a text")
        data = ctypes.string_at(memory, length.value)
        self.free(memory)
        mode = {1: "L", 4: "RGBA"}[bands]
        return Image.frombytes(mode, (width, height), data), x, y


def _function(library: ctypes.CDLL, name: str, arguments: list[Any], result: Any) -> Any:
    function = getattr(library, name)
    function.argtypes, function.restype = arguments, result
    return function


def _option(name: str, value: bytes | int) -> tuple[Any, Any]:
    held = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_int(value)
    return ctypes.c_char_p(name.encode()), held


def _fonts_folder(library: Path) -> Path:
    """In a layer the fonts lie beside the Python packages; in the repository, in its source."""
    repository = Path(__file__).parents[3] / "render"
    for folder in (library.parents[1] / "fonts", repository / "fonts"):
        if (folder / "fonts.conf").is_file():
            return folder
    raise ShapingBroken("the bundled fonts are missing")


@contextmanager
def _environment(fonts: Path) -> Iterator[None]:
    """The environment Fontconfig and Pango are started in; afterwards it is as it was."""
    ours = {"FONTCONFIG_FILE": str(fonts / "fonts.conf"), "PANGO_LANGUAGE": "en"}
    foreign = ("FONTCONFIG_PATH", "FONTCONFIG_SYSROOT", "LANGUAGE", "PANGOCAIRO_BACKEND")
    before = {name: os.environ.get(name) for name in (*ours, *foreign)}
    for name in foreign:
        os.environ.pop(name, None)
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


_lock = threading.Lock()
_started: list[_Library] = []


def _library() -> _Library:
    if not _started:
        with _lock:
            if not _started:
                library = _Library()
                _assert_shaping(library)
                _started.append(library)
    return _started[0]


def assert_shaping() -> None:
    """Start the engine and check that it shapes; done once per process, before the first text.

    Raises ShapingBroken when letters are not kerned or joined, when a script or an emoji is drawn
    by another font than the bundled one, or when a font is missing.
    """
    _library()


# Width of the ink at 100 px with the pinned wheel and fonts. Set letter by letter, without kerning,
# joining, reordering and ligatures, most are far wider; drawn by another font, all are different.
_KNOWN_WIDTHS: Final[tuple[tuple[str, Face, int], ...]] = (
    ("AVATAR To", Face("Inter", 800), 547),
    ("Quite", Face("Playfair Display", 900), 257),
    ("مرحبا بالعالم", Face("Inter", 400), 475),
    ("שלום", Face("Inter", 700), 228),
    ("क्षत्रिय हिन्दी", Face("Poppins", 700), 518),
    ("স্ত্রী", Face("Inter", 400), 96),
    ("ที่นี่", Face("Inter", 400), 106),
    ("你好世界", Face("Inter", 700), 398),
    ("안녕", Face("Inter", 400), 166),
    ("\U0001f469\U0001f3fd\u200d\U0001f680", Face("Inter", 400), 111),  # one astronaut, not three
    ("\U0001f1e9\U0001f1ea", Face("Inter", 400), 119),  # one flag, not two letters
)


def _assert_shaping(library: _Library) -> None:
    for text, face, expected in _KNOWN_WIDTHS:
        image, _, _ = library.draw(_markup(text, face), _font(text, face, 100), colored=False)
        if abs(image.width - expected) > max(2, expected * 0.01):
            raise ShapingBroken(f"a known text is {image.width} px wide where {expected} are due")


def draw(
    lines: tuple[str, ...],
    face: Face,
    size: float,
    *,
    color: Color,
    leading: float = 1.2,
    tracking: float = 0.0,
    align: Align = "start",
) -> Raster:
    """Draw lines of plain text; nothing in them is markup.

    `size` is in pixels per em, `leading` the distance of baselines and `tracking` the space added
    between characters, both in ems. "start" is left, or right where the text begins in a script
    that runs from right to left. `color` matters only where the raster is RGBA.
    """
    text = _LINE_SEPARATOR.join(lines)
    colored = may_be_colored(text)
    markup = _markup(
        text,
        face,
        leading=leading * size,
        tracking=tracking * size,
        color=color if colored else None,
    )
    image, x, y = _library().draw(markup, _font(text, face, size), colored=colored, align=align)
    if _stands_on_ideographs(text) and (ink := image.getbbox()):
        # What was set before the text to choose its baseline is room without ink.
        image, x, y = image.crop(ink), x + ink[0], y + ink[1]
    return Raster(image, x, y)


@lru_cache(maxsize=8192)
def advance(text: str, face: Face) -> float:
    """Width of a text with its side bearings, in ems, at the family's natural tracking."""
    return (_ink_width(f"n{text}n", face) - _ink_width("nn", face)) / _MEASURED_AT


@lru_cache(maxsize=8192)
def _ink_width(text: str, face: Face) -> int:
    image, _, _ = _library().draw(
        _markup(text, face), _font(text, face, _MEASURED_AT), colored=False
    )
    return image.width


def capitals(text: str, face: Face, leading: float) -> tuple[float, float]:
    """Top of a text's capitals and its baseline below the start of a line's box, in ems.

    Where a family lacks Greek or Cyrillic another draws them, at another height in the box.
    """
    if _CYRILLIC.search(text):
        return _capital("\u041d", face, leading)
    return _capital("\u0397" if _GREEK.search(text) else "H", face, leading)


@lru_cache(maxsize=256)
def _capital(letter: str, face: Face, leading: float) -> tuple[float, float]:
    raster = draw((letter,), face, _MEASURED_AT, color=(0, 0, 0), leading=leading)
    return raster.y / _MEASURED_AT, (raster.y + raster.image.height) / _MEASURED_AT


def may_be_colored(text: str) -> bool:
    """Whether a text may hold an emoji."""
    return _PERHAPS_COLORED.search(text) is not None


def _markup(
    text: str,
    face: Face,
    *,
    leading: float = 0.0,
    tracking: float = 0.0,
    color: Color | None = None,
) -> str:
    attributes = {
        "lang": "ja" if _KANA.search(text) else "zh-cn" if _has_han(text) else "en",
        # Figures of one height: old-style ones look like a slip in a price or a heading.
        "font_features": "lnum=1",
    }
    if leading:
        # Above 1024, an absolute height in 1024ths of a point; a point is a pixel here.
        attributes["line_height"] = str(round(leading * 1024))
    if tracking:
        attributes["letter_spacing"] = str(round(tracking * 1024))
    if color is not None:
        attributes["foreground"] = "#{:02X}{:02X}{:02X}".format(*color)
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    written_text = html.escape(text)
    if _stands_on_ideographs(text):
        # Pango aligns a line by the baseline of the script it begins in, and from an ideographic
        # one it lifts Thai and Arabic. A Latin letter too small to leave ink begins it instead,
        # behind the marks of direction, which have to stay the first.
        bare = written_text.lstrip(_DIRECTIONS)
        marks = written_text[: len(written_text) - len(bare)]
        written_text = f'{marks}<span size="1">x</span>{bare}'
    return f"<span {written}>{written_text}</span>"


def _stands_on_ideographs(text: str) -> bool:
    """Whether a text begins in Chinese, Japanese or Korean and goes on in a script that would be
    lifted off the common baseline."""
    if not _OFF_IDEOGRAPHIC.search(text):
        return False
    first = next((letter for letter in text if letter.isalpha()), "")
    return _has_han(first) or _KANA.search(first) is not None or _HANGUL.search(first) is not None


def _has_han(text: str) -> bool:
    return any("\u2e80" <= character <= "\u9fff" or character >= "\U00020000" for character in text)


def _font(text: str, face: Face, size: float) -> str:
    """Pango's description: the family, then every fallback in its order.

    Chinese and Japanese share code points and differ in how they draw them: kana tells Japanese.
    """
    if face.family not in FAMILIES or face.weight not in FAMILIES[face.family]:
        raise ValueError("the face is not bundled")
    fallbacks = list(FALLBACKS)
    if not _KANA.search(text):
        fallbacks.remove("Noto Sans JP")
        fallbacks.insert(fallbacks.index("Noto Sans SC") + 1, "Noto Sans JP")
    families = ",".join((face.family, *fallbacks))
    return f"{families} {_WEIGHTS[heaviness(face)]} {min(size, _LARGEST_TEXT):g}"


def heaviness(face: Face) -> int:
    """The weight of a face's substitute: a display face that comes in one weight looks bold
    whatever its file says."""
    return 700 if len(FAMILIES[face.family]) == 1 else face.weight
