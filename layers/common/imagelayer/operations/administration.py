"""The operator's actions as they are asked for, checked and carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from imagelayer.operations.dead_letters import DeadLetters as Letters
from imagelayer.operations.plans import Plans
from imagelayer.platform.errors import Problem

OrgId = Annotated[str, Meta(pattern=r"^org_[0-9a-z]{26}$")]


class Action(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="action"):
    """One action."""


class DeadLetters(Action, tag="dead_letters"):
    """The messages that nobody could work off, and how their jobs came out."""


class GrantCredits(Action, tag="grant_credits"):
    """Credits beside the allowance, until `expires_at`; the same key gives them once."""

    org_id: OrgId
    amount: int
    expires_at: str
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)]


class SetPlan(Action, tag="set_plan"):
    """The whole plan: what is left out is as it is for everybody."""

    org_id: OrgId
    monthly_credits: int | None = None
    shards: int = 1
    limits: dict[str, dict[str, int]] = {}


class ShowPlan(Action, tag="show_plan"):
    """The plan and what is left."""

    org_id: OrgId


class Audit(Action, tag="audit"):
    """Whether the ledger adds up to the balances."""

    org_id: OrgId


AnyAction = GrantCredits | SetPlan | ShowPlan | Audit | DeadLetters


@dataclass(frozen=True)
class Operator:
    """What the operator's actions are carried out by. `letters` are read for one action alone."""

    plans: Plans
    letters: Callable[[], Letters]


def administer(operator: Operator, event: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Carry one action out and return its result. Raises Problem."""
    try:
        action: Any = msgspec.convert(dict(event), AnyAction)
    except msgspec.ValidationError as error:
        raise Problem("validation_failed", str(error)) from None
    plans = operator.plans
    match action:
        case DeadLetters():
            return operator.letters().show()
        case GrantCredits():
            return plans.grant(
                now,
                action.org_id,
                amount=action.amount,
                expires_at=action.expires_at,
                idempotency_key=action.idempotency_key,
            )
        case SetPlan():
            return plans.change(
                now,
                action.org_id,
                monthly_credits=action.monthly_credits,
                shards=action.shards,
                limits=action.limits,
            )
        case ShowPlan():
            return plans.show(now, action.org_id)
        case _:
            return plans.audit(now, action.org_id)
