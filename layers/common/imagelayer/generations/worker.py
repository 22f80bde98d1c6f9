"""Runs a job: lease it, make its images, brand them, store them, settle."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import Image

from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import CreditStore
from imagelayer.design.presets import NO_INSETS, SAFE_INSETS
from imagelayer.generations.announcements import announce_end
from imagelayer.generations.jobs import (
    closing_actions,
    cost_of_asked,
    reservation,
    usage_of,
)
from imagelayer.generations.large_answers import image_room
from imagelayer.generations.store import GenerationStore
from imagelayer.image_models.image_model import (
    CAUSED_BY_CALLER,
    GenerationRefused,
    ImageModel,
    ImageRequest,
)
from imagelayer.image_models.registry import Model, Registry
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.objects import ObjectStore
from imagelayer.platform.table import StoreUnavailable
from imagelayer.render import encode
from imagelayer.render.compositor import Composition, TextDoesNotFit, compose
from imagelayer.webhooks.outbox import WebhookOutbox

if TYPE_CHECKING:
    from imagelayer.design.designs import Treatment
    from imagelayer.generations.records import AssetRecord, ImageFailure, Job

# How long the provider may take for all images of a job, which are requested at the same time. The
# function's timeout leaves another minute for branding and storing.
PROVIDER_SECONDS = 180
# Longer than the function may run, so that a lease is only taken over from a dead worker.
LEASE_SECONDS = 300
# A message is delivered again when its worker died. Each time may cost a call of the provider.
MAX_ATTEMPTS = 3

type Made = Image.Image | GenerationRefused


class LeaseLost(Exception):
    """The job was canceled, deleted or taken over while it was running."""


@frozen
class BrandStyle:
    """What a brand adds to a picture."""

    palette: list[str]
    guidelines: str
    suffix: str
    logos: Mapping[str, Image.Image]
    typography: Mapping[str, Any] | None
    brandmark: str


NO_STYLE = BrandStyle([], "", "", {}, None, "")


@frozen
class GenerationWorker:
    """The use case of one queue message."""

    store: GenerationStore
    credits: CreditStore
    brand_objects: ObjectStore
    media: ObjectStore
    registry: Registry
    providers: Mapping[str, Callable[[], ImageModel]]
    quota_alerts: QuotaAlerts
    webhooks: WebhookOutbox
    count: Callable[[str], None]
    clock: Callable[[], float]

    def work(self, org_id: str, generation_id: str, lease: str) -> str:
        """Run one job; returns its outcome. Anything raised means: deliver the message again.

        Settling is the last step and carries the images' records, so an image is only ever
        readable once it is paid for, and only ever paid for once (see GenerationStore.succeed).
        """
        if not (is_id("org", org_id) and is_id("gen", generation_id)):
            return "ignored"
        now = int(self.clock())
        job = self.store.lease_generation(org_id, generation_id, lease, now, now + LEASE_SECONDS)
        if job is None:
            return "ignored"
        made: list[AssetRecord] = []
        try:
            if job["attempts"] > MAX_ATTEMPTS:
                raise GenerationRefused("timed_out")
            failures = self._make_all(job, made)
        except GenerationRefused as refusal:
            return self._fail(job, refusal)
        except LeaseLost:
            self._remove(made)
            return "lost"
        except Exception:
            with suppress(StoreUnavailable):
                self._remove(made)  # nothing refers to them, and another attempt makes its own
            raise
        if not made:
            return self._fail(job, failures[0][1])
        return self._finish(job, made, failures)

    def _make_all(self, job: Job, made: list[AssetRecord]) -> list[tuple[int, GenerationRefused]]:
        """Make the job's images into `made`; returns those that failed. A failed image does not
        affect the others. Raises GenerationRefused or LeaseLost."""
        style = self._style(job)
        failures = []
        for index, picture in enumerate(self._generate_all(job, style)):
            try:
                if isinstance(picture, GenerationRefused):
                    raise picture
                made.append(self._brand(job, style, index, picture))
            except GenerationRefused as refusal:
                failures.append((index, refusal))
            if index + 1 < job["n"] and not self.store.record_progress(job, len(made)):
                raise LeaseLost
        return failures

    def _finish(
        self,
        job: Job,
        made: list[AssetRecord],
        failed: Sequence[tuple[int, GenerationRefused]],
    ) -> str:
        now = int(self.clock())
        # Of several images those that were made are paid for.
        paid: Job = {**job, "credits": job["credits"] * len(made) // job["n"]}
        failures: list[ImageFailure] = [
            {"index": index, "code": refusal.code, "message": refusal.message}
            for index, refusal in failed
        ]
        usage = usage_of(job, len(made), paid["credits"])
        settle = self.credits.settle(reservation(job), usage, now)
        asset_ids = [asset["id"] for asset in made]
        end = announce_end(self.webhooks, paid, "succeeded", now, asset_ids=asset_ids)
        if self.store.succeed(paid, made, failures, [*settle, *end.actions], now):
            end.send()
        elif not self._settled_before(job, made):
            self._remove(made)
            return "lost"
        self._remove_earlier(job)
        if job.get("draws"):
            self.quota_alerts.settled(job["org_id"], list(job["draws"]), now)
        return "succeeded"

    def _fail(self, job: Job, refusal: GenerationRefused) -> str:
        now = int(self.clock())
        # What the caller caused is free only while no provider was asked. It can come later: the
        # worker that asked died, and the brand was deleted before the next attempt.
        charge = cost_of_asked(job) if refusal.code in CAUSED_BY_CALLER else 0
        failed: Job = {**job, "credits": charge}
        end = announce_end(self.webhooks, failed, "failed", now, error=refusal.code)
        closing = [*closing_actions(self.credits, job, charge, now), *end.actions]
        if self.store.fail(job, refusal.code, refusal.message, closing, now, charge=charge):
            end.send()
            self._remove_earlier(job)
            if charge:
                self.quota_alerts.settled(job["org_id"], list(job.get("draws") or {}), now)
            elif job.get("asked"):
                self.count("ProviderWorkUnpaid")
        return "failed"

    def _remove(self, assets: Sequence[AssetRecord]) -> None:
        for asset in assets:
            self.media.delete(asset["object_key"])

    def _remove_earlier(self, job: Job) -> None:
        """Remove what earlier attempts under this lease left when they died. If one is still alive,
        its settlement is refused by now, and it removes the same."""
        with suppress(StoreUnavailable):
            for attempt in range(1, job["attempts"]):
                for index in range(job["n"]):
                    self.media.delete(_object_key(job, _asset_id(job, attempt, index)))

    def _settled_before(self, job: Job, made: Sequence[AssetRecord]) -> bool:
        """Whether it was this very attempt that settled, and the answer was lost."""
        current = self.store.get_generation(job["org_id"], job["id"])
        return current is not None and current.get("asset_ids") == [asset["id"] for asset in made]

    def _generate_all(self, job: Job, style: BrandStyle) -> list[Made]:
        """A picture for each image of the job, or why there is none."""
        model = self.registry.get(job["model"])
        if model is None:
            # The operator took the model away while the job waited.
            raise GenerationRefused("model_unavailable")
        source = self._source(job)
        requests = [self._request(job, style, model, source, index) for index in range(job["n"])]
        provider = self.providers[model.provider]()
        if model.provider != "studio":
            self._check_before_paying(job, style)
            if not self.store.record_asked(job, len(requests)):
                raise LeaseLost
            job["asked"] = len(requests)  # as it is stored: the job's end names what it has seen
        if len(requests) == 1 or model.provider == "studio":
            return [_generate(provider, request) for request in requests]
        with ThreadPoolExecutor(len(requests)) as pool:
            return list(pool.map(lambda request: _generate(provider, request), requests))

    def _check_before_paying(self, job: Job, style: BrandStyle) -> None:
        """Lay the brand on a blank: what does not fit it fits no picture of its size, and what
        cannot be composed or encoded now cannot be later. Raises GenerationRefused, or whatever
        the compositor raises, before anything is paid for."""
        blank = Image.new("RGB", (job["width"], job["height"]), "white")
        _composed(job, style, blank, "none")
        sample = blank.crop((0, 0, 16, 16))
        encode.encode(sample, job["output_format"], quality=job.get("quality"))

    def _request(
        self, job: Job, style: BrandStyle, model: Model, source: bytes | None, index: int
    ) -> ImageRequest:
        return ImageRequest(
            model=model,
            prompt=f"{job['prompt']} {style.suffix}".strip(),
            guidelines=style.guidelines,
            palette=tuple(style.palette) if job["apply_brand_guidelines"] else (),
            width=job["width"],
            height=job["height"],
            seed=_seed(job, index),
            deadline=self.clock() + PROVIDER_SECONDS,
            source=source,
        )

    def _source(self, job: Job) -> bytes | None:
        if not job.get("source_key"):
            return None
        source = self.media.get(job["source_key"])
        if source is None:
            raise GenerationRefused("invalid_image")
        return source

    def _brand(self, job: Job, style: BrandStyle, index: int, picture: Image.Image) -> AssetRecord:
        """Lay the brand on a picture and store it; returns the image's record."""
        treatment = job["treatment"] if job["apply_brand_guidelines"] else "none"
        branded = _composed(job, style, picture, treatment)
        data = encode.encode(
            branded.image,
            job["output_format"],
            quality=job.get("quality"),
            room=image_room(job["n"]),
        )
        # A message may be delivered twice at once: each attempt writes objects of its own, so that
        # the one that does not settle cannot touch what the caller paid for.
        asset_id = _asset_id(job, job["attempts"], index)
        content_type = encode.CONTENT_TYPES[job["output_format"]]
        key = _object_key(job, asset_id)
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
            "mode": job["mode"],
            "end_user_id": job.get("end_user_id"),
            "object_key": key,
            "width": branded.image.width,
            "height": branded.image.height,
            "format": job["output_format"],
            "content_type": content_type,
            "size_bytes": len(data),
            "seed": _seed(job, index) if self._is_seeded(job) else None,
            "brand_report": branded.report.to_dict(),
            "created_at": int(self.clock()),
            "expires_at": job["expires_at"],
        }

    def _is_seeded(self, job: Job) -> bool:
        model = self.registry.get(job["model"])
        return model is not None and model.seeded

    def _style(self, job: Job) -> BrandStyle:
        brand = job.get("brand")
        if not brand:
            return NO_STYLE
        logos = {
            kind: self._logo(logo["key"])
            for kind, logo in brand["logos"].items()
            if job["logo"] != "none"
        }
        laid = (logos, brand.get("typography"), brand.get("brandmark", ""))
        if not job["apply_brand_guidelines"]:
            return BrandStyle(brand["palette"], "", "", *laid)
        avoided = f"avoid {', '.join(brand['avoid'])}" if brand["avoid"] else ""
        parts = [brand["style"], ", ".join(brand["tone"]), avoided]
        guidelines = ". ".join(part for part in parts if part)
        return BrandStyle(brand["palette"], guidelines, brand["prompt_suffix"], *laid)

    def _logo(self, key: str) -> Image.Image:
        data = self.brand_objects.get(key)
        if data is None:
            raise GenerationRefused(
                "brand_missing", "A logo of the brand was deleted before the image was made."
            )
        return Image.open(io.BytesIO(data), formats=("PNG",)).convert("RGBA")


