"""Builds the objects of the limits domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.limits.counters import CounterStore, TatMemory


class LimitsWiring(Part):
    """Rate limits and allowances, exact under any concurrency."""

    @cached_property
    def tats(self) -> TatMemory:
        from imagelayer.limits.counters import TatMemory

        return TatMemory()

    @cached_property
    def counters(self) -> CounterStore:
        from imagelayer.limits.counters import CounterStore

        return CounterStore(self.platform.table("COUNTERS_TABLE"), self.tats)
