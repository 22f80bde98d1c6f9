"""A fault at every AWS call of the money's way: accept, work, settle, fail, cancel, sweep.

Each flow runs once to learn its calls from the wire. Then each call in turn meets each fault: it
is throttled, it fails, it hangs, it happens and its answer is lost, or it happens and the process
that made it dies. A throttled, failing or hanging call fails for good, our second attempt
included. After that life goes on as it would: the client repeats its request, the queue delivers
again, the sweep runs. In the end the ledger adds up, the job is done or given back, no image is
there without its charge, none is charged twice, and a provider that worked is paid.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.generations.sweep import MAX_REQUEUES
from imagelayer.platform.ids import new_id
from imagelayer.platform.table import Item
from tests.support.cloud_organizations import (
    ALLOWANCE,
    PRICE,
    PROVIDERS_MODEL,
    Shop,
    invoke,
    new_shop,
    new_trace,
)
from tests.support.paid_calls import PaidCalls

FAULTS = ("throttle", "500", "timeout", "drop-after-write", "die")
THREADS = 8
DELIVERIES = 8
FINAL = ("succeeded", "failed", "canceled")


@dataclass
class Attempt:
    """One go at a flow of a shop: how it is made under a trace, how life goes on, what must hold
    then."""

    shop: Shop
    send: Callable[[str], None]
    go_on: Callable[[], None]
    holds: Callable[[], None]


Prepare = Callable[[LocalCloud], Attempt]
FLOWS: dict[str, Prepare] = {}


def flow(prepare: Prepare) -> Prepare:
    """Add a flow to the matrix under its function's name."""
    FLOWS[prepare.__name__] = prepare
    return prepare


def sound(shop: Shop, *, used: int, images: int, jobs: int = 1) -> None:
    """The invariants, and what the flow was for."""
    assert shop.broken() == []
    assert shop.spent() == (used, 0)
    assert len(shop.jobs()) == jobs
    # On a busy machine the queue delivers a message again while its first attempt still draws. The
    # attempts that did not settle remove their images when they find out.
    deadline = time.monotonic() + 60
    while len(shop.objects()) > images and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(shop.objects()) == images


def accepting(cloud: LocalCloud, shop: Shop, **body: object) -> Attempt:
    """A request with an idempotency key, repeated until it is answered."""
    key = secrets.token_hex(8)
    asked = {"prompt": shop.prompt, "size": "256x256", **body}

    def send(trace: str = "") -> int:
        answer = shop.call(
            "POST",
            "/v1/generations",
            trace=trace,
            json=asked,
            headers={"Idempotency-Key": key},
        )
        assert answer.status_code in (202, 409, 502, 503, 500), answer.text
        return answer.status_code

    def go_on() -> None:
        for _ in range(DELIVERIES):
            if send() == 202:
                break
        finish(cloud, shop)

    def holds() -> None:
        sound(shop, used=1, images=1)
        assert shop.jobs()[0]["status"] == "succeeded"

    def under(trace: str) -> None:
        send(trace)

    return Attempt(shop, under, go_on, holds)


def finish(cloud: LocalCloud, shop: Shop) -> None:
    """Wait for the jobs; one whose message was lost is found by the sweep once it is due."""
    deadline = time.monotonic() + 60
    due_at = time.monotonic() + 4
    while any(job["status"] not in FINAL for job in shop.jobs()):
        assert time.monotonic() < deadline, shop.jobs()
        if time.monotonic() > due_at:
            due_at = time.monotonic() + 10
            for job in shop.jobs():
                if job["status"] not in FINAL:
                    shop.edit(job, sweep_at=int(time.time()) - 1)
            invoke(cloud, "CleanupFunction", {})
        time.sleep(0.1)


@flow
def accept(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud, with_brand=True)
    shop.credits.open_month(shop.org_id, month(), int(time.time()), ALLOWANCE, 1)
    return accepting(cloud, shop, brand_id=shop.brand_id)


@flow
def accept_the_first_of_the_month(cloud: LocalCloud) -> Attempt:
    return accepting(cloud, new_shop(cloud))


