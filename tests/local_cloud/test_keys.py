"""A key that was taken back is refused on the very next request, by a function that is warm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dev.local_cloud import LocalCloud
from tests.support import cloud_accounts
from tests.support.api_clients import Visitor

Change = Callable[[Visitor, str], httpx.Response]


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    return cloud_accounts.logged_in(cloud)


def change(owner: Visitor, key_id: str, method: str, path: str = "", **body: Any) -> httpx.Response:
    return owner.call(
        method, f"/v1/keys/{key_id}{path}", token=owner.access_token, json=body or None
    )


CHANGES: dict[str, tuple[Change, int, int]] = {
    "revoked": (lambda owner, key: change(owner, key, "DELETE"), 204, 401),
    "disabled": (lambda owner, key: change(owner, key, "PATCH", enabled=False), 200, 401),
    "rotated without grace": (
        lambda owner, key: change(owner, key, "POST", "/rotate", grace_seconds=0),
        201,
        401,
    ),
    "bound to another network": (
        lambda owner, key: change(owner, key, "PATCH", allowed_cidrs=["192.0.2.0/24"]),
        200,
        403,
    ),
}


@pytest.mark.promise("keys-rotate")
@pytest.mark.parametrize("name", CHANGES)
def test_a_key_is_refused_on_the_next_request_once_it_is(
    cloud: LocalCloud, owner: Visitor, name: str
) -> None:
    do, done, refused = CHANGES[name]
    key = owner.make_key()
    minted = owner.call(
        "POST", "/v1/auth/session", token=key["key"], json={"end_user_id": "shopper"}
    )
    token = minted.json()["session_token"]
    for _ in range(4):  # the functions are warm and have seen both
        assert owner.call("GET", "/v1/brands", token=key["key"]).status_code == 200
        assert owner.call("GET", "/v1/assets/ast_x", token=token).status_code == 404
    answer = do(owner, key["id"])
    assert answer.status_code == done, answer.text
    if done == 201:
        owner.secrets.add(answer.json()["key"])
    assert owner.call("GET", "/v1/brands", token=key["key"]).status_code == refused
    if refused == 401:  # with the key goes what it minted
        assert owner.call("GET", "/v1/assets/ast_x", token=token).status_code == 401


@pytest.mark.promise("keys-rotate")
def test_a_disabled_key_works_again_from_the_next_request_once_it_is_enabled(
    cloud: LocalCloud, owner: Visitor
) -> None:
    key = owner.make_key()
    for enabled, status in ((False, 401), (True, 200), (False, 401)):
        assert change(owner, key["id"], "PATCH", enabled=enabled).status_code == 200
        assert owner.call("GET", "/v1/brands", token=key["key"]).status_code == status


@pytest.mark.promise("keys-rotate")
def test_a_leaked_key_is_revoked_by_githubs_report_and_the_owner_is_notified(
    cloud: LocalCloud, owner: Visitor
) -> None:
    key = owner.make_key()["key"]
    body = f'[{{"token":"{key}","type":"imagelayer_api_key","url":"https://github.com/a/b"}}]'
    signed = cloud.http.post("/_local/secret-scanning/sign", content=body).json()
    refused = owner.call("POST", "/v1/leaked-keys", content=f"{body} ", headers=signed)
    assert refused.status_code == 403
    assert owner.call("GET", "/v1/brands", token=key).status_code == 200
    answer = owner.call("POST", "/v1/leaked-keys", content=body, headers=signed)
    assert [each["label"] for each in answer.json()] == ["true_positive"]
    assert owner.call("GET", "/v1/brands", token=key).status_code == 401
    assert any("found in public" in mail["subject"] for mail in cloud.mail(owner.email))
