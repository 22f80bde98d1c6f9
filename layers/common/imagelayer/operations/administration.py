"""The operator's actions: checked and carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from imagelayer.api.schemas import WHOLE
from imagelayer.api.validation import validate
from imagelayer.operations.dead_letters import DeadLetters
from imagelayer.operations.plans import Plans

OrgId = Annotated[str, Field(pattern=r"^org_[0-9a-z]{26}$")]


class OperatorAction(BaseModel):
    """One action."""

    model_config = ConfigDict(extra="forbid")


class ShowDeadLetters(OperatorAction):
    """Messages that no worker could process, and the outcome of their jobs."""

    action: Literal["dead_letters"]


class GrantCredits(OperatorAction):
    """Credits beside the allowance, until `expires_at`; the same key gives them once."""

    action: Literal["grant_credits"]
    org_id: OrgId
    amount: Annotated[int, WHOLE]
    expires_at: str
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)]


class SetPlan(OperatorAction):
    """The whole plan; omitted fields have their defaults."""

    action: Literal["set_plan"]
    org_id: OrgId
    monthly_credits: Annotated[int, WHOLE] | None = None
    shards: Annotated[int, WHOLE] = 1
    limits: dict[str, dict[str, Annotated[int, WHOLE]]] = {}


class ShowPlan(OperatorAction):
    """The plan and what is left."""

    action: Literal["show_plan"]
    org_id: OrgId


class Audit(OperatorAction):
    """Whether the ledger adds up to the balances."""

    action: Literal["audit"]
    org_id: OrgId


AnyAction = GrantCredits | SetPlan | ShowPlan | Audit | ShowDeadLetters


class Event(RootModel[Annotated[AnyAction, Field(discriminator="action")]]):
    """What the function is invoked with."""


@dataclass(frozen=True)
class Operator:
    """What carries out the operator's actions. `letters` are needed by one action only."""

    plans: Plans
    letters: Callable[[], DeadLetters]


def administer(operator: Operator, event: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Carry one action out and return its result. Raises Problem."""
    action = validate(dict(event), Event, root="event").root
    plans = operator.plans
    match action:
        case ShowDeadLetters():
            return operator.letters().show()
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