@flow
def accept_from_a_grant_and_shards(cloud: LocalCloud) -> Attempt:
    """Three credits of which two are a grant's: more than one balance in one transaction."""
    shop = new_shop(cloud)
    # The operator needs an account to name; the plan is written as it would be for one.
    plan = shop.credits.plan(shop.org_id)
    shop.credits.set_plan(shop.org_id, plan, {"shards": 3, "monthly_credits": 3}, {}, now())
    plan = shop.credits.plan(shop.org_id)
    assert shop.credits.grant(shop.org_id, new_id("crg", now()), 2, now() + 3600, now(), plan)
    attempt = accepting(cloud, shop, n=3)

    def holds() -> None:
        sound(shop, used=3, images=3)

    return Attempt(shop, attempt.send, attempt.go_on, holds)


def now() -> int:
    return int(time.time())


def month() -> str:
    return time.strftime("%Y-%m", time.gmtime())


def message(job: Item) -> dict[str, object]:
    """What SQS would deliver for a job, with the same id each time."""
    body = json.dumps({"org_id": job["org_id"], "generation_id": job["id"]})
    return {"Records": [{"messageId": f"message-{job['id']}", "body": body}]}


def deliver(cloud: LocalCloud, job: Item, trace: str = "") -> bool:
    """Deliver a job's message; whether it was worked off and the queue may forget it."""
    answer = invoke(cloud, "GenerationWorkerFunction", message(job), trace)
    return answer is not None and not answer["batchItemFailures"]


def deliver_until_done(cloud: LocalCloud, job: Item) -> None:
    """Deliver a job's message as the queue does: again, until it was worked off."""
    assert any(deliver(cloud, job) for _ in range(DELIVERIES))


def working(cloud: LocalCloud, shop: Shop, job: Item, holds: Callable[[], None]) -> Attempt:
    """A message that the queue delivers until it was worked off."""

    def go_on() -> None:
        deliver_until_done(cloud, job)
        assert shop.job(job["id"])["status"] in FINAL

    def send(trace: str) -> None:
        deliver(cloud, job, trace)

    return Attempt(shop, send, go_on, holds)


@flow
def work_and_settle(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud, with_brand=True)
    job = shop.accept(n=2, model=PROVIDERS_MODEL)
    return working(cloud, shop, job, lambda: sound(shop, used=2 * PRICE, images=2))


@flow
def settle_and_alert(cloud: LocalCloud) -> Attempt:
    """The charge that uses the allowance up: the owners are notified of both percentages."""
    shop = new_shop(cloud)
    shop.credits.open_month(shop.org_id, month(), now(), 1, 1)
    job = shop.accept()

    def holds() -> None:
        sound(shop, used=1, images=1)

    return working(cloud, shop, job, holds)


@flow
def fail_and_release(cloud: LocalCloud) -> Attempt:
    """The brand was deleted before the image was made, with its logo."""
    shop = new_shop(cloud, with_brand=True)
    job = shop.accept(model=PROVIDERS_MODEL)
    shop.delete_brand()

    def holds() -> None:
        sound(shop, used=0, images=0)
        assert shop.job(job["id"])["error"]["code"] == "brand_missing"
        assert shop.provider_calls() == 0

    return working(cloud, shop, job, holds)


@flow
def work_on_a_canceled_job(cloud: LocalCloud) -> Attempt:
    """The message of a job that was canceled in between."""
    shop = new_shop(cloud)
    job = shop.accept(model=PROVIDERS_MODEL)
    shop.call("POST", f"/v1/generations/{job['id']}/cancel")
    return working(cloud, shop, job, lambda: sound(shop, used=0, images=0))


def canceling(cloud: LocalCloud, shop: Shop, job: Item, *, used: int) -> Attempt:
    """A cancellation, repeated until it is answered; then the job's message comes after all."""

    def send(trace: str = "") -> int:
        path = f"/v1/generations/{job['id']}/cancel"
        return shop.call("POST", path, trace=trace).status_code

    def go_on() -> None:
        for _ in range(DELIVERIES):
            if send() == 200:
                break
        deliver_until_done(cloud, job)

    def holds() -> None:
        sound(shop, used=used, images=0)
        assert shop.job(job["id"])["status"] == "canceled"

    def under(trace: str) -> None:
        send(trace)

    return Attempt(shop, under, go_on, holds)


@flow
def cancel_a_queued_job(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud)
    return canceling(cloud, shop, shop.accept(model=PROVIDERS_MODEL), used=0)


@flow
def cancel_a_running_job(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud)
    job = shop.accept(model=PROVIDERS_MODEL)
    shop.ask_provider(job)
    return canceling(cloud, shop, job, used=PRICE)


