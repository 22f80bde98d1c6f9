"""Credentials that were good once, guesses, and ways round the edge."""

from __future__ import annotations

import time

import pytest

from imagelayer.access.key_secrets import checksum
from tests.support import api_keys, leak_reports
from tests.support.api import ALL_SCOPES, Account, bearer, session_bearer
from tests.support.endpoint_requests import WITH_CREDENTIALS, request
from tests.support.product import Product

UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"


@pytest.mark.promise("keys-rotate", "sessions-short")
def test_ended_credentials_are_refused_everywhere(product: Product, owner: Account) -> None:
    revoked, expired, rotated, disabled, leaked = (
        product.key(owner, *ALL_SCOPES) for _ in range(5)
    )
    product.call("DELETE", f"/v1/keys/{revoked['id']}", headers=owner.headers)
    past = int(time.time()) - 1
    product.edit_secret(product.secret(expired["key"]), valid_until=past)
    path = f"/v1/keys/{rotated['id']}/rotate"
    product.call("POST", path, headers=owner.headers, body={})
    api_keys.change(product, owner, disabled, enabled=False)
    assert leak_reports.labels(leak_reports.report(product, leaked["key"])) == ["true_positive"]
    minting, ended = product.key(owner, *ALL_SCOPES), product.key(owner, *ALL_SCOPES)
    by_itself, over, of_a_key = (
        product.session(key, end_user)
        for key, end_user in ((minting, "user-1"), (minting, "user-2"), (ended, "user-3"))
    )
    body = {"end_user_id": "user-1"}
    product.call("POST", "/v1/auth/session/revoke", headers=bearer(minting), body=body)
    (item,) = [each for each in product.items("SessionsTable") if each.get("id") == over["id"]]
    product.edit("SessionsTable", item, expires_at=past)
    product.call("DELETE", f"/v1/keys/{ended['id']}", headers=owner.headers)
    product.call("POST", "/v1/auth/logout", cookies=[owner.cookie])
    before = product.counts()
    for headers in (
        *(bearer(key) for key in (revoked, expired, rotated, disabled, leaked, ended)),
        *(session_bearer(session) for session in (by_itself, over, of_a_key)),
        owner.headers,
    ):
        for number, route in enumerate(WITH_CREDENTIALS):
            method, target, parts = request(route)
            answer = product.call(
                method, target, headers=headers, ip=f"203.0.113.{number}", **parts
            )
            assert answer.status == 401, route
    assert product.counts() == before


@pytest.mark.promise("security-logged")
def test_guessing_is_logged_and_limited_by_address(product: Product, owner: Account) -> None:
    wrong = {"authorization": f"Bearer il_live_{UNKNOWN}{checksum(UNKNOWN)}"}
    statuses = [product.call("GET", "/v1/keys", headers=wrong).status for _ in range(32)]
    assert statuses[:30] == [401] * 30
    assert 429 in statuses[30:]
    assert {line["reason"] for line in product.security_events("auth.credential_refused")} == {
        "unknown key"
    }
    assert product.call("GET", "/v1/keys", headers=owner.headers).status == 200


def test_a_way_round_the_edge_is_refused_everywhere(product: Product) -> None:
    product.parameters["EDGE_SECRET_SHA256"] = "0" * 64
    for route in WITH_CREDENTIALS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers={"x-edge-secret": "guess"}, **parts)
        assert (answer.status, answer.json["code"]) == (403, "edge_required")
    assert product.items("CountersTable") == []
