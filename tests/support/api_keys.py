"""What people and servers do with API keys, for the tests of their life."""

from __future__ import annotations

from typing import Any

from tests.support.api import Account, Answer, bearer
from tests.support.product import Product

HOME = "198.51.100.7"  # where calls come from unless they say otherwise
VALID: dict[str, Any] = {"name": "k", "scopes": ["assets:read"], "mode": "live"}


def create(product: Product, account: Account, **changes: Any) -> Answer:
    """Ask for a key."""
    return product.call("POST", "/v1/keys", headers=account.headers, body={**VALID, **changes})


def own(product: Product, key: dict[str, Any], ip: str = HOME) -> Answer:
    """What a key may read about itself."""
    return product.call("GET", "/v1/keys/self", headers=bearer(key), ip=ip)


def read(product: Product, account: Account, key: dict[str, Any]) -> dict[str, Any]:
    """A key as the dashboard shows it."""
    answer = product.call("GET", f"/v1/keys/{key['id']}", headers=account.headers)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def rotate(
    product: Product, headers: dict[str, str], key: dict[str, Any], grace: int = 0
) -> Answer:
    """Ask for a new secret."""
    path = f"/v1/keys/{key['id']}/rotate"
    return product.call("POST", path, headers=headers, body={"grace_seconds": grace})


def change(product: Product, account: Account, key: dict[str, Any], **changes: Any) -> Answer:
    """Change a key."""
    path = f"/v1/keys/{key['id']}"
    return product.call("PATCH", path, headers=account.headers, body=changes)


def revoke(product: Product, account: Account, key: dict[str, Any]) -> Answer:
    """Revoke a key."""
    return product.call("DELETE", f"/v1/keys/{key['id']}", headers=account.headers)


def record(product: Product, key: dict[str, Any]) -> dict[str, Any]:
    """The item of a key."""
    wanted = f"KEY#{key['id']}"
    (found,) = [item for item in product.items("KeysTable") if item["sk"] == wanted]
    return found


def counter(product: Product) -> dict[str, Any]:
    """The item that counts an organization's keys."""
    return product.item("KeysTable", "KEYS")


def set_limits(product: Product, account: Account, **limits: dict[str, int]) -> dict[str, Any]:
    """Give an organization other limits, as the operator; `key_read` stands for `key-read`."""
    named = {name.replace("_", "-"): limit for name, limit in limits.items()}
    action = {"action": "set_plan", "org_id": account.org_id, "limits": named}
    return dict(product.invoke("administration", action))
