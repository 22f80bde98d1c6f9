"""Requests that make something, and can be sent again with their idempotency key."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from imagelayer.platform import aws_calls
from imagelayer.platform.ids import new_id
from imagelayer.routes import ROUTES
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.endpoint_requests import BODIES, request
from tests.support.product import Product

# Those that make images are in tests/integration/generation and tests/integration/images.
CREATING = [key for key, route in ROUTES.items() if route.idempotent and not route.by_attempt]
SHARED = [route for route in CREATING if ROUTES[route].idempotent == "organization"]
OWN = [route for route in CREATING if ROUTES[route].idempotent == "actor"]
# The same request with something else in its body.
OTHERWISE: dict[str, dict[str, Any]] = {
    "POST /v1/auth/session": {"end_user_id": "user-2"},
    "POST /v1/organization/invitations": {"email": "another@example.com"},
    "POST /v1/organization/webhooks": {"description": "another"},
    "POST /v1/organization/webhooks/{webhook_id}/rotate": {"grace_seconds": 1},
    "POST /v1/keys": {"name": "another"},
    "POST /v1/keys/{key_id}/rotate": {"grace_seconds": 1},
    "POST /v1/brands": {"name": "Another"},
    "POST /v1/brands/{brand_id}/assets": {"size_bytes": 101},
}
TABLES = {
    "POST /v1/auth/session": "SessionsTable",
    "POST /v1/organization/invitations": "AccountsTable",
    "POST /v1/organization/webhooks": "WebhooksTable",
    "POST /v1/organization/webhooks/{webhook_id}/rotate": "WebhooksTable",
    "POST /v1/keys": "KeysTable",
    "POST /v1/keys/{key_id}/rotate": "KeysTable",
    "POST /v1/brands": "BrandsTable",
    "POST /v1/brands/{brand_id}/assets": "BrandsTable",
}


@dataclass(frozen=True)
class Order:
    """One request, as often as it takes."""

    product: Product
    route: str
    headers: dict[str, str]
    ids: dict[str, str]  # of what its path names

    def send(
        self, key: str | None = "order-1", headers: dict[str, str] | None = None, **changes: Any
    ) -> Answer:
        """Send it with an idempotency key, as someone else or with another body if so asked."""
        method, path, _ = request(self.route, self.ids)
        sent = dict(self.headers if headers is None else headers)
        if key is not None:
            sent["idempotency-key"] = key
        return self.product.call(method, path, headers=sent, body={**BODIES[self.route], **changes})

    def records(self) -> list[dict[str, Any]]:
        """What is kept of idempotency keys."""
        items = self.product.items(TABLES[self.route])
        return [item for item in items if item["sk"].startswith("IDEM#")]


def caller(product: Product, account: Account, route: str) -> dict[str, str]:
    """Headers of one who may send it."""
    if ROUTES[route].auth == "key":
        return bearer(product.key(account, *ALL_SCOPES))
    return account.headers


def order(product: Product, account: Account, route: str) -> Order:
    """A request that would make something, and what its path names."""
    ids = {}
    if "{key_id}" in route:
        ids["key_id"] = product.key(account, *ALL_SCOPES)["id"]
    if "{webhook_id}" in route:
        ids["webhook_id"] = product.webhook(account)["id"]
    if "{brand_id}" in route:
        ids["brand_id"] = product.brand(account)["id"]
    return Order(product, route, caller(product, account, route), ids)


def colleague(product: Product, account: Account, route: str) -> dict[str, str]:
    """Headers of another one of the same organization who may send it."""
    if ROUTES[route].auth == "key":
        return bearer(product.key(account, *ALL_SCOPES))
    return accounts.join(product, account, "colleague@example.com", "admin").headers


def shown(answer: Answer) -> dict[str, Any]:
    """What an answer shows of what was made; the form of an upload is made anew each time."""
    assert answer.status == 201, answer.text
    body = dict(answer.json)
    if "upload" in body:
        body["upload"] = body["upload"]["fields"]["key"]
    return body


def is_replayed(answer: Answer) -> bool:
    """Whether an answer says that an earlier request made it."""
    said = answer.headers.get("idempotent-replayed")
    assert said in (None, "true")
    return said == "true"


@contextlib.contextmanager
def collisions(product: Product, route: str, *, at_the_record: bool) -> Iterator[None]:
    """Every transaction meets another one: at the record of its idempotency key, which it puts
    last, or at what it makes."""

    def collide(params: dict[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        actions = len(json.loads(params["body"])["TransactItems"])
        reasons = [{"Code": "None"} for _ in range(actions)]
        reasons[-1 if at_the_record else 0] = {"Code": "TransactionConflict"}
        error = {"Code": "TransactionCanceledException", "Message": ""}
        return SimpleNamespace(status_code=400), {"Error": error, "CancellationReasons": reasons}

    platform = product.platform(ROUTES[route].function)
    events = platform.client("dynamodb").meta.events
    events.register("before-call.dynamodb.TransactWriteItems", collide)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aws_calls, "CONFLICT_PAUSE_SECONDS", 0)
            yield
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", collide)


def missing(name: str, prefix: str) -> dict[str, str]:
    """An id of something that is not there."""
    return {name: new_id(prefix, 1_800_000_000)}
