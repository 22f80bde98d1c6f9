"""What an authenticated caller may do: by the kind of credential, enrolment, and scope."""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.access.permissions import ENROLMENT_SCOPES
from imagelayer.api.route import Auth, Route
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Principal

_KINDS: Mapping[Auth, set[str]] = {
    "none": set(),
    "key": {"key"},
    "user": {"user"},
    "user_or_key": {"key", "user"},
}
_IN_WORDS = {
    "key": "an API key",
    "user": "a dashboard login",
    "end_user": "an end user's session token",
}


@frozen
class Denial:
    """Why a caller may not call a route: in a word for the security log, and as an answer."""

    reason: str
    problem: Problem


def denial(principal: Principal, route: Route) -> Denial | None:
    """Why the caller may not call the route, or None."""
    needed = _needed_kind(principal, route)
    if needed:
        return Denial(f"{route.auth} only", Problem("insufficient_scope", f"This needs {needed}."))
    if principal.must_enrol and route.scope not in ENROLMENT_SCOPES:
        return Denial(
            "second factor required",
            Problem("second_factor_required", "Set up a second factor first."),
        )
    if route.scope is not None and route.scope not in principal.scopes:
        challenge = 'Bearer realm="imagelayer", error="insufficient_scope"'
        return Denial(
            route.scope,
            Problem(
                "insufficient_scope",
                f"This needs the scope {route.scope}.",
                headers={"WWW-Authenticate": f'{challenge}, scope="{route.scope}"'},
            ),
        )
    return None


def _needed_kind(principal: Principal, route: Route) -> str | None:
    """The kinds of credential that the route takes, in words, unless the caller's is among them."""
    takes = _KINDS[route.auth] | ({"end_user"} if route.end_user else set())
    if principal.kind in takes:
        return None
    return " or ".join(words for kind, words in _IN_WORDS.items() if kind in takes)