def deleting(shop: Shop, job: Item, holds: Callable[[], None]) -> Attempt:
    """A removal, repeated until it is answered; 404 when an earlier attempt had done it."""

    def send(trace: str = "") -> int:
        return shop.call("DELETE", f"/v1/generations/{job['id']}", trace=trace).status_code

    def go_on() -> None:
        for _ in range(DELIVERIES):
            if send() in (204, 404):
                break

    def under(trace: str) -> None:
        send(trace)

    return Attempt(shop, under, go_on, holds)


@flow
def delete_a_finished_job(cloud: LocalCloud) -> Attempt:
    """What it cost stays in ledger and usage; of the job and its images nothing stays."""
    shop = new_shop(cloud)
    job = shop.accept(n=2, model=PROVIDERS_MODEL)
    deliver_until_done(cloud, job)
    assert len(shop.objects()) == 2

    def holds() -> None:
        assert shop.spent() == (2 * PRICE, 0)
        assert shop.counted() == 2
        assert ledger(shop) == []
        assert shop.everything() == []
        assert shop.objects() == []

    return deleting(shop, job, holds)


@flow
def delete_a_running_job(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud)
    job = shop.accept(model=PROVIDERS_MODEL)
    shop.ask_provider(job)

    def holds() -> None:
        assert shop.spent() == (PRICE, 0)
        assert shop.counted() == 1
        assert ledger(shop) == []
        assert shop.everything() == []

    return deleting(shop, job, holds)


@flow
def delete_a_waiting_job(cloud: LocalCloud) -> Attempt:
    shop = new_shop(cloud)
    job = shop.accept(model=PROVIDERS_MODEL)

    def holds() -> None:
        assert shop.spent() == (0, 0)
        assert ledger(shop) == []
        assert shop.everything() == []
        deliver_until_done(cloud, job)
        assert shop.objects() == []

    return deleting(shop, job, holds)


def sweep(cloud: LocalCloud) -> Attempt:
    """One of each kind at once: a lost message, a dead worker, expired media.

    Each is in an index partition of its own, so that the order of the calls is always the same.
    """
    shop = new_shop(cloud)
    lost, dead, old = shop.accept(), shop.accept(), shop.accept()
    assert shop.generations.lease_generation(shop.org_id, dead["id"], "dead", now(), now() + 150)
    deliver_until_done(cloud, old)
    assert len(shop.objects()) == 1
    # Due at last, all at once: the scheduled sweep may come at any moment.
    shop.edit(lost, sweep_shard="0", sweep_at=now() - 1)
    shop.edit(dead, sweep_shard="1", sweep_at=now() - 1, requeues=MAX_REQUEUES)
    shop.edit(shop.job(old["id"]), sweep_shard="done-2", sweep_at=now() - 1, expires_at=now() - 1)

    def send(trace: str) -> None:
        invoke(cloud, "CleanupFunction", {}, trace)

    def go_on() -> None:
        for _ in range(DELIVERIES):
            swept = invoke(cloud, "CleanupFunction", {})
            if swept is not None and not swept["failed"] and not due(shop):
                break
        finish(cloud, shop)

    def holds() -> None:
        # The expired job is gone with its image; what it cost stays in the ledger.
        assert {job["id"]: job["status"] for job in shop.jobs()} == {
            lost["id"]: "succeeded",
            dead["id"]: "failed",
        }
        assert shop.spent() == (2, 0)
        assert shop.counted() == 2
        assert len(shop.objects()) == 1
        assert not any("available" in each or "#" in each for each in ledger(shop))

    return Attempt(shop, send, go_on, holds)


def ledger(shop: Shop) -> list[str]:
    """Balances that differ from their movements."""
    return [each for each in shop.broken() if "images" not in each and "credits used" not in each]


def due(shop: Shop) -> bool:
    """Whether the sweep has left something that was due."""
    return any(job["sweep_at"] <= now() for job in shop.jobs())


@dataclass(frozen=True)
class Cell:
    """One call of one flow and what happens to it."""

    flow: str
    service: str
    operation: str
    number: int  # among its service's calls
    error: str

    def faults(self, trace: str) -> list[dict[str, object]]:
        """The fault, and for one that is not over in one blow, the second attempt's."""
        numbers = (self.number,) if self.error == "die" else (self.number, self.number + 1)
        return [
            {"service": self.service, "nth": nth, "error": self.error, "trace": trace}
            for nth in numbers
        ]


