"""A job that is stopped gives its credits back, and a worker on it finds out."""

from __future__ import annotations

import time
from copy import replace
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from tests.support import accounts, end_users
from tests.support.api import ALL_SCOPES, Account, bearer, session_bearer
from tests.support.generations import Till, cancel, create, job, read
from tests.support.ledger import audit, held
from tests.support.product import Product


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_canceled_job_gives_its_credits_back_once(
    product: Product, owner: Account, status: str
) -> None:
    made = create(product, owner.headers, n=3).json["id"]
    if status == "running":
        product.edit("GenerationsTable", job(product, made), status="running", lease="m-1")
    first = cancel(product, owner.headers, made)
    assert (first.status, first.json["status"], first.json["error"]) == (200, "canceled", None)
    assert held(product) == (0, 0)
    before = product.dump_of("CreditsTable"), product.dump_of("GenerationsTable")
    again = cancel(product, owner.headers, made)
    assert (again.status, again.json) == (200, first.json)
    assert read(product, owner.headers, made) == first.json
    assert (product.dump_of("CreditsTable"), product.dump_of("GenerationsTable")) == before
    stored = job(product, made)
    assert stored["sweep_at"] == stored["expires_at"]
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_canceled_jobs_message_finds_nothing_to_do(product: Product, owner: Account) -> None:
    made = create(product, owner.headers).json["id"]
    cancel(product, owner.headers, made)
    before = product.dump_of("CreditsTable"), product.dump_of("GenerationsTable")
    assert product.work_queue() == 1
    assert product.queued() == 0
    assert (product.dump_of("CreditsTable"), product.dump_of("GenerationsTable")) == before
    assert product.objects("MediaBucket") == []


@pytest.mark.promise("quota-org")
def test_a_worker_whose_job_is_canceled_in_between_charges_nothing_and_leaves_nothing(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker

    class Slow:
        def generate(self, order: ImageRequest) -> Any:
            assert read(product, owner.headers, made)["status"] == "running"
            assert cancel(product, owner.headers, made).status == 200
            return worker.providers["studio"]().generate(order)

    assert replace(worker, providers={"studio": Slow}).work(owner.org_id, made, "m-1") == "lost"
    assert held(product) == (0, 0)
    assert product.objects("MediaBucket") == []
    assert [each["sk"] for each in product.items("CreditsTable") if each["sk"][:5] == "USAGE"] == []
    assert read(product, owner.headers, made)["status"] == "canceled"
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("meanwhile", ["leased", "settled", "canceled"])
def test_who_cancels_what_changes_in_between_learns_the_outcome(
    product: Product, owner: Account, meanwhile: str
) -> None:
    made = create(product, owner.headers).json["id"]
    store = product.part("generation", GenerationsWiring).generation_store

    def act() -> None:
        if meanwhile == "settled":
            product.work_queue()
        elif meanwhile == "leased":
            product.edit("GenerationsTable", job(product, made), status="running", lease="m-1")
        else:
            cancel(product, owner.headers, made)

    with accounts.meanwhile(store, "get_generation", act):
        answer = cancel(product, owner.headers, made)
    expected = 409 if meanwhile == "settled" else 200
    assert answer.status == expected
    assert held(product) == ((1, 0) if meanwhile == "settled" else (0, 0))
    assert audit(product, owner) == []


def test_a_test_keys_job_is_canceled_without_credits(product: Product, owner: Account) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    made = create(product, key).json["id"]
    assert cancel(product, key, made).json["status"] == "canceled"
    assert [each["sk"] for each in product.items("CreditsTable")] == ["PLAN#0"]


def test_a_free_job_that_succeeds_in_between_is_not_canceled_either(
    product: Product, owner: Account
) -> None:
    """No credits protect it, only its own state."""
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    made = create(product, key).json["id"]
    product.edit("GenerationsTable", job(product, made), status="running", lease="m-1")
    store = product.part("generation", GenerationsWiring).generation_store
    till = Till(product, owner)
    with accounts.meanwhile(
        store, "get_generation", lambda: till.work(made, time.time())
    ) as came_to:
        assert cancel(product, key, made).status == 409
    assert came_to == ["succeeded"]
    assert read(product, key, made)["status"] == "succeeded"


def test_an_end_user_cancels_what_was_made_for_them(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, "user-1")
    made = end_users.generate(product, session).json["id"]
    another = product.session(key, "user-1")
    assert cancel(product, session_bearer(another), made).json["status"] == "canceled"
    assert held(product) == (0, 0)


@pytest.mark.promise("media-72h")
def test_a_canceled_job_is_removed_with_its_prompt_at_72_hours(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers, prompt="a-prompt-of-theirs").json["id"]
    cancel(product, owner.headers, made)
    past = int(time.time()) - 1
    product.edit("GenerationsTable", job(product, made), expires_at=past, sweep_at=past)
    assert product.invoke("cleanup", {})["deleted"] == 1
    assert "a-prompt-of-theirs" not in product.dump()
    assert held(product) == (0, 0)
