"""A job whose provider was asked is paid for by the caller that stops it, and by no one before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from imagelayer.generations import service
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from imagelayer.image_models.studio import Studio
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import cancel, create, job, read
from tests.support.ledger import audit, held, set_plan
from tests.support.model_stubs import Model, employ, offer
from tests.support.paid_calls import PaidCalls
from tests.support.product import Product

PRICE = 8
MODEL = "gpt-image-2"


@dataclass
class Provider:
    """A provider that something happens to at its first call."""

    act: Callable[[], object]
    calls: list[ImageRequest] = field(default_factory=list)

    def generate(self, order: ImageRequest) -> Any:
        """Let it happen, then paint."""
        self.calls.append(order)
        if len(self.calls) == 1:
            self.act()
        return Studio().generate(order)


def delete(product: Product, headers: dict[str, str], generation_id: str) -> Answer:
    """Remove a job."""
    return product.call("DELETE", f"/v1/generations/{generation_id}", headers=headers)


STOPS = pytest.mark.parametrize("stop", [cancel, delete])


def ask(product: Product, headers: dict[str, str], **body: Any) -> str:
    """Ask for images of a provider's model; returns the job's id."""
    offer(product, ["openai"])
    answer = create(product, headers, model=MODEL, **body)
    assert answer.status == 202, answer.text
    return str(answer.json["id"])


def usage(product: Product) -> list[tuple[int, int, int]]:
    """Generations, images and credits of each row of usage."""
    rows = [each for each in product.items("CreditsTable") if each["sk"].startswith("USAGE#")]
    return [(row["generations"], row["images"], row["credits"]) for row in rows]


@pytest.mark.promise("quota-org")
@STOPS
@pytest.mark.parametrize("n", [1, 4])
def test_who_stops_a_job_pays_for_the_images_its_provider_was_asked_for(
    product: Product, owner: Account, stop: Callable[..., Answer], n: int
) -> None:
    made = ask(product, owner.headers, n=n)
    answers: list[Answer] = []
    provider = Provider(lambda: answers.append(stop(product, owner.headers, made)))
    employ(product, provider, "openai")
    product.work_queue()
    assert len(provider.calls) == n
    assert held(product) == (n * PRICE, 0)
    assert usage(product) == [(1, n, n * PRICE)]
    assert audit(product, owner) == []
    assert product.objects("MediaBucket") == []
    if stop is cancel:
        assert (answers[0].status, answers[0].json["credits"]) == (200, n * PRICE)
        assert answers[0].json["assets"] == []
        again = cancel(product, owner.headers, made)
        assert (again.status, again.json) == (200, answers[0].json)
        assert read(product, owner.headers, made) == answers[0].json
        assert delete(product, owner.headers, made).status == 204
        assert held(product) == (n * PRICE, 0)
    else:
        assert answers[0].status == 204


@pytest.mark.promise("quota-org")
@STOPS
def test_what_is_stopped_before_its_provider_is_asked_is_free_and_no_provider_is_asked(
    product: Product, owner: Account, stop: Callable[..., Answer]
) -> None:
    made = ask(product, owner.headers, n=4)
    provider = Provider(lambda: None)
    employ(product, provider, "openai")
    store = product.part("generation_worker", GenerationsWiring).generation_store
    with accounts.meanwhile(
        store, "lease_generation", lambda: stop(product, owner.headers, made)
    ) as came_to:
        product.work_queue()
    assert came_to[0].status in (200, 204)
    assert came_to[0].status == 204 or came_to[0].json["credits"] == 0
    assert provider.calls == []
    assert held(product) == (0, 0)
    assert usage(product) == []
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@STOPS
def test_who_stops_a_job_while_its_provider_begins_to_be_asked_pays_on_the_second_attempt(
    product: Product, owner: Account, stop: Callable[..., Answer]
) -> None:
    """The job was read before `asked` was recorded and is written after it."""
    made = ask(product, owner.headers, n=2)
    worker = product.part("generation_worker", GenerationsWiring).generation_store
    store = product.part("generation", GenerationsWiring).generation_store
    leased = worker.lease_generation(owner.org_id, made, "m-1", 0, 2_000_000_000)
    assert leased is not None
    with accounts.meanwhile(store, "get_generation", lambda: worker.record_asked(leased, 2)):
        assert stop(product, owner.headers, made).status in (200, 204)
    assert held(product) == (2 * PRICE, 0)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@STOPS
def test_a_job_that_is_queued_again_after_its_provider_was_asked_is_not_free_again(
    product: Product, owner: Account, stop: Callable[..., Answer]
) -> None:
    made = ask(product, owner.headers, n=2)
    store = product.part("generation_worker", GenerationsWiring).generation_store
    leased = store.lease_generation(owner.org_id, made, "m-1", 0, 2_000_000_000)
    assert leased is not None
    assert store.record_asked(leased, 2)
    assert store.requeue(leased, 2_000_000_000)
    assert read(product, owner.headers, made)["status"] == "queued"
    assert stop(product, owner.headers, made).status in (200, 204)
    assert held(product) == (2 * PRICE, 0)


@pytest.mark.promise("quota-org")
def test_a_job_whose_brand_is_deleted_after_its_provider_was_asked_is_not_free(
    product: Product, owner: Account
) -> None:
    """The worker that asked died; the next one finds no logo. That is the caller's doing."""
    brand = product.brand_with_logo(owner)
    made = ask(product, owner.headers, n=2, brand_id=brand["id"])

    class Dies(BaseException):
        """As a process does: nothing is cleaned up."""

    def die() -> None:
        raise Dies

    employ(product, Provider(die), "openai")
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    with pytest.raises(Dies):
        worker.work(owner.org_id, made, "m-1")
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    assert worker.work(owner.org_id, made, "m-1") == "failed"
    seen = read(product, owner.headers, made)
    assert (seen["error"]["code"], seen["credits"]) == ("brand_missing", 2 * PRICE)
    assert held(product) == (2 * PRICE, 0)
    assert usage(product) == [(1, 2, 2 * PRICE)]
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("code", ["content_filtered", "provider_timeout", "provider_unavailable"])
def test_what_the_provider_fails_is_free_although_it_was_asked(
    product: Product, owner: Account, code: str
) -> None:
    made = ask(product, owner.headers, seed=100)
    employ(product, Model({0: code}), "openai")
    product.work_queue()
    seen = read(product, owner.headers, made)
    assert (seen["status"], seen["error"]["code"], seen["credits"]) == ("failed", code, 0)
    assert held(product) == (0, 0)
    assert sum("ProviderWorkUnpaid" in line for line in product.logs() if "_aws" in line) == 1


