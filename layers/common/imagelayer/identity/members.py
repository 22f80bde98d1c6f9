"""An organization and its members.

An account belongs to one organization and goes with its membership (docs/decisions/0009). One owner
always stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.records import Member, Organization, User
from imagelayer.identity.roles import MUST_ENROL, deny, may_manage
from imagelayer.identity.store import AccountStore
from imagelayer.identity.user_changes import ATTEMPTS, Change, UserChanges
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.ids import is_id
from imagelayer.platform.pages import cut
from imagelayer.platform.principals import Origin, Principal, Role
from imagelayer.platform.table import TransactionRefused
from imagelayer.platform.times import rfc3339


@dataclass(frozen=True)
class Members:
    """The use cases of an organization and its members."""

    accounts: AccountStore
    organizations: OrganizationStore
    user_changes: UserChanges
    security: SecurityLog

    def get_organization(self, principal: Principal) -> dict[str, Any]:
        """The caller's organization. Raises Problem 404."""
        found = self.organizations.get_organization(principal.org_id)
        if found is None:
            raise not_found("organization")
        return _view_organization(found)

    def update_organization(
        self, principal: Principal, origin: Origin, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Set fields. Raises Problem 403, 404 or 409.

        Once owners need a second factor, the sessions of every owner without one end.
        """
        log = self.security.by(principal, origin)
        required = fields.get("owners_need_second_factor")
        if required is not None and principal.role != "owner":
            deny(log, "security:write")
        if required and not _has_second_factor(self.accounts.get_user(principal.actor)):
            raise Problem("conflict", "Set up your own second factor first.")
        if not fields:
            return self.get_organization(principal)
        changed = self.organizations.update_organization(principal.org_id, fields)
        if changed is None:
            raise not_found("organization")
        log.record("organization.changed", reason=", ".join(sorted(fields)))
        if required:
            self._end_sessions_without_second_factor(principal.org_id)
        return _view_organization(changed)

    def list_members(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of members, and the cursor of the next."""
        found = self.organizations.list_members(principal.org_id, limit=limit + 1, after=after)
        members, cursor = cut(found, limit, key="user_id")
        users = [(member, self.accounts.get_user(member["user_id"])) for member in members]
        return [_view_member(member, user) for member, user in users if user is not None], cursor

    def change_role(
        self, principal: Principal, origin: Origin, user_id: str, role: Role
    ) -> dict[str, Any]:
        """Give a member another role and end their sessions, all or nothing.

        Raises Problem 403, 404 or 409.
        """
        log = self.security.by(principal, origin)
        member = self._need(principal, user_id)
        if not (may_manage(principal.role, member["role"]) and may_manage(principal.role, role)):
            deny(log, "members:write")
        if member["role"] == role:
            return _view_member(member, self.accounts.get_user(user_id))

        def decide(_user: User) -> Change:
            fresh = self._need(principal, user_id)
            if fresh["role"] != member["role"]:
                raise Problem("conflict", "The member was changed by another request.")
            if fresh["role"] == "owner":
                self._keep_an_owner(principal)
            return {}, (), self.organizations.role_actions(fresh, role)

        user = self.user_changes.change(user_id, decide)
        log.record("member.role_changed", reason=f"{user_id} {role}")
        return _view_member({**member, "role": role}, user)

    def remove_member(self, principal: Principal, origin: Origin, user_id: str) -> None:
        """Remove a member, or leave; membership, account and sessions end together.

        Raises Problem 403, 404 or 409. What the member made, API keys included, is the
        organization's and stays.
        """
        log = self.security.by(principal, origin)
        member = self._need(principal, user_id)
        leaves = user_id == principal.actor
        if not leaves and not may_manage(principal.role, member["role"]):
            deny(log, "members:write")
        if not leaves and principal.must_enrol:
            # The route is open to them because every member may leave, not to remove another.
            deny(log, "second factor required", MUST_ENROL)
        for _ in range(ATTEMPTS):
            user = self.accounts.get_user(user_id)
            if user is None:
                raise not_found("member")
            member = self._need(principal, user_id)
            if member["role"] == "owner":
                self._keep_an_owner(principal)
            try:
                # Each refusal means that another change of the same member went through.
                self.accounts.commit(
                    [
                        *self.accounts.removal_actions(member, user, address_hash(user["email"])),
                        *self.user_changes.end_actions(user_id),
                    ]
                )
            except TransactionRefused:
                continue
            self.accounts.forget_places(user_id)
            log.record("member.removed", reason=user_id)
            return
        raise Problem("conflict", "The member was changed by another request. Try again.")

    def _end_sessions_without_second_factor(self, org_id: str) -> None:
        for member in self.organizations.list_members(org_id):
            if member["role"] == "owner":
                user = self.accounts.get_user(member["user_id"])
                if user is not None and not _has_second_factor(user):
                    self.user_changes.end_all_sessions(user["id"])

    def _need(self, principal: Principal, user_id: str) -> Member:
        known = is_id("usr", user_id)
        member = self.organizations.get_member(principal.org_id, user_id) if known else None
        if member is None:
            raise not_found("member")
        return member

    def _keep_an_owner(self, principal: Principal) -> None:
        """A friendly early check; the transaction enforces it under concurrency."""
        organization = self.organizations.get_organization(principal.org_id)
        if organization is None or organization["owners"] <= 1:
            raise Problem("last_owner", "Make another member an owner first.")


def _has_second_factor(user: User | None) -> bool:
    return bool(user and user.get("totp"))


def _view_organization(organization: Organization) -> dict[str, Any]:
    return {
        "id": organization["id"],
        "name": organization["name"],
        "created_at": rfc3339(organization["created_at"]),
        "owners_need_second_factor": bool(organization.get("owners_need_second_factor")),
    }


def _view_member(member: Member, user: User | None) -> dict[str, Any]:
    return {
        "id": member["user_id"],
        "email": user["email"] if user else "",
        "name": user["name"] if user else "",
        "role": member["role"],
        "two_factor_enabled": _has_second_factor(user),
        "joined_at": rfc3339(member["joined_at"]),
    }
