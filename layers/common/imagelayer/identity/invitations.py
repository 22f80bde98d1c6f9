"""Invitations into an organization: created, listed, withdrawn. Accepting one makes a user and is
in `registration`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import DomainLists, canonical_address, refuse_disposable
from imagelayer.identity.link_tokens import INVITATION_DAYS
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.roles import deny, may_manage
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.pages import cut
from imagelayer.platform.principals import Origin, Principal, Role
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.identity.records import Invitation


@frozen
class Invitations:
    """The use cases of invitations."""

    organizations: OrganizationStore
    counters: CounterStore
    outbox: Outbox
    security: SecurityLog
    domains: DomainLists

    def create_invitation(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        email: str,
        role: Role,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Invite a person by mail. Raises Problem 403, 404, 409 or 422, or Limited.

        The answer does not show whether the address has an account elsewhere; accepting does.
        """
        log = self.security.by(principal, origin)
        if not may_manage(principal.role, role):
            deny(log, "members:write")
        canonical = canonical_address(email)
        refuse_disposable(canonical, self.domains)
        self.counters.admit(principal.org_id, POLICIES["invite"], int(now * 1000))
        invitation: Invitation = {
            "id": new_id("inv", now),
            "org_id": principal.org_id,
            "email": canonical,
            "role": role,
            "invited_by": principal.actor,
            "created_at": int(now),
            "expires_at": int(now) + INVITATION_DAYS * 86_400,
        }
        record = idempotency and idempotency.creating(invitation_id=invitation["id"])
        earlier = self.organizations.create_invitation(invitation, record)
        if earlier is not None:
            found = self.organizations.get_invitation(
                principal.org_id, earlier["invitation_id"], int(now)
            )
            if found is None:
                raise not_found("invitation")
            invitation = found
        # A repeated request requests the mail too: the first may have died before this line.
        self.outbox.ask(
            "invitation",
            origin,
            now,
            org_id=principal.org_id,
            invitation_id=invitation["id"],
        )
        if earlier is None:
            log.record("member.invited", reason=f"{invitation['id']} {role}")
        return Created(_view(invitation), replayed=earlier is not None)

    def list_invitations(
        self, principal: Principal, *, limit: int, after: str | None, now: float
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of pending invitations, and the cursor of the next."""
        found = self.organizations.list_invitations(principal.org_id, limit=limit + 1, after=after)
        invitations, cursor = cut(found, limit)
        return [_view(each) for each in invitations if each["expires_at"] > now], cursor

    def withdraw_invitation(self, principal: Principal, origin: Origin, invitation_id: str) -> None:
        """Withdraw an invitation; its link stops working at once. Raises Problem 403 or 404."""
        log = self.security.by(principal, origin)
        known = is_id("inv", invitation_id)
        found = (
            self.organizations.get_invitation(principal.org_id, invitation_id, 0) if known else None
        )
        if found is None:
            raise not_found("invitation")
        if not may_manage(principal.role, found["role"]):
            deny(log, "members:write")
        if not self.organizations.withdraw_invitation(principal.org_id, invitation_id):
            raise not_found("invitation")
        log.record("member.invitation_withdrawn", reason=invitation_id)


def _view(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation["id"],
        "email": invitation["email"],
        "role": invitation["role"],
        "invited_by": invitation["invited_by"],
        "created_at": rfc3339(invitation["created_at"]),
        "expires_at": rfc3339(invitation["expires_at"]),
    }
