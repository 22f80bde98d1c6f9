"""Credits: one balance per organization and month, and the ledger of its movements.

    ORG#<org_id>   BALANCE#<month>                         allowance, used, reserved, available
    ORG#<org_id>   MOVE#<month>#<generation_id>#reserve    kind, amount, at
    ORG#<org_id>   MOVE#<month>#<generation_id>#outcome    kind (settle or release), amount, at

`available` is stored, because a condition cannot do sums; every transaction keeps
`allowance - used - reserved = available`. A generation reserves once and is then settled or
released once: the two outcomes share one key, so whichever comes second is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.stores.table import Action, ConditionFailed, Item, Table


@dataclass(frozen=True)
class Reservation:
    """Credits held for one generation, in the month it was accepted in."""

    org_id: str
    month: str
    generation_id: str
    amount: int


class CreditStore:
    """Makes the actions that other stores put into their transactions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def open_month(self, org_id: str, month: str, allowance: int) -> None:
        """Make the month's balance on its first use. Of several racing callers one makes it."""
        try:
            self._table.put(
                {
                    "pk": f"ORG#{org_id}",
                    "sk": f"BALANCE#{month}",
                    "allowance": allowance,
                    "used": 0,
                    "reserved": 0,
                    "available": allowance,
                },
                condition="attribute_not_exists(#pk)",
            )
        except ConditionFailed:
            return

    def mark_alerted(self, org_id: str, month: str, percent: int) -> bool:
        """Note that the owners were told of a percentage; False when somebody did so before.

        Of any number of racing charges that find it reached, one sets the mark.
        """
        try:
            self._table.update(
                f"ORG#{org_id}",
                f"BALANCE#{month}",
                f"SET #alerted_{percent} = :yes",
                condition=f"attribute_exists(#pk) AND attribute_not_exists(#alerted_{percent})",
                yes=True,
            )
        except ConditionFailed:
            return False
        return True

    def balance(self, org_id: str, month: str) -> Item | None:
        """The month's balance, or None before its first use."""
        return self._table.get(f"ORG#{org_id}", f"BALANCE#{month}")

    def movements(self, org_id: str, month: str) -> list[Item]:
        """The month's ledger."""
        return self._table.query(f"ORG#{org_id}", prefix=f"MOVE#{month}#")

    def reserve(self, held: Reservation, now: int) -> list[Action]:
        """available -> reserved. The first action fails when there is not enough available."""
        return [
            self._table.update_action(
                f"ORG#{held.org_id}",
                f"BALANCE#{held.month}",
                "SET #available = #available - :amount, #reserved = #reserved + :amount",
                condition="#available >= :amount",
                amount=held.amount,
            ),
            self._movement(held, "reserve", now),
        ]

    def settle(self, held: Reservation, now: int) -> list[Action]:
        """reserved -> used. Fails when the reservation was settled or released before."""
        return [
            self._table.update_action(
                f"ORG#{held.org_id}",
                f"BALANCE#{held.month}",
                "SET #reserved = #reserved - :amount, #used = #used + :amount",
                condition="#reserved >= :amount",
                amount=held.amount,
            ),
            self._movement(held, "settle", now),
        ]

    def release(self, held: Reservation, now: int) -> list[Action]:
        """reserved -> available. Fails when the reservation was settled or released before."""
        return [
            self._table.update_action(
                f"ORG#{held.org_id}",
                f"BALANCE#{held.month}",
                "SET #reserved = #reserved - :amount, #available = #available + :amount",
                condition="#reserved >= :amount",
                amount=held.amount,
            ),
            self._movement(held, "release", now),
        ]

    def _movement(self, held: Reservation, kind: str, now: int) -> Action:
        slot = "reserve" if kind == "reserve" else "outcome"
        return self._table.put_action(
            {
                "pk": f"ORG#{held.org_id}",
                "sk": f"MOVE#{held.month}#{held.generation_id}#{slot}",
                "kind": kind,
                "amount": held.amount,
                "at": now,
            },
            condition="attribute_not_exists(#pk)",
        )
