"""What ends a job reports it, in the same transaction: not without it, and never twice."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from imagelayer.generations.sweep import MAX_REQUEUES
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.webhooks.outbox import MAX_BODY_BYTES, new_message
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.product import Product
from tests.support.webhook_receivers import Post

PROMPT = "a very private picture of waves"


def ask(product: Product, account: Account, **body: Any) -> dict[str, Any]:
    key = product.key(account, *ALL_SCOPES)
    sent = {"prompt": PROMPT, "size": "256x256", **body}
    answer = product.call("POST", "/v1/generations", headers=bearer(key), body=sent)
    assert answer.status == 202, answer.text
    return dict(answer.json)


def told(post: Post) -> dict[str, Any]:
    """The one event that was sent."""
    post.run()
    (sent,) = post.receivers.got
    return dict(sent.json)


@pytest.mark.promise("no-training")
def test_a_generation_that_succeeds_is_reported_by_ids_without_prompt_or_link(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    brand = product.brand(owner)
    job = ask(product, owner, n=2, brand_id=brand["id"])
    product.work_queue()
    event = told(post)
    made = product.call("GET", f"/v1/generations/{job['id']}", headers=owner.headers).json
    assert event["type"] == "generation.succeeded"
    finished = event["data"].pop("finished_at")
    assert finished == event["timestamp"]
    assert event["data"] == {
        "id": job["id"],
        "status": "succeeded",
        "model": "studio",
        "mode": "live",
        "n": 2,
        "credits": 2,
        "brand_id": brand["id"],
        "end_user_id": None,
        "asset_ids": [each["id"] for each in made["assets"]],
        "error": None,
        "created_at": made["created_at"],
        "expires_at": made["expires_at"],
    }
    sent = post.receivers.got[0].body.decode()
    assert PROMPT not in sent
    assert "http" not in sent
    assert not [item for item in product.items("WebhooksTable") if PROMPT in json.dumps(item)]


def test_a_generation_that_fails_is_reported_with_its_code(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    brand = product.brand_with_logo(owner)
    job = ask(product, owner, brand_id=brand["id"])
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()
    event = told(post)
    assert event["type"] == "generation.failed"
    assert (event["data"]["id"], event["data"]["error"]) == (job["id"], "brand_missing")
    assert (event["data"]["credits"], event["data"]["asset_ids"]) == (0, [])


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("DELETE", "")])
def test_a_generation_that_is_stopped_is_reported_once(
    product: Product, owner: Account, post: Post, method: str, path: str
) -> None:
    product.webhook(owner)
    job = ask(product, owner)
    for _ in range(2):
        product.call(method, f"/v1/generations/{job['id']}{path}", headers=owner.headers)
    product.work_queue()
    event = told(post)
    assert (event["type"], event["data"]["id"]) == ("generation.canceled", job["id"])


def test_a_generation_that_the_sweep_gives_up_is_reported(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    ask(product, owner)
    job = product.item("GenerationsTable", "GEN#")
    product.edit("GenerationsTable", job, sweep_at=1, requeues=MAX_REQUEUES)
    assert product.invoke("cleanup", {})["released"] == 1
    event = told(post)
    assert (event["type"], event["data"]["error"]) == ("generation.failed", "timed_out")


def test_a_worker_that_comes_too_late_tells_nothing(
    product: Product, owner: Account, post: Post
) -> None:
    """The job was canceled while it was painted: one end, and one thing told."""
    product.webhook(owner)
    job = ask(product, owner)
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    leased = worker.store.lease_generation(
        owner.org_id, job["id"], "slow", int(time.time()), 4_000_000_000
    )
    assert leased is not None
    path = f"/v1/generations/{job['id']}/cancel"
    assert product.call("POST", path, headers=owner.headers).status == 200
    assert worker._finish(leased, [], []) == "lost"
    assert told(post)["type"] == "generation.canceled"
    messages = [each for each in product.items("WebhooksTable") if each["sk"].startswith("MSG#")]
    assert len(messages) == 1


def test_a_queue_that_does_not_answer_loses_nothing(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    job = ask(product, owner)
    (record,) = [{"messageId": "m", "body": json.dumps({"org_id": owner.org_id,
                  "generation_id": job["id"]})}]  # fmt: skip
    with product.broken("sqs", "SendMessage"):
        assert product.invoke("generation_worker", {"Records": [record]}) == {
            "batchItemFailures": []
        }
    assert post.messages() == []
    post.receivers.clock.seconds += 600
    assert product.invoke("webhook_delivery", {})["asked"] == 1
    assert told(post)["type"] == "generation.succeeded"


def test_used_up_credits_are_reported_once_for_each_step(
    product: Product, owner: Account, post: Post
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "5"
    product.webhook(owner, events=["quota.alert"])
    for _ in range(5):
        ask(product, owner)
        product.work_queue()
    post.run()
    events = [each.json for each in post.receivers.got]
    assert [each["type"] for each in events] == ["quota.alert", "quota.alert"]
    assert [each["data"]["percent"] for each in events] == [80, 100]
    assert {each["data"]["allowance"] for each in events} == {5}


def test_a_body_that_is_larger_than_receivers_take_is_never_made() -> None:
    with pytest.raises(ValueError, match="too large"):
        new_message("org_1", "quota.alert", {"x": "y" * MAX_BODY_BYTES}, 1.0)
