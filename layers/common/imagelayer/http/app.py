"""One HTTP function: admit the caller, validate the body, call the handler, respond.

API Gateway has matched the route already, so dispatch is a look-up of `routeKey`: no second router
can disagree with the first (decision 0003).
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from imagelayer.access.wiring import AccessWiring
from imagelayer.api import query
from imagelayer.api.route import Route
from imagelayer.audit.wiring import AuditWiring
from imagelayer.http import body, cookies, problems
from imagelayer.http.client_address import client_address
from imagelayer.http.user_agent import describe
from imagelayer.limits.rate_limits import Admission, Limited
from imagelayer.limits.wiring import LimitsWiring
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.idempotency import REPLAYED, Created, IdempotencyRecord, record_of
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.table import StoreUnavailable
from imagelayer.platform.tracing import traced
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


@frozen
class Reply:
    """A handler's answer; the status is the route's unless given."""

    body: Mapping[str, Any] | Sequence[Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    status: int | None = None
    # Limits that were charged beside the caller's own; their fields are added to its.
    charged: Sequence[Admission | Limited] = ()


def created(answer: Created, headers: Mapping[str, str] | None = None) -> Reply:
    """The reply to a creating request, whether it or an earlier one created the thing."""
    return Reply(answer.body, headers={**(headers or {}), **(REPLAYED if answer.replayed else {})})


@frozen
class Call[W: Part]:
    """One admitted request, parsed. `wiring` is that of the function's own domain."""

    route: Route
    wiring: W
    origin: Origin
    now: float
    method: str
    url_path: str
    path: Mapping[str, str]  # the values of the route's variables
    query: Mapping[str, str]
    headers: Mapping[str, str]
    refresh_token: str  # of a route that reads the cookie; empty where none was sent
    body: Any
    _principal: Principal | None
    idempotency: IdempotencyRecord | None = None

    @property
    def principal(self) -> Principal:
        """The authenticated caller; raises LookupError on a route that does not authenticate."""
        if self._principal is None:
            raise LookupError(f"{self.route.key} does not authenticate")
        return self._principal


type Handler[W: Part] = Callable[[Call[W]], Reply]


