"""What the comparison of roles with calls finds."""

from __future__ import annotations

from copy import replace

import pytest

from tests.support import role_calls
from tests.support.api import bearer
from tests.support.product import Product
from tests.support.role_calls import Call, Grant

METERS_KEYS = Grant(
    "OrganizationFunction",
    "dynamodb:UpdateItem",
    "KeysTable",
    "SECRET#*",
    ("tat_*", "last_used_at", "valid_until", "disabled", "terms"),
)
SIGNS_LINKS = Grant("GenerationFunction", "s3:GetObject", "MediaBucket", "*")


@pytest.mark.promise("least-privilege")
@pytest.mark.parametrize(
    "narrower",
    [None, replace(METERS_KEYS, where="ORG#*"), replace(METERS_KEYS, attributes=("tat_*",))],
)
def test_a_call_that_the_role_refuses_fails_the_test(
    product: Product, monkeypatch: pytest.MonkeyPatch, narrower: Grant | None
) -> None:
    owner = product.begin_with("dev@example.com")
    key = product.key(owner, "usage:read")
    role_calls.begin()
    less = role_calls.grants() - {METERS_KEYS} | ({narrower} if narrower else set())
    assert METERS_KEYS in role_calls.grants()
    assert product.call("GET", "/v1/organization/usage", headers=bearer(key)).status == 200
    monkeypatch.setattr(role_calls, "grants", lambda: less)
    role_calls.is_allowed.cache_clear()
    with pytest.raises(AssertionError, match="the role refuses"):
        role_calls.begin()
    monkeypatch.undo()
    role_calls.is_allowed.cache_clear()


@pytest.mark.promise("least-privilege")
def test_a_permission_that_nothing_needs_is_found() -> None:
    needed = Call(
        "OrganizationFunction",
        "dynamodb:UpdateItem",
        "KeysTable",
        "SECRET#",
        frozenset({"pk", "tat_key_read", "last_used_at", "valid_until", "disabled", "terms"}),
    )
    calls = frozenset({needed})
    assert METERS_KEYS.unused(calls) == set()
    more = (*METERS_KEYS.attributes, "scopes")
    assert replace(METERS_KEYS, attributes=more).unused(calls) == {"scopes"}
    for other in (
        replace(METERS_KEYS, action="dynamodb:PutItem"),
        replace(METERS_KEYS, resource="SessionsTable"),
        replace(METERS_KEYS, where="ORG#*"),
        replace(METERS_KEYS, function="BrandFunction"),
    ):
        assert other.unused(calls) == {other.action}


@pytest.mark.promise("least-privilege", "assets-signed")
def test_what_is_signed_counts_as_called(product: Product) -> None:
    owner = product.begin_with("dev@example.com")
    made = product.call(
        "POST", "/v1/generations", headers=owner.headers, body={"prompt": "x", "size": "256x256"}
    )
    product.work_queue()
    role_calls.begin()
    path = f"/v1/generations/{made.json['id']}"
    assert product.call("GET", path, headers=owner.headers).json["assets"]
    assert not SIGNS_LINKS.unused(role_calls.called())
