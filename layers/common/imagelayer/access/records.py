"""The records of access, as its stores hand them out and take them.

Times are seconds since the epoch; 0 as an end means never.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from imagelayer.access.scopes import EndUserScope, KeyKind, Scope
from imagelayer.platform.principals import Mode

# What a call is checked and read under: {"cidrs": [...], "brand": the default brand's id,
# "limits": {policy: {quota, window, burst}}}.
type Terms = dict[str, Any]


class ShownSecret(TypedDict):
    """What is kept readable of a secret."""

    prefix: str  # how it begins
    last_four: str  # how it ends
    rotated_by: NotRequired[str]  # who was shown the current secret, where that is not who created


class NewApiKey(ShownSecret):
    """A key that is being created, with what is shown of its current secret."""

    id: str
    org_id: str
    name: str
    kind: KeyKind
    scopes: list[Scope]
    mode: Mode
    enabled: bool
    allowed_cidrs: NotRequired[list[str]]
    default_brand_id: NotRequired[str | None]
    created_at: int
    created_by: str
    valid_until: int
    last_used_at: NotRequired[int]


class ApiKey(NewApiKey):
    """A key. `rev` grows with every change of it, its secrets included."""

    rev: int
    limits: NotRequired[Terms | None]  # the organization's overrides
    secrets: dict[str, int]  # the valid secrets' hashes, and until when each is valid
    current_secret: str


class KeySecret(TypedDict):
    """One valid secret of a key, with everything a call needs."""

    key_id: str
    org_id: str
    kind: KeyKind
    scopes: list[Scope]
    mode: Mode
    valid_until: int
    disabled: NotRequired[bool]
    terms: NotRequired[Terms]
    state_hash: str  # of valid_until, disabled and terms (`key_store.state_hash`)
    last_used_at: NotRequired[int]


class EndUserSession(TypedDict):
    """A session of a customer's own user."""

    id: str
    org_id: str
    key_id: str  # the key that minted it
    end_user_id: str
    scopes: list[EndUserScope]
    mode: Mode
    allowed_origins: list[str]
    max_generations: NotRequired[int | None]
    generations: int
    created_at: int
    expires_at: int
    token_id: str
