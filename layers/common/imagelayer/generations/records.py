"""The shapes of what the generation store reads and writes. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from imagelayer.brands.records import BrandSnapshot
from imagelayer.design.designs import Treatment

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
OutputFormat = Literal["png", "jpeg", "webp", "avif"]
LogoPosition = Literal["auto", "none", "top-left", "top-right", "bottom-left", "bottom-right"]


class JobError(TypedDict):
    """Why a job failed: a stable code and a public message."""

    code: str
    message: str


class ImageFailure(JobError):
    """Why one image of a job failed."""

    index: int


class Job(TypedDict):
    """A generation. Sides are pixels; `credits` is what it holds and, once it is done, costs.
    `asked` is for how many images a provider was asked; absent before, and for the built-in model.

    `sweep_at` is when the sweep looks at it next. `draws` are the balances its credits are held in,
    `brand` is the brand as it was at acceptance. `lease` is that of the worker that runs it,
    `attempts` counts leases.
    """

    id: str
    org_id: str
    actor: str
    key_id: NotRequired[str | None]
    end_user_id: NotRequired[str | None]
    status: Status
    prompt: str
    brand_id: NotRequired[str | None]
    apply_brand_guidelines: bool
    model: str
    width: int
    height: int
    n: int
    output_format: OutputFormat
    quality: NotRequired[int | None]
    seed: int
    logo: LogoPosition
    text: NotRequired[dict[str, Any] | None]
    template: NotRequired[dict[str, Any] | None]
    treatment: Treatment
    preset: NotRequired[str | None]
    mode: Literal["live", "test"]
    credits: int
    month: str
    created_at: int
    expires_at: int
    sweep_at: int
    source_key: NotRequired[str]
    draws: NotRequired[dict[str, int]]
    brand: NotRequired[BrandSnapshot]
    lease: NotRequired[str]
    attempts: NotRequired[int]
    requeues: NotRequired[int]
    started_at: NotRequired[int]
    asked: NotRequired[int]
    completed: NotRequired[int]
    asset_ids: NotRequired[list[str]]
    failures: NotRequired[list[ImageFailure]]
    error: NotRequired[JobError]
    finished_at: NotRequired[int]


class AssetRecord(TypedDict):
    """One finished image and its object in the media bucket."""

    id: str
    org_id: str
    generation_id: str
    mode: Literal["live", "test"]
    end_user_id: NotRequired[str | None]
    object_key: str
    width: int
    height: int
    format: OutputFormat
    content_type: str
    size_bytes: int
    seed: NotRequired[int | None]
    brand_report: dict[str, Any]
    created_at: int
    expires_at: int
