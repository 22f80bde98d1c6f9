"""A foreign id looks exactly like a missing one, on API and dashboard paths alike."""

from __future__ import annotations

import re
from typing import Any

import pytest

from imagelayer.platform.ids import new_id
from imagelayer.routes import ROUTES
from tests.support import accounts, aws
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.endpoint_requests import (
    FOR_KEYS,
    LISTS,
    PREFIXES,
    WITH_ID,
    request,
)
from tests.support.images import logo
from tests.support.product import Product


def everything(product: Product, owner: Account) -> dict[str, str]:
    """One of each thing that has an id, by the name it has in paths."""
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    product.deliver_upload(upload)
    body = {"prompt": "waves", "size": "256x256"}
    job = product.call("POST", "/v1/generations", headers=owner.headers, body=body).json
    product.work_queue()
    made = product.call("GET", f"/v1/generations/{job['id']}", headers=owner.headers).json
    name = owner.email.partition("@")[0]
    friend = accounts.join(product, owner, f"friend-of-{name}@example.com")
    accounts.log_in(product, owner.email)
    path = "/v1/organization/invitations"
    invited = {"email": f"guest-of-{name}@example.com", "role": "viewer"}
    guest = product.call("POST", path, headers=owner.headers, body=invited).json
    webhook = product.webhook(owner)
    told = product.call(
        "POST", f"/v1/organization/webhooks/{webhook['id']}/test", headers=owner.headers
    ).json
    return {
        "webhook_id": webhook["id"],
        "message_id": told["id"],
        "session_id": accounts.sessions_of(product, owner.user_id)[-1]["id"],
        "user_id": friend.user_id,
        "invitation_id": guest["id"],
        "key_id": product.key(owner, *ALL_SCOPES)["id"],
        "brand_id": brand["id"],
        "upload_id": upload["id"],
        "generation_id": job["id"],
        "asset_id": made["assets"][0]["id"],
    }


def state(product: Product) -> Any:
    """What a stranger must not be able to change: everything but meters, last uses and events."""
    kept = [
        {name: value for name, value in item.items() if not name.startswith(("tat_", "last_used"))}
        for table in aws.resources("AWS::DynamoDB::Table")
        if table not in {"CountersTable", "EventsTable"}
        for item in product.dump_of(table)
    ]
    mails = product.asked_mails()
    return kept, mails, product.objects("MediaBucket"), product.objects("BrandBucket")


def remaining(answer: Answer) -> int:
    """How many calls an answer says are left; the answer then has nothing that counts down."""
    found = re.fullmatch(r'"[a-z-]+";r=(\d+);t=\d+', answer.headers.pop("ratelimit"))
    assert found is not None
    return int(found[1])


@pytest.mark.promise("org-scoped", "brand-isolated")
def test_foreign_ids_are_missing_ids_byte_for_byte(
    product: Product, owner: Account, stranger: Account
) -> None:
    ids = everything(product, owner)
    strangers_key = product.key(stranger, *ALL_SCOPES)
    callers = {"dashboard": stranger.headers, "key": bearer(strangers_key)}
    before = state(product)
    compared = 0
    for name, headers in callers.items():
        for route in WITH_ID:
            if name == "key" and route not in FOR_KEYS:
                continue
            method, foreign, parts = request(route, ids)
            _, missing, _ = request(route)
            answers = [
                product.call(method, path, headers=headers, request_id="req-same", **parts)
                for path in (foreign, missing)
            ]
            assert [each.status for each in answers] == [404, 404], route
            assert answers[0].text == answers[1].text
            # Each call counts as one, whatever it names: the caller's own limit moves alike.
            left = [remaining(each) for each in answers]
            assert left[0] - left[1] in (0, 1), route
            assert answers[0].headers == answers[1].headers
            compared += 1
    assert compared == len(WITH_ID) + len([route for route in WITH_ID if route in FOR_KEYS])
    assert state(product) == before


@pytest.mark.promise("org-scoped")
def test_the_owner_reaches_every_one_of_them(product: Product, owner: Account) -> None:
    """Otherwise the test above would prove nothing."""
    ids = everything(product, owner)
    body = {"prompt": "waves", "size": "256x256"}
    queued = product.call("POST", "/v1/generations", headers=owner.headers, body=body).json["id"]
    for route in sorted(WITH_ID, key=lambda each: each.startswith("DELETE")):
        ended = {"generation_id": queued} if route.endswith("/cancel") else {}
        method, path, parts = request(route, ids | ended)
        answer = product.call(method, path, headers=owner.headers, **parts)
        assert answer.status == ROUTES[route].status, (route, answer.text)


def listed(product: Product, account: Account, path: str, **query: str) -> set[str]:
    """The ids that a list shows."""
    taken = {each.name for each in ROUTES[f"GET {path}"].query}
    query = {"limit": "100", **query} if "limit" in taken else query
    answer = product.call("GET", path, headers=account.headers, query=query)
    assert answer.status == 200, answer.text
    return {each["id"] for each in answer.json["data"]}


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("route", [*LISTS, "GET /v1/auth/sessions"])
def test_a_list_shows_only_ones_own(
    product: Product, owner: Account, stranger: Account, route: str
) -> None:
    everything(product, owner)
    path = route.partition(" ")[2]
    theirs, own = listed(product, owner, path), listed(product, stranger, path)
    everything(product, stranger)
    more = listed(product, stranger, path)
    assert own < more
    assert theirs
    assert not more & theirs
    assert listed(product, owner, path) == theirs


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("route", LISTS)
def test_a_foreign_cursor_shows_nothing_foreign(
    product: Product, owner: Account, stranger: Account, route: str
) -> None:
    everything(product, owner)
    path = route.partition(" ")[2]
    theirs, own = listed(product, owner, path), listed(product, stranger, path)
    assert theirs
    prefix = min(theirs).partition("_")[0]
    for cursor in (min(theirs), max(theirs), new_id(prefix, 1.0), new_id(prefix, 4e9)):
        assert listed(product, stranger, path, cursor=cursor) <= own


@pytest.mark.promise("brand-isolated")
def test_a_foreign_brand_shapes_no_image(
    product: Product, owner: Account, stranger: Account
) -> None:
    brand = product.brand(owner)
    answers = [
        product.call(
            "POST",
            "/v1/generations",
            headers=stranger.headers,
            body={"prompt": "x", "brand_id": brand_id},
            request_id="req-same",
        )
        for brand_id in (brand["id"], new_id("brd", 1_800_000_000))
    ]
    assert [each.status for each in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert product.items("GenerationsTable") == []


@pytest.mark.parametrize("shape", ["nonsense", "%2e%2e", "BRAND%23x", "brd_", "x" * 300])
def test_what_is_not_an_id_at_all_is_missing_too(
    product: Product, owner: Account, shape: str
) -> None:
    for route in (*WITH_ID, "GET /v1/models/{model_id}"):
        method, path, parts = request(route, dict.fromkeys(PREFIXES, shape))
        assert product.call(method, path, headers=owner.headers, **parts).status == 404, route


@pytest.mark.promise("org-scoped")
def test_an_id_of_another_kind_is_missing_too(product: Product, owner: Account) -> None:
    ids = everything(product, owner)
    for other in ids.values():
        # A session of its own for each, so that all of them stay within its limits.
        caller = accounts.account_of(owner.email, accounts.log_in(product, owner.email))
        for route in WITH_ID:
            mixed = {name: other for name, own in ids.items() if own != other}
            method, path, parts = request(route, mixed)
            if other in path:
                answer = product.call(method, path, headers=caller.headers, **parts)
                assert answer.status == 404, (route, other)
