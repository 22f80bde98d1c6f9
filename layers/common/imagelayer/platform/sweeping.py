"""The scheduled sweep: each domain deals with its own rows that are due.

Safe to run twice at once and to die anywhere, as long as every decision is a conditional write on
what was read, and every removal is finished by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from imagelayer.platform.table import SWEEP_SHARDS, StoreUnavailable


class Sweep(Protocol):
    """One domain's part of the sweep."""

    def sweep(self, now: float) -> dict[str, int]:
        """Deal with what is due; returns counts by outcome, `failed` among them."""
        ...


def sweep_due[Row](
    due: Callable[[int, int], Sequence[Row]],
    handle: Callable[[Row, int], str | None],
    now: float,
    *,
    outcomes: Sequence[str],
    warn: Callable[[str], None],
) -> dict[str, int]:
    """Handle every row of every shard that is due, and count the `outcomes` that `handle` names.

    A shard or a row that fails counts as `failed` and does not stop the rest.
    """
    swept = dict.fromkeys((*outcomes, "failed"), 0)
    for shard in range(SWEEP_SHARDS):
        try:
            rows = due(shard, int(now))
        except StoreUnavailable as fault:
            swept["failed"] += 1
            warn(f"a shard could not be read: {fault.operation} {fault.reason}")
            continue
        for row in rows:
            try:
                outcome = handle(row, int(now))
            except Exception as fault:  # noqa: BLE001
                # Whatever is wrong with one row, the other items must still be removed.
                swept["failed"] += 1
                # Of an unforeseen fault only its kind is logged: its text could quote the row.
                text = str(fault) if isinstance(fault, StoreUnavailable) else ""
                warn(f"an item could not be swept: {type(fault).__name__} {text}".strip())
            else:
                if outcome is not None:
                    swept[outcome] += 1
    return swept
