"""What an authenticated caller may do: by the kind of credential, enrolment, and scope."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.access.permissions import ENROLMENT_SCOPES
from imagelayer.api.route import Route
from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Principal


@dataclass(frozen=True)
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
    """The kind of credential that the route requires instead of the caller's, or None."""
    if principal.kind == "end_user":
        return None if route.end_user else "an API key or a dashboard login"
    if route.auth in ("user_or_key", principal.kind):
        return None
    return "an API key" if route.auth == "key" else "a dashboard login"
