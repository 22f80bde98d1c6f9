"""Whether the ledger of movements adds up to the balances."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer.credits.store import KEPT_SECONDS, CreditStore, until_of


def audit(credits: CreditStore, org_id: str, now: float) -> list[str]:
    """Names of balances whose ledger does not add up, or whose own numbers do not.

    A balance that may have been purged is left out: its movements are kept as long as the last
    balance they name.
    """
    summed: dict[str, Sums] = {}
    for movement in credits.movements(org_id):
        for name, amount in movement["amounts"].items():
            returned = movement.get("returned", {}).get(name, 0)
            summed.setdefault(name, Sums()).add(movement["kind"], amount, returned)
    wrong = []
    for balance in credits.all_balances(org_id):
        expected = summed.pop(balance["name"], Sums())
        shown = Sums(balance["amount"], balance["used"], balance["reserved"])
        if expected != shown or expected.available != balance["available"]:
            wrong.append(balance["name"])
    wrong += [name for name, left in summed.items() if left != Sums()]
    return [name for name in wrong if until_of(name) + KEPT_SECONDS > now]


@dataclass
class Sums:
    """The sums of movements."""

    amount: int = 0
    used: int = 0
    reserved: int = 0

    def add(self, kind: str, amount: int, returned: int = 0) -> None:
        """Add a movement; of a settlement `returned` was not used."""
        if kind in ("allowance", "grant", "adjust"):
            self.amount += amount
        elif kind == "reserve":
            self.reserved += amount
        else:
            self.reserved -= amount
            self.used += amount - returned if kind == "settle" else 0

    @property
    def available(self) -> int:
        """What is neither used nor reserved."""
        return self.amount - self.used - self.reserved
