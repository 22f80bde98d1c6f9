"""Models of vendors, which stand-ins speak for, in the deployed system."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from dev.local_cloud import LocalCloud
from tests.local_cloud.shops import Shop, invoke, new_shop

LIVING = {
    "openai": "gpt-image-2",
    "google": "gemini-3.1-flash-image",
    "bedrock": "stable-image-core",
}
EVERY_VENDOR = pytest.mark.parametrize("vendor", LIVING)


@pytest.fixture
def script(cloud: LocalCloud) -> Iterator[Any]:
    """Sets how the vendors behave; afterwards they behave well."""

    def play(**parts: Any) -> None:
        cloud.http.post("/_local/models", json=parts).raise_for_status()

    yield play
    play(rules=[], lifecycles={})


def generate(shop: Shop, vendor: str, prompt: str, **body: Any) -> dict[str, Any]:
    """A job that is over."""
    sent = {"prompt": prompt, "model": LIVING[vendor], "size": "512x512", **body}
    answer = shop.call(
        "POST", "/v1/generations", json=sent, headers={"Prefer": "wait=25"}
    ).raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def calls(cloud: LocalCloud, match: str) -> list[dict[str, Any]]:
    """What the vendors were asked."""
    found: list[dict[str, Any]] = cloud.http.get(
        "/_local/models/calls", params={"match": match}
    ).json()
    return found


@EVERY_VENDOR
def test_a_vendor_makes_a_picture_of_exactly_the_size_that_is_wanted(
    cloud: LocalCloud, vendor: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    job = generate(shop, vendor, prompt, size="1200x630", output_format="png")
    assert job["status"] == "succeeded", job
    asset = shop.call("GET", f"/v1/assets/{job['assets'][0]['id']}").json()
    picture = Image.open(io.BytesIO(httpx.get(asset["url"]).raise_for_status().content))
    assert picture.size == (1200, 630)
    (asked,) = calls(cloud, prompt)
    assert asked["vendor"] == vendor
    assert asked["prompt"].startswith(prompt)


@pytest.mark.promise("quota-org")
@EVERY_VENDOR
def test_what_a_vendors_filter_refuses_costs_nothing(
    cloud: LocalCloud, script: Any, vendor: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    script(rules=[{"match": prompt, "failure": "filtered"}])
    job = generate(shop, vendor, prompt)
    assert (job["status"], job["error"]["code"]) == ("failed", "content_filtered")
    assert len(calls(cloud, prompt)) == 1
    assert shop.spent() == (0, 0)
    assert shop.broken() == []


@EVERY_VENDOR
def test_a_vendor_that_is_busy_for_a_moment_is_asked_again(
    cloud: LocalCloud, script: Any, vendor: str
) -> None:
    shop, prompt = new_shop(cloud), f"a kite {secrets.token_hex(6)}"
    script(rules=[{"match": prompt, "failure": "unavailable", "times": 1}])
    assert generate(shop, vendor, prompt)["status"] == "succeeded"
    assert len(calls(cloud, prompt)) == 2


def test_the_deployed_probe_sees_what_the_vendors_say(cloud: LocalCloud, script: Any) -> None:
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
