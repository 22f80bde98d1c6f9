"""Shapes of the API: generations."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from imagelayer.api.schemas import Answer, HexColor, Mode, Timestamp, Url
from imagelayer.brands.schemas import AssetKind
from imagelayer.design.designs import Template, Text, Treatment

Size = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}$(?!\n)", examples=["1024x1024"])
]

OutputFormat = Literal["png", "jpeg", "webp", "avif"]

LogoPosition = Literal["auto", "none", "top-left", "top-right", "bottom-left", "bottom-right"]


class BrandedRequest(msgspec.Struct, kw_only=True):
    """What is the same however images are asked for: how the brand is laid on.

    `size` and `preset` exclude each other, and so do `text` and `template`.
    """

    brand_id: str | None = None
    apply_brand_guidelines: bool = True
    preset: str | None = None
    seed: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    logo: LogoPosition = "auto"
    text: Text | None = None
    template: Template | None = None
    treatment: Treatment = "auto"


class CreateGenerationRequest(BrandedRequest, forbid_unknown_fields=True, kw_only=True):
    """Ask for images. `size` and `preset` exclude each other, and so do `text` and `template`."""

    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    model: str = "studio"
    size: Size | None = None
    n: Annotated[int, Meta(ge=1, le=4)] = 1
    output_format: OutputFormat = "png"
    quality: Annotated[int, Meta(ge=1, le=100)] | None = None


class LogoReport(Answer):
    """Where the logo stands and how it reads; lengths in pixels, `scale` 1 is its own size.

    `contrast` is WCAG 2.2's ratio to what is behind, `legible_share` the part of the logo that
    reaches 3:1 by itself; `plate` says whether a plate was laid behind it.
    """

    variant: AssetKind
    corner: str
    x: int
    y: int
    width: int
    height: int
    scale: float
    contrast: float
    legible_share: float
    plate: bool
    clear_space_px: int
    clear_space_required_px: int
    passed: bool


class TextReport(Answer):
    """How a block of text reads; lengths in pixels, the box is that of its ink."""

    role: str
    family: str
    weight: int
    size: int
    lines: int
    x: int
    y: int
    width: int
    height: int
    color: HexColor
    contrast: float
    passed: bool


class BrandCheck(Answer):
    """One measurement; `limit` is the least or the most that passes."""

    name: str
    measured: float
    limit: float
    passed: bool


class BrandReport(Answer):
    """What was measured on the finished image. `palette_distance` is the mean OKLab distance to the
    palette, times 100: about 2 is just noticeable. `treatment` is what was done about it."""

    palette_distance: float | None
    treatment: Treatment
    logo: LogoReport | None
    texts: list[TextReport]
    checks: list[BrandCheck]
    passed: bool


class Asset(Answer):
    """One image: its record, and a signed link that lives five minutes at most."""

    id: str
    generation_id: str
    url: Url
    url_expires_at: Timestamp
    expires_at: Timestamp
    width: int
    height: int
    format: OutputFormat
    content_type: str
    size_bytes: int
    seed: int | None
    brand_report: BrandReport


class GenerationError(Answer):
    """Why a generation failed."""

    code: str
    message: str


class ImageFailure(GenerationError):
    """Why one image of several was not made; it costs nothing."""

    index: int


class Progress(Answer):
    """How many images of how many are made."""

    completed: int
    total: int


class Generation(Answer):
    """A job. It, its prompt and its images expire together."""

    id: str
    status: Literal["queued", "running", "succeeded", "failed", "canceled"]
    prompt: str
    brand_id: str | None
    brand_version: int | None
    model: str
    width: int
    height: int
    n: int
    output_format: OutputFormat
    seed: int
    mode: Mode
    credits: int
    progress: Progress
    created_at: Timestamp
    expires_at: Timestamp
    assets: list[Asset]
    failures: list[ImageFailure]
    error: GenerationError | None


class GenerationList(Answer):
    """A page of jobs, newest first; their images are read one by one."""

    data: list[Generation]
    next_cursor: str | None
