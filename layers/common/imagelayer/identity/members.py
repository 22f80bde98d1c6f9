"""An organization and its members.

An account belongs to one organization and goes with its membership (docs/decisions/0009). One owner
always stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from imagelayer.audit.security_log import CallerLog, SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.roles import MUST_ENROL, deny, may_manage
from imagelayer.identity.store import AccountStore
from imagelayer.identity.user_changes import ATTEMPTS, Change, UserChanges
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.pages import cut
from imagelayer.platform.principals import Origin, Principal, Role
from imagelayer.platform.table import Action, StoreUnavailable, TransactionRefused
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.identity.records import Member, Organization, User


@frozen
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
        """Give a member another role and end their sessions, all or nothing. Invitations that they
        could not send with it are withdrawn.

        Raises Problem 403, 404 or 409.
        """
        log = self.security.by(principal, origin)
        member = self._need(principal, user_id)
        if not (may_manage(principal.role, member["role"]) and may_manage(principal.role, role)):
            deny(log, "members:write")
        if member["role"] == role:
            # A call that was cut off after the change is finished by the next one.
            self._withdraw_invitations(principal, log, user_id, role)
            return _view_member(member, self.accounts.get_user(user_id))

        def decide(_user: User) -> Change:
            fresh = self._need(principal, user_id)
            if fresh["role"] != member["role"]:
                raise Problem("conflict", "The member was changed by another request.")
            if fresh["role"] == "owner":
                self._keep_an_owner(principal)
            actions = self.organizations.role_actions(fresh, role)
            return {}, (), [*actions, *self._authority_checks(principal, log, user_id)]

        user = self.user_changes.change(user_id, decide)
        log.record("member.role_changed", reason=f"{user_id} {role}")
        self._withdraw_invitations(principal, log, user_id, role)
        return _view_member({**member, "role": role}, user)

    def remove_member(self, principal: Principal, origin: Origin, user_id: str) -> None:
        """Remove a member, or leave; membership, account and sessions end together, and the
        invitations that they sent are withdrawn.

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
            checks = self._authority_checks(principal, log, user_id)
            try:
                # Each refusal means that another change of the same member went through.
                self.accounts.commit(
                    [
                        *self.accounts.removal_actions(member, user, address_hash(user["email"])),
                        *self.user_changes.end_actions(user_id),
                        *checks,
                    ]
                )
            except TransactionRefused:
                continue
            log.record("member.removed", reason=user_id)
            self._withdraw_invitations(principal, log, user_id)
            with suppress(StoreUnavailable):  # they tell nothing without the user, and expire
                self.accounts.forget_places(user_id)
            return
        raise Problem("conflict", "The member was changed by another request. Try again.")

    def _authority_checks(self, principal: Principal, log: CallerLog, user_id: str) -> list[Action]:
        """Conditions that the caller still has the role that their session was opened with.

        A change of it ends the session, but not a request that was admitted before; without the
        condition such a request would act with the role that was just taken away. Of the two
        changes the later one is refused. On one's own membership the change has its own condition.
        """
        role = principal.role
        if user_id == principal.actor:
            return []
        if self.organizations.get_role(principal.org_id, principal.actor) != role:
            deny(log, "members:write")
        return [self.organizations.role_check(principal.org_id, principal.actor, [role])]

    def _withdraw_invitations(
        self, principal: Principal, log: CallerLog, user_id: str, role: str = ""
    ) -> None:
        """Withdraw what a member has open and could not send any more with `role`.

        They cannot be accepted any more in any case, so one that cannot be deleted now may stay
        until it expires.
        """
        with suppress(StoreUnavailable):
            count = self.organizations.withdraw_invitations_of(
                principal.org_id, user_id, lambda each: not may_manage(role, each["role"])
            )
            if count:
                log.record("member.invitation_withdrawn", reason=f"{user_id} {count} open")

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
