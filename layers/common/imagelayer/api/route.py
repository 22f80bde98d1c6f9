"""One route of the API, as its domain describes it: credentials, scope, limit, shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from imagelayer.api.query import Parameter
from imagelayer.limits.rate_limits import POLICIES, Policy
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Scope

# none: counted per client address. key: an API key. user: a dashboard access token.
Auth = Literal["none", "user", "key", "user_or_key"]

MAX_BODY_BYTES = 64 * 1024


# Names a shape without importing it: a request that has no body needs none.
type Shape = Callable[[], Any]


@frozen
class Route:
    """One route of the API."""

    key: str  # `GET /v1/…`, as API Gateway has it in `routeKey`
    function: str
    operation: str
    summary: str
    tag: str
    auth: Auth
    limit: str
    status: int
    answer: Shape | None = None
    body: Shape | None = None
    # What the summary leaves open, in a sentence or two; published with it.
    description: str = ""
    scope: str | None = None
    problems: tuple[str, ...] = ()
    content_type: str = "application/json"
    query: tuple[Parameter, ...] = ()
    # Whether unknown query parameters are ignored, as unknown fields of the body are.
    ignores_unknown: bool = False
    # The security event that each call leaves one record of, where it attempts to authenticate.
    event: str = ""
    # Whether it reads the refresh cookie, so that a browser may call it from our own origin only.
    cookie: bool = False
    # Whether an Idempotency-Key is taken, and who shares its meaning (see `idempotency`).
    idempotent: Scope | None = None
    # Whether a client without a key is recognized by the attempt it says it makes.
    by_attempt: bool = False
    # Limits beside the caller's own that count a call, where the rule accepts it.
    shared: tuple[str, ...] = ()
    # A body that is checked by its signature before it is parsed.
    signed: bool = False
    # The body as multipart/form-data, where it may come as that too.
    form: Shape | None = None
    # Statuses of success beside `status`.
    also: tuple[int, ...] = ()
    # Whether an end user's session token may call it, with the scope among its own.
    end_user: bool = False
    max_body_bytes: int = MAX_BODY_BYTES

    @property
    def method(self) -> str:
        """`GET`, `POST` …"""
        return self.key.partition(" ")[0]

    @property
    def takes_any_query(self) -> bool:
        """Whether unknown query parameters are ignored: where clients of OpenAI may send more than
        we know, and on what anyone may read, whose links others lengthen."""
        is_read = self.method in ("GET", "$default")
        return self.ignores_unknown or (self.auth == "none" and is_read)

    @property
    def path(self) -> str:
        """The path template."""
        return self.key.partition(" ")[2]

    @property
    def policy(self) -> Policy:
        """The limit that counts its calls."""
        return POLICIES[self.limit]


def route_table(*routes: Route) -> Mapping[str, Route]:
    """The routes by their key."""
    return {route.key: route for route in routes}
