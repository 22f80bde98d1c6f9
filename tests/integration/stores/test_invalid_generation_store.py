"""A job changes only from the state, and under the lease, that its caller read."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.generations.records import Job
from imagelayer.generations.store import GenerationStore
from imagelayer.platform.table import Item, Table
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, asset, job

DEADLINE = NOW + 300


@pytest.fixture
def jobs(table: Tables) -> Table:
    return table("GenerationsTable")


@pytest.fixture
def store(client: Any, jobs: Table) -> GenerationStore:
    return GenerationStore(client, jobs)


def put(jobs: Table, **changes: Any) -> Job:
    """A job in some state, as an earlier worker, caller or sweep left it."""
    made = job(**changes)
    jobs.put({"pk": f"ORG#{made['org_id']}", "sk": f"GEN#{made['id']}", **made})
    return made


def stored(jobs: Table) -> Item:
    (found,) = jobs.query(f"ORG#{job()['org_id']}")
    return found


def lease(store: GenerationStore, by: str, now: int = NOW) -> bool:
    made = job()
    return store.lease_generation(made["org_id"], made["id"], by, now, DEADLINE) is not None


def test_a_job_is_not_overwritten_by_another_of_its_id(store: GenerationStore, jobs: Table) -> None:
    assert store.create_generation(job(prompt="first")) is None
    assert store.create_generation(job(prompt="second")) is not None
    assert stored(jobs)["prompt"] == "first"


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("message", ["m-1", "m-2"])
@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
def test_a_job_that_ended_is_not_leased_again_not_even_by_its_own_message(
    store: GenerationStore, jobs: Table, status: str, message: str
) -> None:
    put(jobs, status=status, lease="m-1", sweep_at=NOW - 1)
    before = stored(jobs)
    assert not lease(store, message)
    assert stored(jobs) == before


def test_a_running_job_is_leased_by_its_own_message_at_once_and_by_another_at_its_deadline(
    store: GenerationStore, jobs: Table
) -> None:
    put(jobs)
    assert lease(store, "m-1")
    assert lease(store, "m-1")
    assert not lease(store, "m-2", DEADLINE - 1)
    assert lease(store, "m-2", DEADLINE)
    assert (stored(jobs)["lease"], stored(jobs)["attempts"]) == ("m-2", 3)


def test_a_job_is_not_leased_from_the_second_in_which_it_expires(
    store: GenerationStore, jobs: Table
) -> None:
    expires_at = put(jobs)["expires_at"]
    assert not lease(store, "m-1", expires_at)
    assert lease(store, "m-1", expires_at - 1)


# What may have become of a job that a worker leased as `m-1`.
LOST = [
    pytest.param({"status": "canceled", "lease": "m-1"}, id="canceled"),
    pytest.param({"status": "failed", "lease": "m-1"}, id="given up"),
    pytest.param({"status": "running", "lease": "m-2"}, id="taken over"),
    pytest.param({"status": "queued"}, id="queued again"),
]


@pytest.mark.parametrize("now_is", LOST)
def test_a_worker_that_lost_its_job_records_no_progress_and_asks_no_provider(
    store: GenerationStore, jobs: Table, now_is: dict[str, Any]
) -> None:
    leased = put(jobs, status="running", lease="m-1")
    assert store.record_asked(leased, 1)
    assert store.record_progress(leased, 1)
    put(jobs, **now_is)
    before = stored(jobs)
    assert not store.record_asked(leased, 2)
    assert not store.record_progress(leased, 2)
    assert stored(jobs) == before


@pytest.mark.parametrize("now_is", LOST)
def test_a_worker_that_lost_its_job_does_not_settle_it_even_if_it_is_free(
    store: GenerationStore, jobs: Table, now_is: dict[str, Any]
) -> None:
    leased = put(jobs, status="running", lease="m-1")
    put(jobs, **now_is)
    before = stored(jobs)
    assert not store.succeed(leased, [asset(leased)], [], [], NOW)
    assert stored(jobs) == before  # and no image's record beside it


@pytest.mark.parametrize(
    ("read", "now_is"),
    [
        ({"status": "running", "lease": "m-1"}, {"status": "running", "lease": "m-2"}),
        ({"status": "running", "lease": "m-1"}, {"status": "succeeded", "lease": "m-1"}),
        ({"status": "running", "lease": "m-1"}, {"status": "queued"}),
        ({"status": "queued"}, {"status": "running", "lease": "m-1"}),
        ({"status": "queued"}, {"status": "canceled"}),
        ({"status": "queued"}, {"status": "queued", "lease": "m-1"}),
        ({"status": "running", "lease": "m-1"}, {"status": "running", "lease": "m-1", "asked": 1}),
        (
            {"status": "running", "lease": "m-1", "asked": 1},
            {"status": "running", "lease": "m-1", "asked": 2},
        ),
    ],
)
def test_what_ends_a_job_does_not_end_one_that_changed_since_it_was_read(
    store: GenerationStore, jobs: Table, read: dict[str, Any], now_is: dict[str, Any]
) -> None:
    seen = put(jobs, **read)
    put(jobs, **now_is)
    before = stored(jobs)
    assert not store.fail(seen, "timed_out", "It took too long.", [], NOW)
    assert not store.cancel_generation(seen, [], NOW)
    assert stored(jobs) == before
    assert store.cancel_generation(put(jobs, **read), [], NOW)


@pytest.mark.parametrize(
    "now_is",
    [
        {"status": "running", "lease": "m-2", "sweep_at": DEADLINE},
        {"status": "succeeded", "lease": "m-1"},
        {"status": "queued", "sweep_at": NOW + 60},
    ],
    ids=["leased again", "settled", "queued by another sweep"],
)
def test_a_sweep_does_not_queue_a_job_again_that_changed_since_it_was_read(
    store: GenerationStore, jobs: Table, now_is: dict[str, Any]
) -> None:
    seen = put(jobs, status="running", lease="m-1", sweep_at=NOW - 1)
    put(jobs, **({"sweep_at": NOW - 1} | now_is))
    before = stored(jobs)
    assert not store.requeue(seen, NOW + 60)
    assert stored(jobs) == before
