"""One HTTP function: admit, authenticate, check the body, call the route, answer.

API Gateway has already matched the route, so dispatch is a look-up of `routeKey`; there is no
second router to disagree with the first (decision 0003).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from imagelayer.access.permissions import ENROLMENT_SCOPES, ROLE_SCOPES
from imagelayer.access.wiring import AccessWiring
from imagelayer.api.route import Route
from imagelayer.audit.wiring import AuditWiring
from imagelayer.http import body, problems
from imagelayer.http.client_address import client_address
from imagelayer.http.user_agent import describe
from imagelayer.limits.rate_limits import Admission, Limited
from imagelayer.limits.wiring import LimitsWiring
from imagelayer.platform.errors import Problem
from imagelayer.platform.idempotency import REPLAYED, Created, IdempotencyRecord, record_of
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.wiring import Part, Platform, current

# On every answer. The API serves no page that needs scripts, so nothing may load anything
# (OWASP REST security cheat sheet; ASVS 5.0 3.4).
SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Reply:
    """What a route answers; the status is the endpoint's unless given."""

    body: Mapping[str, Any] | Sequence[Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    status: int | None = None


def made(answer: Created, headers: Mapping[str, str] | None = None) -> Reply:
    """The reply to a request that made something, now or when it was first sent."""
    return Reply(answer.body, headers={**(headers or {}), **(REPLAYED if answer.replayed else {})})


@dataclass(frozen=True)
class Call[W: Part]:
    """One admitted request, parsed. `wiring` is that of the function's own domain."""

    row: Route
    wiring: W
    origin: Origin
    now: float
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: Any
    _principal: Principal | None
    idempotency: IdempotencyRecord | None = None

    @property
    def principal(self) -> Principal:
        """Who calls. Only endpoints that authenticate have one."""
        if self._principal is None:
            raise LookupError(f"{self.row.key} does not authenticate")
        return self._principal


type Handler[W: Part] = Callable[[Call[W]], Reply]
ROLES: Mapping[str, frozenset[str]] = dict(ROLE_SCOPES.items())


class App[W: Part]:
    """The Lambda handler of one function; routes are bound with `@app.route("GET /v1/…")`.

    `endpoints` are the rows of the domains it serves, `wiring` what its routes call.
    """

    def __init__(self, function: str, wiring: type[W], *rows: Mapping[str, Route]) -> None:
        self._function = function
        self._wiring = wiring
        self._rows = {route: row for rows in rows for route, row in rows.items()}
        self._routes: dict[str, Handler[W]] = {}

    def route(self, route: str) -> Callable[[Handler[W]], Handler[W]]:
        """Bind a route that its domain gives to this function."""
        if self._rows[route].function != self._function:
            raise LookupError(f"{route} belongs to {self._rows[route].function}")

        def bind(target: Handler[W]) -> Handler[W]:
            self._routes[route] = target
            return target

        return bind

    @property
    def routes(self) -> frozenset[str]:
        """The routes bound so far."""
        return frozenset(self._routes)

    def handler(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        """Answer one API Gateway HTTP API event (payload format 2.0)."""
        platform = current()
        request_id = str(event["requestContext"]["requestId"])
        headers = {"x-request-id": request_id}
        origin = Origin("unknown", request_id)
        try:
            ip = client_address(event, platform.settings.edge_secret_sha256)
            agent = (event.get("headers") or {}).get("user-agent", "")
            origin = Origin(ip, request_id, describe(agent))
            reply, row, admission = self._answer(event, origin, platform)
            headers |= admission.headers()
            return _response(reply, reply.status or row.status, row.content_type, headers)
        except Problem as problem:
            refusal = problem
        except Limited as limited:
            platform.part(AuditWiring).security.record(
                "limit.denied", "denied", origin, reason=limited.policy.name
            )
            refusal = Problem(
                "rate_limited",
                "Too many requests. Wait for the time in Retry-After.",
                headers=limited.headers(),
                reason=limited.policy.name,
            )
        except StoreUnavailable as fault:
            platform.log.error("dependency failed", operation=fault.operation, cause=fault.reason)
            refusal = Problem("dependency_unavailable", "Please try again in a moment.")
        except Exception:
            # The last resort: whatever it was, it is in the log and not in the answer.
            platform.log.exception("unhandled error")
            refusal = Problem("internal_error", "Something went wrong on our side.")
        platform.log.info(
            "refused",
            route=event["routeKey"],
            status=refusal.status,
            code=refusal.code,
            reason=refusal.reason or "",
            request_id=request_id,
        )
        platform.count(f"Refused{refusal.status}")
        answer, extra = problems.render(refusal, request_id=request_id)
        return _response(Reply(answer), refusal.status, problems.CONTENT_TYPE, headers | extra)

    def _answer(
        self, event: Mapping[str, Any], origin: Origin, platform: Platform
    ) -> tuple[Reply, Route, Admission]:
        route = self._routes.get(event["routeKey"])
        if route is None:
            raise Problem("not_found", "There is no such route.")
        row = self._rows[event["routeKey"]]
        now = time.time()
        principal, admission = _admit(row, event, origin, now, platform)
        fields: Any = None
        if row.signed:
            fields = body.raw(event, row.max_body_bytes)
        elif row.body:
            form = row.form() if row.form else None
            fields = body.parse(event, row.body(), row.max_body_bytes, form)
        headers = event.get("headers") or {}
        path = event.get("pathParameters") or {}
        idempotency = None
        if row.idempotent and principal:
            idempotency = record_of(
                headers,
                principal,
                now,
                operation=row.operation,
                scope=row.idempotent,
                path=path,
                body=fields,
                by_attempt=row.by_attempt,
            )
        call = Call(
            row=row,
            wiring=platform.part(self._wiring),
            origin=origin,
            now=now,
            path=path,
            query=event.get("queryStringParameters") or {},
            headers=headers,
            cookies=_cookies(event),
            body=fields,
            _principal=principal,
            idempotency=idempotency,
        )
        return route(call), row, admission


def _admit(
    row: Route, event: Mapping[str, Any], origin: Origin, now: float, platform: Platform
) -> tuple[Principal | None, Admission]:
    """Meter the call and, where the endpoint asks for it, authenticate and authorize it.

    Fails closed: a limiter that cannot answer is a 503 on every endpoint.
    """
    try:
        if row.auth == "none":
            admission = platform.part(LimitsWiring).counters.admit(
                origin.ip, row.policy, int(now * 1000)
            )
            return None, admission
        principal, admission = platform.part(AccessWiring).authenticator.identify(
            event.get("headers") or {}, row, origin, now
        )
    except StoreUnavailable as fault:
        platform.part(AuditWiring).security.record(
            "limit.unavailable", "denied", origin, reason=fault.reason
        )
        platform.count("LimiterUnavailable")
        raise Problem(
            "limiter_unavailable",
            "The rate limiter did not respond, so the request was refused. Try again.",
        ) from None
    allowed: frozenset[str] = principal.scopes
    if principal.kind == "user":
        allowed = ROLES.get(principal.role, frozenset())
    if principal.must_enrol and row.scope not in ENROLMENT_SCOPES:
        platform.part(AuditWiring).security.record(
            "authz.denied",
            "denied",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason="second factor required",
        )
        raise Problem("second_factor_required", "Set up a second factor first.")
    if row.scope is not None and row.scope not in allowed:
        platform.part(AuditWiring).security.record(
            "authz.denied",
            "denied",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=row.scope,
        )
        raise Problem(
            "insufficient_scope",
            f"This needs the scope {row.scope}.",
            headers={
                "WWW-Authenticate": 'Bearer realm="imagelayer", error="insufficient_scope", '
                f'scope="{row.scope}"'
            },
        )
    return principal, admission


def _cookies(event: Mapping[str, Any]) -> dict[str, str]:
    """The request's cookies: the event's list, or the header where a gateway sends only that."""
    parts = event.get("cookies") or [(event.get("headers") or {}).get("cookie", "")]
    jar: SimpleCookie = SimpleCookie()
    try:
        for part in parts:
            jar.load(part)
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _response(
    reply: Reply, status: int, content_type: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    text = (
        reply.body
        if isinstance(reply.body, str)
        else ""
        if reply.body is None
        else json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
    )
    sent = {**SECURITY_HEADERS, **headers}
    if text:
        sent["Content-Type"] = f"{content_type}; charset=utf-8"
    response: dict[str, Any] = {
        "statusCode": status,
        "headers": sent | dict(reply.headers),
        "body": text,
    }
    if reply.cookies:
        response["cookies"] = list(reply.cookies)
    return response
