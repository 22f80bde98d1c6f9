"""Jobs that cannot be done: credits come back, nothing is readable, nothing is lost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from imagelayer.brands.wiring import BrandsWiring
from imagelayer.generations.sweep import MAX_REQUEUES
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from imagelayer.platform.ids import new_id
from tests.support.api import Account
from tests.support.images import logo
from tests.support.ledger import held
from tests.support.product import Product


def ask(product: Product, owner: Account, **body: Any) -> dict[str, Any]:
    sent = {"prompt": "waves", "size": "256x256", **body}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=sent)
    assert answer.status == 202
    return dict(answer.json)


def work(product: Product, body: Any, message_id: str = "m-1") -> list[dict[str, str]]:
    text = body if isinstance(body, str) else json.dumps(body)
    result = product.invoke(
        "generation_worker", {"Records": [{"messageId": message_id, "body": text}]}
    )
    return list(result["batchItemFailures"])


def naming(owner: Account, job: dict[str, Any]) -> dict[str, str]:
    return {"org_id": owner.org_id, "generation_id": job["id"]}


@pytest.mark.promise("quota-org")
def test_a_job_whose_brand_is_gone_with_its_logo_fails_with_a_reason_and_costs_nothing(
    product: Product, owner: Account
) -> None:
    brand = product.brand_with_logo(owner)
    job = ask(product, owner, brand_id=brand["id"])
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()
    seen = product.call("GET", f"/v1/generations/{job['id']}", headers=owner.headers).json
    assert (seen["status"], seen["error"]["code"], seen["assets"]) == (
        "failed",
        "brand_missing",
        [],
    )
    assert held(product) == (0, 0)
    assert product.objects("MediaBucket") == []


def test_a_job_whose_logo_is_gone_fails_rather_than_come_out_without_it(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    product.deliver_upload(product.upload(owner.headers, brand["id"], logo()))
    (key,) = product.objects("BrandBucket")
    product.part("brand", BrandsWiring).brand_objects.delete(key)
    ask(product, owner, brand_id=brand["id"])
    product.work_queue()
    assert product.item("GenerationsTable", "GEN#")["status"] == "failed"
    assert held(product) == (0, 0)


@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_fault_leaves_the_message_for_another_attempt(
    product: Product, owner: Account, service: str
) -> None:
    job = ask(product, owner)
    with product.broken(service):
        assert work(product, naming(owner, job)) == [{"itemIdentifier": "m-1"}]
    assert held(product) == (0, 1)
    assert work(product, naming(owner, job)) == []
    assert held(product) == (1, 0)


@pytest.mark.parametrize(
    "body",
    ["not json", "[]", "null", "{}", '{"org_id": 1, "generation_id": 2}', '{"org_id": "x"}'],
)
def test_a_message_that_is_none_of_ours_goes_to_the_dead_letters(
    product: Product, owner: Account, body: str
) -> None:
    assert work(product, body) == [{"itemIdentifier": "m-1"}]
    assert product.items("GenerationsTable") == []


def test_a_message_about_a_job_that_is_not_there_is_dropped(
    product: Product, owner: Account
) -> None:
    made_up = {"org_id": owner.org_id, "generation_id": new_id("gen", 1_800_000_000)}
    assert work(product, made_up) == []
    assert work(product, {"org_id": "x", "generation_id": "y"}) == []
    assert product.items("GenerationsTable") == []


@pytest.mark.promise("org-scoped")
def test_a_message_that_names_another_organization_finds_no_job(
    product: Product, owner: Account, stranger: Account
) -> None:
    job = ask(product, owner)
    assert work(product, {"org_id": stranger.org_id, "generation_id": job["id"]}) == []
    assert product.item("GenerationsTable", "GEN#")["status"] == "queued"


def test_one_bad_message_of_a_batch_does_not_hold_the_others_up(
    product: Product, owner: Account
) -> None:
    job = ask(product, owner)
    records = [
        {"messageId": "bad", "body": "nope"},
        {"messageId": "good", "body": json.dumps(naming(owner, job))},
    ]
    result = product.invoke("generation_worker", {"Records": records})
    assert result == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert product.item("GenerationsTable", "GEN#")["status"] == "succeeded"


def test_a_job_in_other_hands_is_left_alone_until_its_deadline(
    product: Product, owner: Account
) -> None:
    job = ask(product, owner)
    stored = product.item("GenerationsTable", "GEN#")
    now = int(time.time())
    running = product.edit(
        "GenerationsTable", stored, status="running", lease="other", sweep_at=now + 100
    )
    assert work(product, naming(owner, job), "mine") == []
    assert product.item("GenerationsTable", "GEN#") == running
    product.edit("GenerationsTable", running, sweep_at=now - 1)
    assert work(product, naming(owner, job), "mine") == []
    assert product.item("GenerationsTable", "GEN#")["status"] == "succeeded"
    assert held(product) == (1, 0)


@pytest.mark.promise("quota-org")
def test_a_worker_that_finds_its_job_released_charges_nothing_and_leaves_nothing(
    product: Product, owner: Account
) -> None:
    """The sweep gave the job up while the worker painted."""
    ask(product, owner)
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    job = product.item("GenerationsTable", "GEN#")

    class Slow:
        def generate(self, order: ImageRequest) -> Any:
            running = product.item("GenerationsTable", "GEN#")
            due = {"sweep_at": int(time.time()) - 1, "requeues": MAX_REQUEUES}
            product.edit("GenerationsTable", running, **due)
            assert product.invoke("cleanup", {})["released"] == 1
            return worker.providers["studio"]().generate(order)

    replaced = type(worker)(**{**vars(worker), "providers": {"studio": Slow}})
    assert replaced.work(owner.org_id, job["id"], "m-1") == "lost"
    assert held(product) == (0, 0)
    assert product.objects("MediaBucket") == []
    assert product.item("GenerationsTable", "GEN#")["status"] == "failed"


@pytest.mark.promise("quota-org")
def test_a_worker_whose_job_was_taken_over_settles_nothing(
    product: Product, owner: Account
) -> None:
    """Another worker holds the lease and has not finished yet: the job is its to finish."""
    job = ask(product, owner)
    worker = product.part("generation_worker", GenerationsWiring).generation_worker

    class Slow:
        def generate(self, order: ImageRequest) -> Any:
            product.edit(
                "GenerationsTable", product.item("GenerationsTable", "GEN#"), lease="another"
            )
            return worker.providers["studio"]().generate(order)

    replaced = type(worker)(**{**vars(worker), "providers": {"studio": Slow}})
    assert replaced.work(owner.org_id, job["id"], "m-1") == "lost"
    stored = product.item("GenerationsTable", "GEN#")
    assert (stored["status"], stored["lease"]) == ("running", "another")
    assert held(product) == (0, 1)
    assert product.objects("MediaBucket") == []


def test_an_expired_job_is_not_worked_off(product: Product, owner: Account) -> None:
    job = ask(product, owner)
    stored = product.item("GenerationsTable", "GEN#")
    product.edit("GenerationsTable", stored, expires_at=int(time.time()) - 1)
    assert work(product, naming(owner, job)) == []
    assert product.objects("MediaBucket") == []


def test_a_failure_is_logged_by_its_type_and_message_alone(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(product, owner)

    def fail(*_: object) -> None:
        raise RuntimeError("a prompt about otters")

    monkeypatch.setattr("imagelayer.generations.worker.GenerationWorker.work", fail)
    assert work(product, naming(owner, job)) == [{"itemIdentifier": "m-1"}]
    (line,) = [
        line for line in product.logs() if line.get("message") == "a generation was not worked off"
    ]
    assert (line["level"], line["cause"], line["message_id"]) == ("ERROR", "RuntimeError", "m-1")
    assert "otters" not in product.output.getvalue()
    assert "Traceback" not in product.output.getvalue()
