"""Carries out the operator's actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imagelayer.api.validation import validate
from imagelayer.operations.dead_letters import DeadLetters
from imagelayer.operations.plans import Plans
from imagelayer.operations.schemas import Event, GrantCredits, SetPlan, ShowDeadLetters, ShowPlan
from imagelayer.platform.frozen import frozen


@frozen
class Operator:
    """What carries out the operator's actions. `dead_letters` are only read by one of them."""

    plans: Plans
    dead_letters: Callable[[], DeadLetters]


def administer(operator: Operator, event: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Carry one action out and return its result. Raises Problem."""
    action = validate(dict(event), Event, root="event").root
    plans = operator.plans
    match action:
        case ShowDeadLetters():
            return operator.dead_letters().show()
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
