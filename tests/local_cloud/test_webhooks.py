"""Webhooks on the deployed template: they arrive, once, whatever dies on the way.

The receiver runs on this machine, which the local stage alone allows. Each endpoint has a path of
its own there, so that tests do not see each other's messages.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from dev.local_cloud import LocalCloud
from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.ids import new_id
from imagelayer.platform.table import Item
from imagelayer.webhooks.delivery import WebhookWorker
from imagelayer.webhooks.messages import DeliveryTask
from imagelayer.webhooks.outbox import WebhookOutbox, new_message
from imagelayer.webhooks.records import Message
from imagelayer.webhooks.sender import WebhookHttp
from imagelayer.webhooks.signing import RootKeys
from imagelayer.webhooks.store import MAX_WEBHOOKS, WebhookStore, _delivery_item
from tests.support import cloud_accounts
from tests.support.cloud_clients import new_owner
from tests.support.cloud_organizations import NoQueue, Shop, invoke, new_shop, new_trace

FAULTS = ("throttle", "500", "timeout", "drop-after-write", "die")
PATH = "/v1/organization/webhooks"
RACERS = 12
THREADS = 6


@dataclass(frozen=True)
class Got:
    """One request that arrived."""

    body: bytes
    headers: dict[str, str]

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> None:
        """Check its signature as a receiver does."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """A server on this machine that notes what arrives, by path."""

    arrived: dict[str, list[Got]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, list[int]] = field(default_factory=dict)  # answered in turn, then 204
    seconds: float = 0
    base_url: str = ""
    _paths: Iterator[int] = field(default_factory=itertools.count)

    def new_path(self, *statuses: int) -> str:
        """A path that no one else uses, with what it answers first."""
        path = f"/{next(self._paths)}-{secrets.token_hex(4)}"
        self.statuses[path] = list(statuses)
        return path

    def wait(self, path: str, count: int = 1, seconds: float = 40) -> list[Got]:
        """What has arrived at a path, once it is that many."""
        deadline = time.monotonic() + seconds
        while len(self.arrived[path]) < count:
            assert time.monotonic() < deadline, f"{len(self.arrived[path])} of {count} arrived"
            time.sleep(0.05)
        return list(self.arrived[path])


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver for all of this module's endpoints."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.arrived[self.path].append(Got(body, headers))
            time.sleep(made.seconds)
            statuses = made.statuses.get(self.path)
            self.send_response(statuses.pop(0) if statuses else 204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)


def store_of(cloud: LocalCloud) -> WebhookStore:
    """The deployed table, reached around the product."""
    return WebhookStore(cloud.client("dynamodb"), cloud_accounts.table(cloud, "WebhooksTable"))


def endpoint(shop: Shop, receiver: Receiver, path: str) -> dict[str, Any]:
    """An endpoint of a shop at the receiver."""
    answer = shop.call("POST", PATH, json={"url": receiver.base_url + path})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def waiting_message(cloud: LocalCloud, shop: Shop, webhook_id: str) -> DeliveryTask:
    """A message with a delivery that no queue message requests."""
    now = time.time()
    message = new_message(shop.org_id, "generation.failed", {"id": "gen_none"}, now)
    store_of(cloud).add_message_for(message, webhook_id)
    return DeliveryTask(shop.org_id, message["id"], webhook_id, int(now))


def deliver(cloud: LocalCloud, task: DeliveryTask, trace: str = "") -> bool:
    """Hand a message to the function; whether it was worked off and the queue may forget it."""
    record = {"messageId": secrets.token_hex(8), "body": json.dumps(task.to_dict())}
    answer = invoke(cloud, "WebhookDeliveryFunction", {"Records": [record]}, trace)
    return answer is not None and not answer["batchItemFailures"]


def delivery(cloud: LocalCloud, task: DeliveryTask) -> Item:
    """A delivery as it stands."""
    table = cloud_accounts.table(cloud, "WebhooksTable")
    found = table.get(f"ORG#{task.org_id}", f"DLV#{task.message_id}#{task.webhook_id}")
    assert found is not None
    return found


def edit(cloud: LocalCloud, item: Item, **values: Any) -> None:
    """Change an item behind the product's back, as time would."""
    settings = ", ".join(f"#{name} = :{name}" for name in values)
    table = cloud_accounts.table(cloud, "WebhooksTable")
    table.update(item["pk"], item["sk"], f"SET {settings}", **values)


