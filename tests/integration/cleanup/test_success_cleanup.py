"""The sweep: nothing stays stuck, nothing outlives its 72 hours, running twice changes nothing."""

from __future__ import annotations

import time
from copy import replace
from itertools import pairwise
from typing import Any

import pytest

from imagelayer.generations.sweep import MAX_REQUEUES, SWEEP_SECONDS
from imagelayer.generations.wiring import GenerationsWiring
from tests.support import accounts
from tests.support.api import Account
from tests.support.ledger import held
from tests.support.product import Product

BODY = {"prompt": "waves", "size": "256x256"}


def ask(product: Product, owner: Account, **body: Any) -> dict[str, Any]:
    sent = {**BODY, **body}
    product.call("POST", "/v1/generations", headers=owner.headers, body=sent)
    return product.item("GenerationsTable", "GEN#")


def sweep(product: Product) -> dict[str, int]:
    swept: dict[str, int] = product.invoke("cleanup", {})
    return {name: count for name, count in swept.items() if count}


def overdue(product: Product, **changes: Any) -> dict[str, Any]:
    """Make the one job due for the sweep."""
    job = product.item("GenerationsTable", "GEN#")
    return product.edit("GenerationsTable", job, sweep_at=int(time.time()) - 1, **changes)


def everything(product: Product) -> Any:
    tables = ("GenerationsTable", "CreditsTable")
    return [product.dump_of(table) for table in tables], product.objects("MediaBucket")


def test_a_sweep_of_nothing_does_nothing(product: Product, owner: Account) -> None:
    assert sweep(product) == {}
    ask(product, owner)
    before = everything(product)
    assert sweep(product) == {}
    assert everything(product) == before


def test_a_job_whose_message_was_lost_is_sent_again_and_finished(
    product: Product, owner: Account
) -> None:
    with product.broken("sqs"):
        ask(product, owner)
    overdue(product)
    assert sweep(product) == {"requeued": 1}
    assert sweep(product) == {}  # it was given time
    assert product.queued() == 1
    product.work_queue()
    assert product.item("GenerationsTable", "GEN#")["status"] == "succeeded"
    assert held(product) == (1, 0)


def test_a_job_that_nothing_starts_is_given_up_after_some_attempts(
    product: Product, owner: Account
) -> None:
    ask(product, owner)
    pauses = []
    for _ in range(MAX_REQUEUES):
        overdue(product)
        assert sweep(product) == {"requeued": 1}
        pauses.append(product.item("GenerationsTable", "GEN#")["sweep_at"] - time.time())
    assert all(later > 1.5 * sooner for sooner, later in pairwise(pauses))
    overdue(product)
    assert sweep(product) == {"released": 1}
    job = product.item("GenerationsTable", "GEN#")
    assert (job["status"], job["error"]["code"]) == ("failed", "timed_out")
    assert held(product) == (0, 0)


@pytest.mark.promise("quota-org")
def test_a_dead_workers_job_is_done_by_another_and_paid_once(
    product: Product, owner: Account
) -> None:
    ask(product, owner, n=3)
    overdue(product, status="running", lease="dead")
    assert sweep(product) == {"requeued": 1}
    assert "lease" not in product.item("GenerationsTable", "GEN#")
    product.work_queue()
    assert product.item("GenerationsTable", "GEN#")["status"] == "succeeded"
    assert held(product) == (3, 0)


@pytest.mark.promise("quota-org")
def test_credits_of_a_job_that_always_kills_its_worker_come_back(
    product: Product, owner: Account
) -> None:
    ask(product, owner, n=3)
    overdue(product, status="running", lease="dead", requeues=MAX_REQUEUES)
    assert sweep(product) == {"released": 1}
    assert held(product) == (0, 0)
    before = everything(product)
    assert sweep(product) == {}
    assert everything(product) == before


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("requeues", [0, MAX_REQUEUES], ids=["queued again", "given up"])
def test_a_job_that_another_worker_leases_while_it_is_swept_is_left_to_it(
    product: Product, owner: Account, requeues: int
) -> None:
    """The sweep has read it with the lease of a worker that died."""
    made = ask(product, owner)
    overdue(product, status="running", lease="dead", requeues=requeues, sweep_shard="0")
    store = product.part("cleanup", GenerationsWiring).generation_store

    def lease() -> bool:
        now = int(time.time())
        leased = store.lease_generation(owner.org_id, made["id"], "m-2", now, now + 300)
        return leased is not None

    with accounts.meanwhile(store, "due", lease) as came_to:
        assert sweep(product) == {}
    assert came_to == [True]
    job = product.item("GenerationsTable", "GEN#")
    assert (job["status"], job["lease"]) == ("running", "m-2")
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    assert worker.work(owner.org_id, job["id"], "m-2") == "succeeded"
    assert held(product) == (1, 0)


