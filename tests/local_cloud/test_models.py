"""Models of providers, which stand-ins speak for, in the deployed system."""

from __future__ import annotations

import io
import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from dev.local_cloud import LocalCloud
from dev.model_servers import OPENAI_KEY, OPENAI_ROOT
from tests.support.cloud_organizations import Shop, invoke, new_shop
from tests.support.openai_suites import COMMANDS

LIVING = {
    "openai": "gpt-image-2",
    "google": "gemini-3.1-flash-image",
    "bedrock": "stable-image-core",
}
EVERY_PROVIDER = pytest.mark.parametrize("provider", LIVING)


@pytest.fixture
def script(cloud: LocalCloud) -> Iterator[Any]:
    """Sets how the providers behave; afterwards they behave well."""

    def play(**parts: Any) -> None:
        cloud.http.post("/_local/models", json=parts).raise_for_status()

    yield play
    play(rules=[], lifecycles={})


def generate(shop: Shop, provider: str, prompt: str, **body: Any) -> dict[str, Any]:
    """A job that is over."""
    sent = {"prompt": prompt, "model": LIVING[provider], "size": "512x512", **body}
    answer = shop.call(
        "POST", "/v1/generations", json=sent, headers={"Prefer": "wait=25"}
    ).raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def calls(cloud: LocalCloud, match: str) -> list[dict[str, Any]]:
    """What the providers were asked."""
    found: list[dict[str, Any]] = cloud.http.get(
        "/_local/models/calls", params={"match": match}
    ).json()
    return found


@EVERY_PROVIDER
def test_a_provider_makes_a_picture_of_exactly_the_size_that_is_wanted(
    cloud: LocalCloud, provider: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    job = generate(shop, provider, prompt, size="1200x630", output_format="png")
    assert job["status"] == "succeeded", job
    asset = shop.call("GET", f"/v1/assets/{job['assets'][0]['id']}").json()
    picture = Image.open(io.BytesIO(httpx.get(asset["url"]).raise_for_status().content))
    assert picture.size == (1200, 630)
    (asked,) = calls(cloud, prompt)
    assert asked["provider"] == provider
    assert asked["prompt"].startswith(prompt)


@pytest.mark.promise("quota-org")
@EVERY_PROVIDER
def test_what_a_providers_filter_refuses_costs_nothing(
    cloud: LocalCloud, script: Any, provider: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    script(rules=[{"match": prompt, "failure": "filtered"}])
    job = generate(shop, provider, prompt)
    assert (job["status"], job["error"]["code"]) == ("failed", "content_filtered")
    assert len(calls(cloud, prompt)) == 1
    assert shop.spent() == (0, 0)
    assert shop.broken() == []


@EVERY_PROVIDER
def test_a_provider_that_is_busy_for_a_moment_is_asked_again(
    cloud: LocalCloud, script: Any, provider: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    script(rules=[{"match": prompt, "failure": "unavailable", "times": 1}])
    assert generate(shop, provider, prompt)["status"] == "succeeded"
    assert len(calls(cloud, prompt)) == 2


def test_the_deployed_probe_sees_what_the_providers_say(cloud: LocalCloud, script: Any) -> None:
    script(lifecycles={})
    before = invoke(cloud, "ModelProbeFunction", {})
    assert before["unknown"] == 0
    assert before["models"] >= 6
    script(
        lifecycles={
            "gpt-image-2": {"shutdown_date": "2031-03-01"},
            "gemini-3-pro-image": {"gone": True},
            "stability.stable-image-core-v1:1": {
                "status": "LEGACY",
                "endOfLifeTime": "2031-03-01T00:00:00Z",
            },
        }
    )
    after = invoke(cloud, "ModelProbeFunction", {})
    assert after == {**before, "warnings": before["warnings"] + 3}


OFFICIAL = """
import base64, openai, sys
client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
made = client.images.generate(model="gpt-image-2", prompt=sys.argv[3], size="1024x1024")
assert base64.b64decode(made.data[0].b64_json)[:4] == b"\\x89PNG", "no picture"
assert made.usage.total_tokens > 0
assert client.models.retrieve("gpt-image-2").shutdown_date is None
assert "gpt-image-2" in [model.id for model in client.models.list()]
expected = {"filtered": (openai.BadRequestError, "moderation_blocked"),
            "quota": (openai.RateLimitError, "insufficient_quota"),
            "model_gone": (openai.NotFoundError, "model_not_found"),
            "bad_key": (openai.AuthenticationError, "invalid_api_key")}
for failure, (kind, code) in expected.items():
    try:
        client.images.generate(model="gpt-image-2", prompt=f"{sys.argv[3]} {failure}")
    except kind as error:
        assert error.code == code, (failure, error.code)
    else:
        raise AssertionError(failure)
print("understood")
"""


def test_openais_own_client_understands_the_stand_in(cloud: LocalCloud, script: Any) -> None:
    """What our adapter is tested against is what OpenAI's client takes for OpenAI."""
    prompt = f"a kite {secrets.token_hex(6)}"
    failures = ("filtered", "quota", "model_gone", "bad_key")
    script(rules=[{"match": f"{prompt} {each}", "failure": each} for each in failures])
    python, *_ = COMMANDS["python 3"]
    done = subprocess.run(
        [python, "-I", "-c", OFFICIAL, f"{cloud.base_url}{OPENAI_ROOT}", OPENAI_KEY, prompt],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "understood\n", done.stderr
