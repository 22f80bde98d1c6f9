"""Removing a job with everything it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagelayer.generations.large_answers import answer_keys
from imagelayer.generations.store import GenerationStore
from imagelayer.platform.objects import ObjectStore

if TYPE_CHECKING:
    from imagelayer.generations.records import AssetRecord, Job


def remove(store: GenerationStore, media: ObjectStore, job: Job) -> None:
    """Remove a job's objects and records. Raises StoreUnavailable.

    Objects first, the job's record last: as long as the record is there, another call finishes what
    died half way. A large answer that is being written at this moment is removed by the second
    look here or, if it is written later still, by its writer (see LargeAnswers.keep).
    """
    assets = store.assets_of(job)
    for key in _object_keys(job, assets):
        media.delete(key)
    store.delete_generation(job)
    for key in answer_keys(job, assets):
        media.delete(key)


def _object_keys(job: Job, assets: Sequence[AssetRecord]) -> list[str]:
    """The keys of everything a job may have in the media bucket."""
    source = [job["source_key"]] if job.get("source_key") else []
    return [*source, *(asset["object_key"] for asset in assets), *answer_keys(job, assets)]
