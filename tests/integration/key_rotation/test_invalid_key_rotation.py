"""Keys that cannot be made or rotated as asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from imagelayer.access.wiring import AccessWiring
from imagelayer.platform.times import rfc3339
from tests.support import accounts, api_keys, end_users
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.api_keys import VALID
from tests.support.product import Product

BRAND = "brd_01m8981tw4q6fc4mrshf0549qg"


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
        ({"kind": "public"}, "kind"),
        ({"kind": "publishable"}, "scopes"),
        ({"kind": "secret", "scopes": []}, "scopes"),
        ({"allowed_cidrs": ["198.51.100.0/24"] * 33}, "allowed_cidrs"),
        ({"enabled": False}, "enabled"),
        ({"default_brand_id": "brd_1"}, "default_brand_id"),
        ({"default_brand_id": "key_01m8981tw4q6fc4mrshf0549qg"}, "default_brand_id"),
        ({"kind": "publishable", "scopes": [], "default_brand_id": BRAND}, "default_brand_id"),
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


@pytest.mark.parametrize(
    ("expires_at", "message"),
    [
        ("tomorrow", "must be a time with its zone, such as 2027-01-31T12:00:00Z (RFC 3339)"),
        ("2020-01-01T00:00:00Z", "must be in the future"),
        ("2099-01-01T00:00:00Z", "must be at most ten years from now"),
    ],
)
def test_an_expiry_that_is_refused_says_why(
    product: Product, owner: Account, expires_at: str, message: str
) -> None:
    body = {**VALID, "expires_at": expires_at}
    answer = product.call("POST", "/v1/keys", headers=owner.headers, body=body)
    assert [each["message"] for each in answer.json["errors"]] == [message]


# Not networks, with host bits set, or longer than the prefix that IPv6 callers are counted by.
BAD_NETWORKS = ["nonsense", "198.51.100.0/33", "198.51.100.7/24", "2001:db8::/65", "2001:db8::1"]


def test_each_network_that_is_none_is_named_and_nothing_is_made_or_changed(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read", allowed_cidrs=["198.51.100.0/24"])
    before = product.dump_of("KeysTable")
    cidrs = [*BAD_NETWORKS, "203.0.113.0/24", "2001:db8::/64"]
    for answer in (
        api_keys.create(product, owner, allowed_cidrs=cidrs),
        api_keys.change(product, owner, key, allowed_cidrs=cidrs),
    ):
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
        named = [each["location"] for each in answer.json["errors"]]
        assert named == [f"body.allowed_cidrs.{number}" for number in range(len(BAD_NETWORKS))]
    assert product.dump_of("KeysTable") == before


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": list(ALL_SCOPES)},
        {"mode": "test"},
        {"kind": "publishable"},
        {"expires_at": None},
        {"limits": {}},
        {"rev": 7},
        {"enabled": None},
        {"enabled": "false"},
        {"name": ""},
    ],
)
def test_what_is_fixed_or_is_not_a_value_is_not_changed(
    product: Product, owner: Account, changes: dict[str, Any]
) -> None:
    key = product.key(owner, "assets:read")
    before = product.dump_of("KeysTable")
    answer = api_keys.change(product, owner, key, **{"name": "another", **changes})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [f"body.{next(iter(changes))}"]
    assert product.dump_of("KeysTable") == before


Act = Callable[[Product, Account, dict[str, Any]], Answer]
CHANGING: dict[str, Act] = {
    "rename": lambda product, owner, key: api_keys.change(product, owner, key, name="another"),
    "disable": lambda product, owner, key: api_keys.change(product, owner, key, enabled=False),
    "rotate": lambda product, owner, key: api_keys.rotate(product, owner.headers, key),
    "revoke": api_keys.revoke,
}


@pytest.mark.promise("keys-rotate")
@pytest.mark.parametrize("second", CHANGING)
def test_of_changes_that_read_the_same_key_the_second_is_refused_whole(
    product: Product, owner: Account, second: str
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    session = product.session(key)
    store = product.part("key_rotation", AccessWiring).key_store

    def change_first() -> list[dict[str, Any]]:
        first = api_keys.change(product, owner, key, allowed_cidrs=[api_keys.HOME])
        assert first.status == 200
        return product.dump_of("KeysTable")

    with accounts.meanwhile(store, "get_key", change_first) as came_to:
        answer = CHANGING[second](product, owner, key)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert [product.dump_of("KeysTable")] == came_to
    assert api_keys.own(product, key).status == 200
    assert end_users.is_good(product, session)
    # Read again and asked again it is done.
    assert CHANGING[second](product, owner, key).status in (200, 201, 204)


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
    product.edit_secret(product.secret(key["key"]), valid_until=past)
    product.edit("KeysTable", product.item("KeysTable", "KEY#"), valid_until=past)
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 401
    path = f"/v1/keys/{key['id']}/rotate"
    answer = product.call("POST", path, headers=owner.headers, body={})
    assert (answer.status, answer.json["code"]) == (409, "conflict")


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
        ("PATCH", "/v1/keys/{id}", {"name": "another"}),
        ("DELETE", "/v1/keys/{id}", None),
        ("GET", "/v1/auth/me", None),
    ],
)
def test_no_key_makes_reads_changes_or_revokes_keys_or_is_a_person(
    product: Product, owner: Account, method: str, path: str, body: Any
) -> None:
    key = product.key(owner, "keys:rotate", "assets:read")
    before = product.counts()
    answer = product.call(method, path.format(**key), headers=bearer(key), body=body)
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert product.counts() == before
    (denied,) = product.security_events("authz.denied")
    assert (denied["org_id"], denied["actor"]) == (owner.org_id, key["id"])


def test_a_dashboard_token_is_not_a_key(product: Product, owner: Account) -> None:
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


def test_a_key_that_was_rotated_or_revoked_since_is_not_shown_again(
    product: Product, owner: Account
) -> None:
    headers = owner.headers | {"idempotency-key": "k-1"}
    key = product.call("POST", "/v1/keys", headers=headers, body=VALID).json
    path = f"/v1/keys/{key['id']}/rotate"
    rotated = product.call("POST", path, headers=headers, body={})
    assert rotated.status == 201
    answer = product.call("POST", "/v1/keys", headers=headers, body=VALID)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    api_keys.rotate(product, owner.headers, key)
    answer = product.call("POST", path, headers=headers, body={})
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert "il_live_" not in answer.text
    api_keys.revoke(product, owner, key)
    for target, body in (("/v1/keys", VALID), (path, {})):
        answer = product.call("POST", target, headers=headers, body=body)
        assert (answer.status, answer.json["code"]) == (404, "not_found")
