"""Works a job off: claim, paint, brand, store, settle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imagelayer import models
from imagelayer.acceptance import reservation
from imagelayer.generations import release_actions
from imagelayer.ids import is_id, new_id
from imagelayer.providers.models import GenerationRefused, ImageModel
from imagelayer.quota_alerts import QuotaAlerts
from imagelayer.render import encode
from imagelayer.render.compositor import compose
from imagelayer.stores.brands import BrandStore
from imagelayer.stores.credits import CreditStore, Usage
from imagelayer.stores.generations import GenerationStore
from imagelayer.stores.objects import ObjectStore
from imagelayer.stores.table import Action, Item

# Longer than the function may run, so that a claim is only taken over from a dead worker.
CLAIM_SECONDS = 150


@dataclass(frozen=True)
class Look:
    """What a brand adds to a picture."""

    palette: list[str]
    guidelines: str
    suffix: str
    logos: Mapping[str, Image.Image]


NO_LOOK = Look([], "", "", {})


@dataclass(frozen=True)
class GenerationWorker:
    """The use case of one queue message."""

    store: GenerationStore
    credits: CreditStore
    brands: BrandStore
    brand_objects: ObjectStore
    media: ObjectStore
    providers: Mapping[str, ImageModel]
    quota_alerts: QuotaAlerts
    clock: Callable[[], float]

    def work(self, org_id: str, generation_id: str, claim: str) -> str:
        """Do one job; returns its outcome. Anything raised means: deliver the message again.

        Settling is the last step and carries the images' records, so an image is only ever
        readable once it is paid for, and only ever paid for once (see GenerationStore.succeed).
        """
        if not (is_id("org", org_id) and is_id("gen", generation_id)):
            return "ignored"
        now = int(self.clock())
        job = self.store.claim(org_id, generation_id, claim, now, now + CLAIM_SECONDS)
        if job is None:
            return "ignored"
        try:
            look = self._look(job)
            assets = [self._make(job, look, index) for index in range(job["n"])]
        except GenerationRefused as refusal:
            release = release_actions(self.credits, job, int(self.clock()))
            self.store.fail(job, refusal.code, refusal.message, release, now)
            return "failed"
        settled = self.store.succeed(job, assets, self._settle(job), int(self.clock()))
        if not settled and not self._settled_before(job):
            for asset in assets:
                self.media.delete(asset["object_key"])
            return "lost"
        if job.get("draws"):
            self.quota_alerts.settled(job["org_id"], list(job["draws"]), now)
        return "succeeded"

    def _settled_before(self, job: Item) -> bool:
        """Whether it was this very claim that settled, in an attempt whose answer was lost."""
        current = self.store.get(job["org_id"], job["id"]) or {}
        return current.get("status") == "succeeded" and current.get("claim") == job["claim"]

    def _make(self, job: Item, look: Look, index: int) -> Item:
        seed = (job["seed"] + index) % 2**32
        picture = self.providers[models.MODELS[job["model"]].provider].generate(
            f"{job['prompt']} {look.suffix}".strip(),
            guidelines=look.guidelines,
            palette=look.palette,
            width=job["width"],
            height=job["height"],
            seed=seed,
        )
        branded = compose(
            picture,
            palette=look.palette,
            logos=look.logos,
            corner=job["logo"],
            watermark=job["mode"] == "test",
        )
        data = encode.encode(branded.image, job["output_format"])
        # Ids are drawn from the claim, so a repeated attempt of one claim writes the same objects.
        asset_id = new_id("ast", job["created_at"], _draw(job["claim"], index))
        content_type = encode.CONTENT_TYPES[job["output_format"]]
        key = f"{job['org_id']}/{job['id']}/{asset_id}.{job['output_format']}"
        self.media.put(
            key,
            data,
            content_type=content_type,
            metadata={"expires-at": str(job["expires_at"])},
        )
        return {
            "id": asset_id,
            "org_id": job["org_id"],
            "generation_id": job["id"],
            "end_user_id": job.get("end_user_id"),
            "object_key": key,
            "width": branded.image.width,
            "height": branded.image.height,
            "format": job["output_format"],
            "content_type": content_type,
            "size_bytes": len(data),
            "seed": seed,
            "brand_report": branded.report.to_dict(),
            "created_at": int(self.clock()),
            "expires_at": job["expires_at"],
        }

    def _look(self, job: Item) -> Look:
        if not job.get("brand_id"):
            return NO_LOOK
        brand = self.brands.get(job["org_id"], job["brand_id"])
        if brand is None:
            raise GenerationRefused("brand_missing", "The brand was deleted meanwhile.")
        logos = {
            kind: self._logo(logo["key"])
            for kind, logo in brand["logos"].items()
            if job["logo"] != "none"
        }
        if not job["apply_brand_guidelines"]:
            return Look(brand["palette"], "", "", logos)
        avoided = f"avoid {', '.join(brand['avoid'])}" if brand["avoid"] else ""
        parts = [brand["style"], ", ".join(brand["tone"]), avoided]
        guidelines = ". ".join(part for part in parts if part)
        return Look(brand["palette"], guidelines, brand["prompt_suffix"], logos)

    def _logo(self, key: str) -> Image.Image:
        data = self.brand_objects.get(key)
        if data is None:
            raise GenerationRefused("brand_missing", "A logo of the brand was deleted meanwhile.")
        return Image.open(io.BytesIO(data), formats=("PNG",)).convert("RGBA")

    def _settle(self, job: Item) -> list[Action]:
        usage = Usage(
            key_id=job.get("key_id"),
            user_id=None if job.get("key_id") else job["actor"],
            end_user_id=job.get("end_user_id"),
            model=job["model"],
            brand_id=job.get("brand_id"),
            mode=job["mode"],
            images=job["n"],
            credits=job["credits"],
        )
        return self.credits.settle(reservation(job), usage, int(self.clock()))


def _draw(claim: str, index: int) -> Callable[[int], bytes]:
    return lambda size: hashlib.sha256(f"{claim}#{index}".encode()).digest()[:size]


def read_message(message: Mapping[str, Any]) -> tuple[str, str]:
    """`(org_id, generation_id)` of a queue message. Raises ValueError for anything else."""
    org_id, generation_id = message.get("org_id"), message.get("generation_id")
    if not isinstance(org_id, str) or not isinstance(generation_id, str):
        raise ValueError("not a generation message")
    return org_id, generation_id
