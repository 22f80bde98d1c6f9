"""The operator's actions, as the administration function is invoked with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from imagelayer.api.schemas import WHOLE, Email, Name, Request, form

OrgId = Annotated[
    str, form(r"^org_[0-9a-z]{26}$", "the id of an organization: org_ and 26 characters")
]


class ShowDeadLetters(Request):
    """The messages that no function could process, and the outcomes of their jobs."""

    action: Literal["dead_letters"]


class CreateOwner(Request):
    """The owner of a new organization, who confirms both with the link of a mail."""

    action: Literal["create_owner"]
    email: Email
    organization_name: Name


class GrantCredits(Request):
    """Credits on top of the allowance, until `expires_at`; the same key grants them once."""

    action: Literal["grant_credits"]
    org_id: OrgId
    amount: Annotated[int, WHOLE]
    expires_at: str
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)]


class SetPlan(Request):
    """The whole plan; fields left out get the default."""

    action: Literal["set_plan"]
    org_id: OrgId
    monthly_credits: Annotated[int, WHOLE] | None = None
    shards: Annotated[int, WHOLE] = 1
    limits: dict[str, dict[str, Annotated[int, WHOLE]]] = {}


class ShowPlan(Request):
    """The plan and what is left."""

    action: Literal["show_plan"]
    org_id: OrgId


class Audit(Request):
    """Whether the ledger adds up to the balances."""

    action: Literal["audit"]
    org_id: OrgId


AnyAction = CreateOwner | GrantCredits | SetPlan | ShowPlan | Audit | ShowDeadLetters


class Event(RootModel[Annotated[AnyAction, Field(discriminator="action")]]):
    """What the function is invoked with."""
