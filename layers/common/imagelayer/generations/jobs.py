"""What a job is: made from a request, shown by the API."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from imagelayer.credits.store import CreditStore, Reservation, Usage
from imagelayer.design.presets import PRESETS
from imagelayer.image_models.registry import Model, Registry
from imagelayer.platform.errors import invalid, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.principals import Principal
from imagelayer.platform.table import Action
from imagelayer.platform.times import rfc3339, utc_month

if TYPE_CHECKING:
    from imagelayer.design.schemas import Design
    from imagelayer.generations.records import Job
    from imagelayer.generations.schemas import BrandedRequest, OutputFormat

MEDIA_SECONDS = 72 * 3600
QUEUED_SECONDS = 120  # a job still queued after this has probably lost its message
DEFAULT_SIZE = "1024x1024"
DONE = frozenset({"succeeded", "failed", "canceled"})


@frozen
class GenerationRequest:
    """What a caller requests, on any route. `source` is the picture that an edit starts from."""

    prompt: str
    branded: BrandedRequest
    model: str
    size: str | None
    n: int
    output_format: OutputFormat
    quality: int | None = None
    source: bytes | None = None


def new_job(
    registry: Registry, principal: Principal, now: float, request: GenerationRequest
) -> Job:
    """A queued job. Raises Problem 404 or 422."""
    model = registry.find(request.model, datetime.fromtimestamp(now, UTC).date())
    width, height = size_of(request)
    model.check_size(width, height)
    _check(request, model)
    if principal.mode == "test":
        # What runs with a live key runs with a test key too, without paying a provider for it.
        model = registry.built_in
    branded = request.branded
    created = int(now)
    brand_id = _brand_of(principal, branded)
    job: Job = {
        "id": new_id("gen", now),
        "org_id": principal.org_id,
        "actor": principal.actor,
        "key_id": _key_of(principal),
        "end_user_id": principal.end_user.id if principal.end_user else None,
        "status": "queued",
        "prompt": request.prompt,
        "brand_id": brand_id,
        "apply_brand_guidelines": branded.apply_brand_guidelines,
        "model": model.id,
        "width": width,
        "height": height,
        "n": request.n,
        "output_format": request.output_format,
        "quality": request.quality,
        "seed": secrets.randbits(32) if branded.seed is None else branded.seed,
        "logo": branded.logo,
        "text": _plain(branded.text),
        "template": _plain(branded.template),
        "treatment": branded.treatment,
        "preset": branded.preset,
        "mode": principal.mode,
        # Test keys make watermarked images of the built-in model, which cost nothing.
        "credits": 0 if principal.mode == "test" else model.credits(width, height, request.n),
        "month": utc_month(now),
        "created_at": created,
        "expires_at": created + MEDIA_SECONDS,
        "sweep_at": created + QUEUED_SECONDS,
    }
    if request.source is not None:
        job["source_key"] = f"sources/{principal.org_id}/{job['id']}"
    return job


def reservation(job: Job) -> Reservation:
    """The credits a job holds."""
    return Reservation(job["org_id"], job["month"], job["id"], job.get("draws") or {})


def cost_of_asked(job: Job) -> int:
    """The credits of the images that a provider was asked for: what the job costs if its caller
    ends it. 0 while none was asked, and always for the built-in model."""
    return job["credits"] * job.get("asked", 0) // job["n"]


def usage_of(job: Job, images: int, credits: int) -> Usage:
    """What a job adds to usage."""
    return Usage(
        key_id=job.get("key_id"),
        user_id=None if job.get("key_id") else job["actor"],
        end_user_id=job.get("end_user_id"),
        model=job["model"],
        brand_id=job.get("brand_id"),
        mode=job["mode"],
        images=images,
        credits=credits,
    )


def closing_actions(credits: CreditStore, job: Job, charge: int, now: int) -> list[Action]:
    """Settle `charge` of a job's credits and give the rest back, inside the transaction that ends
    it without images."""
    held = reservation(job)
    if charge:
        return credits.settle(held, usage_of(job, job.get("asked", 0), charge), now)
    return credits.release(held, now) if held.draws else []


def brand_version(job: Job) -> int | None:
    """The version of the brand that a job is made with."""
    brand = job.get("brand")
    return brand["version"] if brand else None


def view(job: Job, assets: list[dict[str, Any]]) -> dict[str, Any]:
    """What the API shows of a job."""
    return {
        "id": job["id"],
        "status": job["status"],
        "prompt": job["prompt"],
        "brand_id": job.get("brand_id"),
        "brand_version": brand_version(job),
        "model": job["model"],
        "width": job["width"],
        "height": job["height"],
        "n": job["n"],
        "output_format": job["output_format"],
        "seed": job["seed"],
        "mode": job["mode"],
        "credits": job["credits"],
        "progress": {"completed": job.get("completed", 0), "total": job["n"]},
        "created_at": rfc3339(job["created_at"]),
        "expires_at": rfc3339(job["expires_at"]),
        "assets": assets,
        "failures": job.get("failures", []),
        "error": job.get("error"),
    }


def _brand_of(principal: Principal, branded: BrandedRequest) -> str | None:
    """The brand that a request names, or its key's. A null is a name: that of no brand.

    Whether it exists is checked in the transaction that accepts the job: a default brand that was
    deleted, or is not the organization's, is refused like one that is named.
    """
    if "brand_id" in branded.model_fields_set:
        return _named_brand(branded)
    return principal.default_brand_id


def _named_brand(branded: BrandedRequest) -> str | None:
    return branded.brand_id if isinstance(branded.brand_id, str) else None


def _key_of(principal: Principal) -> str | None:
    """The key behind a request: the one that calls, or that minted the end user's session."""
    if principal.end_user is not None:
        return principal.end_user.key_id
    return principal.actor if principal.kind == "key" else None


def _check(request: GenerationRequest, model: Model) -> None:
    branded = request.branded
    if len(request.prompt) > model.max_prompt:
        raise invalid("body.prompt", f"must have at most {model.max_prompt} characters")
    brand_id = _named_brand(branded)
    if brand_id is not None and not is_id("brd", brand_id):
        raise not_found("brand")
    if request.source is not None and not model.edits:
        raise invalid(
            "body.model", "cannot start from a picture; GET /v1/models says which do (edits)"
        )
    if branded.text is None and branded.template is None:
        return
    if branded.text is not None and branded.template is not None:
        raise invalid("body.template", "cannot be combined with text; send one of them")
    from imagelayer.design.designs import check_design

    check_design(_plain(branded.text), _plain(branded.template))


def _plain(design: Design | None) -> dict[str, Any] | None:
    return None if design is None else design.model_dump()


def size_of(request: GenerationRequest) -> tuple[int, int]:
    """Width and height in pixels. Raises Problem 422."""
    preset = request.branded.preset
    if preset is not None:
        if request.size is not None:
            raise invalid("body.preset", "cannot be combined with size; send one of them")
        if preset not in PRESETS:
            raise invalid("body.preset", f"must be one of {', '.join(sorted(PRESETS))}")
        return PRESETS[preset]
    width, _, height = (request.size or DEFAULT_SIZE).partition("x")
    return int(width), int(height)
