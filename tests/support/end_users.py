"""What a customer's server and its end users do, for the tests of their sessions."""

from __future__ import annotations

from typing import Any

from tests.support.api import ALL_SCOPES, Account, Answer, bearer, session_bearer
from tests.support.product import Product

MINT = "/v1/auth/session"
REVOKE = "/v1/auth/session/revoke"
SHOP = "https://shop.example"


def key_of(product: Product, owner: Account, mode: str = "live") -> dict[str, Any]:
    """A key that may do everything."""
    return product.key(owner, *ALL_SCOPES, mode=mode)


def mint(product: Product, key: dict[str, Any], **body: Any) -> Answer:
    """Ask for a session."""
    sent = {"end_user_id": "user-1", **body}
    return product.call("POST", MINT, headers=bearer(key), body=sent)


def revoke(product: Product, headers: dict[str, str], **body: Any) -> Answer:
    """End sessions."""
    return product.call("POST", REVOKE, headers=headers, body=body)


def generate(
    product: Product,
    session: dict[str, Any],
    *,
    origin: str | None = None,
    idempotency_key: str | None = None,
    **body: Any,
) -> Answer:
    """Ask for an image as an end user's browser does."""
    headers = session_bearer(session)
    if origin is not None:
        headers["origin"] = origin
    if idempotency_key is not None:
        headers["idempotency-key"] = idempotency_key
    sent = {"prompt": "warm waves", "size": "256x256", **body}
    return product.call("POST", "/v1/generations", headers=headers, body=sent)


def read(product: Product, session: dict[str, Any], path: str, **headers: str) -> Answer:
    """Read something as an end user's browser does."""
    return product.call("GET", path, headers=session_bearer(session) | headers)


def is_good(product: Product, session: dict[str, Any]) -> bool:
    """Whether a session's token is still accepted: what it requests does not exist either way."""
    status = read(product, session, "/v1/generations/gen_00000000000000000000000000").status
    assert status in (401, 404)
    return status == 404


def records(product: Product) -> list[dict[str, Any]]:
    """The records of end users' sessions."""
    return [item for item in product.items("SessionsTable") if item["pk"].startswith("EUS#")]


def record(product: Product, session: dict[str, Any]) -> dict[str, Any]:
    """The record of one session."""
    (found,) = [item for item in records(product) if item["id"] == session["id"]]
    return found
