"""What cannot be made is refused before a provider is asked: it works for no one at our expense."""

from __future__ import annotations

import re
from typing import Any

import pytest

from imagelayer.generations.worker import GenerationWorker
from tests.support.api import Account
from tests.support.generations import create, read
from tests.support.images import logo
from tests.support.ledger import audit, held
from tests.support.model_stubs import Model, employ, offer
from tests.support.paid_calls import PaidCalls
from tests.support.product import Product


def work_off(product: Product, owner: Account, **body: Any) -> tuple[dict[str, Any], Model]:
    """Ask for four images of a provider's model and let the worker work; the job and the model."""
    model = Model()
    offer(product, ["openai"])
    employ(product, model, "openai")
    answer = create(product, owner.headers, model="gpt-image-2", n=4, **body)
    assert answer.status == 202, answer.text
    product.work_queue()
    return read(product, owner.headers, answer.json["id"]), model


TEXT = {"headline": "W" * 60, "subhead": "W" * 80, "cta": "W" * 20}


@pytest.mark.promise("quota-org")
def test_words_that_fit_no_picture_of_the_size_reach_no_provider_and_are_free(
    product: Product, owner: Account
) -> None:
    job, model = work_off(product, owner, text=TEXT)
    assert (job["status"], job["error"]["code"]) == ("failed", "text_does_not_fit")
    message = r"The text does not fit the image\. Shorten .+, or request a larger image\."
    assert re.fullmatch(message, job["error"]["message"])
    assert model.orders == []
    assert job["credits"] == 0
    assert held(product) == (0, 0)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_words_that_do_not_fit_beside_the_logo_reach_no_provider(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo()))
    job, model = work_off(product, owner, brand_id=brand["id"], text=TEXT)
    assert job["error"]["code"] == "text_does_not_fit"
    assert model.orders == []


@pytest.mark.promise("quota-org")
def test_what_the_compositor_cannot_do_at_all_reaches_no_provider_at_any_attempt(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours as well: it would be found after each attempt was paid for."""

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a logo with no visible pixel")

    monkeypatch.setattr("imagelayer.generations.worker.compose", broken)
    job, model = work_off(product, owner)
    assert job["status"] == "running"
    for _ in range(5):
        product.work_queue()
    assert model.orders == []


def test_words_that_fit_are_asked_for_and_paid_for(product: Product, owner: Account) -> None:
    job, model = work_off(product, owner, text={"headline": "Sunrise"})
    assert job["status"] == "succeeded"
    assert len(model.orders) == 4
    assert held(product) == (32, 0)


def test_the_control_asks_first_and_is_found(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GenerationWorker, "_check_before_paying", lambda *_: None)
    monkeypatch.setattr("imagelayer.generations.worker.CAUSED_BY_CALLER", frozenset())
    job, model = work_off(product, owner, text=TEXT)
    assert job["error"]["code"] == "text_does_not_fit"
    assert len(model.orders) == 4
    with pytest.raises(AssertionError, match="4 calls, 0 credits"):
        PaidCalls().check_product(product, product.provider_calls)
    product.provider_calls = 0  # what this test is about, not a fault of it
