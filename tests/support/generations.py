"""Asking for images, over HTTP and at moments that a test chooses."""

from __future__ import annotations

from copy import replace
from dataclasses import dataclass
from typing import Any

from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.times import parse_rfc3339
from tests.support.api import Account, Answer
from tests.support.product import Product

ORIGIN = Origin("198.51.100.7", "req-1")


def create(
    product: Product,
    headers: dict[str, str],
    key: str | None = None,
    attempt: int | None = None,
    **body: object,
) -> Answer:
    """Ask with an idempotency key, or as a client that counts its attempts."""
    sent = dict(headers)
    if key is not None:
        sent["idempotency-key"] = key
    if attempt is not None:
        sent["x-stainless-retry-count"] = str(attempt)
    fields = {"prompt": "warm waves", "size": "256x256", **body}
    return product.call("POST", "/v1/generations", headers=sent, body=fields)


def cancel(product: Product, headers: dict[str, str], generation_id: str) -> Answer:
    """Stop a job."""
    return product.call("POST", f"/v1/generations/{generation_id}/cancel", headers=headers)


def read(product: Product, headers: dict[str, str], generation_id: str) -> dict[str, Any]:
    """A job as its caller sees it."""
    answer = product.call("GET", f"/v1/generations/{generation_id}", headers=headers)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def job(product: Product, generation_id: str) -> dict[str, Any]:
    """A job as it is stored."""
    return product.item("GenerationsTable", f"GEN#{generation_id}")


def moment(text: str) -> float:
    """Seconds since the epoch."""
    seconds = parse_rfc3339(text)
    assert seconds is not None
    return seconds


@dataclass
class Till:
    """An organization's requests without HTTP, each at its own moment."""

    product: Product
    account: Account

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return Principal("user", self.account.org_id, self.account.user_id, frozenset())

    def ask(self, now: float, n: int = 1) -> str:
        """Ask for `n` images, a credit each; returns the job's id."""
        generations = self.product.part("generation", GenerationsWiring).generations
        body = CreateGenerationRequest(prompt="waves", size="256x256", n=n)
        return str(generations.create_generation(self.principal, ORIGIN, now, body).body["id"])

    def work(self, generation_id: str, now: float) -> str:
        """Let the worker make it."""
        worker = self.product.part("generation_worker", GenerationsWiring).generation_worker
        late = replace(worker, clock=lambda: now)
        return late.work(self.account.org_id, generation_id, "m-1")

    def cancel(self, generation_id: str, now: float) -> None:
        """Stop it."""
        generations = self.product.part("generation", GenerationsWiring).generations
        generations.cancel_generation(self.principal, generation_id, now)