def test_a_finished_generation_arrives_signed_and_is_in_the_log(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    owner = new_owner(cloud)
    path = receiver.new_path()
    webhook = owner.webhook(url=receiver.base_url + path)
    job = owner.generate(size="256x256")
    (got,) = receiver.wait(path)
    got.verify(webhook["secret"])
    told = json.loads(got.body)
    assert (told["type"], told["data"]["id"]) == ("generation.succeeded", job["id"])
    assert told["data"]["asset_ids"] == [each["id"] for each in job["assets"]]
    log = owner.poll(f"{PATH}/{webhook['id']}/attempts", lambda found: found["data"])["data"]
    assert [(each["message_id"], each["outcome"], each["status_code"]) for each in log] == [
        (got.id, "succeeded", 204)
    ]


def test_a_receiver_that_fails_at_first_gets_it_a_few_seconds_later_with_the_same_id(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    """Through the queue and its delay. And while its secret is rotated both verify."""
    owner = new_owner(cloud)
    path = receiver.new_path(500)
    webhook = owner.webhook(url=receiver.base_url + path)
    rotated = owner.call(
        "POST", f"{PATH}/{webhook['id']}/rotate", token=owner.access_token, json={}
    ).json()
    owner.secrets.add(rotated["secret"])
    job = owner.call(
        "POST", "/v1/generations", token=owner.key["key"], json={"prompt": "x", "size": "256x256"}
    ).json()
    first, second = receiver.wait(path, 2)
    assert first.id == second.id
    assert first.body == second.body
    assert json.loads(first.body)["data"]["id"] == job["id"]
    waited = int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"])
    assert waited >= 5
    for got in (first, second):
        for secret in (webhook["secret"], rotated["secret"]):
            got.verify(secret)


def test_a_message_whose_queue_message_was_lost_is_found_by_the_sweep(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    shop = new_shop(cloud)
    path = receiver.new_path()
    webhook = endpoint(shop, receiver, path)
    task = waiting_message(cloud, shop, webhook["id"])
    edit(cloud, delivery(cloud, task), sweep_at=int(time.time()) - 1)
    deadline = time.monotonic() + 30
    while not receiver.arrived[path]:
        assert time.monotonic() < deadline
        # The scheduled sweep may come first; the index lags.
        assert invoke(cloud, "WebhookDeliveryFunction", {})["failed"] == 0
        time.sleep(0.5)
    assert [got.id for got in receiver.wait(path)] == [task.message_id]


def test_of_many_racing_requests_exactly_as_many_endpoints_are_made_as_may_be(
    cloud: LocalCloud,
) -> None:
    shop = new_shop(cloud)

    def create(number: int) -> int:
        body = {"url": f"https://hooks.example.com/{number}"}
        answer = shop.call("POST", PATH, json=body)
        if answer.status_code == 409:
            assert answer.json()["code"] == "webhook_limit_reached"
        return answer.status_code

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(create, range(MAX_WEBHOOKS + 8)))
    assert answers.count(201) == MAX_WEBHOOKS
    assert set(answers) == {201, 409}
    listed = shop.call("GET", PATH, params={"limit": 100}).json()["data"]
    assert len(listed) == MAX_WEBHOOKS


def test_workers_that_race_for_one_delivery_send_it_once(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    shop = new_shop(cloud)
    orders, paths = [], []
    for _ in range(4):
        paths.append(receiver.new_path())
        webhook = endpoint(shop, receiver, paths[-1])
        orders.append(waiting_message(cloud, shop, webhook["id"]))
    with ThreadPoolExecutor(RACERS) as pool:
        done = list(pool.map(partial(deliver, cloud), [*orders] * RACERS))
    assert all(done)
    assert [len(receiver.arrived[path]) for path in paths] == [1, 1, 1, 1]
    assert {delivery(cloud, task)["status"] for task in orders} == {"succeeded"}
    assert {delivery(cloud, task)["attempts"] for task in orders} == {1}


class CarelessStore(WebhookStore):
    """The control: it looks whether a delivery is due, and then takes it."""

    def lease_delivery(
        self, org_id: str, message_id: str, webhook_id: str, lease: str, now: int, until: int
    ) -> Any:
        """Read, decide, write."""
        key = (f"ORG#{org_id}", f"DLV#{message_id}#{webhook_id}")
        found = self._table.get(*key)
        if found is None or found["status"] != "pending" or found.get("leased_until", 0) > now:
            return None
        return self._table.update(
            *key,
            "SET #lease = :lease, #leased_until = :until, #attempts = #attempts + :one",
            lease=lease,
            until=until,
            one=1,
        )


def in_process(cloud: LocalCloud, store: WebhookStore) -> WebhookWorker:
    """The worker's rules over the deployed table, in this process."""
    queue: Any = NoQueue()
    return WebhookWorker(
        store=store,
        queue=queue,
        outbox=WebhookOutbox(store, queue, lambda _what: None),
        sender=WebhookHttp(loopback=True),
        roots=lambda needed="": RootKeys.of("control"),
        security=SecurityLog(lambda _event: None),
        warn=lambda _what: None,
        clock=time.time,
        random=lambda: 0.0,
        token=secrets.token_hex,
    )


def worker_of_its_own(
    cloud: LocalCloud, receiver: Receiver, store: type[WebhookStore]
) -> tuple[WebhookWorker, Shop, str, str]:
    """A worker in this process, and an endpoint for it alone: shop, path and id."""
    shop = new_shop(cloud)
    path = receiver.new_path()
    webhook_id = new_id("whk", time.time())
    # Drawn from a root key of the control's own: no function may send it in the meantime.
    worker = in_process(
        cloud, store(cloud.client("dynamodb"), cloud_accounts.table(cloud, "WebhooksTable"))
    )
    worker.store.create_webhook(
        {
            "id": webhook_id,
            "org_id": shop.org_id,
            "url": receiver.base_url + path,
            "events": [],
            "description": "",
            "enabled": True,
            "secret": {"root": RootKeys.of("control").current, "version": 1},
            "previous": [],
            "created_at": int(time.time()),
            "created_by": "control",
            "updated_at": int(time.time()),
        }
    )
    return worker, shop, path, webhook_id


def race_in_process(cloud: LocalCloud, receiver: Receiver, store: type[WebhookStore]) -> int:
    """How often one delivery is sent by workers that begin at the same moment."""
    worker, shop, path, webhook_id = worker_of_its_own(cloud, receiver, store)
    task = waiting_message(cloud, shop, webhook_id)
    together = threading.Barrier(RACERS)

    def send(_: int) -> str:
        together.wait()
        return worker.work(task)

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(send, range(RACERS)))
    return len(receiver.arrived[path])


def test_a_worker_that_reads_before_it_leases_sends_twice(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    """The control, beside the same race with the real store."""
    assert race_in_process(cloud, receiver, WebhookStore) == 1
    assert race_in_process(cloud, receiver, CarelessStore) > 1


@dataclass(frozen=True)
class Cell:
    """One call of a flow and what happens to it."""

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


def cells_of(cloud: LocalCloud, run: Callable[[str], None]) -> list[Cell]:
    """Run a flow twice without faults and list the calls of a warm process."""
    trace = ""
    for _ in range(2):
        trace = new_trace()
        run(trace)
    seen: dict[str, int] = {}
    cells = []
    for call in cloud.calls_under(trace):
        seen[call["service"]] = seen.get(call["service"], 0) + 1
        number = seen[call["service"]]
        cells += [Cell(call["service"], call["operation"], number, each) for each in FAULTS]
    assert cells
    return cells


def run_cells(
    cloud: LocalCloud, cells: list[Cell], flow: Callable[[str], Callable[[], None]]
) -> None:
    """Each cell by itself under its fault; `flow` makes the attempt and returns what follows."""
    traces = {cell: new_trace() for cell in cells}
    faults = [fault for cell, trace in traces.items() for fault in cell.faults(trace)]

    def run(cell: Cell) -> str | None:
        try:
            go_on = flow(traces[cell])
            met = any(call["fault"] for call in cloud.calls_under(traces[cell]))
            assert met, "the fault met no call"
            go_on()
        except Exception as error:  # noqa: BLE001
            return f"{cell}: {type(error).__name__} {error}"
        return None

    with cloud.faults(faults), ThreadPoolExecutor(THREADS) as pool:
        wrong = [found for found in pool.map(run, cells) if found]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(cells)} cells", *wrong])
    calls = dict.fromkeys((cell.service, cell.operation, cell.number) for cell in cells)
    shown = ", ".join(f"{service}:{operation}" for service, operation, _ in calls)
    print(f"\n{len(cells)} cells hold: {shown}")


def test_a_fault_at_any_call_of_a_delivery_loses_no_message_and_changes_no_id(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    """What was leased and not settled is sent again once the lease has run out: at least once,
    and the receiver tells by `webhook-id`. It arrives twice only where it had arrived."""
    shop = new_shop(cloud)
    webhooks = [endpoint(shop, receiver, receiver.new_path()) for _ in range(THREADS)]
    spare = itertools.cycle(webhooks)

    def flow(trace: str) -> Callable[[], None]:
        webhook = next(spare)
        task = waiting_message(cloud, shop, webhook["id"])
        deliver(cloud, task, trace)

        def go_on() -> None:
            for _ in range(6):
                if delivery(cloud, task)["status"] == "succeeded":
                    break
                if "lease" in delivery(cloud, task):
                    edit(cloud, delivery(cloud, task), leased_until=int(time.time()) - 1)
                deliver(cloud, task)
            stands = delivery(cloud, task)
            assert stands["status"] == "succeeded"
            assert "sweep_at" not in stands
            path = webhook["url"].removeprefix(receiver.base_url)
            times = [got.id for got in receiver.arrived[path]].count(task.message_id)
            assert 1 <= times <= 2
            assert times <= stands["attempts"]

        return go_on

    def whole(trace: str) -> None:
        flow(trace)()

    run_cells(cloud, cells_of(cloud, whole), flow)


def test_a_fault_at_any_call_of_the_worker_reports_its_job_exactly_once(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    """The message is in the transaction that settles the job, so there is one or none of both."""

    def flow(trace: str) -> Callable[[], None]:
        shop = new_shop(cloud)
        path = receiver.new_path()
        endpoint(shop, receiver, path)
        job = shop.accept()
        body = json.dumps({"org_id": job["org_id"], "generation_id": job["id"]})
        event = {"Records": [{"messageId": f"message-{job['id']}", "body": body}]}
        invoke(cloud, "GenerationWorkerFunction", event, trace)

        def go_on() -> None:
            for _ in range(8):
                if shop.job(job["id"])["status"] == "succeeded":
                    break
                invoke(cloud, "GenerationWorkerFunction", event)
            assert shop.job(job["id"])["status"] == "succeeded"
            assert shop.broken() == []
            table = cloud_accounts.table(cloud, "WebhooksTable")
            (message,) = table.query(f"ORG#{shop.org_id}", prefix="MSG#")
            if "sweep_at" in message:  # its queue message may be lost: the sweep finds it
                edit(cloud, message, sweep_at=int(time.time()) - 1)
            deadline = time.monotonic() + 40
            while not receiver.arrived[path]:
                assert time.monotonic() < deadline, "nothing arrived"
                invoke(cloud, "WebhookDeliveryFunction", {})
                time.sleep(0.5)
            told = [json.loads(got.body) for got in receiver.arrived[path]]
            assert {each["data"]["id"] for each in told} == {job["id"]}
            assert {each["type"] for each in told} == {"generation.succeeded"}
            assert {got.id for got in receiver.arrived[path]} == {message["id"]}

        return go_on

    def whole(trace: str) -> None:
        flow(trace)()

    run_cells(cloud, cells_of(cloud, whole), flow)


class CarelessOpener(WebhookStore):
    """The control: it opens what it has read to be unopened."""

    def open_message(self, message: Message, webhook_ids: Sequence[str], now: int) -> None:
        """Put the deliveries, whatever has happened to the message since."""
        for webhook_id in webhook_ids:
            self._table.put(_delivery_item(message, webhook_id, now))


def race_to_open(cloud: LocalCloud, receiver: Receiver, store: type[WebhookStore]) -> int:
    """How often a message is sent by workers that all read it unopened: half of them open it at
    once, the others after it was sent."""
    worker, shop, path, webhook_id = worker_of_its_own(cloud, receiver, store)
    now = time.time()
    message = new_message(shop.org_id, "generation.failed", {"id": "gen_none"}, now)
    assert worker.store.add_message(message)
    task = DeliveryTask(shop.org_id, message["id"], webhook_id, int(now))
    together, sent = threading.Barrier(RACERS), threading.Event()

    def open_and_send(number: int) -> None:
        found = worker.store.message(shop.org_id, message["id"], int(now))
        assert found is not None
        together.wait()
        if number % 2:
            assert sent.wait(60)
        worker.store.open_message(found, [webhook_id], int(now))
        if worker.work(task) == "succeeded":
            sent.set()

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(open_and_send, range(RACERS)))
    return len(receiver.arrived[path])


def test_a_message_that_workers_race_to_open_is_sent_once(
    cloud: LocalCloud, receiver: Receiver
) -> None:
    assert race_to_open(cloud, receiver, WebhookStore) == 1


def test_the_racy_opener_control_sends_again(cloud: LocalCloud, receiver: Receiver) -> None:
    assert race_to_open(cloud, receiver, CarelessOpener) > 1
