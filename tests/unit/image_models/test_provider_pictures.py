"""Each provider is asked in its own words, as its documents say, and the picture fits."""

from __future__ import annotations

import io
from datetime import date

import numpy as np
import pytest
from PIL import Image

from imagelayer.image_models.image_model import GenerationRefused
from imagelayer.image_models.registry import Model
from tests.support.provider_stubs import LIVING, MODELS, ProviderStubs, order

TODAY = date(2026, 11, 25)
OFFERED = [
    model.id
    for model in MODELS.values()
    if model.provider != "studio" and not model.is_shut_down(TODAY)
]
SIZES = [(512, 512), (1200, 630), (1080, 1350), (1024, 256)]


def photograph(size: tuple[int, int] = (900, 700)) -> bytes:
    """A picture with a camera's words in it."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "home address"
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("model", OFFERED)
def test_a_picture_has_exactly_the_size_that_was_asked_for(
    providers: ProviderStubs, model: str
) -> None:
    adapter = providers.adapter(MODELS[model].provider)
    for width, height in SIZES:
        picture = adapter.generate(order(model, width=width, height=height))
        assert (picture.mode, picture.size) == ("RGB", (width, height))
    assert [each["model"] for each in providers.calls] == [MODELS[model].provider_model_id] * len(
        SIZES
    )
    assert providers.watched == []


@pytest.mark.parametrize("provider", LIVING)
def test_an_order_is_one_call(providers: ProviderStubs, provider: str) -> None:
    providers.adapter(provider).generate(order(LIVING[provider]))
    assert len(providers.calls) == 1
    assert providers.pauses == []


@pytest.mark.parametrize("model", [name for name in OFFERED if MODELS[name].edits])
def test_a_picture_starts_from_another_that_is_sent_without_its_metadata(
    providers: ProviderStubs, model: str
) -> None:
    source = photograph()
    assert b"home address" in source
    sent: list[bytes] = []
    providers.servers.on_source = sent.append
    picture = providers.adapter(MODELS[model].provider).generate(
        order(model, width=640, height=512, source=source)
    )
    assert picture.size == (640, 512)
    assert providers.calls[0]["has_source"]
    assert len(sent) == 1
    assert b"home address" not in sent[0]
    assert Image.open(io.BytesIO(sent[0])).info.get("exif") is None


@pytest.mark.parametrize("provider", LIVING)
def test_what_is_not_a_picture_is_never_sent(providers: ProviderStubs, provider: str) -> None:
    model = LIVING[provider]
    with pytest.raises(GenerationRefused) as refused:
        providers.adapter(provider).generate(order(model, source=b"GIF89a"))
    assert refused.value.code == "invalid_image"
    assert providers.calls == []


@pytest.mark.parametrize("model", ["sd3.5-large", "stable-image-core", "stable-image-ultra"])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_seed_makes_the_same_picture_and_is_never_the_one_that_means_any(
    providers: ProviderStubs, model: str, seed: int
) -> None:
    bedrock = providers.adapter("bedrock")
    prompt = "the same words"
    one, two = (
        np.asarray(bedrock.generate(order(model, prompt=prompt, seed=seed))) for _ in range(2)
    )
    assert np.array_equal(one, two)
    assert {each["seed"] for each in providers.calls} == {providers.calls[0]["seed"]}
    assert 0 < providers.calls[0]["seed"] <= 4_294_967_294


def test_neighboring_seeds_make_other_pictures(providers: ProviderStubs) -> None:
    bedrock = providers.adapter("bedrock")
    for seed in (0, 1, 2, 2**32 - 3):
        bedrock.generate(order("sd3.5-large", seed=seed))
    assert len({each["seed"] for each in providers.calls}) == 4


@pytest.mark.promise("no-training")
def test_google_is_asked_with_each_request_to_keep_nothing(providers: ProviderStubs) -> None:
    providers.adapter("google").generate(order("gemini-3.1-flash-image"))
    assert providers.calls[0]["request"]["store"] is False


@pytest.mark.promise("no-training")
@pytest.mark.parametrize("provider", LIVING)
def test_no_provider_learns_who_asks(providers: ProviderStubs, provider: str) -> None:
    providers.adapter(provider).generate(order(LIVING[provider]))
    assert not {"user", "safety_identifier", "metadata", "labels"} & set(
        providers.calls[0]["request"]
    )


def test_openai_is_always_told_which_model(providers: ProviderStubs) -> None:
    providers.adapter("openai").generate(order("gpt-image-2"))
    request = providers.calls[0]["request"]
    assert (request["model"], request["n"]) == ("gpt-image-2", 1)
    assert (request["output_format"], request["moderation"]) == ("jpeg", "auto")
    assert "response_format" not in request


def custom(**changes: object) -> Model:
    fields: dict[str, object] = {
        "id": "flux",
        "provider": "openai",
        "provider_model_id": "flux-local",
    }
    return Model(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_compatible_server_is_asked_for_the_picture_itself_and_for_nothing_of_openais_own(
    providers: ProviderStubs,
) -> None:
    model = custom(multiple_of=8)
    picture = providers.adapter("openai").generate(order(model, width=601, height=399))
    assert picture.size == (601, 399)
    request = providers.calls[0]["request"]
    assert request["response_format"] == "b64_json"
    assert request["size"] == "608x400"
    assert not {"output_format", "moderation"} & set(request)


def test_a_link_to_the_server_itself_is_followed(providers: ProviderStubs) -> None:
    providers.fail("link")
    picture = providers.adapter("openai").generate(order(custom()))
    assert picture.size == (512, 512)


def test_googles_drafts_are_not_taken_for_the_picture(providers: ProviderStubs) -> None:
    google, asked = providers.adapter("google"), order("gemini-3-pro-image")
    expected = google.generate(asked)
    providers.fail("draft")
    assert np.array_equal(np.asarray(google.generate(asked)), np.asarray(expected))


@pytest.mark.parametrize(
    ("size", "ratio", "tier"),
    [
        ((1024, 1024), "1:1", None),
        ((1025, 1025), "1:1", "2K"),
        ((1200, 630), "16:9", None),
        ((1080, 1920), "9:16", "2K"),
        ((2048, 512), "21:9", "2K"),
    ],
)
def test_google_is_asked_for_the_smallest_size_that_need_not_be_enlarged(
    providers: ProviderStubs, size: tuple[int, int], ratio: str, tier: str | None
) -> None:
    asked = order("gemini-3.1-flash-image", width=size[0], height=size[1])
    providers.adapter("google").generate(asked)
    config = providers.calls[0]["request"]["generationConfig"]["imageConfig"]
    assert (config["aspectRatio"], config.get("imageSize")) == (ratio, tier)


def test_amazons_own_models_are_asked_in_their_own_form(providers: ProviderStubs) -> None:
    nova = custom(
        id="nova", provider="bedrock", provider_model_id="amazon.nova-canvas-v1:0", max_prompt=1024
    )
    picture = providers.adapter("bedrock").generate(
        order(nova, width=1000, height=500, seed=2**32 - 1)
    )
    assert picture.size == (1000, 500)
    assert (providers.calls[0]["width"], providers.calls[0]["height"]) == (1008, 512)


def test_a_rotated_key_is_used_from_the_next_picture_on(providers: ProviderStubs) -> None:
    keys = iter(["sk-old", "sk-local-openai"])
    openai = providers.adapter("openai", key=lambda: next(keys))
    with pytest.raises(GenerationRefused) as refused:
        openai.generate(order("gpt-image-2"))
    assert refused.value.code == "provider_misconfigured"
    assert openai.generate(order("gpt-image-2")).size == (512, 512)
