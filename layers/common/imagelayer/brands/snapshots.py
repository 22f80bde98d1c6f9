"""The brand a job is made with, exactly as it stood when the job was accepted.

The job carries the snapshot, so a brand that is changed while images wait does not change them, and
the worker need not read it. What this process remembers of a brand is checked by the accepting
transaction, whose refusal brings the brand as it stands.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from imagelayer.brands.store import BrandStore
from imagelayer.platform.table import Action, Item

REMEMBERED_BRANDS = 256
_KEPT = (
    "id",
    "version",
    "name",
    "palette",
    "style",
    "tone",
    "avoid",
    "prompt_suffix",
    "logos",
    "typography",
    "brandmark",
)


@dataclass
class BrandMemory:
    """The brands that were asked for last; forgetting one costs a read."""

    known: OrderedDict[tuple[str, str], Item] = field(default_factory=OrderedDict)


@dataclass(frozen=True)
class BrandSnapshots:
    """Brands as this process knows them, and the condition that they still are so."""

    store: BrandStore
    memory: BrandMemory

    def of(self, org_id: str, brand_id: str) -> Item | None:
        """A brand as a job keeps it, from memory if it is there; None when there is no such."""
        known = self.memory.known.get((org_id, brand_id))
        return known or self.learn(org_id, brand_id, self.store.get(org_id, brand_id))

    def learn(self, org_id: str, brand_id: str, brand: Item | None) -> Item | None:
        """Remember a brand as it stands, or forget one that is gone."""
        self.memory.known.pop((org_id, brand_id), None)
        if brand is None:
            return None
        snapshot = {name: brand[name] for name in _KEPT if name in brand}
        self.memory.known[org_id, brand_id] = snapshot
        while len(self.memory.known) > REMEMBERED_BRANDS:
            self.memory.known.popitem(last=False)
        return snapshot

    def check(self, org_id: str, snapshot: Item) -> Action:
        """A transaction's condition that the brand stands as the snapshot has it."""
        return self.store.current_check(org_id, snapshot["id"], snapshot["version"])
