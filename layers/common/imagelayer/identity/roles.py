"""Whom a role may manage.

What a role may do is in `access.permissions`; here is to whom: an owner manages everyone, an admin
everyone but owners, and every member may leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Never, get_args

from imagelayer.audit.security_log import CallerLog
from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Role

# Whom each role may invite, change or remove.
MANAGES: Mapping[str, frozenset[Role]] = {
    "owner": frozenset({"owner", "admin", "developer", "viewer"}),
    "admin": frozenset({"admin", "developer", "viewer"}),
}
ROLE_FORBIDS = ("insufficient_scope", "Your role does not allow this.")
MUST_ENROL = ("second_factor_required", "Set up a second factor first.")


def may_manage(role: str, other: str) -> bool:
    """Whether a member with `role` may invite, change or remove one with the role `other`."""
    return other in MANAGES.get(role, frozenset())


def managers_of(role: Role) -> list[Role]:
    """The roles that may invite, change or remove a member with `role`."""
    return [each for each in get_args(Role.__value__) if may_manage(each, role)]


def deny(log: CallerLog, reason: str, refusal: tuple[str, str] = ROLE_FORBIDS) -> Never:
    """Record the denial and raise Problem 403."""
    log.record("authz.denied", "denied", reason=reason)
    raise Problem(*refusal)
