"""An organization, who belongs to it, and who may change that.

An account belongs to one organization and goes with its membership (docs/decisions/0009). What a
role may do is `endpoints.ROLE_SCOPES`; here is whom it may do it to: an owner manages everybody, an
admin everybody but owners, and anybody may leave. One owner always stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.audit.store import EventStore
from imagelayer.identity.email_policy import (
    DomainLists,
    address_hash,
    canonical_address,
    refuse_disposable,
)
from imagelayer.identity.sessions import Change, Sessions
from imagelayer.identity.store import AccountStore
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal, Role
from imagelayer.platform.table import Item, TransactionRefused
from imagelayer.platform.times import rfc3339

INVITATION_SECONDS = 7 * 86_400

# Whom each role may invite, change or remove.
MANAGES: Mapping[str, frozenset[Role]] = {
    "owner": frozenset({"owner", "admin", "developer", "viewer"}),
    "admin": frozenset({"admin", "developer", "viewer"}),
}
_ROLE_FORBIDS = ("insufficient_scope", "Your role does not allow this.")
_MUST_ENROL = ("second_factor_required", "Set up a second factor first.")


def may_manage(role: str, other: str) -> bool:
    """Whether somebody with `role` may invite, change or remove somebody with role `other`."""
    return other in MANAGES.get(role, frozenset())


@dataclass(frozen=True)
class Members:
    """The use cases of an organization and its members."""

    accounts: AccountStore
    sessions: Sessions
    events: EventStore
    counters: CounterStore
    outbox: Outbox
    security: SecurityLog
    domains: DomainLists

    # ── The organization ────────────────────────────────────────────────────────────────────────

    def organization(self, principal: Principal) -> dict[str, Any]:
        """The caller's organization."""
        found = self.accounts.organization(principal.org_id)
        if found is None:
            raise not_found("organization")
        return _view_organization(found)

    def change_organization(
        self, principal: Principal, origin: Origin, fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Set fields. Raises Problem 403 or 409.

        From the moment owners need a second factor, no session of an owner without one goes on.
        """
        asked = fields.get("owners_need_second_factor")
        if asked is not None and principal.role != "owner":
            self._deny(principal, origin, "security:write")
        if asked and not (self.accounts.user(principal.actor) or {}).get("totp"):
            raise Problem("conflict", "Set up your own second factor first.")
        if not fields:
            return self.organization(principal)
        changed = self.accounts.change_organization(principal.org_id, fields)
        if changed is None:
            raise not_found("organization")
        self._record("organization.changed", principal, origin, ", ".join(sorted(fields)))
        if asked:
            for member in self.accounts.members(principal.org_id):
                user = self.accounts.user(_user_id(member))
                if member["role"] == "owner" and user is not None and not user.get("totp"):
                    self.sessions.end_everywhere(user["id"])
        return _view_organization(changed)

    # ── Members ─────────────────────────────────────────────────────────────────────────────────

    def page(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of members, and the id to go on from."""
        found = self.accounts.members(principal.org_id, limit=limit + 1, after=after)
        page = found[:limit]
        users = [(member, self.accounts.user(_user_id(member))) for member in page]
        rows = [_view_member(member, user) for member, user in users if user is not None]
        return rows, _user_id(page[-1]) if len(found) > limit else None

    def change_role(
        self, principal: Principal, origin: Origin, user_id: str, role: Role
    ) -> dict[str, Any]:
        """Give a member another role and end their sessions, all or nothing.

        Raises Problem 403, 404 or 409.
        """
        member = self._need(principal, user_id)
        if not (may_manage(principal.role, member["role"]) and may_manage(principal.role, role)):
            self._deny(principal, origin, "members:write")
        if member["role"] == role:
            user = self.accounts.user(user_id)
            return _view_member(member, user or {})

        def decide(_user: Item) -> Change:
            fresh = self._need(principal, user_id)
            if fresh["role"] != member["role"]:
                raise Problem("conflict", "The member was changed by another request.")
            if fresh["role"] == "owner":
                self._keep_an_owner(principal)
            return {}, (), self.accounts.role_actions(fresh, role)

        user = self.sessions.change(user_id, decide)
        self._record("member.role_changed", principal, origin, f"{user_id} {role}")
        return _view_member({**member, "role": role}, user)

    def remove(self, principal: Principal, origin: Origin, user_id: str) -> None:
        """Remove a member, or leave; membership, account and sessions end together.

        Raises Problem 403, 404 or 409. What the member made, API keys included, is the
        organization's and stays.
        """
        member = self._need(principal, user_id)
        leaves = user_id == principal.actor
        if not leaves and not may_manage(principal.role, member["role"]):
            self._deny(principal, origin, "members:write")
        if not leaves and principal.must_enrol:
            # The route is open to them because anybody may leave, not to remove somebody else.
            self._deny(principal, origin, "second factor required", _MUST_ENROL)
        for _ in range(ATTEMPTS):
            user = self.accounts.user(user_id)
            if user is None:
                raise not_found("member")
            member = self._need(principal, user_id)
            if member["role"] == "owner":
                self._keep_an_owner(principal)
            sessions = self.sessions.store.of_user(user_id)
            try:
                self.accounts.commit(
                    [
                        *self.accounts.removal_actions(member, user, address_hash(user["email"])),
                        *(self.sessions.store.end_action(each) for each in sessions),
                    ]
                )
            except TransactionRefused:
                continue
            self.accounts.forget_places(user_id)
            self._record("member.removed", principal, origin, user_id)
            return
        raise Problem("conflict", "The member was changed by another request. Try again.")

    # ── Invitations ─────────────────────────────────────────────────────────────────────────────

    def invite(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        email: str,
        role: Role,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Invite somebody by mail. Raises Problem 403, 404, 409 or 422, or Limited.

        The answer does not tell whether the address has an account somewhere; who accepts is told.
        """
        if not may_manage(principal.role, role):
            self._deny(principal, origin, "members:write")
        canonical = canonical_address(email)
        refuse_disposable(canonical, self.domains)
        self.counters.admit(principal.org_id, POLICIES["invite"], int(now * 1000))
        invitation: Item = {
            "id": new_id("inv", now),
            "org_id": principal.org_id,
            "email": canonical,
            "role": role,
            "invited_by": principal.actor,
            "created_at": int(now),
            "expires_at": int(now) + INVITATION_SECONDS,
        }
        record = idempotency and idempotency.creating(invitation_id=invitation["id"])
        earlier = self.accounts.create_invitation(invitation, record)
        if earlier is not None:
            found = self.accounts.invitation(principal.org_id, earlier["invitation_id"], int(now))
            if found is None:
                raise not_found("invitation")
            invitation = found
        # Asked for by a repeated request as well: the first may have died before it came to this.
        self.outbox.ask(
            "invitation",
            origin,
            now,
            org_id=principal.org_id,
            invitation_id=invitation["id"],
        )
        if earlier is None:
            self._record("member.invited", principal, origin, f"{invitation['id']} {role}")
        return Created(_view_invitation(invitation), replayed=earlier is not None)

    def invitations(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of invitations that wait, and the id to go on from."""
        found = self.accounts.invitations(principal.org_id, limit=limit + 1, after=after)
        page = found[:limit]
        rows = [_view_invitation(each) for each in page if each["expires_at"] > now]
        return rows, page[-1]["id"] if len(found) > limit else None

    def withdraw(self, principal: Principal, origin: Origin, invitation_id: str) -> None:
        """Withdraw an invitation; its link is dead at once. Raises Problem 403 or 404."""
        known = is_id("inv", invitation_id)
        found = self.accounts.invitation(principal.org_id, invitation_id, 0) if known else None
        if found is None:
            raise not_found("invitation")
        if not may_manage(principal.role, found["role"]):
            self._deny(principal, origin, "members:write")
        if not self.accounts.delete_invitation(principal.org_id, invitation_id):
            raise not_found("invitation")
        self._record("member.invitation_withdrawn", principal, origin, invitation_id)

    # ── Events ──────────────────────────────────────────────────────────────────────────────────

    def security_events(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the organization's security events, the newest first."""
        found = self.events.page(principal.org_id, limit=limit + 1, after=after)
        page = found[:limit]
        rows = [_view_event(each) for each in page if each["expires_at"] > now]
        return rows, _event_id(page[-1]) if len(found) > limit else None

    def _need(self, principal: Principal, user_id: str) -> Item:
        known = is_id("usr", user_id)
        member = self.accounts.member(principal.org_id, user_id) if known else None
        if member is None:
            raise not_found("member")
        return member

    def _keep_an_owner(self, principal: Principal) -> None:
        """A friendly refusal; that it holds under a race is the transaction's doing."""
        organization = self.accounts.organization(principal.org_id) or {}
        if organization.get("owners", 1) <= 1:
            raise Problem("last_owner", "Make another member an owner first.")

    def _deny(
        self,
        principal: Principal,
        origin: Origin,
        reason: str,
        refusal: tuple[str, str] = _ROLE_FORBIDS,
    ) -> None:
        self.security.record(
            "authz.denied",
            "denied",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=reason,
        )
        raise Problem(*refusal)

    def _record(self, event: str, principal: Principal, origin: Origin, reason: str) -> None:
        self.security.record(
            event,
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=reason,
        )


EVENT_FIELDS = ("event", "outcome", "actor", "ip", "request_id", "reason")
ATTEMPTS = 8  # each refusal means that another change of the same member went through


def _user_id(member: Item) -> str:
    return str(member["sk"].removeprefix("MEMBER#"))


def _event_id(event: Item) -> str:
    return str(event["sk"].removeprefix("EVT#"))


def _view_organization(organization: Item) -> dict[str, Any]:
    return {
        "id": organization["id"],
        "name": organization["name"],
        "created_at": rfc3339(organization["created_at"]),
        "owners_need_second_factor": bool(organization.get("owners_need_second_factor")),
    }


def _view_member(member: Item, user: Item) -> dict[str, Any]:
    return {
        "id": _user_id(member),
        "email": user.get("email", ""),
        "name": user.get("name", ""),
        "role": member["role"],
        "two_factor_enabled": bool(user.get("totp")),
        "joined_at": rfc3339(member["joined_at"]),
    }


def _view_invitation(invitation: Item) -> dict[str, Any]:
    return {
        "id": invitation["id"],
        "email": invitation["email"],
        "role": invitation["role"],
        "invited_by": invitation["invited_by"],
        "created_at": rfc3339(invitation["created_at"]),
        "expires_at": rfc3339(invitation["expires_at"]),
    }


def _view_event(event: Item) -> dict[str, Any]:
    return {
        "id": _event_id(event),
        **{
            name: event[name]
            for name in ("event", "outcome", "actor", "ip", "request_id", "reason")
        },
        "created_at": rfc3339(event["at"]),
    }
