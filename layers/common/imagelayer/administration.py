"""The operator's actions as they are asked for, checked and carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from imagelayer.errors import Problem
from imagelayer.plans import Plans

OrgId = Annotated[str, Meta(pattern=r"^org_[0-9a-z]{26}$")]


class Action(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="action"):
    """One action on one organization."""

    org_id: OrgId


class GrantCredits(Action, tag="grant_credits"):
    """Credits beside the allowance, until `expires_at`; the same key gives them once."""

    amount: int
    expires_at: str
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=255)]


class SetPlan(Action, tag="set_plan"):
    """The whole plan: what is left out is as it is for everybody."""

    monthly_credits: int | None = None
    shards: int = 1
    limits: dict[str, dict[str, int]] = {}


class ShowPlan(Action, tag="show_plan"):
    """The plan and what is left."""


class Audit(Action, tag="audit"):
    """Whether the ledger adds up to the balances."""


def administer(plans: Plans, event: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Carry one action out and return its result. Raises Problem."""
    try:
        action: Any = msgspec.convert(dict(event), GrantCredits | SetPlan | ShowPlan | Audit)
    except msgspec.ValidationError as error:
        raise Problem("validation_failed", str(error)) from None
    match action:
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
