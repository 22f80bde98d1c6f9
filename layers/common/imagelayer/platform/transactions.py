"""All writes or none: transactions over the items of any tables."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from imagelayer.platform.attribute_values import Item, item_of
from imagelayer.platform.aws_calls import (
    CONFLICT_ATTEMPTS,
    StoreUnavailable,
    call_dynamodb,
    pause_after_conflict,
)
from imagelayer.platform.frozen import field, frozen

Outcome = tuple[bool, Item | None]  # whether an action's condition failed, and the current item


@frozen
class Action:
    """One member of a transaction; make them with `Table.put_action` and its siblings."""

    kind: str
    request: dict[str, Any] = field(repr=False)


class TransactionContended(StoreUnavailable):
    """A transaction kept meeting others; nothing was written.

    `met[i]` tells whether another transaction held the i-th action's item at the last attempt.
    """

    def __init__(self, met: list[bool]) -> None:
        super().__init__("transact_write_items", "TransactionConflict")
        self.met = met


class TransactionRefused(Exception):
    """A transaction was canceled because conditions failed.

    `refused[i]` tells whether the i-th action's condition failed, `items[i]` what was stored.
    """

    def __init__(self, refused: list[bool], items: list[Item | None]) -> None:
        super().__init__("transaction refused")
        self.refused = refused
        self.items = items

    def by_part(self, parts: Mapping[str, Sequence[Action]]) -> dict[str, list[Outcome]]:
        """The outcome of each action by the name of its part, where the transaction began with
        these parts in this order."""
        outcomes = zip(self.refused, self.items, strict=True)
        return {name: list(islice(outcomes, len(actions))) for name, actions in parts.items()}


def transact(client: Any, actions: Sequence[Action]) -> None:
    """Do all actions or none. Raises TransactionRefused or StoreUnavailable.

    The client token makes a repeated call act once (API reference, TransactWriteItems: for ten
    minutes). It stays the same over the repeats of one call here and is new for each `transact`.
    """
    items = [{action.kind: action.request} for action in actions]
    token = str(uuid.uuid4())
    met: list[bool] = []
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            call_dynamodb(
                client, "transact_write_items", TransactItems=items, ClientRequestToken=token
            )
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code") for reason in reasons]
            if "ConditionalCheckFailed" in codes:
                raise TransactionRefused(
                    [code == "ConditionalCheckFailed" for code in codes],
                    [item_of(reason) for reason in reasons],
                ) from None
            if "TransactionConflict" not in codes:
                code = error.response["Error"]["Code"]
                raise StoreUnavailable("transact_write_items", code) from None
            met = [code == "TransactionConflict" for code in codes]
            if attempt + 1 < CONFLICT_ATTEMPTS:
                pause_after_conflict(attempt)
        else:
            return
    raise TransactionContended(met)


def try_transact(client: Any, actions: Sequence[Action]) -> bool:
    """Do all actions, or none and return False because a condition failed.

    Raises StoreUnavailable.
    """
    try:
        transact(client, actions)
    except TransactionRefused:
        return False
    return True
