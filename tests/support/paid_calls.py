"""The invariant that a provider's work is paid for, checked wherever a test lets one be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagelayer.image_models.image_model import CAUSED_BY_CALLER, FAILURES
from tests.support.product import Product

# How a job may end without a charge although its provider was asked: the provider's fault, or ours.
FREE = FAILURES.keys() - CAUSED_BY_CALLER
FINAL = ("succeeded", "failed", "canceled")


def is_paid(calls: int, credits: int, jobs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an organization whose jobs caused `calls` of a provider uses or still holds credits,
    or lost them all to failures that are not its own. A job that is gone pays like any other."""
    left = list(jobs)
    free = bool(left) and all(_is_free(job) for job in left)
    return calls == 0 or credits > 0 or free


def _is_free(job: Mapping[str, Any]) -> bool:
    return job["status"] == "failed" and job["error"]["code"] in FREE


@dataclass
class PaidCalls:
    """How often the invariant was checked and held, and how often there were calls to pay for."""

    cells: int = 0
    cells_with_calls: int = 0

    def check(self, calls: int, credits: int, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Raise AssertionError where calls are not paid for."""
        jobs = list(jobs)
        ends = [(job["status"], job.get("error")) for job in jobs]
        assert is_paid(calls, credits, jobs), f"{calls} calls, {credits} credits, jobs {ends}"
        self.cells += 1
        self.cells_with_calls += calls > 0

    def check_product(self, product: Product, calls: int) -> None:
        """The same, of everything a product has."""
        credits = sum(
            item["used"] + item["reserved"]
            for item in product.items("CreditsTable")
            if item["sk"].startswith("BALANCE#")
        )
        jobs = [item for item in product.items("GenerationsTable") if item["sk"].startswith("GEN#")]
        self.check(calls, credits, jobs)

    def __str__(self) -> str:
        return (
            f"a provider's calls are paid for in {self.cells} cells, {self.cells_with_calls} of "
            "which have calls"
        )