@pytest.mark.promise("quota-org")
def test_a_test_keys_job_asks_no_provider_and_stays_free(product: Product, owner: Account) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    made = ask(product, key, n=2)
    provider = Provider(lambda: None)
    employ(product, provider, "openai")
    employ(product, Provider(lambda: cancel(product, key, made)), "studio")
    product.work_queue()
    assert read(product, key, made)["status"] == "canceled"
    assert provider.calls == []
    assert [each["sk"] for each in product.items("CreditsTable")] == ["PLAN#0"]


@pytest.mark.promise("quota-org")
def test_the_webhook_of_a_stopped_job_reports_what_it_cost(
    product: Product, owner: Account
) -> None:
    product.webhook(owner)
    made = ask(product, owner.headers, n=2)
    employ(product, Provider(lambda: cancel(product, owner.headers, made)), "openai")
    product.work_queue()
    (message,) = [
        json.loads(each["body"])
        for each in product.items("WebhooksTable")
        if "generation.canceled" in str(each.get("body"))
    ]
    assert message["data"]["credits"] == 2 * PRICE


def test_a_stop_that_uses_the_allowance_up_is_mailed(product: Product, owner: Account) -> None:
    set_plan(product, owner, monthly_credits=2 * PRICE)
    made = ask(product, owner.headers, n=2)
    employ(product, Provider(lambda: cancel(product, owner.headers, made)), "openai")
    product.work_queue()
    assert {each["reason"] for each in product.security_events("quota.alert")} == {
        "80 percent",
        "100 percent",
    }


@STOPS
def test_the_control_finds_calls_that_no_one_pays_for_under_the_rule_of_always_free(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch, stop: Callable[..., Answer]
) -> None:
    monkeypatch.setattr(service, "cost_of_asked", lambda _: 0)
    made = ask(product, owner.headers, n=4)
    employ(product, Provider(lambda: stop(product, owner.headers, made)), "openai")
    product.work_queue()
    assert held(product) == (0, 0)
    with pytest.raises(AssertionError, match="4 calls, 0 credits"):
        PaidCalls().check_product(product, product.provider_calls)
    product.provider_calls = 0  # what this test is about, not a fault of it


def test_the_record_of_what_was_asked_is_refused_without_the_lease(
    product: Product, owner: Account
) -> None:
    made = ask(product, owner.headers)
    store = product.part("generation_worker", GenerationsWiring).generation_store
    leased = store.lease_generation(owner.org_id, made, "m-1", 0, 2_000_000_000)
    assert leased is not None
    assert not store.record_asked({**leased, "lease": "another"}, 1)
    assert "asked" not in job(product, made)
    assert store.requeue(leased, 2_000_000_000)
    assert not store.record_asked(leased, 1)
    assert "asked" not in job(product, made)
