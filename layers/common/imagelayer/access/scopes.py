"""The scopes and kinds of API keys, for rules as well as for shapes."""

from __future__ import annotations

from typing import Literal

type Scope = Literal[
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
type EndUserScope = Literal["assets:read", "generations:read", "generations:write"]
type KeyKind = Literal["secret", "publishable"]
