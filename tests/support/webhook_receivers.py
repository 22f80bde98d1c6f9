"""Receivers of webhooks that answer as they are set to, and a clock that can be moved."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from copy import replace
from dataclasses import dataclass, field
from typing import Any

from moto.sqs.models import sqs_backends
from standardwebhooks import Webhook

from imagelayer.platform.table import transact
from imagelayer.webhooks.delivery import WebhookWorker
from imagelayer.webhooks.sender import Receipt, Undeliverable
from imagelayer.webhooks.wiring import WebhooksWiring
from tests.support import aws
from tests.support.api import Account, Answer
from tests.support.product import Product

PATH = "/v1/organization/webhooks"


@dataclass
class Sent:
    """One request that a receiver got."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    at: float

    @property
    def json(self) -> Any:
        """What it tells."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> None:
        """Check its signature as a receiver does. Raises WebhookVerificationError."""
        Webhook(secret).verify(self.body, dict(self.headers))


@dataclass
class Clock:
    """The time of the delivery function, and how far it was moved ahead. It begins a little late,
    so that what was asked for over HTTP just now is due."""

    seconds: float = 0
    base: float = field(default_factory=lambda: time.time() + 5)

    def __call__(self) -> float:
        return self.base + self.seconds


@dataclass
class Receivers:
    """Stands in for the network: every URL is answered with the next of `answers`, the last one
    for ever; an answer is a status, a receipt, or the kind of a failure."""

    answers: list[int | str | Receipt] = field(default_factory=lambda: [200])
    got: list[Sent] = field(default_factory=list)
    seconds: float = 0
    clock: Clock = field(default_factory=Clock)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        """Answer one request."""
        self.got.append(Sent(url, body, dict(headers), self.clock()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.clock.seconds += self.seconds
        if isinstance(answer, str):
            raise Undeliverable(answer)
        return answer if isinstance(answer, Receipt) else Receipt(answer, None)


@dataclass
class Post:
    """The delivery function of a product, its queue, and its receivers."""

    product: Product
    receivers: Receivers
    later: list[dict[str, Any]] = field(default_factory=list)  # what the queue holds back

    @property
    def worker(self) -> WebhookWorker:
        """Its use cases."""
        return self.product.part("webhook_delivery", WebhooksWiring).webhook_worker

    def messages(self) -> list[dict[str, Any]]:
        """Take what waits in the queue, delayed or not: bodies, with the delay in seconds."""
        name = self.product.names["WebhookQueue"].rpartition("/")[2]
        waiting = sqs_backends[aws.ACCOUNT][aws.REGION].queues[name]._messages
        found = [
            {
                "delay": (vars(each)["delayed_until"] - vars(each)["sent_timestamp"]) // 1000,
                **json.loads(each.body),
            }
            for each in waiting
        ]
        waiting.clear()
        return found

    def deliver(self, bodies: list[dict[str, Any]]) -> None:
        """Hand messages to the function, as the queue does."""
        for number, body in enumerate(bodies):
            told = {name: value for name, value in body.items() if name != "delay"}
            record = {"messageId": f"m-{number}", "body": json.dumps(told)}
            reported = self.product.invoke("webhook_delivery", {"Records": [record]})
            assert reported == {"batchItemFailures": []}, self.product.output.getvalue()

    def run(self, rounds: int = 6) -> None:
        """Work off what is due now; what is delayed goes round and stays in the queue."""
        for _ in range(rounds):
            taken = self.messages()
            now = [body for body in taken if body.get("not_before", 0) <= self.receivers.clock()]
            self.later += [body for body in taken if body not in now]
            if not now:
                return
            self.deliver(now)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, the queue deliver what becomes due, and the sweep run."""
        self.receivers.clock.seconds += seconds
        waiting, self.later = self.later, []
        now = [body for body in waiting if body["not_before"] <= self.receivers.clock()]
        self.later = [body for body in waiting if body not in now]
        self.deliver(now)
        self.run()
        self.sweep()
        self.run()

    def sweep(self) -> dict[str, int]:
        """Run the schedule once."""
        return dict(self.product.invoke("webhook_delivery", {}))

    def attempts(self, account: Account, webhook_id: str) -> list[dict[str, Any]]:
        """The log, oldest first."""
        answer = self.product.call(
            "GET", f"{PATH}/{webhook_id}/attempts", headers=account.headers, query={"limit": "100"}
        )
        assert answer.status == 200, answer.text
        return list(answer.json["data"])[::-1]

    def webhook(self, account: Account, webhook_id: str) -> dict[str, Any]:
        """An endpoint as its owner sees it."""
        answer = self.product.call("GET", f"{PATH}/{webhook_id}", headers=account.headers)
        assert answer.status == 200, answer.text
        return dict(answer.json)

    def send(self, account: Account, event: str = "generation.succeeded", **data: Any) -> str:
        """Something happens and is announced; returns the message's id."""
        wiring = self.product.part("webhook_delivery", WebhooksWiring)
        outbox, now = wiring.webhook_outbox, self.receivers.clock()
        announcement = outbox.announce(account.org_id, event, {"id": "gen_x", **data}, now)
        (action,) = announcement.actions
        transact(wiring.platform.client("dynamodb"), [action])
        announcement.send()
        return str(action.request["Item"]["id"]["S"])


def post_of(product: Product) -> Post:
    """The delivery function of a product, with receivers of ours in place of the network."""
    receivers = Receivers()
    wiring = product.part("webhook_delivery", WebhooksWiring)
    vars(wiring.platform)["clock"] = receivers.clock
    vars(wiring)["webhook_worker"] = replace(
        wiring.webhook_worker, sender=receivers, clock=receivers.clock, random=lambda: 0.0
    )
    return Post(product, receivers)


def call(product: Product, account: Account, method: str, path: str, **parts: Any) -> Answer:
    """A request of someone's dashboard to the webhooks."""
    return product.call(method, f"{PATH}{path}", headers=account.headers, **parts)
