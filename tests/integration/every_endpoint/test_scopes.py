"""A credential does what its scopes say, per endpoint, and nothing else."""

from __future__ import annotations

import pytest

from imagelayer.endpoints import ENDPOINTS, ROLE_SCOPES
from tests.integration.every_endpoint.cases import FOR_KEYS, FOR_USERS, request
from tests.support.product import ALL_SCOPES, Account, Product, bearer


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("missing", ALL_SCOPES)
def test_a_key_without_one_scope_is_refused_where_that_scope_is_asked_for_and_only_there(
    product: Product, owner: Account, missing: str
) -> None:
    key = product.key(owner, *(scope for scope in ALL_SCOPES if scope != missing))
    before = product.counts()
    refused = set()
    for route in FOR_KEYS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=bearer(key), **parts)
        if answer.status == 403:
            assert answer.json["code"] == "insufficient_scope"
            assert f'scope="{missing}"' in answer.headers["www-authenticate"]
            refused.add(route)
    assert refused == {route for route in FOR_KEYS if ENDPOINTS[route].scope == missing}
    assert refused
    reasons = {line["reason"] for line in product.security_events("authz.denied")}
    assert reasons == {missing}
    assert product.counts()["KeysTable"] == before["KeysTable"]


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("only", ALL_SCOPES)
def test_a_key_with_one_scope_reaches_what_that_scope_opens_and_nothing_else(
    product: Product, owner: Account, only: str
) -> None:
    key = product.key(owner, only)
    for route in FOR_KEYS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=bearer(key), **parts)
        assert (answer.status == 403) == (ENDPOINTS[route].scope != only), route


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("role", ROLE_SCOPES)
def test_a_dashboard_role_opens_what_it_says_and_nothing_else(
    product: Product, owner: Account, role: str
) -> None:
    product.edit("SessionsTable", product.item("SessionsTable", "SES"), role=role)
    for route in FOR_USERS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=owner.headers, **parts)
        allowed = ENDPOINTS[route].scope in ROLE_SCOPES[role]
        assert (answer.status == 403) == (not allowed), route


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("role", ["", "king", "OWNER"])
def test_a_role_that_does_not_exist_opens_nothing(
    product: Product, owner: Account, role: str
) -> None:
    product.edit("SessionsTable", product.item("SessionsTable", "SES"), role=role)
    for route in FOR_USERS:
        method, path, parts = request(route)
        assert product.call(method, path, headers=owner.headers, **parts).status == 403


@pytest.mark.promise("keys-scoped")
def test_no_role_but_viewers_is_unable_to_write() -> None:
    writes = {each.scope for each in ENDPOINTS.values() if each.method != "GET" and each.scope}
    assert not writes & ROLE_SCOPES["viewer"]
    assert writes <= ROLE_SCOPES["developer"]
