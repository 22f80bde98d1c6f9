"""The scheduled sweep over all domains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from imagelayer.platform.frozen import frozen
from imagelayer.platform.sweeping import Sweep


@frozen
class Cleanup:
    """The use case of one scheduled event."""

    sweeps: Sequence[Sweep]

    def sweep(self, now: float) -> dict[str, int]:
        """Run each domain's sweep; returns their counts added up."""
        total: Counter[str] = Counter()
        for each in self.sweeps:
            total.update(each.sweep(now))
        return dict(total)
