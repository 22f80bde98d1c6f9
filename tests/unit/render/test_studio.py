"""The studio paints the same picture every time, in the brand's colors, in distinct styles."""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from imagelayer.render import studio
from imagelayer.render.compositor import palette_distance

PALETTES = {
    "warm": ("#F4E3C1", "#E8A15C", "#C8553D", "#5B2A1E"),
    "cold": ("#0A2540", "#1F6FEB", "#7FD1E0", "#EAF6FA"),
    "dark": ("#0B1026", "#1B2A4A", "#3E5C9A", "#7AA2F7"),
    "pale": ("#FDF6F0", "#F8E1D9", "#DDEBF0", "#CFE3D4"),
    "one": ("#0F766E",),
    "six": ("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#E9C46A", "#FAF3E3"),
}


def digest(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def painted(style: str, palette: str = "six", seed: int = 1, size: int = 256) -> Image.Image:
    return studio.paint(
        "a prompt", seed=seed, width=size, height=size, palette=PALETTES[palette], style=style
    )


PAINT_EVERY_STYLE = """
import hashlib, sys
from imagelayer.render import studio
for style in studio.STYLES:
    image = studio.paint(
        "a prompt", seed=1, width=256, height=256, style=style,
        palette=("#14213D", "#E63946", "#F4A261", "#2A9D8F", "#E9C46A", "#FAF3E3"),
    )
    print(style, hashlib.sha256(image.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONHASHSEED": "1"}, id="other-hash-seed"),
        pytest.param(
            {
                "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
                "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
            },
            id="processor-with-fewer-instructions",
        ),
    ],
)
def test_another_process_paints_the_same_bytes(environment: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PAINT_EVERY_STYLE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(line.split() for line in run.stdout.splitlines()) == {
        style: digest(painted(style)) for style in studio.STYLES
    }


@pytest.mark.parametrize("style", studio.STYLES)
def test_the_seed_and_the_prompt_change_the_picture(style: str) -> None:
    first = digest(painted(style))
    other = studio.paint(
        "another prompt", seed=1, width=256, height=256, palette=PALETTES["six"], style=style
    )
    assert digest(painted(style, seed=2)) != first
    assert digest(other) != first


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("style", studio.STYLES)
def test_every_style_stays_on_every_palette(style: str, palette: str) -> None:
    image = studio.paint(
        "on brand", seed=5, width=600, height=315, palette=PALETTES[palette], style=style
    )
    assert (image.mode, image.size) == ("RGB", (600, 315))
    distance = palette_distance(image, PALETTES[palette])
    assert distance is not None
    assert distance < 4


def test_the_distance_of_the_wrong_palette_is_large() -> None:
    image = painted("bauhaus", "warm")
    distance = palette_distance(image, PALETTES["cold"])
    assert distance is not None
    assert distance > 8


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("style", studio.STYLES)
def test_no_picture_is_empty(style: str, palette: str) -> None:
    gray = np.asarray(painted(style, palette, size=384).convert("L"), dtype=np.float64)
    low, high = np.percentile(gray, (2, 98))
    assert high - low > 12


@pytest.mark.parametrize("size", [(64, 64), (1080, 1920), (1200, 630), (300, 64), (64, 500)])
@pytest.mark.parametrize("style", studio.STYLES)
def test_every_style_paints_every_shape(style: str, size: tuple[int, int]) -> None:
    image = studio.paint(
        "shape", seed=0, width=size[0], height=size[1], palette=PALETTES["warm"], style=style
    )
    assert image.size == size


def test_styles_look_different_from_each_other() -> None:
    def look(style: str) -> np.ndarray:
        """Orientation-free texture: how much light varies at each scale."""
        spreads = []
        for seed in range(3):
            gray = painted(style, "cold", seed).convert("L")
            for scale in (1, 2, 4, 8, 16):
                small = np.asarray(gray.reduce(scale), dtype=np.float64)
                steps = np.abs(np.diff(small, axis=1))
                spreads.append((steps.mean(), np.percentile(steps, 98), (steps < 3).mean() * 50))
        return np.array(spreads).ravel()

    assert len(studio.STYLES) >= 6
    looks = {style: look(style) for style in studio.STYLES}
    for one, other in itertools.combinations(studio.STYLES, 2):
        assert np.abs(looks[one] - looks[other]).mean() > 2, (one, other)


@pytest.mark.parametrize(
    ("prompt", "guidelines", "style"),
    [
        ("Paper-cut waves at the beach", "", "paper-waves"),
        ("Sunrise over the mountains", "", "sunrise"),
        ("an isometric CITY", "", "isometric"),
        ("bauhaus poster", "", "bauhaus"),
        ("terrazzo", "", "terrazzo"),
        ("a flow-field of strokes", "", "flow-field"),
        ("topographic contours", "", "contours"),
        ("glowing spheres", "", "orbs"),
        ("soft gradient", "", "mesh-gradient"),
        ("seventies stripes", "", "retro-stripes"),
        ("our new thing", "always bauhaus", "bauhaus"),
        ("waves", "always bauhaus", "paper-waves"),
    ],
)
def test_words_choose_the_style(prompt: str, guidelines: str, style: str) -> None:
    chosen = {studio.choose_style(prompt, guidelines, seed) for seed in range(20)}
    assert chosen == {style}


def test_without_a_known_word_prompt_and_seed_choose() -> None:
    assert studio.choose_style("qqq", "", 3) == studio.choose_style("qqq", "", 3)
    assert {studio.choose_style("qqq", "", seed) for seed in range(len(studio.STYLES))} == set(
        studio.STYLES
    )
    assert len({studio.choose_style(f"q{n}q", "", 0) for n in range(40)}) > 3


def test_a_word_is_matched_whole() -> None:
    assert {studio.choose_style("seafaring", "", seed) for seed in range(9)} != {"paper-waves"}


def test_without_a_palette_the_prompt_chooses_one() -> None:
    first = studio.paint("x", seed=1, width=96, height=96, palette=(), style="bauhaus")
    again = studio.paint("x", seed=1, width=96, height=96, palette=(), style="bauhaus")
    assert digest(first) == digest(again)
    assert palette_distance(first, studio.default_palette("x")) == pytest.approx(0, abs=4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"palette": ("red",)},
        {"palette": ("#12345",)},
        {"palette": ("#1234567",)},
        {"style": "oil-painting"},
        {"width": 63},
        {"height": 4097},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"seed": 1, "width": 64, "height": 64, "palette": ("#112233",)}
    with pytest.raises(ValueError, match=r"color|style|side"):
        studio.paint("x", **{**arguments, **wrong})  # type: ignore[arg-type]
