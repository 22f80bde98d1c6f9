"""The brand a job is made with, exactly as it was when the job was accepted.

The job carries the snapshot, so a brand that changes while images wait does not change them, and
the worker need not read it. What this process remembers of a brand is checked by the accepting
transaction, whose refusal returns the current brand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from imagelayer.brands.store import BrandStore
from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.recent import Recent
from imagelayer.platform.table import Action, Item

if TYPE_CHECKING:
    from imagelayer.brands.records import BrandRecord, BrandSnapshot

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


@frozen
class BrandSnapshots:
    """Brands as this process knows them, and the condition that they are unchanged."""

    store: BrandStore
    memory: Recent[tuple[str, str], BrandSnapshot] = field(
        default_factory=lambda: Recent(REMEMBERED_BRANDS)
    )

    def of(self, org_id: str, brand_id: str) -> BrandSnapshot | None:
        """A brand as a job keeps it, from memory if it is there; None when there is none."""
        known = self.memory.get((org_id, brand_id), None)
        return known or self.learn(org_id, brand_id, self.store.get_brand(org_id, brand_id))

    def learn(
        self, org_id: str, brand_id: str, brand: Item | BrandRecord | None
    ) -> BrandSnapshot | None:
        """Remember the current brand, or forget one that is gone."""
        if brand is None:
            self.memory.drop((org_id, brand_id))
            return None
        kept = {name: value for name, value in brand.items() if name in _KEPT}
        snapshot = cast("BrandSnapshot", kept)
        self.memory.keep((org_id, brand_id), snapshot)
        return snapshot

    def check(self, org_id: str, snapshot: BrandSnapshot) -> Action:
        """A transaction's condition that the brand is still as in the snapshot."""
        return self.store.current_check(org_id, snapshot["id"], snapshot["version"])
