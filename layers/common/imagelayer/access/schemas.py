"""Shapes of the API: access."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from imagelayer.api.schemas import Answer, Mode, Name, Request, Timestamp

Scope = Literal[
    "assets:read",
    "brands:read",
    "brands:write",
    "generations:read",
    "generations:write",
    "keys:rotate",
    "sessions:write",
    "usage:read",
    "webhooks:read",
    "webhooks:write",
]

# What a customer's server may hand on to its own users.
EndUserScope = Literal["assets:read", "generations:read", "generations:write"]

KeyKind = Literal["secret", "publishable"]

# `203.0.113.0/24`, `2001:db8::/48`; a bare address is its own network.
Cidr = Annotated[str, Meta(min_length=2, max_length=43, examples=["203.0.113.0/24"])]

Cidrs = Annotated[list[Cidr], Meta(max_length=32)]

EndUserId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class CreateEndUserSessionRequest(Request):
    """A short-lived token for one of the customer's own users."""

    end_user_id: EndUserId
    scopes: Annotated[list[EndUserScope], Meta(min_length=1, max_length=8)] | None = None
    expires_in: Annotated[int, Meta(ge=60, le=3600)] = 900
    allowed_origins: Annotated[list[Annotated[str, Meta(max_length=260)]], Meta(max_length=16)] = (
        msgspec.field(default_factory=list)
    )
    max_generations: Annotated[int, Meta(ge=0, le=100_000)] | None = None


class EndUserSession(Answer):
    """The token, shown this once, and what it may do."""

    id: str
    session_token: str
    end_user_id: str
    scopes: list[EndUserScope]
    allowed_origins: list[str]
    max_generations: int | None
    expires_at: Timestamp


class RevokeEndUserSessionsRequest(Request):
    """Which sessions to end: one of an end user's, of a key's, or all of the organization's."""

    end_user_id: EndUserId | None = None
    key_id: str | None = None
    all: bool = False


class RevokedSessions(Answer):
    """How many living sessions were ended."""

    revoked: int


class CreateKeyRequest(Request):
    """A new API key: a secret one with at least one scope, or a publishable one without any.

    With `allowed_cidrs` it may be used from these networks alone.
    """

    name: Name
    mode: Mode
    kind: KeyKind = "secret"
    scopes: Annotated[list[Scope], Meta(max_length=16)] = msgspec.field(default_factory=list)
    expires_at: Timestamp | None = None
    allowed_cidrs: Cidrs = msgspec.field(default_factory=list)


class UpdateKeyRequest(Request):
    """Fields left out stay as they are; an empty `allowed_cidrs` allows every network."""

    name: Name | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    allowed_cidrs: Cidrs | UnsetType = UNSET


class RotateKeyRequest(Request):
    """How long the old secret keeps working, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 0


class Key(Answer):
    """A key without its secret."""

    id: str
    name: str
    kind: KeyKind
    prefix: str
    last_four: str
    scopes: list[Scope]
    mode: Mode
    enabled: bool
    allowed_cidrs: list[str]
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class CreatedKey(Key):
    """A key with its secret, shown this once."""

    key: str


class RotatedKey(CreatedKey):
    """The new secret, and until when the previous one works."""

    previous_expires_at: Timestamp


class KeyList(Answer):
    """A page of keys."""

    data: list[Key]
    next_cursor: str | None


class LeakedKey(msgspec.Struct, kw_only=True):
    """A key found in public, as GitHub's secret scanning reports it; other fields are ignored."""

    token: Annotated[str, Meta(max_length=500)]
    type: Annotated[str, Meta(max_length=200)] = ""
    url: Annotated[str, Meta(max_length=4000)] = ""
    source: Annotated[str, Meta(max_length=200)] = ""


class LeakVerdict(Answer):
    """Whether a reported key was one of ours; if so it is revoked by now."""

    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]
