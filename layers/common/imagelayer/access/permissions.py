"""What each dashboard role may do. A test compares docs/permissions.md with it."""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.platform.principals import Role

_VIEWER = frozenset(
    {
        "account:read",
        "account:write",
        "organization:read",
        "members:read",
        "keys:read",
        "brands:read",
        "generations:read",
        "assets:read",
        "usage:read",
    }
)
_DEVELOPER = _VIEWER | {
    "keys:write",
    "keys:rotate",
    "brands:write",
    "generations:write",
    "sessions:write",
    "webhooks:read",
    "webhooks:write",
}
_ADMIN = _DEVELOPER | {"organization:write", "members:write", "events:read"}
_OWNER = _ADMIN | {"security:write"}
ROLE_SCOPES: Mapping[Role, frozenset[str]] = {
    "viewer": _VIEWER,
    "developer": _DEVELOPER,
    "admin": _ADMIN,
    "owner": _OWNER,
}
# What a user may do who must first set up a second factor.
ENROLMENT_SCOPES = frozenset({"account:read", "account:write"})
