"""A job that is deleted is gone at once with its prompt and its images, whatever it was doing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from imagelayer.image_models.studio import Studio
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import cancel, create, job, read
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ
from tests.support.product import Product

PROMPT = "a-prompt-of-theirs"


def delete(product: Product, headers: dict[str, str], generation_id: str) -> Answer:
    """Remove a job."""
    return product.call("DELETE", f"/v1/generations/{generation_id}", headers=headers)


def is_gone(product: Product, headers: dict[str, str], generation_id: str) -> bool:
    """Whether nothing shows that the job ever was, but what was paid for it."""
    answers = [
        product.call("GET", f"/v1/generations/{generation_id}", headers=headers),
        cancel(product, headers, generation_id),
        delete(product, headers, generation_id),
    ]
    return (
        {each.status for each in answers} == {404}
        and product.call("GET", "/v1/generations", headers=headers).json["data"] == []
        and product.objects("MediaBucket") == []
        and PROMPT not in product.dump()
    )


@pytest.mark.promise("quota-org", "deletion")
def test_a_queued_job_is_canceled_and_removed(product: Product, owner: Account) -> None:
    made = create(product, owner.headers, n=3, prompt=PROMPT).json["id"]
    assert held(product) == (0, 3)
    answer = delete(product, owner.headers, made)
    assert (answer.status, answer.text) == (204, "")
    assert held(product) == (0, 0)
    assert is_gone(product, owner.headers, made)
    assert product.work_queue() == 1  # its message finds nothing to do
    assert is_gone(product, owner.headers, made)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org", "deletion")
@pytest.mark.parametrize("n", [1, 3])
def test_a_worker_whose_job_is_deleted_charges_nothing_and_removes_what_it_made(
    product: Product, owner: Account, n: int
) -> None:
    made = create(product, owner.headers, n=n, prompt=PROMPT, seed=SEED).json["id"]

    class Slow:
        def generate(self, order: ImageRequest) -> Any:
            if order.seed == SEED + n - 1:
                assert delete(product, owner.headers, made).status == 204
            return Studio().generate(order)

    employ(product, Slow())
    product.work_queue()
    assert held(product) == (0, 0)
    assert is_gone(product, owner.headers, made)
    assert [each for each in product.items("CreditsTable") if each["sk"][:5] == "USAGE"] == []
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org", "deletion")
def test_a_worker_between_two_images_stops_when_its_job_is_deleted(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers, n=4, prompt=PROMPT).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    put, stored = worker.media.put, []

    def put_and_delete(key: str, *about: object, **more: object) -> None:
        put(key, *about, **more)  # type: ignore[arg-type]
        stored.append(key)
        if len(stored) == 2:
            assert delete(product, owner.headers, made).status == 204

    monkeypatch.setattr(worker.media, "put", put_and_delete)
    product.work_queue()
    assert len(stored) == 2
    assert is_gone(product, owner.headers, made)
    assert held(product) == (0, 0)


@pytest.mark.promise("deletion", "quota-org")
def test_a_finished_job_goes_with_its_images_and_stays_paid_for(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers, n=2, prompt=PROMPT).json["id"]
    product.work_queue()
    assets = read(product, owner.headers, made)["assets"]
    usage = product.item("CreditsTable", "USAGE#")
    assert delete(product, owner.headers, made).status == 204
    for asset in assets:
        assert product.fetch(asset["url"])[0] in {403, 404}  # a link of before leads nowhere
        for path in (f"/v1/assets/{asset['id']}", f"/v1/assets/{asset['id']}/content"):
            assert product.call("GET", path, headers=owner.headers).status == 404
    assert is_gone(product, owner.headers, made)
    assert held(product) == (2, 0)
    assert product.item("CreditsTable", "USAGE#") == usage
    assert audit(product, owner) == []


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_job_without_images_can_be_removed_too(
    product: Product, owner: Account, end: str
) -> None:
    employ(product, Model({0: "content_filtered"}))
    made = create(product, owner.headers, prompt=PROMPT, seed=SEED).json["id"]
    if end == "canceled":
        cancel(product, owner.headers, made)
    product.work_queue()
    assert job(product, made)["status"] == end
    assert delete(product, owner.headers, made).status == 204
    assert is_gone(product, owner.headers, made)
    assert held(product) == (0, 0)


@pytest.mark.promise("quota-org", "deletion")
@pytest.mark.parametrize("status", ["queued", "succeeded"])
@pytest.mark.parametrize(
    ("service", "operation"), [("s3", ""), ("dynamodb", "DeleteItem"), ("dynamodb", "UpdateItem")]
)
def test_a_delete_that_died_half_way_is_finished_by_the_next(
    product: Product, owner: Account, status: str, service: str, operation: str
) -> None:
    made = create(product, owner.headers, n=2, prompt=PROMPT).json["id"]
    if status == "succeeded":
        product.work_queue()
    paid = (2, 0) if status == "succeeded" else (0, 0)
    with product.broken(service, operation):
        assert delete(product, owner.headers, made).status == (
            204 if (service, status) == ("s3", "queued") else 503  # it has no objects
        )
    if (service, status) != ("s3", "queued"):
        assert delete(product, owner.headers, made).status == 204
    assert is_gone(product, owner.headers, made)
    assert held(product) == paid
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org", "deletion")
@pytest.mark.parametrize("meanwhile", ["leased", "settled", "canceled"])
def test_a_job_that_changes_in_between_is_removed_as_it_came_out(
    product: Product, owner: Account, meanwhile: str
) -> None:
    made = create(product, owner.headers, prompt=PROMPT).json["id"]
    store = product.part("generation", GenerationsWiring).generation_store

    def act() -> None:
        if meanwhile == "settled":
            product.work_queue()
        elif meanwhile == "leased":
            product.edit("GenerationsTable", job(product, made), status="running", lease="m-1")
        else:
            cancel(product, owner.headers, made)

    with accounts.meanwhile(store, "get_generation", act):
        assert delete(product, owner.headers, made).status == 204
    assert is_gone(product, owner.headers, made)
    assert held(product) == ((1, 0) if meanwhile == "settled" else (0, 0))
    assert audit(product, owner) == []


def test_a_key_whose_job_was_deleted_is_missing_and_makes_none_anew(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers, "order-1").json["id"]
    delete(product, owner.headers, made)
    again = create(product, owner.headers, "order-1")
    assert (again.status, again.json["code"]) == (404, "not_found")
    assert held(product) == (0, 0)


@pytest.mark.promise("org-scoped")
def test_no_one_deletes_what_is_not_theirs(
    product: Product, owner: Account, stranger: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    product.work_queue()
    before = product.dump_of("GenerationsTable"), product.objects("MediaBucket")
    strangers_key = bearer(product.key(stranger, *ALL_SCOPES))
    for headers in (stranger.headers, strangers_key):
        foreign = delete(product, headers, made)
        missing = delete(product, headers, "gen_00000000000000000000000000")
        assert (foreign.status, missing.status) == (404, 404)
        assert foreign.json | {"request_id": ""} == missing.json | {"request_id": ""}
    assert (product.dump_of("GenerationsTable"), product.objects("MediaBucket")) == before


def test_a_job_past_its_72_hours_is_the_sweeps_to_remove(product: Product, owner: Account) -> None:
    made = create(product, owner.headers).json["id"]
    past = int(time.time()) - 1
    product.edit("GenerationsTable", job(product, made), expires_at=past)
    assert delete(product, owner.headers, made).status == 404
