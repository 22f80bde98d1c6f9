"""Every endpoint is limited, says so, and denies when the limiter cannot answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.limits.rate_limits import Policy
from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, PASSWORD, Account, Answer, bearer, session_bearer
from tests.support.endpoint_requests import (
    FOR_END_USERS,
    FOR_KEYS,
    FOR_USERS,
    credentials,
    request,
)
from tests.support.product import Product


def spend(product: Product, table: str, item: dict[str, Any], policy: Policy) -> None:
    """Use one limit of a credential up, as a flood just did."""
    tat = int(time.time() * 1000) + policy.burst * policy.interval_ms + 10_000
    product.edit(table, item, **{f"tat_{policy.name.replace('-', '_')}": tat})


def call(product: Product, account: Account, route: str, ip: str = "203.0.113.5") -> Answer:
    method, path, parts = request(route)
    headers = account.headers if route in FOR_USERS else {}
    return product.call(method, path, headers=headers, ip=ip, **parts)


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", [route for route in ROUTES if ROUTES[route].auth != "key"])
def test_an_endpoint_refuses_calls_past_its_limit_and_says_until_when(
    product: Product, owner: Account, route: str
) -> None:
    policy = ROUTES[route].policy
    product.exhaust(policy, "203.0.113.5", owner)
    before = product.counts()
    refused = call(product, owner, route)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["ratelimit-policy"] == policy.header
    assert refused.headers["ratelimit"].startswith(f'"{policy.name}";r=0;t=')
    assert 1 <= int(refused.headers["retry-after"]) <= policy.window
    assert refused.json["error"]["type"] == "rate_limit_error"
    assert product.counts() == before
    assert product.security_events("limit.denied")[0]["reason"] == policy.name


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", ["GET /v1/keys/self", *FOR_KEYS])
def test_a_key_past_its_limit_is_refused_until_it_is_allowed_again(
    product: Product, owner: Account, route: str
) -> None:
    key, other = product.key(owner, *ALL_SCOPES), product.key(owner, *ALL_SCOPES)
    policy = ROUTES[route].policy
    spend(product, "KeysTable", product.secret(key["key"]), policy)
    before = product.counts()
    method, path, parts = request(route)
    refused = product.call(method, path, headers=bearer(key), **parts)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["ratelimit-policy"] == policy.header
    assert 1 <= int(refused.headers["retry-after"]) <= policy.window
    assert product.counts() == before
    assert product.call(method, path, headers=bearer(other), **parts).status != 429


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", FOR_END_USERS)
def test_an_end_user_past_their_limit_is_refused_and_no_other_end_user_is(
    product: Product, owner: Account, route: str
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    flooder, other = product.session(key, "flooder"), product.session(key, "other")
    policy = ROUTES[route].policy
    (item,) = [each for each in product.items("SessionsTable") if each.get("id") == flooder["id"]]
    spend(product, "SessionsTable", item, policy)
    before = product.counts()
    method, path, parts = request(route)
    refused = product.call(method, path, headers=session_bearer(flooder), **parts)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert product.counts() == before
    assert product.call(method, path, headers=session_bearer(other), **parts).status != 429
    assert product.call(method, path, headers=bearer(key), **parts).status != 429


def test_a_flood_of_one_session_does_not_limit_another_of_the_same_user(
    product: Product, owner: Account
) -> None:
    body = {"email": owner.email, "password": PASSWORD}
    second = product.call("POST", "/v1/auth/login", body=body).json["access_token"]
    (first, _) = [
        item for item in product.dump_of("SessionsTable") if item["sk"].startswith("SES#")
    ]
    spend(product, "SessionsTable", first, ROUTES["GET /v1/keys"].policy)
    assert product.call("GET", "/v1/keys", headers=owner.headers).status == 429
    other = {"authorization": f"Bearer {second}"}
    assert product.call("GET", "/v1/keys", headers=other).status == 200


def test_one_callers_flood_does_not_limit_another(product: Product, owner: Account) -> None:
    policy = ROUTES["GET /v1/health"].policy
    product.exhaust(policy, "203.0.113.5", owner)
    assert product.call("GET", "/v1/health", ip="203.0.113.5").status == 429
    assert product.call("GET", "/v1/health", ip="203.0.113.6").status == 200


@pytest.mark.promise("limits-fail-closed")
def test_a_burst_is_admitted_to_the_last_call_and_counted_down(
    product: Product, owner: Account
) -> None:
    """A whole burst through the real handler, and not one call more."""
    policy = ROUTES["POST /v1/keys"].policy
    seen = []
    for _ in range(policy.burst + 1):
        seen.append(call(product, owner, "POST /v1/keys"))
    admitted = [answer for answer in seen if answer.status == 201]
    # The clock runs while the burst does, so a slow machine may see one slot trickle back.
    assert policy.burst <= len(admitted) <= policy.burst + 1
    assert f"r={policy.burst - 1};" in admitted[0].headers["ratelimit"]
    assert len(
        product.call("GET", "/v1/keys", headers=owner.headers, query={"limit": "100"}).json["data"]
    ) == len(admitted)


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", ROUTES)
def test_when_the_limiter_cannot_answer_every_endpoint_denies_and_nothing_is_made(
    product: Product, owner: Account, route: str
) -> None:
    headers = credentials(product, owner, route)
    method, path, parts = request(route)
    mails = len(product.mails())
    before = product.counts()
    with product.broken("dynamodb", "UpdateItem"):
        answer = product.call(method, path, headers=headers, **parts)
    assert (answer.status, answer.json["code"]) == (503, "limiter_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert product.counts() == before
    assert (product.asked_mails(), product.queued()) == ([], 0)
    assert len(product.mails()) == mails
    assert not answer.cookies
    assert product.security_events("limit.unavailable")[0]["outcome"] == "denied"


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", FOR_END_USERS)
def test_when_the_limiter_cannot_answer_no_end_user_is_served(
    product: Product, owner: Account, route: str
) -> None:
    session = product.session(product.key(owner, *ALL_SCOPES))
    method, path, parts = request(route)
    before = product.counts()
    with product.broken("dynamodb", "UpdateItem"):
        answer = product.call(method, path, headers=session_bearer(session), **parts)
    assert (answer.status, answer.json["code"]) == (503, "limiter_unavailable")
    assert product.counts() == before


@pytest.mark.promise("errors-sanitized")
def test_when_a_dependency_fails_the_answer_says_no_more_than_that(
    product: Product, owner: Account
) -> None:
    with product.broken("dynamodb", "Query"):
        answer = product.call("GET", "/v1/brands", headers=owner.headers)
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    for inside in ("dynamodb", "Table", "botocore", "unreachable", "query"):
        assert inside not in answer.text


@pytest.mark.promise("errors-sanitized")
def test_an_unforeseen_error_is_in_the_log_and_not_in_the_answer(
    product: Product, owner: Account
) -> None:
    product.internal_errors_expected = True
    brand = product.brand(owner)
    broken = product.item("BrandsTable", "BRAND#")
    product.edit("BrandsTable", broken, created_at="not a number: il_secret_detail")
    answer = product.call("GET", f"/v1/brands/{brand['id']}", headers=owner.headers)
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    for inside in ("Traceback", "ValueError", "il_secret_detail", "BrandsTable", ".py"):
        assert inside not in answer.text
    assert "Traceback" in product.output.getvalue()
