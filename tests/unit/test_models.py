"""The registry of models and the sizes of platforms agree."""

from __future__ import annotations

import pytest

from imagelayer import models
from imagelayer.errors import Problem
from imagelayer.models import MODELS
from imagelayer.presets import PRESETS

STUDIO = MODELS["studio"]


@pytest.mark.parametrize(
    ("width", "height", "n", "price"),
    [
        (256, 256, 1, 1),
        (1024, 1024, 1, 1),
        (1024, 1024, 4, 4),
        (1025, 1024, 1, 2),
        (1920, 1080, 1, 2),
        (2048, 2048, 1, 4),
        (2048, 2048, 4, 16),
        (1200, 630, 3, 3),
    ],
)
def test_a_started_megapixel_costs_a_whole_credit(
    width: int, height: int, n: int, price: int
) -> None:
    assert STUDIO.credits(width, height, n) == price


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [
        (256, 256, True),
        (2048, 2048, True),
        (255, 1024, False),
        (1024, 255, False),
        (2049, 1024, False),
        (1024, 9999, False),
    ],
)
def test_a_side_outside_the_models_range_is_refused(width: int, height: int, fits: bool) -> None:
    if fits:
        STUDIO.check_size(width, height)
        return
    with pytest.raises(Problem) as refused:
        STUDIO.check_size(width, height)
    assert (refused.value.status, refused.value.param) == (422, "size")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_made_by_the_default_model(preset: str) -> None:
    STUDIO.check_size(*PRESETS[preset])


@pytest.mark.parametrize(
    ("preset", "size"),
    [("open-graph", (1200, 630)), ("story", (1080, 1920)), ("linkedin-post", (1080, 1350))],
)
def test_platform_presets_have_the_platforms_sizes(preset: str, size: tuple[int, int]) -> None:
    assert PRESETS[preset] == size


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_found_by_its_own_id(name: str) -> None:
    assert models.find(name).id == name


@pytest.mark.parametrize("name", ["", "STUDIO", "dall-e-2", "studio "])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(Problem) as refused:
        models.find(name)
    assert refused.value.param == "model"
