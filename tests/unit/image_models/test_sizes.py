"""A provider is asked for the size from which the least is cut."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagelayer.image_models.sizes import (
    Bounds,
    Size,
    aspect_error,
    covering,
    nearest_ratio,
    nearest_size,
    ratio_of,
)
from imagelayer.render.encode import cover
from tests.support.provider_stubs import MODELS

SIDES = st.integers(256, 2048)
WANTED = st.tuples(SIDES, SIDES)
RATIOS = MODELS["gemini-3.1-flash-image"].ratios
SIZES = MODELS["gpt-image-1.5"].sizes
GPT_IMAGE = Bounds(16, 3, 655_360, 8_294_400, 1, 3840)


def kept(wanted: Size, made: Size) -> Fraction:
    """The part of a provider's picture that is left after the cut, measured another way."""
    scale = max(Fraction(wanted[0], made[0]), Fraction(wanted[1], made[1]))
    return Fraction(wanted[0] * wanted[1]) / (made[0] * made[1] * scale * scale)


@given(WANTED)
def test_of_listed_sizes_and_ratios_the_one_is_taken_that_loses_least(wanted: Size) -> None:
    size = nearest_size(SIZES, wanted)
    assert kept(wanted, size) == max(kept(wanted, each) for each in SIZES)
    ratio = nearest_ratio(RATIOS, wanted)
    assert kept(wanted, ratio_of(ratio)) == max(kept(wanted, ratio_of(each)) for each in RATIOS)


@given(WANTED, WANTED)
def test_an_aspect_error_is_the_part_that_is_lost(wanted: Size, made: Size) -> None:
    assert aspect_error(wanted, made) == 1 / kept(wanted, made)
    assert aspect_error(wanted, made) == aspect_error(made, wanted) >= 1


@given(WANTED)
def test_a_free_size_is_one_that_the_provider_makes_and_covers_what_is_wanted(wanted: Size) -> None:
    width, height = made = GPT_IMAGE.nearest(wanted)
    assert GPT_IMAGE.allow(made)
    assert width >= wanted[0]
    assert height >= wanted[1]


@given(st.tuples(st.integers(700, 2048), st.integers(700, 2048)))
def test_a_free_size_loses_less_than_one_step_of_each_side(wanted: Size) -> None:
    """Where the wanted size is within bounds, which it is not below 655,360 pixels."""
    width, height = GPT_IMAGE.nearest(wanted)
    if wanted[0] * wanted[1] >= 655_360 and max(wanted) <= 3 * min(wanted):
        assert 0 <= width - wanted[0] < 16
        assert 0 <= height - wanted[1] < 16


@given(WANTED)
def test_the_shape_of_a_free_size_is_off_by_less_than_a_step_or_by_what_the_provider_refuses(
    wanted: Size,
) -> None:
    width, height = made = GPT_IMAGE.nearest(wanted)
    beyond = Fraction(max(wanted), 3 * min(wanted))
    unavoidable = max(Fraction(1), beyond)
    rounding = Fraction(min(width, height) + 16, min(width, height))
    assert aspect_error(wanted, made) <= unavoidable * rounding


@given(st.tuples(st.integers(64, 4096), st.integers(64, 4096)))
def test_what_is_larger_than_the_provider_makes_is_asked_for_smaller(wanted: Size) -> None:
    small = Bounds(step=64, max_ratio=2, min_side=640, max_side=1536)
    assert small.allow(small.nearest(wanted))


@given(st.sampled_from(RATIOS), WANTED)
def test_a_covering_size_covers_and_one_pixel_less_would_not(ratio: str, wanted: Size) -> None:
    width, height = covering(ratio, wanted)
    assert width >= wanted[0]
    assert height >= wanted[1]
    assert width == wanted[0] or height == wanted[1]


@given(WANTED, st.tuples(st.integers(64, 700), st.integers(64, 700)))
def test_a_cut_picture_has_exactly_the_wanted_size(wanted: Size, made: Size) -> None:
    wanted = wanted[0] // 8, wanted[1] // 8
    assert cover(Image.new("RGB", made), *wanted).size == wanted


def test_the_middle_of_a_picture_is_kept() -> None:
    picture = Image.new("RGB", (300, 100), "white")
    picture.paste("black", (100, 0, 200, 100))
    assert cover(picture, 100, 100).getextrema() == ((0, 0),) * 3


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = Image.effect_noise((64, 64), 90).convert("RGB")
    assert cover(picture, 64, 64).tobytes() == picture.tobytes()


@pytest.mark.parametrize("wrong", [min, lambda sizes, **_: sizes[0]])
def test_another_choice_would_be_found_out(wrong: object) -> None:
    """The first that comes, or the smallest, loses more somewhere."""
    wanted = (1600, 1024)
    chosen = wrong(SIZES)  # type: ignore[operator]
    assert kept(wanted, chosen) < kept(wanted, nearest_size(SIZES, wanted))