@pytest.mark.promise("media-72h", "no-training")
def test_at_72_hours_media_and_records_are_gone_and_the_charge_stays(
    product: Product, owner: Account
) -> None:
    ask(product, owner, prompt="the-secret-prompt", n=2)
    product.work_queue()
    assert len(product.objects("MediaBucket")) == 2
    assert sweep(product) == {}
    past = int(time.time()) - 1
    for item in product.items("GenerationsTable"):
        if item["sk"].startswith("AST#"):
            product.edit("GenerationsTable", item, expires_at=past)
    overdue(product, expires_at=past)
    assert sweep(product) == {"deleted": 1}
    assert product.objects("MediaBucket") == []
    assert product.items("GenerationsTable") == []
    assert "the-secret-prompt" not in product.dump()
    assert held(product) == (2, 0)
    assert sweep(product) == {}
    (line,) = product.security_events("media.deleted")
    assert (line["org_id"], line["outcome"]) == (owner.org_id, "success")


@pytest.mark.promise("media-72h")
@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_job_stuck_at_72_hours_is_ended_first_and_removed_next(
    product: Product, owner: Account, status: str
) -> None:
    ask(product, owner)
    overdue(product, status=status, lease="dead", expires_at=int(time.time()) - 1)
    assert sweep(product) == {"released": 1, "deleted": 1}
    assert held(product) == (0, 0)
    assert product.items("GenerationsTable") == []


def one_small_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two items, so that a few jobs are a backlog."""
    for module in ("imagelayer.platform.table", "imagelayer.platform.sweeping"):
        monkeypatch.setattr(f"{module}.SWEEP_SHARDS", 1)
    for module in ("imagelayer.platform.table", "imagelayer.generations.sweep"):
        monkeypatch.setattr(f"{module}.SWEEP_PAGE", 2)


def old_jobs(product: Product, owner: Account, count: int) -> None:
    """Finished jobs that expired hours ago."""
    for _ in range(count):
        product.call("POST", "/v1/generations", headers=owner.headers, body=BODY)
    product.work_queue()
    ago = int(time.time()) - 7200
    for item in product.items("GenerationsTable"):
        if item["sk"].startswith("GEN#"):
            product.edit("GenerationsTable", item, sweep_at=ago, expires_at=ago)


def test_a_stuck_job_does_not_wait_behind_the_removal_of_old_ones(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_small_shard(monkeypatch)
    old_jobs(product, owner, 3)
    with product.broken("sqs"):
        product.call("POST", "/v1/generations", headers=owner.headers, body=BODY)
    (stuck,) = [
        each for each in product.items("GenerationsTable") if each.get("status") == "queued"
    ]
    product.edit("GenerationsTable", stuck, sweep_at=int(time.time()) - 1)
    wiring = product.part("cleanup", GenerationsWiring)
    late = replace(wiring.sweep, clock=lambda: time.time() + SWEEP_SECONDS)
    swept = late.sweep(time.time())
    assert (swept["requeued"], swept["deleted"]) == (1, 2)


def test_a_run_goes_on_while_more_is_due_and_it_has_time(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_small_shard(monkeypatch)
    old_jobs(product, owner, 5)
    assert sweep(product) == {"deleted": 5}
    assert product.items("GenerationsTable") == []


@pytest.mark.promise("media-72h")
@pytest.mark.parametrize(
    ("service", "operation"),
    [("s3", "DeleteObject"), ("dynamodb", "DeleteItem")],
)
def test_a_removal_that_dies_half_way_is_finished_by_the_next_sweep(
    product: Product, owner: Account, service: str, operation: str
) -> None:
    ask(product, owner)
    product.work_queue()
    overdue(product, expires_at=int(time.time()) - 1)
    with product.broken(service, operation):
        assert sweep(product) == {"failed": 1}
    assert product.items("GenerationsTable")
    assert sweep(product) == {"deleted": 1}
    assert (product.items("GenerationsTable"), product.objects("MediaBucket")) == ([], [])


def test_a_job_that_cannot_be_swept_does_not_stop_the_others(
    product: Product, owner: Account
) -> None:
    for _ in range(4):
        body = {"prompt": "waves", "size": "256x256"}
        product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    for job in product.items("GenerationsTable"):
        product.edit("GenerationsTable", job, sweep_at=int(time.time()) - 1)
    with product.broken("sqs"):
        assert sweep(product) == {"failed": 4}
    assert product.queued() == 4


def test_a_sweep_that_read_before_a_worker_settled_releases_nothing(
    product: Product, owner: Account
) -> None:
    ask(product, owner)
    stale: Any = overdue(product, status="running", lease="m-1")
    product.edit("GenerationsTable", stale, status="queued")
    product.work_queue()
    store = product.part("cleanup", GenerationsWiring).generation_store
    assert not store.fail(stale, "timed_out", "x", [], int(time.time()))
    assert product.item("GenerationsTable", "GEN#")["status"] == "succeeded"


def test_a_job_the_sweep_cannot_read_does_not_stop_the_rest(
    product: Product, owner: Account
) -> None:
    body = {"prompt": "waves at dawn", "size": "256x256"}
    for _ in range(8):  # over all shards
        product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    jobs = [item for item in product.items("GenerationsTable") if item["sk"].startswith("GEN#")]
    past = int(time.time()) - 1
    broken, *others = jobs
    product.edit("GenerationsTable", broken, sweep_at=past, requeues="not a number")
    for job in others:
        product.edit("GenerationsTable", job, sweep_at=past)
    swept = product.invoke("cleanup", {})
    assert (swept["failed"], swept["requeued"]) == (1, len(others))
