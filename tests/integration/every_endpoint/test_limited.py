"""Every endpoint is limited, says so, and denies when the limiter cannot answer."""

from __future__ import annotations

import pytest

from imagelayer.endpoints import ENDPOINTS
from tests.integration.every_endpoint.cases import FOR_USERS, request
from tests.support.product import Account, Answer, Product, bearer


def call(product: Product, account: Account, route: str, ip: str = "203.0.113.5") -> Answer:
    method, path, parts = request(route)
    headers = account.headers if route in FOR_USERS else {}
    return product.call(method, path, headers=headers, ip=ip, **parts)


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", [route for route in ENDPOINTS if ENDPOINTS[route].auth != "key"])
def test_an_endpoint_refuses_calls_past_its_limit_and_says_until_when(
    product: Product, owner: Account, route: str
) -> None:
    policy = ENDPOINTS[route].policy
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


def test_one_callers_flood_does_not_limit_another(product: Product, owner: Account) -> None:
    policy = ENDPOINTS["GET /v1/health"].policy
    product.exhaust(policy, "203.0.113.5", owner)
    assert product.call("GET", "/v1/health", ip="203.0.113.5").status == 429
    assert product.call("GET", "/v1/health", ip="203.0.113.6").status == 200


@pytest.mark.promise("limits-fail-closed")
def test_a_burst_is_admitted_to_the_last_call_and_counted_down(
    product: Product, owner: Account
) -> None:
    """A whole burst through the real handler, and not one call more."""
    policy = ENDPOINTS["POST /v1/keys"].policy
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
@pytest.mark.parametrize("route", ENDPOINTS)
def test_when_the_limiter_cannot_answer_every_endpoint_denies_and_nothing_is_made(
    product: Product, owner: Account, route: str
) -> None:
    key = product.key(owner, "assets:read")
    method, path, parts = request(route)
    headers = bearer(key) if ENDPOINTS[route].auth == "key" else {}
    before = product.counts()
    with product.broken("dynamodb", "UpdateItem"):
        answer = product.call(method, path, headers=headers or owner.headers, **parts)
    assert (answer.status, answer.json["code"]) == (503, "limiter_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert product.counts() == before
    assert not product.mails()[1:]
    assert not answer.cookies
    assert product.security_events("limit.unavailable")[0]["outcome"] == "denied"


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
