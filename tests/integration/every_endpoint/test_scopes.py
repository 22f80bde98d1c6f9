"""A credential does what its scopes say, per endpoint, and nothing else."""

from __future__ import annotations

import pytest

from imagelayer.access.end_user_sessions import END_USER_SCOPES
from imagelayer.access.permissions import ENROLMENT_SCOPES, ROLE_SCOPES
from imagelayer.platform.principals import Role
from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, Account, bearer, session_bearer
from tests.support.endpoint_requests import (
    FOR_END_USERS,
    FOR_KEYS,
    FOR_USERS,
    WITH_CREDENTIALS,
    request,
)
from tests.support.product import Product


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
    assert refused == {route for route in FOR_KEYS if ROUTES[route].scope == missing}
    assert refused
    reasons = {line["reason"] for line in product.security_events("authz.denied")}
    assert reasons == {missing}
    assert product.counts()["KeysTable"] == before["KeysTable"]
    # All of what a key can be given is tried, and every route that takes keys requires some of it.
    assert {ROUTES[route].scope for route in FOR_KEYS} == set(ALL_SCOPES)


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("only", ALL_SCOPES)
def test_a_key_with_one_scope_reaches_what_that_scope_opens_and_nothing_else(
    product: Product, owner: Account, only: str
) -> None:
    key = product.key(owner, only)
    for route in FOR_KEYS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=bearer(key), **parts)
        assert (answer.status == 403) == (ROUTES[route].scope != only), route


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("role", ROLE_SCOPES)
def test_a_dashboard_role_opens_what_it_says_and_nothing_else(
    product: Product, owner: Account, role: Role
) -> None:
    product.edit("SessionsTable", product.item("SessionsTable", "SES"), role=role)
    for route in FOR_USERS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=owner.headers, **parts)
        allowed = ROUTES[route].scope in ROLE_SCOPES[role]
        refused = answer.status == 403 and answer.json["code"] == "insufficient_scope"
        assert refused == (not allowed), route
        assert answer.status != 401, route


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("role", ["", "king", "OWNER"])
def test_a_role_that_does_not_exist_opens_nothing(
    product: Product, owner: Account, role: str
) -> None:
    product.edit("SessionsTable", product.item("SessionsTable", "SES"), role=role)
    for route in FOR_USERS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=owner.headers, **parts)
        assert (answer.status, answer.json["code"]) == (403, "insufficient_scope"), route


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize("route", FOR_USERS)
def test_until_a_second_factor_is_set_up_nothing_is_open_but_ones_own_account(
    product: Product, owner: Account, route: str
) -> None:
    product.edit("SessionsTable", product.item("SessionsTable", "SES"), must_enrol=True)
    before = product.counts()
    method, path, parts = request(route)
    answer = product.call(method, path, headers=owner.headers, **parts)
    if ROUTES[route].scope in ENROLMENT_SCOPES:
        assert answer.status in (ROUTES[route].status, 401, 404, 409)
    else:
        assert (answer.status, answer.json["code"]) == (403, "second_factor_required")
        assert product.counts() == before


@pytest.mark.promise("keys-scoped")
def test_viewers_change_nothing_but_their_own_account() -> None:
    writes = {each.scope for each in ROUTES.values() if each.method != "GET" and each.scope}
    assert writes & ROLE_SCOPES["viewer"] == {"account:write"}
    assert writes - ROLE_SCOPES["developer"] == {"members:write", "organization:write"}
    assert writes <= ROLE_SCOPES["admin"]


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize(
    "route", [route for route in WITH_CREDENTIALS if ROUTES[route].auth == "user"]
)
def test_what_is_for_people_is_refused_to_a_key_whatever_its_scopes(
    product: Product, owner: Account, route: str
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    method, path, parts = request(route)
    before = product.counts()
    answer = product.call(method, path, headers=bearer(key), **parts)
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert product.counts() == before


@pytest.mark.promise("keys-scoped")
@pytest.mark.parametrize(
    "route", [route for route in WITH_CREDENTIALS if ROUTES[route].auth == "key"]
)
def test_what_is_for_keys_is_refused_to_people_whatever_their_role(
    product: Product, owner: Account, route: str
) -> None:
    method, path, parts = request(route)
    before = product.counts()
    answer = product.call(method, path, headers=owner.headers, **parts)
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert product.counts() == before


@pytest.mark.promise("keys-scoped", "sessions-short")
@pytest.mark.parametrize("only", END_USER_SCOPES)
def test_an_end_user_with_one_scope_reaches_what_that_scope_opens_and_nothing_else(
    product: Product, owner: Account, only: str
) -> None:
    session = product.session(product.key(owner, *ALL_SCOPES), scopes=[only])
    for route in FOR_END_USERS:
        method, path, parts = request(route)
        answer = product.call(method, path, headers=session_bearer(session), **parts)
        assert (answer.status == 403) == (ROUTES[route].scope != only), route
