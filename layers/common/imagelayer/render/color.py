"""Color arithmetic in OKLab, and the tonal ramps that keep pictures inside a brand's palette.

OKLab (Björn Ottosson, https://bottosson.github.io/posts/oklab/) is close to perceptually uniform:
equal distances look equally different, and blends keep their lightness. A "lab" array here has
shape (..., 3), float64: lightness 0..1, then the two opponent axes, roughly -0.4..0.4.
"""

import math
import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

type Floats = npt.NDArray[np.float64]
type Bytes = npt.NDArray[np.uint8]

RAMP_STEPS = 1024

_HEX = re.compile(r"#([0-9a-fA-F]{6})")


def _linear_table() -> Floats:
    encoded = np.arange(256, dtype=np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


# sRGB byte to linear light (IEC 61966-2-1).
LINEAR: Floats = _linear_table()


def parse_hex(text: str) -> tuple[int, int, int]:
    """Read "#RRGGBB" as three bytes; ValueError for anything else."""
    match = _HEX.fullmatch(text)
    if match is None:
        raise ValueError("a color is written #RRGGBB")
    value = int(match[1], 16)
    return value >> 16, (value >> 8) & 255, value & 255


def rgb_to_lab(rgb: npt.NDArray[np.uint8]) -> Floats:
    """Convert sRGB bytes of shape (..., 3) to OKLab."""
    red, green, blue = (LINEAR[rgb[..., channel]] for channel in range(3))
    long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return np.stack(
        (
            0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
        ),
        axis=-1,
    )


def _lab_to_linear(lab: Floats) -> Floats:
    lightness, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return np.stack(
        (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ),
        axis=-1,
    )


def lab_to_rgb(lab: Floats) -> Bytes:
    """Convert OKLab of shape (..., 3) to sRGB bytes.

    A color no screen can show gives up chroma until it fits; its lightness and hue stay.
    """
    lab = np.array(lab, dtype=np.float64)
    lab[..., 0] = np.clip(lab[..., 0], 0, 1)
    linear = _lab_to_linear(lab)
    outside = ((linear < -0.0005) | (linear > 1.0005)).any(axis=-1)
    if outside.any():
        # Halving to the edge of the gamut, not stepping: steps show as rings in a gradient.
        vivid = lab[outside]
        low, high = np.zeros(len(vivid)), np.ones(len(vivid))
        for _ in range(11):
            middle = (low + high) / 2
            tried = vivid.copy()
            tried[:, 1:] *= middle[:, None]
            shown = _lab_to_linear(tried)
            fits = ((shown >= -0.0005) & (shown <= 1.0005)).all(axis=-1)
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        vivid[:, 1:] *= low[:, None]
        linear[outside] = _lab_to_linear(vivid)
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


def relative_luminance(rgb: npt.NDArray[np.uint8]) -> Floats:
    """WCAG 2.2 relative luminance, 0..1, of sRGB bytes of shape (..., 3)."""
    return (
        0.2126 * LINEAR[rgb[..., 0]] + 0.7152 * LINEAR[rgb[..., 1]] + 0.0722 * LINEAR[rgb[..., 2]]
    )


def contrast_ratio(one: float, other: float) -> float:
    """WCAG 2.2 contrast ratio, 1..21, of two relative luminances in either order."""
    lighter, darker = max(one, other), min(one, other)
    return (lighter + 0.05) / (darker + 0.05)


def toned(lab: Floats, lightness: float, chroma: float = 1.0) -> Floats:
    """Give `lab`'s hue another lightness (0..1) and a multiple of its chroma."""
    return np.array([lightness, lab[1] * chroma, lab[2] * chroma])


def as_rgb(lab: Floats) -> tuple[int, int, int]:
    """Convert one OKLab color to the byte triple Pillow draws with."""
    red, green, blue = lab_to_rgb(lab).tolist()
    return red, green, blue


class Palette:
    """A brand's colors and everything the painters derive from them.

    `ramp` walks all of them from dark to light; `flats` are clearly different flat colors; `dark`
    says whether the brand is better painted on a dark ground.
    """

    def __init__(self, colors: Sequence[str]) -> None:
        """Take "#RRGGBB" strings, at least one; ValueError otherwise."""
        if not colors:
            raise ValueError("a palette needs a color")
        unique = list(dict.fromkeys(parse_hex(color) for color in colors))
        self.colors: list[Floats] = [rgb_to_lab(np.array(rgb, dtype=np.uint8)) for rgb in unique]
        self.by_lightness = sorted(self.colors, key=lambda lab: tuple(lab.tolist()))
        self.dark = float(np.median([lab[0] for lab in self.colors])) < 0.52

    @cached_property
    def anchors(self) -> list[Floats]:
        """The colors from dark to light, with a shade below and a tint above where room is."""
        anchors = list(self.by_lightness)
        lowest, highest = anchors[0], anchors[-1]
        alone = len(anchors) == 1
        if lowest[0] > 0.26:
            deep = float(lowest[0]) * (0.5 if alone else 0.68)
            # A pale tint darkened at its own faint chroma turns gray, so it gains some.
            anchors.insert(0, toned(lowest, max(deep, 0.2), 1.5 if lowest[0] > 0.8 else 0.92))
        if highest[0] < 0.94:
            lift = 0.7 if alone else 0.55
            anchors.append(toned(highest, float(highest[0]) + (0.985 - highest[0]) * lift, 0.5))
        return anchors

    @cached_property
    def ramp_lab(self) -> Floats:
        """The ramp from dark to light as OKLab, shape (RAMP_STEPS, 3)."""
        return _ramp(self.anchors)

    @cached_property
    def ramp(self) -> Bytes:
        """The ramp from dark to light as sRGB bytes, shape (RAMP_STEPS, 3)."""
        return lab_to_rgb(self.ramp_lab)

    def steps(self, count: int) -> list[Floats]:
        """Return `count` flat tones from dark to light that never leave the brand's own hues.

        Blending a green into a red passes through mud; between anchors of distant hues a tone
        keeps the hue of the nearer one and takes only its lightness from in between.
        """
        tones = []
        last = len(self.anchors) - 1
        for number in range(count):
            place = number / max(count - 1, 1) * last
            nearest = math.floor(place + 0.5)
            low = min(math.floor(place), max(last - 1, 0))
            below, above = self.anchors[low], self.anchors[min(low + 1, last)]
            between = below + (above - below) * (place - low)
            tone = toned(self.anchors[nearest], float(between[0]))
            spans = float(np.hypot(below[1], below[2]) * np.hypot(above[1], above[2]))
            kinship = float(below[1] * above[1] + below[2] * above[2]) / max(spans, 1e-9)
            tone[1:] += (between[1:] - tone[1:]) * min(max(kinship, 0.0), 1.0)
            tones.append(tone)
        return tones

    def narrowed(self, random: np.random.Generator) -> "Palette":
        """Return a palette of at most four of these colors that blend without clashing.

        The darkest and the lightest stay; of the rest the random source draws two.
        """
        if len(self.colors) <= 4:
            return self
        inner = self.by_lightness[1:-1]
        draws = random.random(len(inner))
        picked = sorted(np.argsort(draws, kind="stable")[:2].tolist())
        kept = [self.by_lightness[0], *(inner[number] for number in picked), self.by_lightness[-1]]
        narrow = Palette(["#000000"])
        narrow.colors = narrow.by_lightness = kept
        narrow.dark = self.dark
        return narrow

    def at(self, position: float) -> Floats:
        """Return the ramp's OKLab color at `position`, 0 (dark) to 1 (light)."""
        index = round(min(max(position, 0.0), 1.0) * (RAMP_STEPS - 1))
        lab: Floats = self.ramp_lab[index]
        return lab

    @cached_property
    def flats(self) -> list[Floats]:
        """Five or more clearly different flat colors, the brand's own first."""
        chosen = list(self.colors)
        chromas = [float(np.hypot(lab[1], lab[2])) for lab in self.colors]
        strongest = max(chromas)
        # Only the livelier colors breed: darkening a cream gives a gray no one chose. Pastels
        # gain chroma as they deepen, or every one of them would end up gray.
        gain = 1.0 if strongest > 0.06 else 2.4
        candidates: list[Floats] = []
        for lab, chroma in zip(self.colors, chromas, strict=True):
            if chroma < strongest * 0.6:
                continue
            if gain > 1:
                candidates += [toned(lab, level, gain) for level in (0.66, 0.75, 0.83)]
                continue
            candidates += [toned(lab, 0.94, 0.3), toned(lab, 0.27, 0.75)]
            candidates += [toned(lab, level) for level in (0.46, 0.6, 0.74, 0.85)]
        spread = float(self.by_lightness[-1][0] - self.by_lightness[0][0])
        wanted = max(5, len(chosen) + (1 if spread < 0.4 else 0))
        while len(chosen) < wanted:
            gaps = [min(float(((c - o) ** 2).sum()) for o in chosen) for c in candidates]
            chosen.append(candidates[int(np.argmax(gaps))])
        return chosen

    @cached_property
    def bodies(self) -> list[Floats]:
        """The flats, with pastels deepened enough to stand before a pastel ground."""
        pastels = self.by_lightness[0][0] > 0.66
        return [
            toned(lab, float(lab[0]) - 0.12, 2.2) if pastels and lab[0] > 0.86 else lab
            for lab in self.flats
        ]

    @cached_property
    def ground(self) -> Floats:
        """The calm color large areas get: nearly black, or nearly white, in the brand's hue."""
        if self.dark:
            darkest = self.by_lightness[0]
            return toned(darkest, min(float(darkest[0]), 0.24), 0.9)
        lightest = self.by_lightness[-1]
        if lightest[0] > 0.9:
            return lightest
        return toned(lightest, 0.94, 0.3)


def _ramp(anchors: Sequence[Floats]) -> Floats:
    if len(anchors) == 1:
        return np.repeat(anchors[0][None, :], RAMP_STEPS, axis=0)
    lengths = [
        float(np.sqrt(((b - a) ** 2).sum())) ** 0.5
        for a, b in zip(anchors, anchors[1:], strict=False)
    ]
    stops = np.cumsum([0.0, *lengths]) / sum(lengths)
    stops[-1] = 1.0
    positions = np.linspace(0, 1, RAMP_STEPS)
    lab = np.empty((RAMP_STEPS, 3))
    for start, end, low, high in zip(anchors, anchors[1:], stops, stops[1:], strict=False):
        inside = (positions >= low) & (positions <= high)
        along = ((positions[inside] - low) / max(high - low, 1e-9))[:, None]
        bend = _detour(start, end)
        lab[inside] = start * (1 - along) ** 2 + bend * 2 * along * (1 - along) + end * along**2
    # Rounding the corners at the anchors: a kink in a ramp is seen as a bright line.
    window = RAMP_STEPS // 14 | 1
    padded = np.concatenate(
        [np.repeat(lab[:1], window // 2, 0), lab, np.repeat(lab[-1:], window // 2, 0)]
    )
    sums = np.cumsum(np.concatenate([np.zeros((1, 3)), padded]), axis=0)
    smooth: Floats = (sums[window:] - sums[:-window]) / window
    return smooth


def _detour(start: Floats, end: Floats) -> Floats:
    """Control point that bends a blend of far-apart hues around gray instead of through it."""
    middle: Floats = (start + end) / 2
    chroma = [float(np.hypot(lab[1], lab[2])) for lab in (start, end)]
    if min(chroma) < 0.02:
        return middle
    directions = start[1:] / chroma[0] + end[1:] / chroma[1]
    length = float(np.hypot(directions[0], directions[1]))
    if length < 0.05:
        return middle
    mean_chroma = sum(chroma) / 2
    vivid = directions / length * mean_chroma
    gap = float(np.hypot(*(vivid - middle[1:])))
    bent = middle.copy()
    bent[1:] += (vivid - middle[1:]) * min(1.0, 0.05 / max(gap, 1e-9))
    return bent
