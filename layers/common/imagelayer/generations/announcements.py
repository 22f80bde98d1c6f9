"""The webhook events of generations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from imagelayer.platform.times import rfc3339
from imagelayer.webhooks.outbox import Announcement, WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.generations.records import Job

EndStatus = Literal["succeeded", "failed", "canceled"]


def announce_end(
    webhooks: WebhookOutbox,
    job: Job,
    status: EndStatus,
    now: float,
    *,
    asset_ids: Sequence[str] = (),
    error: str | None = None,
) -> Announcement:
    """Announce the end of a job: `job` with the credits it cost, the ids of its images, and
    the code of its failure. Raises StoreUnavailable."""
    data = {
        "id": job["id"],
        "status": status,
        "model": job["model"],
        "mode": job["mode"],
        "n": job["n"],
        "credits": job["credits"],
        "brand_id": job.get("brand_id"),
        "end_user_id": job.get("end_user_id"),
        "asset_ids": list(asset_ids),
        "error": error,
        "created_at": rfc3339(job["created_at"]),
        "finished_at": rfc3339(now),
        "expires_at": rfc3339(job["expires_at"]),
    }
    return webhooks.announce(job["org_id"], f"generation.{status}", data, now)
