"""The registry of models and the sizes of platforms agree."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from imagelayer.design.presets import PRESETS
from imagelayer.image_models import registry as registry_module
from imagelayer.image_models.registry import DEFAULT, known, registry
from imagelayer.image_models.schemas import read_models
from imagelayer.platform.errors import Problem

MODELS = registry(()).models
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


TODAY = date(2026, 11, 25)
EVERY = registry(("openai", "google", "bedrock"))


def test_a_model_is_found_by_its_own_id_until_it_is_shut_down() -> None:
    for name, model in EVERY.models.items():
        if not model.is_shut_down(TODAY):
            assert EVERY.find(name, TODAY).id == name


@pytest.mark.parametrize("name", ["", "STUDIO", "dall-e-2", "studio "])
def test_an_unknown_model_is_refused(name: str) -> None:
    with pytest.raises(Problem) as refused:
        EVERY.find(name, TODAY)
    assert refused.value.param == "model"
    message = refused.value.errors[0].message
    assert message.startswith("must be one of studio, ")
    assert message.endswith("; GET /v1/models describes them")
    offered = [model.id for model in EVERY.offered(TODAY)]
    assert message.removeprefix("must be one of ").partition(";")[0].split(", ") == offered


def test_a_model_whose_provider_is_not_set_up_looks_unknown() -> None:
    with pytest.raises(Problem) as refused:
        registry(()).find("gpt-image-2", TODAY)
    assert (refused.value.code, refused.value.param) == ("validation_failed", "model")
    assert [model.id for model in registry(()).offered(TODAY)] == ["studio"]


def test_the_default_model_never_dies() -> None:
    assert MODELS[DEFAULT].shutdown_date is None
    assert registry(()).find(DEFAULT, date(2999, 1, 1)).provider == "studio"


@pytest.mark.parametrize(("before", "code"), [(1, None), (0, "model_shut_down")])
def test_a_model_is_refused_from_its_shutdown_date_on_with_its_replacement(
    before: int, code: str | None
) -> None:
    dying = EVERY.models["gpt-image-1.5"]
    assert dying.shutdown_date is not None
    day = dying.shutdown_date - timedelta(days=before)
    assert (dying in EVERY.offered(day)) == (code is None)
    if code is None:
        assert EVERY.find(dying.id, day) is dying
        return
    with pytest.raises(Problem) as refused:
        EVERY.find(dying.id, day)
    assert (refused.value.code, refused.value.param) == (code, "model")
    assert "gpt-image-2" in refused.value.detail


@pytest.mark.parametrize("name", EVERY.models)
def test_a_replacement_is_a_model_that_lives_longer(name: str) -> None:
    model = EVERY.models[name]
    assert (model.replacement is None) == (model.shutdown_date is None)
    if model.replacement is not None:
        assert model.shutdown_date is not None
        assert not EVERY.models[model.replacement].is_shut_down(model.shutdown_date)


@pytest.mark.parametrize("name", EVERY.models)
def test_every_model_says_what_it_costs_and_where_that_is_known_from(name: str) -> None:
    model = EVERY.models[name]
    assert model.credits(1024, 1024, 1) > 0
    assert model.source


def test_an_adopters_models_are_added_and_replace_ours_by_id() -> None:
    custom = """[
        {"id": "acme", "provider": "openai", "provider_model_id": "acme-1", "credits_per_image": 2},
        {"id": "studio", "provider": "studio", "provider_model_id": "studio", "max_prompt": 9}
    ]"""
    merged = registry(("openai",), read_models(custom))
    assert merged.find("acme", TODAY).credits(512, 512, 3) == 6
    assert merged.find("studio", TODAY).max_prompt == 9


def test_no_providers_model_takes_the_place_of_the_built_in_one() -> None:
    """Test keys' images are made by it, and cost nothing."""
    with pytest.raises(ValueError, match="built-in"):
        registry(
            ("openai",),
            read_models(
                '[{"id": "studio", "provider": "openai", "provider_model_id": "gpt-image-2"}]'
            ),
        )


@pytest.mark.parametrize("custom", ["{}", "[{}]", '[{"id": "x", "provider": "elsewhere"}]', "no"])
def test_custom_models_of_another_shape_are_refused(custom: str) -> None:
    with pytest.raises(ValidationError):
        registry((), read_models(custom))


def test_the_models_we_ship_have_the_shape_that_an_adopters_must_have() -> None:
    """A deployment reads its own file without validation, so that reads need no pydantic."""
    shipped = Path(registry_module.__file__).with_name("models.json")
    assert read_models(shipped.read_bytes()) == known()
