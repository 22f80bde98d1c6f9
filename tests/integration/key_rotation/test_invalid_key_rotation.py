"""Keys that cannot be made or rotated as asked."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.times import rfc3339
from tests.support.product import Account, Product, bearer

VALID: dict[str, Any] = {"name": "k", "scopes": ["assets:read"], "mode": "live"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["*"]}, "scopes"),
        ({"scopes": ["keys:write"]}, "scopes"),
        ({"scopes": ["account:read"]}, "scopes"),
        ({"scopes": "assets:read"}, "scopes"),
        ({"mode": "production"}, "mode"),
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "expires_at"),
        ({"expires_at": 4_102_444_800}, "expires_at"),
        ({"org_id": "org_1"}, "org_id"),
        ({"key": "il_live_mine"}, "key"),
    ],
)
def test_a_key_that_breaks_a_rule_is_not_made(
    product: Product, owner: Account, changes: dict[str, Any], field: str
) -> None:
    before = product.counts()
    answer = product.call("POST", "/v1/keys", headers=owner.headers, body={**VALID, **changes})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["location"].startswith(f"body.{field}")
    assert product.counts() == before
    assert product.call("GET", "/v1/keys", headers=owner.headers).json["data"] == []


@pytest.mark.parametrize("grace", [-1, 604_801, 1.5, "60", True, None])
def test_a_grace_outside_its_range_rotates_nothing(
    product: Product, owner: Account, grace: Any
) -> None:
    key = product.key(owner, "assets:read")
    path = f"/v1/keys/{key['id']}/rotate"
    answer = product.call("POST", path, headers=owner.headers, body={"grace_seconds": grace})
    assert answer.status == 422
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 200


def test_an_expired_key_is_neither_accepted_nor_rotated(product: Product, owner: Account) -> None:
    body = {**VALID, "expires_at": rfc3339(time.time() + 3600)}
    key = product.call("POST", "/v1/keys", headers=owner.headers, body=body).json
    past = int(time.time()) - 1
    product.edit("KeysTable", product.secret(key["key"]), valid_until=past)
    product.edit("KeysTable", product.item("KeysTable", "KEY#"), valid_until=past)
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 401
    path = f"/v1/keys/{key['id']}/rotate"
    answer = product.call("POST", path, headers=owner.headers, body={})
    assert (answer.status, answer.json["code"]) == (409, "conflict")


def test_two_rotations_that_read_the_same_key_leave_one_new_secret(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    store = product.wiring("key_rotation").keys
    stale = store.get(owner.org_id, key["id"])
    assert stale is not None
    path = f"/v1/keys/{key['id']}/rotate"
    first = product.call("POST", path, headers=owner.headers, body={}).json
    shown = {"prefix": "il_live_xxxx", "last_four": "xxxx"}
    now = int(time.time())
    assert not store.rotate(stale, "0" * 64, shown, previous_ends=now, now=now)
    assert not store.revoke(stale)
    assert len([each for each in product.items("KeysTable") if each["sk"] == "SECRET"]) == 1
    assert product.call("GET", "/v1/keys/self", headers=bearer(first)).status == 200


@pytest.mark.promise("keys-rotate", "org-scoped")
def test_a_key_may_rotate_no_key_but_itself(product: Product, owner: Account) -> None:
    key, other = product.key(owner, "keys:rotate"), product.key(owner, "keys:rotate")
    path = f"/v1/keys/{other['id']}/rotate"
    answer = product.call("POST", path, headers=bearer(key), body={"grace_seconds": 0})
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert product.call("GET", "/v1/keys/self", headers=bearer(other)).status == 200


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/keys", VALID),
        ("GET", "/v1/keys", None),
        ("GET", "/v1/keys/{id}", None),
        ("DELETE", "/v1/keys/{id}", None),
        ("GET", "/v1/auth/me", None),
    ],
)
def test_no_key_makes_reads_or_revokes_keys_or_is_a_person(
    product: Product, owner: Account, method: str, path: str, body: Any
) -> None:
    key = product.key(owner, "keys:rotate", "assets:read")
    before = product.counts()
    answer = product.call(method, path.format(**key), headers=bearer(key), body=body)
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert product.counts() == before
    (denied,) = product.security_events("authz.denied")
    assert (denied["org_id"], denied["actor"]) == (owner.org_id, key["id"])


def test_a_dashboard_token_is_no_key(product: Product, owner: Account) -> None:
    assert product.call("GET", "/v1/keys/self", headers=owner.headers).status == 403


def test_a_secret_in_its_grace_cannot_rotate_its_key(product: Product, owner: Account) -> None:
    """A leaked secret that was rotated away must not put itself in its successor's place."""
    key = product.key(owner, "keys:rotate")
    path = f"/v1/keys/{key['id']}/rotate"
    body = {"grace_seconds": 3600}
    rotated = product.call("POST", path, headers=owner.headers, body=body)
    assert rotated.status == 201
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 200
    assert product.call("POST", path, headers=bearer(key), body=body).status == 409
    current = product.call("POST", path, headers=bearer(rotated.json), body=body)
    assert current.status == 201