def cells_of(cloud: LocalCloud, name: str, prepare: Prepare) -> list[Cell]:
    """Run a flow without faults and list its calls. Of several runs the one with the fewest counts:
    a cold process reads more, and on a busy machine a call is sometimes made twice. One with less
    than half of another's does not count: the queue had delivered its message before."""

    def calls() -> list[dict[str, Any]]:
        trace = new_trace()
        attempt = prepare(cloud)
        attempt.send(trace)
        attempt.go_on()
        attempt.holds()
        return cloud.calls_under(trace)

    seen: dict[str, int] = {}
    cells = []
    runs = [calls() for _ in range(3)]
    most = max(map(len, runs))
    for call in min((run for run in runs if 2 * len(run) > most), key=len):
        service = call["service"]
        seen[service] = seen.get(service, 0) + 1
        cells += [Cell(name, service, call["operation"], seen[service], each) for each in FAULTS]
    assert cells
    return cells


def struck(cloud: LocalCloud, trace: str) -> bool:
    """Whether the fault met its call."""
    return any(call["fault"] for call in cloud.calls_under(trace))


@dataclass
class Matrix:
    """The cells that held."""

    cells: list[Cell] = field(default_factory=list)
    paid_calls: PaidCalls = field(default_factory=PaidCalls)

    def check_paid(self, shop: Shop) -> None:
        """Hold the calls of providers against what the shop pays, after a cell."""
        self.paid_calls.check(shop.provider_calls(), sum(shop.spent()), shop.jobs())

    def __str__(self) -> str:
        lines = [f"{len(self.cells)} cells of the crash matrix, every one of which holds:"]
        for name in dict.fromkeys(cell.flow for cell in self.cells):
            cells = [cell for cell in self.cells if cell.flow == name]
            calls = dict.fromkeys((cell.service, cell.operation, cell.number) for cell in cells)
            shown = ", ".join(f"{service}:{operation}" for service, operation, _ in calls)
            lines.append(f"  {name:32} {len(calls):3} calls {len(cells):3} cells   {shown}")
        return "\n".join([*lines, f"  {self.paid_calls}"])


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """Prints the table of cells that held."""
    filled = Matrix()
    yield filled
    print(f"\n{filled}")


@pytest.mark.promise("quota-org")
def test_a_fault_at_any_call_loses_no_job_frees_no_image_and_charges_none_twice(
    cloud: LocalCloud, matrix: Matrix
) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        learned = pool.map(lambda name: cells_of(cloud, name, FLOWS[name]), FLOWS)
        cells = [cell for found in learned for cell in found]
    traces = {cell: new_trace() for cell in cells}
    faults = [fault for cell, trace in traces.items() for fault in cell.faults(trace)]

    def run(cell: Cell) -> str | None:
        try:
            attempt = FLOWS[cell.flow](cloud)
            attempt.send(traces[cell])
            assert struck(cloud, traces[cell]), "the fault met no call"
            attempt.go_on()
            attempt.holds()
            matrix.check_paid(attempt.shop)
        except Exception as error:  # noqa: BLE001
            return f"{cell}: {type(error).__name__} {error}"
        return None

    with cloud.faults(faults), ThreadPoolExecutor(THREADS) as pool:
        wrong = [found for found in pool.map(run, cells) if found]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(cells)} cells", *wrong])
    matrix.cells += cells


@pytest.mark.promise("quota-org")
@pytest.mark.promise("media-72h")
def test_a_fault_at_any_call_of_the_sweep_is_made_up_for_by_the_next(
    cloud: LocalCloud, matrix: Matrix
) -> None:
    """One at a time: the sweep sees everything that is due, other cells' as well."""
    for cell in cells_of(cloud, "sweep", sweep):
        met = False
        for _ in range(3):
            trace = new_trace()
            attempt = sweep(cloud)
            with cloud.faults(cell.faults(trace)):
                attempt.send(trace)
            met = struck(cloud, trace)
            attempt.go_on()
            attempt.holds()
            matrix.check_paid(attempt.shop)
            if met:  # else the scheduled sweep came first and left nothing to do
                break
        assert met, cell
        matrix.cells.append(cell)
