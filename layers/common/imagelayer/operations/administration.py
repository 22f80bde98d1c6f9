"""Carries out the operator's actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from imagelayer.api.validation import validate
from imagelayer.operations.dead_letters import DeadLetters
from imagelayer.operations.plans import Plans
from imagelayer.operations.schemas import (
    CreateOwner,
    Event,
    GrantCredits,
    SetPlan,
    ShowDeadLetters,
    ShowPlan,
)
from imagelayer.platform.frozen import frozen


class Owners(Protocol):
    """What invites owners (`identity.owners.Owners`)."""

    def create_owner(self, now: float, *, email: str, organization_name: str) -> dict[str, Any]:
        """Send the mail whose link creates the organization. Raises Problem."""


@frozen
class Operator:
    """What carries out the operator's actions. What only one of them needs is made for it."""

    plans: Plans
    dead_letters: Callable[[], DeadLetters]
    owners: Callable[[], Owners]


def administer(operator: Operator, event: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Carry one action out and return its result. Raises Problem."""
    action = validate(dict(event), Event, root="event").root
    plans = operator.plans
    match action:
        case ShowDeadLetters():
            return operator.dead_letters().show()
        case CreateOwner():
            return operator.owners().create_owner(
                now, email=action.email, organization_name=action.organization_name
            )
        case GrantCredits():
            return plans.grant_credits(
                now,
                action.org_id,
                amount=action.amount,
                expires_at=action.expires_at,
                idempotency_key=action.idempotency_key,
            )
        case SetPlan():
            return plans.set_plan(
                now,
                action.org_id,
                monthly_credits=action.monthly_credits,
                shards=action.shards,
                limits=action.limits,
            )
        case ShowPlan():
            return plans.show_plan(now, action.org_id)
        case _:
            return plans.audit(now, action.org_id)
