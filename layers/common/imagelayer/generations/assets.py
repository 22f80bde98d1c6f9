"""Finished images: their records, their bytes, and the short-lived signed links to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imagelayer.generations.store import GenerationStore
from imagelayer.platform.errors import Problem, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.principals import Principal
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.generations.records import AssetRecord, Job

LINK_SECONDS = 300


@frozen
class Assets:
    """The use cases of finished images."""

    store: GenerationStore
    media: ObjectStore

    def get_asset(
        self, principal: Principal, asset_id: str, now: float, *, link_method: str = "GET"
    ) -> dict[str, Any]:
        """An image's record with a fresh link for GET, or for HEAD. Raises Problem 404, or 410
        once it has expired."""
        record = (
            self.store.get_asset(principal.org_id, asset_id) if is_id("ast", asset_id) else None
        )
        if record is None or not principal.sees(record):
            raise not_found("asset")
        # S3 may keep an expired object for a while; the promise is kept here.
        if record["expires_at"] <= now:
            raise Problem("expired", "The image has expired. Generate it again.")
        return self.view(record, now, link_method=link_method)

    def of(self, job: Job) -> list[AssetRecord]:
        """The records of a job's images, in order."""
        return self.store.assets_of(job)

    def read(self, record: AssetRecord) -> bytes:
        """An image's bytes. Raises Problem 410."""
        data = self.media.get(record["object_key"])
        if data is None:
            raise Problem("expired", "The image has expired. Generate it again.")
        return data

    def view(self, record: AssetRecord, now: float, *, link_method: str = "GET") -> dict[str, Any]:
        """What the API shows of an image. The link never outlives the image."""
        seconds = max(1, min(LINK_SECONDS, int(record["expires_at"] - now)))
        return {
            "id": record["id"],
            "generation_id": record["generation_id"],
            "url": self.media.link(
                record["object_key"],
                seconds=seconds,
                content_type=record["content_type"],
                filename=f"{record['id']}.{record['format']}",
                method=link_method,
            ),
            "url_expires_at": rfc3339(now + seconds),
            "expires_at": rfc3339(record["expires_at"]),
            "width": record["width"],
            "height": record["height"],
            "format": record["format"],
            "content_type": record["content_type"],
            "size_bytes": record["size_bytes"],
            "seed": record.get("seed"),
            "brand_report": record["brand_report"],
        }
