"""Addresses that mail must not go to any more, named by their hashes.

SUPPRESSED#<address hash>   SUPPRESSED   reason, at
"""

from __future__ import annotations

from collections.abc import Iterable

from imagelayer.platform.table import Table


class SuppressionStore:
    """Suppressed addresses."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def suppress(self, addresses: Iterable[str], reason: str, now: int) -> None:
        """Stop mail to addresses. SNS delivers at least once; the second writes the same again."""
        for address in addresses:
            self._table.put(
                {"pk": f"SUPPRESSED#{address}", "sk": "SUPPRESSED", "reason": reason, "at": now}
            )

    def is_suppressed(self, address: str) -> bool:
        """Whether mail to an address has been stopped."""
        return self._table.get(f"SUPPRESSED#{address}", "SUPPRESSED") is not None
