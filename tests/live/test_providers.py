"""What our adapters say is what the providers understand."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import urllib3
from boto3.session import Session
from botocore.config import Config

from imagelayer.image_models.bedrock import Bedrock
from imagelayer.image_models.calls import Attempts
from imagelayer.image_models.google import Google
from imagelayer.image_models.image_model import GenerationRefused, ImageModel, ImageRequest
from imagelayer.image_models.lifecycles import BedrockLifecycles, GoogleLifecycles, OpenAiLifecycles
from imagelayer.image_models.openai import OpenAi
from imagelayer.image_models.probe import Lifecycle
from imagelayer.image_models.registry import Model, known

MODELS = {model.id: model for model in known()}
CHOSEN = {
    "openai": os.environ.get("LIVE_OPENAI_MODEL", "gpt-image-2"),
    "google": os.environ.get("LIVE_GOOGLE_MODEL", "gemini-3.1-flash-image"),
    "bedrock": os.environ.get("LIVE_BEDROCK_MODEL", "stable-image-core"),
}
OPENAI = os.environ.get("LIVE_OPENAI_BASE_URL", "https://api.openai.com/v1")
GOOGLE = "https://generativelanguage.googleapis.com/v1beta"
HTTP = urllib3.PoolManager()
ATTEMPTS = Attempts(time.time, time.sleep, random.random)


def key(name: str) -> Callable[[], str]:
    return lambda: os.environ[name]


def wrong() -> str:
    return "sk-wrong"


def client(seconds: float, service: str = "bedrock-runtime", **credentials: Any) -> Any:
    return Session().client(
        service,
        region_name=os.environ["LIVE_BEDROCK_REGION"],
        config=Config(read_timeout=seconds, retries={"total_max_attempts": 1, "mode": "standard"}),
        **credentials,
    )


def wrong_client(seconds: float) -> Any:
    return client(seconds, aws_access_key_id="AKIAWRONG", aws_secret_access_key="wrong")


def adapter(provider: str, *, right: bool = True) -> ImageModel:
    if provider == "openai":
        return OpenAi(HTTP, OPENAI, key("LIVE_OPENAI_API_KEY") if right else wrong, ATTEMPTS)
    if provider == "google":
        return Google(HTTP, GOOGLE, key("LIVE_GOOGLE_API_KEY") if right else wrong, ATTEMPTS)
    return Bedrock(client if right else wrong_client, ATTEMPTS)


def lifecycles(provider: str) -> Callable[[str], Lifecycle]:
    if provider == "openai":
        return OpenAiLifecycles(HTTP, OPENAI, key("LIVE_OPENAI_API_KEY"))
    if provider == "google":
        return GoogleLifecycles(HTTP, GOOGLE, key("LIVE_GOOGLE_API_KEY"))
    return BedrockLifecycles(lambda: client(10.0, "bedrock"))


def order(model: Model) -> ImageRequest:
    return ImageRequest(
        model=model,
        prompt="A red paper boat on calm water, flat illustration",
        guidelines="calm, geometric",
        palette=("#FF6B35", "#1A2B4C"),
        width=600,
        height=400,
        seed=7,
        deadline=time.time() + 170,
    )


def today() -> date:
    return datetime.now(UTC).date()


def test_a_picture_is_made(provider: str) -> None:
    picture = adapter(provider).generate(order(MODELS[CHOSEN[provider]]))
    assert (picture.mode, picture.size) == ("RGB", (600, 400))
    assert len(set(picture.resize((32, 32)).get_flattened_data())) > 8


def test_a_wrong_key_is_distinguished(provider: str) -> None:
    with pytest.raises(GenerationRefused) as refused:
        adapter(provider, right=False).generate(order(MODELS[CHOSEN[provider]]))
    assert refused.value.code == "provider_misconfigured"


def test_the_registry_says_of_every_model_what_the_provider_says(provider: str) -> None:
    ask = lifecycles(provider)
    models = [each for each in MODELS.values() if each.provider == provider]
    told = {
        each.id: ask(each.provider_model_id) for each in models if not each.is_shut_down(today())
    }
    assert [name for name, said in told.items() if not said.exists] == []
    dated = {name: said.shutdown_date for name, said in told.items() if said.shutdown_date}
    assert dated == {name: MODELS[name].shutdown_date for name in dated}
