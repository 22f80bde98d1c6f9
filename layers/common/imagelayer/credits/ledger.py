"""Whether the ledger of movements adds up to the balances."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.credits.store import KEPT_SECONDS, CreditStore, until_of


def audit(credits: CreditStore, org_id: str, now: float) -> list[str]:
    """Names of balances whose ledger does not add up, or that break their own sum.

    A balance that may have been purged is left out: its movements stay as long as the last balance
    that they name.
    """
    summed: dict[str, Sums] = {}
    for movement in credits.movements(org_id):
        for name, amount in movement["amounts"].items():
            returned = movement.get("returned", {}).get(name, 0)
            summed.setdefault(name, Sums()).add(movement["kind"], amount, returned)
    wrong = []
    for balance in credits.all_balances(org_id):
        expected = summed.pop(balance["name"], Sums())
        if expected.as_balance() != {name: balance[name] for name in expected.as_balance()}:
            wrong.append(balance["name"])
    wrong += [name for name, left in summed.items() if left != Sums()]
    return [name for name in wrong if until_of(name) + KEPT_SECONDS > now]


@dataclass
class Sums:
    """What movements add up to."""

    amount: int = 0
    used: int = 0
    reserved: int = 0

    def add(self, kind: str, amount: int, returned: int = 0) -> None:
        """Take a movement in; of a settlement `returned` was not used."""
        if kind in ("allowance", "grant", "adjust"):
            self.amount += amount
        elif kind == "reserve":
            self.reserved += amount
        else:
            self.reserved -= amount
            self.used += amount - returned if kind == "settle" else 0

    def as_balance(self) -> dict[str, int]:
        """The four numbers a balance should show."""
        return {
            "amount": self.amount,
            "used": self.used,
            "reserved": self.reserved,
            "available": self.amount - self.used - self.reserved,
        }
