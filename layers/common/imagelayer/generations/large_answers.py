"""Answers that are larger than a response may be: objects behind a signed link of a minute.

answers/<org_id>/<generation_id>/<form>   JSON or server-sent events that hold the images' bytes

They repeat what the assets hold, so they are removed with them, and by the bucket's lifecycle after
a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagelayer.generations.store import GenerationStore
from imagelayer.platform.errors import not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.objects import ObjectStore

if TYPE_CHECKING:
    from imagelayer.generations.records import AssetRecord, Job

# A synchronous response of Lambda, as JSON (Lambda quotas: 6 MB; the runtime refuses one byte more:
# "Response payload size exceeded maximum allowed payload size (6291556 bytes)").
RESPONSE_BYTES = 6_291_556
# Clients follow at once; a repeated request gets a fresh link.
LINK_SECONDS = 60
FORMS = ("b64_json.json", "b64_json.events", "both.json", "both.events")
# Links, reports and headers: some 3 kB an image.
_BESIDE_IMAGES_BYTES = 32_768
# Images of fewer bytes fit every response: base64 and everything that is not an image included.
_ALWAYS_FITS_BYTES = 4_000_000


@frozen
class LargeAnswers:
    """The use case of answers that no response can hold."""

    store: GenerationStore
    media: ObjectStore

    def keep(self, job: Job, form: str, text: str, now: float, *, content_type: str) -> str:
        """Keep an answer; returns the link to it, which never outlives the
        images. Raises Problem 404, or StoreUnavailable.

        A repetition overwrites it with the same images and fresh links. A deletion removes the
        answer before and after the job's record: if it is written in between, the deletion finds
        it the second time, and if later, the record is gone and it is removed here.
        """
        key = _key(job, form)
        self.media.put(key, text.encode(), content_type=content_type)
        if self.store.get_generation(job["org_id"], job["id"]) is None:
            self.media.delete(key)
            raise not_found("generation")
        suffix = "json" if form.endswith(".json") else "txt"
        return self.media.link(
            key,
            seconds=max(1, min(LINK_SECONDS, int(job["expires_at"] - now))),
            content_type=content_type,
            filename=f"{job['id']}.{suffix}",
        )


def image_room(images: int) -> int:
    """The bytes that each of so many images may have so that a response holds them all in base64,
    with what it says beside them."""
    return (RESPONSE_BYTES - _BESIDE_IMAGES_BYTES) // images * 3 // 4


def answer_keys(job: Job, assets: Sequence[AssetRecord]) -> list[str]:
    """The keys under which a job may have answers; none where every response has the room."""
    if sum(asset["size_bytes"] for asset in assets) < _ALWAYS_FITS_BYTES:
        return []
    return [_key(job, form) for form in FORMS]


def _key(job: Job, form: str) -> str:
    return f"answers/{job['org_id']}/{job['id']}/{form}"
