"""Sign-ups that the operator makes: the first owner of a deployment, and of any organization."""

from __future__ import annotations

from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import (
    DomainLists,
    address_hash,
    canonical_address,
    refuse_disposable,
)
from imagelayer.identity.link_tokens import SIGN_UP_SECONDS
from imagelayer.identity.store import AccountStore
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.mail_outbox import Outbox

ACTOR = "operator"


@frozen
class Owners:
    """The use case of inviting an owner."""

    accounts: AccountStore
    outbox: Outbox
    security: SecurityLog
    domains: DomainLists

    def create_owner(self, now: float, *, email: str, organization_name: str) -> dict[str, Any]:
        """Make a sign-up without a captcha, and send the mail whose link creates the organization.

        The operator chooses no password: the owner does, with the link, which also proves the
        mailbox. A repeated call sends another link, which replaces the earlier one. An address that
        gets an account in between stays as it is: the mail function then sends nothing, and the
        sign-up expires. Raises Problem 409 or 422, or StoreUnavailable.
        """
        canonical = canonical_address(email)
        refuse_disposable(canonical, self.domains)
        address = address_hash(canonical)
        if self.accounts.get_user_by_address(address) is not None:
            raise Problem(
                "address_taken",
                "This address already has an account; an account belongs to one organization.",
            )
        self.accounts.keep_sign_up(canonical, address, int(now) + SIGN_UP_SECONDS)
        self.outbox.ask(
            "owner_invitation", None, now, address=address, organization_name=organization_name
        )
        self.security.record("owner.invited", "success", actor=ACTOR)
        return {"email": canonical, "organization_name": organization_name}
