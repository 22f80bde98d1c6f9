"""Which model a job is made by, and what it costs."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from imagelayer.image_models.image_model import ImageRequest
from imagelayer.image_models.studio import Studio
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import create, job, read
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ, offer
from tests.support.product import Product

CUSTOM = {"id": "ours", "provider": "openai", "provider_model_id": "ours-1", "credits_per_image": 8}


def known(product: Product, **changes: Any) -> Model:
    """Let a provider's model be offered; returns what stands in for the provider."""
    offer(product, ["openai"], json.dumps([{**CUSTOM, **changes}]))
    provider = Model()
    employ(product, provider, "openai")
    return provider


@pytest.mark.promise("quota-org")
def test_a_live_keys_job_is_made_by_the_providers_model_at_its_price(
    product: Product, owner: Account
) -> None:
    provider = known(product)
    made = create(product, owner.headers, model="ours", n=2, seed=SEED).json
    assert (made["model"], made["credits"]) == ("ours", 16)
    product.work_queue()
    assert sorted(order.seed for order in provider.orders) == [SEED, SEED + 1]
    assert held(product) == (16, 0)
    seen = read(product, owner.headers, made["id"])
    # The provider knows no seeds, so none is promised.
    assert [asset["seed"] for asset in seen["assets"]] == [None, None]
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_test_keys_job_is_made_by_the_built_in_model_for_nothing_and_no_provider_is_asked(
    product: Product, owner: Account
) -> None:
    provider = known(product)
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    made = create(product, key, model="ours", n=2).json
    assert (made["model"], made["credits"]) == ("studio", 0)
    product.work_queue()
    assert read(product, key, made["id"])["status"] == "succeeded"
    assert provider.orders == []
    assert [each["sk"] for each in product.items("CreditsTable") if "BALANCE" in each["sk"]] == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_model_that_was_shut_down_is_refused_and_names_its_replacement(
    product: Product, owner: Account, mode: str
) -> None:
    known(product, shutdown_date="2026-01-01", replacement="gpt-image-2")
    key = bearer(product.key(owner, *ALL_SCOPES, mode=mode))
    answer = create(product, key, model="ours")
    assert (answer.status, answer.json["code"]) == (422, "model_shut_down")
    assert "gpt-image-2" in answer.json["detail"]
    assert answer.json["error"]["param"] == "model"
    assert product.items("GenerationsTable") == []
    assert product.queued() == 0


def test_a_model_is_taken_until_the_day_it_is_shut_down(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(product, shutdown_date="2026-12-01")
    key = bearer(product.key(owner, *ALL_SCOPES))
    last_second = 1796083199  # 2026-11-30T23:59:59Z
    for now, status in ((last_second, 202), (last_second + 1, 422)):
        monkeypatch.setattr(time, "time", lambda now=now: float(now))
        assert create(product, key, model="ours").status == status


def test_a_model_of_a_provider_that_is_not_set_up_is_unknown(
    product: Product, owner: Account
) -> None:
    answer = create(product, owner.headers, model="gpt-image-2")
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["error"]["param"] == "model"


@pytest.mark.promise("quota-org")
def test_a_model_that_went_away_while_the_job_waited_fails_it_and_costs_nothing(
    product: Product, owner: Account
) -> None:
    provider = known(product)
    made = create(product, owner.headers, model="ours").json["id"]
    offer(product, [])
    employ(product, provider, "openai")
    product.work_queue()
    seen = read(product, owner.headers, made)
    assert (seen["status"], seen["error"]["code"]) == ("failed", "model_unavailable")
    assert provider.orders == []
    assert held(product) == (0, 0)


@dataclass
class AllAtOnce:
    """A provider that answers when it was asked for every image."""

    together: threading.Barrier
    orders: list[ImageRequest] = field(default_factory=list)

    def generate(self, order: ImageRequest) -> Any:
        """Wait for the others, then paint."""
        self.together.wait(timeout=10)
        self.orders.append(order)
        return Studio().generate(order)


def test_a_provider_is_asked_for_all_images_of_a_job_at_the_same_time(
    product: Product, owner: Account
) -> None:
    known(product)
    provider = AllAtOnce(threading.Barrier(4))
    employ(product, provider, "openai")
    made = create(product, owner.headers, model="ours", n=4, seed=SEED).json["id"]
    product.work_queue()
    seen = read(product, owner.headers, made)
    assert (seen["status"], len(seen["assets"])) == ("succeeded", 4)
    # Each answer came to its own image, in whatever order the provider was done.
    assert job(product, made)["completed"] == 4
    assert sorted(order.seed for order in provider.orders) == [SEED + index for index in range(4)]


def test_what_a_brand_says_reaches_the_model(product: Product, owner: Account) -> None:
    provider = known(product)
    brand = product.brand(
        owner, style="calm", tone=["warm"], avoid=["neon"], prompt_suffix="on paper"
    )
    for applied in (True, False):
        create(
            product,
            owner.headers,
            model="ours",
            brand_id=brand["id"],
            apply_brand_guidelines=applied,
        )
        product.work_queue()
    shaped, plain = provider.orders
    assert (shaped.prompt, plain.prompt) == ("warm waves on paper", "warm waves")
    assert (shaped.guidelines, plain.guidelines) == ("calm. warm. avoid neon", "")
    assert (shaped.palette, plain.palette) == (tuple(brand["palette"]), ())
    assert shaped.deadline > time.time() + 60
