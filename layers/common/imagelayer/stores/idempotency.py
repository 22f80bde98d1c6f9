"""What was made under an idempotency key.

ORG#<org_id>   IDEM#<hash>   fingerprint, actor, made, expires_at

The record is written in the transaction that makes the thing, so there is never one without the
other. It holds ids and never an answer: the answer is made again from what the ids name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imagelayer.stores.table import (
    Action,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
    transact,
)


@dataclass(frozen=True)
class Claim:
    """A request's claim to be the first of its kind.

    `hash` names operation, caller and key; `fingerprint` is of the body. `made` are the ids of what
    it makes, filled in by whoever makes it. `again` claims over an earlier record: a request that
    says it is no retry is a new one, however much it looks like another.
    """

    org_id: str
    hash: str
    fingerprint: str
    actor: str
    now: int
    expires_at: int
    secret: str = field(default="", repr=False)  # the caller's key itself, never stored
    made: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False

    def of(self, **made: Any) -> Claim:
        """The same claim, for these ids."""
        return replace(self, made=made)


class IdempotencyStore:
    """Records in the table of what they are about."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record_action(self, claim: Claim) -> Action:
        """Note a claim inside the transaction that fulfils it.

        Of racing requests with one key one puts the record and the others are canceled whole. A
        record that has run out but was not purged yet is as good as none.
        """
        item = {
            **_key(claim),
            "fingerprint": claim.fingerprint,
            "actor": claim.actor,
            "made": dict(claim.made),
            "expires_at": claim.expires_at,
            "purge_at": claim.expires_at,
        }
        if claim.again:
            return self._table.put_action(item)
        return self._table.put_action(
            item,
            condition="attribute_not_exists(#pk) OR #expires_at <= :now",
            now=claim.now,
        )

    def make(self, client: Any, actions: Sequence[Action], claim: Claim) -> Item | None:
        """Do `actions`, which can fail for no other reason, with the claim's record.

        Returns None, or the record that stood there first, and then nothing was done.
        """
        try:
            transact(client, [*actions, self.record_action(claim)])
        except TransactionRefused as refusal:
            if refusal.items[-1] is None:
                raise StoreUnavailable("transact_write_items", "refused without a record") from None
            return refusal.items[-1]
        return None

    def find(self, claim: Claim) -> Item | None:
        """The living record of an earlier request, or None."""
        found = self._table.get(**_key(claim))
        return found if found and found["expires_at"] > claim.now else None


def _key(claim: Claim) -> dict[str, str]:
    return {"pk": f"ORG#{claim.org_id}", "sk": f"IDEM#{claim.hash}"}
