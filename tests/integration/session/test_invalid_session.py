"""Sessions that cannot be minted or revoked as asked: refused, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.platform.ids import new_id
from tests.support import end_users
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.product import Product


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"end_user_id": ""}, "end_user_id"),
        ({"end_user_id": "x" * 129}, "end_user_id"),
        ({"end_user_id": "two words"}, "end_user_id"),
        ({"end_user_id": "line\n"}, "end_user_id"),
        ({"end_user_id": "Zoë"}, "end_user_id"),
        ({"end_user_id": None}, "end_user_id"),
        ({"end_user_id": 7}, "end_user_id"),
        ({"expires_in": 59}, "expires_in"),
        ({"expires_in": 3601}, "expires_in"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -60}, "expires_in"),
        ({"expires_in": 60.5}, "expires_in"),
        ({"expires_in": "900"}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": None}, "expires_in"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["keys:rotate"]}, "scopes"),
        ({"scopes": ["sessions:write"]}, "scopes"),
        ({"scopes": ["brands:read"]}, "scopes"),
        ({"scopes": ["*"]}, "scopes"),
        ({"scopes": "assets:read"}, "scopes"),
        ({"max_generations": -1}, "max_generations"),
        ({"max_generations": 1.5}, "max_generations"),
        ({"max_generations": "5"}, "max_generations"),
        ({"max_generations": 100_001}, "max_generations"),
        ({"allowed_origins": "https://shop.example"}, "allowed_origins"),
        ({"allowed_origins": [f"https://{n}.example" for n in range(17)]}, "allowed_origins"),
        ({"org_id": "org_1"}, "org_id"),
        ({"mode": "live"}, "mode"),
        ({"key_id": "key_1"}, "key_id"),
    ],
)
def test_a_session_that_breaks_a_rule_is_not_minted(
    product: Product, owner: Account, body: dict[str, Any], field: str
) -> None:
    answer = end_users.mint(product, end_users.key_of(product, owner), **body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["location"].startswith(f"body.{field}")
    assert end_users.records(product) == []
    assert product.security_events("session.minted") == []


@pytest.mark.promise("keys-scoped", "sessions-short")
def test_no_key_hands_on_a_scope_that_it_does_not_have(product: Product, owner: Account) -> None:
    key = product.key(owner, "sessions:write", "generations:read")
    asked = ["generations:read", "generations:write", "assets:read"]
    answer = end_users.mint(product, key, scopes=asked)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [
        "body.scopes.1",
        "body.scopes.2",
    ]
    assert end_users.records(product) == []


@pytest.mark.promise("keys-scoped")
def test_a_key_without_anything_to_hand_on_mints_nothing(product: Product, owner: Account) -> None:
    answer = end_users.mint(product, product.key(owner, "sessions:write", "brands:read"))
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["body.scopes"]
    assert end_users.records(product) == []


@pytest.mark.promise("keys-scoped", "sessions-short")
def test_a_key_without_the_scope_for_it_mints_and_revokes_nothing(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner))
    key = product.key(owner, *(scope for scope in ALL_SCOPES if scope != "sessions:write"))
    for refused in (
        end_users.mint(product, key),
        end_users.revoke(product, bearer(key), all=True),
        end_users.revoke(product, bearer(key), end_user_id="user-1"),
    ):
        assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
        assert 'scope="sessions:write"' in refused.headers["www-authenticate"]
    assert [item["id"] for item in end_users.records(product)] == [session["id"]]


ORIGINS = {
    "https://shop.example": True,
    "https://shop.example:8443": True,
    "https://sub.shop.example": True,
    "https://xn--bcher-kva.example": True,
    "https://192.0.2.1": True,
    "https://[2001:db8::1]": True,
    "https://[2001:db8::1]:8443": True,
    "http://localhost": True,
    "http://localhost:3000": True,
    "http://127.0.0.1:5173": True,
    "http://[::1]:3000": True,
    "": False,
    "*": False,
    "null": False,
    "https://*": False,
    "https://*.shop.example": False,
    "shop.example": False,
    "//shop.example": False,
    "https://": False,
    "https://shop.example/": False,
    "https://shop.example/checkout": False,
    "https://shop.example?x=1": False,
    "https://shop.example#x": False,
    "https://user@shop.example": False,
    "https://shop.example:": False,
    "https://shop.example:0": False,
    "https://shop.example:65535": True,
    "https://shop.example:65536": False,
    "https://shop.example:443443": False,
    "https://shop.example:443": False,  # browsers leave the default port out
    "http://localhost:80": False,
    "https://Shop.example": False,
    "HTTPS://shop.example": False,
    "https://shop.example ": False,
    "https://shop.example\n": False,
    "https://bücher.example": False,
    "https://shop.example,https://evil.example": False,
    "http://shop.example": False,
    "http://localhost.evil.example": False,
    "http://127.0.0.1.evil.example": False,
    "http://192.168.0.1": False,
    "ftp://shop.example": False,
    "javascript://shop.example": False,
    "chrome-extension://abcdefghijklmnop": False,
    "file://": False,
}


@pytest.mark.parametrize("origin", [each for each, right in ORIGINS.items() if right])
def test_an_origin_as_a_browser_names_it_may_be_allowed(
    product: Product, owner: Account, origin: str
) -> None:
    session = product.session(
        end_users.key_of(product, owner), allowed_origins=[end_users.SHOP, origin]
    )
    assert session["allowed_origins"] == [end_users.SHOP, origin]
    assert end_users.generate(product, session, origin=origin).status == 202


@pytest.mark.parametrize("origin", [each for each, right in ORIGINS.items() if not right])
def test_what_no_browser_sends_as_an_origin_is_refused_by_its_place_in_the_list(
    product: Product, owner: Account, origin: str
) -> None:
    """It would never match, and its caller would think that it does."""
    key = end_users.key_of(product, owner)
    answer = end_users.mint(product, key, allowed_origins=[end_users.SHOP, origin])
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["location"] == "body.allowed_origins.1"
    assert end_users.records(product) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"all": False},
        {"end_user_id": None, "key_id": None},
        {"end_user_id": "user-1", "all": True},
        {"end_user_id": "user-1", "key_id": "its own"},
        {"key_id": "its own", "all": True},
        {"end_user_id": "user-1", "key_id": "its own", "all": True},
    ],
)
def test_what_to_revoke_is_named_in_exactly_one_way(
    product: Product, owner: Account, body: dict[str, Any]
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, "user-1")
    sent = {**body, "key_id": key["id"]} if body.get("key_id") else body
    answer = end_users.revoke(product, bearer(key), **sent)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert end_users.is_good(product, session)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"end_user_id": ""}, "end_user_id"),
        ({"end_user_id": "two words"}, "end_user_id"),
        ({"end_user_id": ["user-1"]}, "end_user_id"),
        ({"key_id": 7}, "key_id"),
        ({"all": "yes"}, "all"),
        ({"all": 1}, "all"),
        ({"session_id": "eus_1"}, "session_id"),
    ],
)
def test_a_revocation_that_breaks_a_rule_ends_nothing(
    product: Product, owner: Account, body: dict[str, Any], field: str
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, "user-1")
    answer = end_users.revoke(product, bearer(key), **body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [f"body.{field}"]
    assert end_users.is_good(product, session)


@pytest.mark.parametrize(
    "key_id", ["", "nonsense", new_id("key", 1.8e9, bytes), new_id("usr", 1.8e9, bytes)]
)
def test_the_sessions_of_a_key_that_is_not_there_are_missing(
    product: Product, owner: Account, key_id: str
) -> None:
    answer = end_users.revoke(product, owner.headers, key_id=key_id)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
