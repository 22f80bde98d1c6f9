"""Whether a caller may call a route: kind of credential, enrolment, scope."""

from __future__ import annotations

from copy import replace

import pytest

from imagelayer.access.authorization import denial
from imagelayer.api.route import Route
from imagelayer.platform.principals import Principal
from imagelayer.routes import ROUTES

READ = Route(
    "GET /v1/things",
    function="things",
    operation="listThings",
    summary="",
    tag="",
    auth="user_or_key",
    limit="brand-read",
    status=200,
    scope="brands:read",
    end_user=True,
)
KEY = Principal("key", "org_1", "key_1", frozenset({"brands:read"}))
USER = Principal(
    "user", "org_1", "usr_1", frozenset({"brands:read", "account:read"}), role="viewer"
)
END_USER = Principal("end_user", "org_1", "eus_1", frozenset({"brands:read"}))


@pytest.mark.parametrize("caller", [KEY, USER, END_USER])
def test_a_caller_with_the_scope_may_call(caller: Principal) -> None:
    assert denial(caller, READ) is None


@pytest.mark.parametrize("caller", [KEY, USER, END_USER])
def test_a_caller_without_the_scope_learns_which_one_is_missing(caller: Principal) -> None:
    denied = denial(replace(caller, scopes=frozenset({"assets:read"})), READ)

    assert denied is not None
    assert denied.reason == "brands:read"
    assert denied.problem.code == "insufficient_scope"
    assert 'scope="brands:read"' in denied.problem.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("caller", "route", "reason"),
    [
        (KEY, replace(READ, auth="user"), "user only"),
        (USER, replace(READ, auth="key"), "key only"),
        (END_USER, replace(READ, end_user=False), "user_or_key only"),
    ],
)
def test_another_kind_of_credential_is_refused(
    caller: Principal, route: Route, reason: str
) -> None:
    denied = denial(caller, route)

    assert denied is not None
    assert (denied.reason, denied.problem.code) == (reason, "insufficient_scope")


def test_a_user_who_must_enrol_may_only_reach_the_account() -> None:
    enrolling = replace(USER, must_enrol=True)
    denied = denial(enrolling, READ)

    assert denied is not None
    assert denied.problem.code == "second_factor_required"
    assert denial(enrolling, replace(READ, scope="account:read")) is None


# What each `auth` of the route table takes, in the words of a refusal.
NEEDED = {
    ("key", False): "an API key",
    ("user", False): "a dashboard login",
    ("user_or_key", False): "an API key or a dashboard login",
    ("user_or_key", True): "an API key or a dashboard login or an end user's session token",
}
TAKEN = {"key": {"key"}, "user": {"user"}, "user_or_key": {"key", "user"}}


@pytest.mark.parametrize("caller", [KEY, USER, END_USER], ids=lambda caller: caller.kind)
@pytest.mark.parametrize("key", [key for key, route in ROUTES.items() if route.auth != "none"])
def test_a_refusal_names_every_kind_of_credential_that_the_route_takes(
    key: str, caller: Principal
) -> None:
    route = ROUTES[key]
    denied = denial(replace(caller, scopes=frozenset({route.scope or ""})), route)

    if caller.kind in TAKEN[route.auth] or (caller.kind == "end_user" and route.end_user):
        assert denied is None
    else:
        assert denied is not None
        needed = NEEDED[route.auth, route.end_user]
        assert denied.problem.detail == f"This needs {needed}."