class App[W: Part]:
    """The Lambda handler of one function; routes are bound with `@app.route("GET /v1/…")`.

    `tables` are the routes of the domains it serves, `wiring` builds what its handlers call.
    """

    def __init__(self, function: str, wiring: type[W], *tables: Mapping[str, Route]) -> None:
        self._function = function
        self._wiring = wiring
        self._routes = {key: route for table in tables for key, route in table.items()}
        self._handlers: dict[str, Handler[W]] = {}
        self._started = False
        # A start allocates hundreds of thousands of objects that live as long as the process. The
        # collector would examine them several times, so it waits for the first answer.
        gc.disable()

    def route(self, key: str) -> Callable[[Handler[W]], Handler[W]]:
        """Bind the handler of a route that its domain gives to this function."""
        if self._routes[key].function != self._function:
            raise LookupError(f"{key} belongs to {self._routes[key].function}")

        def bind(handler: Handler[W]) -> Handler[W]:
            self._handlers[key] = handler
            return handler

        return bind

    @property
    def routes(self) -> frozenset[str]:
        """The keys of the routes bound so far."""
        return frozenset(self._handlers)

    def handler(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        """Answer one API Gateway HTTP API event (payload format 2.0)."""
        response = traced(self._serve)(event, context)
        if not self._started:
            self._started = True
            gc.freeze()  # what is alive now is never examined again
            gc.enable()
        return response

    def _serve(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        platform = current()
        request_id = str(event["requestContext"]["requestId"])
        head = event["requestContext"]["http"]["method"] == "HEAD"
        headers = {"x-request-id": request_id}
        origin = Origin("unknown", request_id)
        try:
            ip = client_address(event, platform.settings.edge_secret_sha256)
            agent = (event.get("headers") or {}).get("user-agent", "")
            origin = Origin(ip, request_id, describe(agent))
            reply, route = self._answer(event, origin, platform, headers)
            for charge in reply.charged:
                fields = charge.headers()
                for name in ("RateLimit-Policy", "RateLimit"):
                    headers[name] = f"{headers[name]}, {fields[name]}"
            status = reply.status or route.status
            return _response(reply, status, route.content_type, headers, head=head)
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
            # The last resort: the fault is in the log and not in the answer.
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
        # What callers cause is in the log alone: each status would be a metric of its own.
        if refusal.status >= 500:
            platform.count(f"Refused{refusal.status}")
        answer, extra = problems.render(refusal, request_id=request_id)
        reply = Reply(answer, cookies=self._forgotten(event, refusal))
        sent = headers | extra
        return _response(reply, refusal.status, problems.CONTENT_TYPE, sent, head=head)

    def _forgotten(self, event: Mapping[str, Any], refusal: Problem) -> tuple[str, ...]:
        """Makes the browser forget a refresh cookie that opens nothing and never will.

        Tabs that refresh at once with one cookie are all served (REUSE_GRACE_SECONDS), so what is
        refused here has ended. A login whose answer overtakes this one's loses its cookie with it:
        a cookie cannot be expired on condition of its value. The user then logs in once more.
        """
        route = self._routes.get(_route_key(event))
        over = route is not None and route.cookie and refusal.code == "unauthenticated"
        return (cookies.expired_refresh_cookie(),) if over and cookies.was_sent(event) else ()

    def _answer(
        self,
        event: Mapping[str, Any],
        origin: Origin,
        platform: Platform,
        headers: dict[str, str],
    ) -> tuple[Reply, Route]:
        """The handler's answer. From the admission on, `headers` have its fields, so that what is
        refused afterwards has them too."""
        key = _route_key(event)
        if key not in self._handlers:
            raise Problem("route_not_found", "There is no such route.")
        route = self._routes[key]
        now = time.time()
        principal, admission = _admit(route, event, origin, now, platform)
        headers |= admission.headers()
        attempt: AbstractContextManager[None] = nullcontext()
        if route.event:
            security = platform.part(AuditWiring).security
            attempt = security.attempt(route.event, origin, principal)
        with attempt:
            return self._run(route, event, origin, now, principal, platform), route

    def _run(
        self,
        route: Route,
        event: Mapping[str, Any],
        origin: Origin,
        now: float,
        principal: Principal | None,
        platform: Platform,
    ) -> Reply:
        refresh_token = ""
        if route.cookie:
            _refuse_cross_site(event, origin, platform)
            refresh_token = cookies.refresh_token(event)
        fields: Any = None
        if route.signed:
            fields = body.raw(event, route.max_body_bytes)
        elif route.body:
            form = route.form() if route.form else None
            fields = body.parse(event, route.body(), route.max_body_bytes, form)
        headers = event.get("headers") or {}
        path = event.get("pathParameters") or {}
        idempotency = None
        if route.idempotent and principal:
            idempotency = record_of(
                headers,
                principal,
                now,
                operation=route.operation,
                scope=route.idempotent,
                path=path,
                body=fields,
                by_attempt=route.by_attempt,
            )
        call = Call(
            route=route,
            wiring=platform.part(self._wiring),
            origin=origin,
            now=now,
            method=event["requestContext"]["http"]["method"],
            url_path=event["rawPath"],
            path=path,
            query=query.read(event, route),
            headers=headers,
            refresh_token=refresh_token,
            body=fields,
            _principal=principal,
            idempotency=idempotency,
        )
        return self._handlers[route.key](call)


def _route_key(event: Mapping[str, Any]) -> str:
    """The route's key in the tables: `HEAD` is served as `GET` in all but the body (RFC 9110
    §9.3.2), and has a route of its own in the template alone."""
    key: str = event["routeKey"]
    return f"GET {key[5:]}" if key.startswith("HEAD ") else key


def _admit(
    route: Route, event: Mapping[str, Any], origin: Origin, now: float, platform: Platform
) -> tuple[Principal | None, Admission]:
    """Meter the call and, where the route requires it, authenticate and authorize the caller.

    Fails closed: a limiter that cannot answer is a 503 on every route.
    """
    try:
        if route.auth == "none":
            counters = platform.part(LimitsWiring).counters
            return None, counters.admit(origin.ip, route.policy, int(now * 1000))
        authenticator = platform.part(AccessWiring).authenticator
        return authenticator.check(event.get("headers") or {}, route, origin, now)
    except StoreUnavailable as fault:
        platform.part(AuditWiring).security.record(
            "limit.unavailable", "denied", origin, reason=fault.reason
        )
        platform.count("LimiterUnavailable")
        raise Problem(
            "limiter_unavailable",
            "The rate limiter did not respond, so the request was refused. Try again.",
        ) from None


def _refuse_cross_site(event: Mapping[str, Any], origin: Origin, platform: Platform) -> None:
    """Refuse what a page of another origin causes where the cookie counts. Raises Problem 403."""
    reason = cookies.cross_site(event.get("headers") or {}, platform.settings.base_url)
    if reason:
        platform.part(AuditWiring).security.record(
            "authz.origin_denied", "denied", origin, reason=reason
        )
        raise Problem(
            "cross_site_request", "Send this request from a page of our own, or not from a browser."
        )


def _response(
    reply: Reply, status: int, content_type: str, headers: Mapping[str, str], *, head: bool
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
    if head and text:
        # The gateway would send the length of the body that it gets: none.
        sent["Content-Length"] = str(len(text.encode()))
        text = ""
    response: dict[str, Any] = {
        "statusCode": status,
        "headers": sent | dict(reply.headers),
        "body": text,
    }
    if reply.cookies:
        response["cookies"] = list(reply.cookies)
    return response
