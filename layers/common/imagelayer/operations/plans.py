"""What the operator of a deployment decides about an organization: its allowance, its grants, its
limits, how many shards its counters have, and whether its ledger adds up.

There is no route to this: an operator with access to the AWS account invokes the function directly
(docs/operations.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imagelayer.access.key_store import KeyStore
from imagelayer.audit.security_log import SecurityLog
from imagelayer.credits.ledger import audit
from imagelayer.credits.pools import pools_of
from imagelayer.credits.store import (
    MAX_SHARDS,
    CreditStore,
    allowance_name,
    split,
)
from imagelayer.credits.wallet import allowance_of
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.limits.rate_limits import POLICIES, Policy
from imagelayer.platform.errors import Problem, invalid, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.table import TransactionRefused
from imagelayer.platform.times import RFC3339_FORM, parse_rfc3339, utc_month

if TYPE_CHECKING:
    from imagelayer.credits.records import Balance

ATTEMPTS = 8
MAX_CREDITS = 1_000_000_000
ACTOR = "operator"
# Limits that a plan can override: those counted per API key, and of the organization's own the one
# on generations. `webhook-send` protects the servers that the organization names, not us.
OVERRIDABLE = (
    frozenset(
        name
        for name in POLICIES
        if name.startswith(
            ("key-", "brand-", "generation-", "asset-", "end-user-session-", "usage-", "webhook-")
        )
    )
    - {"webhook-send"}
) | {"organization-generations"}


@frozen
class Plans:
    """The use cases of an operator."""

    organizations: OrganizationStore
    credits: CreditStore
    keys: KeyStore
    security: SecurityLog
    monthly_credits: int

    def grant_credits(
        self, now: float, org_id: str, *, amount: int, expires_at: str, idempotency_key: str
    ) -> dict[str, Any]:
        """Give credits beside the allowance. The same `idempotency_key` gives them once.

        Raises Problem 404, 409 or 422.
        """
        self._need(org_id)
        until = parse_rfc3339(expires_at)
        if until is None:
            raise invalid("expires_at", RFC3339_FORM)
        if int(until) <= now:
            raise invalid("expires_at", "must be in the future")
        if not 0 < amount <= MAX_CREDITS:
            raise invalid("amount", f"must be 1 to {MAX_CREDITS}")
        digest = hashlib.sha256(f"{org_id}\x00{idempotency_key}".encode()).digest()
        # The id must not depend on the time, so that a repeated call finds the grant it made.
        grant_id = new_id("crg", 0, lambda size: digest[:size])
        for _ in range(ATTEMPTS):
            try:
                given = self.credits.grant(
                    org_id,
                    grant_id,
                    amount,
                    int(until),
                    int(now),
                    self.credits.plan_to_change(org_id),
                )
            except TransactionRefused:
                continue
            if given:
                self._record("credits.granted", org_id, f"{grant_id} {amount}")
            return {"id": grant_id, "granted": given}
        raise Problem("conflict", "The plan is being changed by other requests. Try again.")

    def set_plan(
        self,
        now: float,
        org_id: str,
        *,
        monthly_credits: int | None,
        shards: int,
        limits: Mapping[str, Mapping[str, int]],
    ) -> dict[str, Any]:
        """Replace an organization's plan. Raises Problem 404, 409 or 422.

        A new allowance counts from this month on: an increase is added now, a decrease is taken
        from what is available now, and no further. Limits reach every key before this returns.
        """
        self._need(org_id)
        _check(monthly_credits, shards, limits)
        terms = {"monthly_credits": monthly_credits, "shards": shards, "limits": dict(limits)}
        kept = {name: value for name, value in terms.items() if value not in (None, {})}
        for _ in range(ATTEMPTS):
            plan = self.credits.plan_to_change(org_id)
            balances = {
                each["name"]: each
                for each in self.credits.pool(org_id, allowance_name(now, utc_month(now)))
            }
            allowance = allowance_of(kept, self.monthly_credits)
            try:
                if balances:
                    moves = _moves(balances, allowance, shards, now)
                    self.credits.set_plan(org_id, plan, kept, moves, int(now))
                else:
                    self.credits.set_plan_and_open(org_id, plan, kept, allowance, int(now))
            except TransactionRefused:
                continue
            keys = self.keys.set_limits(org_id, dict(limits))
            self._record("plan.changed", org_id, ", ".join(sorted(kept)))
            return {"plan": kept, "keys": keys}
        raise Problem(
            "conflict", "The plan or its balances are being changed by other requests. Try again."
        )

    def show_plan(self, now: float, org_id: str) -> dict[str, Any]:
        """The plan and the unexpired balances. Raises Problem 404."""
        self._need(org_id)
        plan = self.credits.plan(org_id)
        return {
            "plan": plan.get("terms") or {},
            "monthly_credits": allowance_of(plan.get("terms") or {}, self.monthly_credits),
            "pools": pools_of(self.credits.balances(org_id, int(now))),
        }

    def audit(self, now: float, org_id: str) -> dict[str, Any]:
        """Compare every balance with the movements that made it. Raises Problem 404.

        Requests in progress move both in one transaction; read at different moments they may
        differ, so a difference is checked again.
        """
        self._need(org_id)
        wrong = audit(self.credits, org_id, now)
        if wrong:
            wrong = audit(self.credits, org_id, now)
        return {"balanced": not wrong, "wrong": wrong}

    def _need(self, org_id: str) -> None:
        if not is_id("org", org_id) or self.organizations.get_organization(org_id) is None:
            raise not_found("organization")

    def _record(self, event: str, org_id: str, reason: str) -> None:
        self.security.record(event, "success", org_id=org_id, actor=ACTOR, reason=reason)


def _moves(
    balances: Mapping[str, Balance], allowance: int, shards: int, now: float
) -> dict[str, int]:
    """How this month's balances change so that together they are the allowance, spread evenly.

    Used and reserved credits stay in their balances, so the sum cannot fall below them.
    """
    names = [allowance_name(now, utc_month(now), shard) for shard in range(shards)]
    names += [name for name in balances if name not in names]
    spent = sum(each["used"] + each["reserved"] for each in balances.values())
    parts = split(max(0, allowance - spent), shards)
    wanted = dict(zip(names, parts, strict=False))
    return {
        name: wanted.get(name, 0) - (balances[name]["available"] if name in balances else 0)
        for name in names
    }


def _check(
    monthly_credits: int | None, shards: int, limits: Mapping[str, Mapping[str, int]]
) -> None:
    if monthly_credits is not None and not 0 <= monthly_credits <= MAX_CREDITS:
        raise invalid("monthly_credits", f"must be 0 to {MAX_CREDITS}")
    if not 1 <= shards <= MAX_SHARDS:
        raise invalid("shards", f"must be 1 to {MAX_SHARDS}")
    for name, numbers in limits.items():
        if name not in OVERRIDABLE:
            raise invalid(f"limits.{name}", "is not a limit that can be overridden")
        try:
            Policy(name, **numbers)
        except (TypeError, ValueError):
            raise invalid(
                f"limits.{name}",
                "needs quota, window and burst, and 0 < burst < quota and a window",
            ) from None
