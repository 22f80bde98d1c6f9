"""Presets are sizes the built-in model paints, and leave room to write in."""

from __future__ import annotations

import pytest

from imagelayer.design.presets import PRESETS, SAFE_INSETS
from imagelayer.image_models.registry import DEFAULT, known

STUDIO = next(model for model in known() if model.id == DEFAULT)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_built_in_model_paints_every_preset(preset: str) -> None:
    STUDIO.check_size(*PRESETS[preset])


@pytest.mark.parametrize(
    ("preset", "ratio"),
    [
        ("instagram-post", 4 / 5),
        ("instagram-story", 9 / 16),
        ("instagram-reel", 9 / 16),
        ("tiktok", 9 / 16),
        ("linkedin-post", 4 / 5),
        ("linkedin-banner", 4),
        ("x-post", 16 / 9),
        ("x-header", 3),
        ("youtube-thumbnail", 16 / 9),
        ("pinterest-pin", 2 / 3),
        ("open-graph", 1200 / 630),
    ],
)
def test_a_preset_has_the_shape_its_platform_shows(preset: str, ratio: float) -> None:
    width, height = PRESETS[preset]
    assert width / height == pytest.approx(ratio, rel=0.001)


def test_insets_belong_to_presets_and_leave_a_third_free() -> None:
    assert SAFE_INSETS.keys() <= PRESETS.keys()
    for top, right, bottom, left in SAFE_INSETS.values():
        assert 1 - top - bottom > 0.28
        assert 1 - left - right > 0.5