def _composed(
    job: Job, style: BrandStyle, picture: Image.Image, treatment: Treatment
) -> Composition:
    """The brand laid on a picture. Raises GenerationRefused."""
    try:
        return compose(
            picture,
            palette=style.palette,
            logos=style.logos,
            corner=job["logo"],
            watermark=job["mode"] == "test",
            text=job.get("text"),
            template=job.get("template"),
            typography=style.typography,
            brandmark=style.brandmark or None,
            treatment=treatment,
            insets=SAFE_INSETS.get(job.get("preset") or "", NO_INSETS),
        )
    except TextDoesNotFit as advice:
        raise GenerationRefused(
            "text_does_not_fit",
            f"The text does not fit the image. {advice}, or request a larger image.",
        ) from None


def _generate(provider: ImageModel, request: ImageRequest) -> Made:
    try:
        return provider.generate(request)
    except GenerationRefused as refusal:
        return refusal


def _seed(job: Job, index: int) -> int:
    return int((job["seed"] + index) % 2**32)


def _asset_id(job: Job, attempt: int, index: int) -> str:
    """The id of an image, the same on every call."""
    digest = hashlib.sha256(f"{job['lease']}#{attempt}#{index}".encode()).digest()
    return new_id("ast", job["created_at"], lambda size: digest[:size])


def _object_key(job: Job, asset_id: str) -> str:
    return f"{job['org_id']}/{job['id']}/{asset_id}.{job['output_format']}"
