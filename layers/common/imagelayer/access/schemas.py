"""Shapes of the API: access."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field, TypeAdapter

from imagelayer.access.scopes import EndUserScope, KeyKind, Scope
from imagelayer.api.schemas import TRIMMED, WHOLE, Answer, Name, Request, Shape, Timestamp, form
from imagelayer.platform.principals import Mode

# `203.0.113.0/24`, `2001:db8::/48`; a bare address is its own network.
Cidr = Annotated[str, Field(min_length=2, max_length=43, examples=["203.0.113.0/24"]), TRIMMED]

Cidrs = Annotated[list[Cidr], Field(max_length=32)]

BrandId = Annotated[
    str, form(r"^brd_[0-9a-hjkmnp-tv-z]{26}$", "the id of a brand, as GET /v1/brands lists them")
]

EndUserId = Annotated[
    str,
    form(
        r"^[\x21-\x7e]+$", "visible ASCII characters without blanks", min_length=1, max_length=128
    ),
]


Origins = Annotated[list[Annotated[str, Field(max_length=260)]], Field(max_length=16)]


class CreateEndUserSessionRequest(Request):
    """A short-lived token for one of your own users."""

    end_user_id: EndUserId
    """Your own id of the user: 1 to 128 visible ASCII characters."""
    scopes: Annotated[list[EndUserScope], Field(min_length=1, max_length=8)] | None = None
    """What the token may do; by default all of the key's scopes that an end user can have."""
    expires_in: Annotated[int, Field(ge=60, le=3600), WHOLE] = 900
    """Seconds until the token expires."""
    allowed_origins: Annotated[
        list[Annotated[str, Field(max_length=260)]], Field(max_length=16)
    ] = []
    """Web origins the token works from, such as `https://app.example.com`; empty for any."""
    max_generations: Annotated[int, Field(ge=0, le=100_000), WHOLE] | None = None
    """The most generations the session can make; null for no cap."""


class EndUserSession(Answer):
    """The token, shown once, and what it can do."""

    id: str
    session_token: str
    """Shown once."""
    end_user_id: str
    """Your own id of the user."""
    scopes: list[EndUserScope]
    allowed_origins: list[str]
    """Web origins the token works from; empty for any."""
    max_generations: int | None
    """The most generations the session can make; null for no cap."""
    expires_at: Timestamp


class RevokeEndUserSessionsRequest(Request):
    """Which sessions to end: one of an end user's, of a key's, or all of the organization's."""

    end_user_id: EndUserId | None = None
    """End the sessions of this end user."""
    key_id: str | None = None
    """End the sessions that this key minted."""
    all: bool = False
    """End every end user's session of the organization."""


class RevokedSessions(Answer):
    """How many active sessions were ended."""

    revoked: int
    """How many sessions were ended."""


class CreateKeyRequest(Request):
    """A new API key: a secret one with at least one scope, or a publishable one without any.

    With `allowed_cidrs` it works only from these networks.
    """

    name: Name
    """What you call it."""
    mode: Mode
    """`test` keys make watermarked images of the built-in model, free of charge."""
    kind: KeyKind = "secret"
    """`publishable` keys can be public, in a web page, and have no scopes."""
    scopes: Annotated[list[Scope], Field(max_length=16)] = []
    """What the key can do; docs/keys.md."""
    expires_at: Timestamp | None = None
    """When it stops working; null for never."""
    allowed_cidrs: Cidrs = []
    """The only networks it works from, such as `203.0.113.0/24`; empty for any."""
    default_brand_id: BrandId | None = None
    """The brand of its images where a request names none."""


class UpdateKeyRequest(Request):
    """Fields left out stay as they are; an empty `allowed_cidrs` allows every network."""

    name: Name | MISSING = MISSING
    """Its new name."""
    enabled: bool | MISSING = MISSING
    """`false` disables it, `true` enables it again."""
    allowed_cidrs: Cidrs | MISSING = MISSING
    """The only networks it works from; an empty list allows any."""
    default_brand_id: BrandId | MISSING | None = MISSING
    """The brand of its images where a request names none; null for none."""


class RotateKeyRequest(Request):
    """How long the old secret keeps working, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Field(ge=0, le=604_800), WHOLE] = 0
    """How long the old secret keeps working, 0 to 604,800 seconds."""


class ApiKey(Answer):
    """An API key without its secret."""

    id: str
    name: str
    kind: KeyKind
    """`secret` keys call the API; `publishable` ones only accompany a session token."""
    prefix: str
    """The first characters of the key."""
    last_four: str
    """The last four characters of the key."""
    scopes: list[Scope]
    mode: Mode
    enabled: bool
    """Whether it works."""
    allowed_cidrs: list[str]
    """The only networks it works from; empty for any."""
    default_brand_id: str | None
    """The brand of its images where a request names none."""
    created_at: Timestamp
    created_by: str
    """The member who created it."""
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    """When it last worked; null if never."""


class CreatedKey(ApiKey):
    """An API key with its secret, which is shown once."""

    key: str
    """The key itself, shown once."""


class RotatedKey(CreatedKey):
    """The new secret, and when the previous one stops working."""

    previous_expires_at: Timestamp
    """When the old secret stops working."""


class KeyList(Answer):
    """A page of keys."""

    data: list[ApiKey]
    next_cursor: str | None


class LeakedKey(Shape):
    """A key found in public, as GitHub's secret scanning reports it; other fields are ignored."""

    token: Annotated[str, Field(max_length=500)]
    """The key that was found."""
    type: Annotated[str, Field(max_length=200)] = ""
    """What the pattern is called that matched."""
    url: Annotated[str, Field(max_length=4000)] = ""
    """Where it was found."""
    source: Annotated[str, Field(max_length=200)] = ""
    """What kind of place that is."""


def read_reports(body: bytes) -> list[LeakedKey]:
    """Reports from a JSON list. Raises pydantic.ValidationError, which is a ValueError."""
    return TypeAdapter(list[LeakedKey]).validate_json(body, strict=True)


class LeakVerdict(Answer):
    """Whether a reported key belongs to this deployment. If so, it has been revoked."""

    token_hash: str
    """SHA-256 of the reported key, hex."""
    token_type: str
    """The type as reported."""
    label: Literal["true_positive", "false_positive"]
    """`true_positive`: it was a key of ours and is revoked."""
