"""Shapes of the API: generations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field

from imagelayer.api.schemas import (
    PROSE,
    WHOLE,
    Answer,
    HexColor,
    Request,
    Shape,
    Timestamp,
    Url,
    form,
)
from imagelayer.brands.schemas import AssetKind
from imagelayer.design.designs import Treatment
from imagelayer.design.schemas import Template, TextBlock
from imagelayer.platform.principals import Mode

Size = Annotated[
    str,
    form(
        r"^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}$",
        "WIDTHxHEIGHT in pixels, such as 1024x1024",
        examples=["1024x1024"],
    ),
]

type OutputFormat = Literal["png", "jpeg", "webp", "avif"]

type LogoPosition = Literal["auto", "none", "top-left", "top-right", "bottom-left", "bottom-right"]


class BrandedRequest(Shape):
    """What is the same however images are asked for: how the brand is laid on.

    `size` and `preset` exclude each other, and so do `text` and `template`.
    """

    brand_id: str | MISSING | None = MISSING
    """The brand to apply; without it that of the key, with null none."""
    apply_brand_guidelines: bool = True
    """Whether the brand's style and palette shape the prompt."""
    preset: str | None = None
    """A size by name: `GET /v1/presets` lists them."""
    seed: Annotated[int, Field(ge=0, le=4_294_967_295), WHOLE] | None = None
    """The same seed and request give the same image, on models that support seeds."""
    logo: LogoPosition = "auto"
    """Where the logo goes; `auto` chooses the quietest corner."""
    text: TextBlock | None = None
    """Text to set on the image."""
    template: Template | None = None
    """A layout with fields of its own."""
    treatment: Treatment = "auto"
    """What to do when the image's colors are far from the palette."""


class CreateGenerationRequest(BrandedRequest, Request):
    """Generate images. Send either `size` or `preset`, and either `text` or `template`."""

    prompt: Annotated[str, Field(min_length=1, max_length=32_000), PROSE]
    """What the image should show."""
    model: str = "studio"
    """`GET /v1/models` lists them."""
    size: Size | None = None
    """Width and height in pixels; 1024x1024 without it."""
    n: Annotated[int, Field(ge=1, le=4), WHOLE] = 1
    """How many images."""
    output_format: OutputFormat = "png"
    """The format of the files."""
    quality: Annotated[int, Field(ge=1, le=100), WHOLE] | None = None
    """For lossy formats, 1 to 100."""


class LogoReport(Answer):
    """Where the logo is and how well it reads; lengths in pixels, `scale` 1 is its own size.

    `contrast` is WCAG 2.2's ratio to what is behind, `legible_share` the part of the logo that
    reaches 3:1 by itself; `plate` says whether a plate was laid behind it.
    """

    variant: AssetKind
    """Which of the logos was used."""
    corner: str
    """The corner it is placed in."""
    x: int
    """From the left edge."""
    y: int
    """From the top edge."""
    width: int
    height: int
    scale: float
    """Of its own size."""
    contrast: float
    """WCAG 2.2's ratio to what is behind it."""
    legible_share: float
    """The part of the logo that reaches 3:1 by itself, 0 to 1."""
    plate: bool
    """Whether a plate was laid behind it."""
    clear_space_px: int
    """The free space around it."""
    clear_space_required_px: int
    """The free space it needs."""
    passed: bool


class TextReport(Answer):
    """How well a block of text reads; lengths in pixels, the box encloses its ink."""

    role: str
    """Which field the text comes from."""
    family: str
    """The font it is set in."""
    weight: int
    """The font's weight."""
    size: int
    """The font's size."""
    lines: int
    """On how many lines."""
    x: int
    """From the left edge."""
    y: int
    """From the top edge."""
    width: int
    height: int
    color: HexColor
    """Its color."""
    contrast: float
    """WCAG 2.2's ratio to what is behind it."""
    passed: bool


class BrandCheck(Answer):
    """One measurement; `limit` is the least or the most that passes."""

    name: str
    measured: float
    """What was measured."""
    limit: float
    """The least or the most that passes."""
    passed: bool


class BrandReport(Answer):
    """What was measured on the finished image. `palette_distance` is the mean OKLab distance to the
    palette, times 100: about 2 is just noticeable. `treatment` is what was done about it."""

    palette_distance: float | None
    """Mean OKLab distance to the palette, times 100; about 2 is just noticeable."""
    treatment: Treatment
    """What was done about colors far from the palette."""
    logo: LogoReport | None
    """How the logo came out; null without one."""
    texts: list[TextReport]
    """How each block of text came out."""
    checks: list[BrandCheck]
    """Each measurement against its limit."""
    passed: bool
    """Whether every check passed."""


class Asset(Answer):
    """An image's record, with a signed link that works for five minutes at most."""

    id: str
    generation_id: str
    url: Url
    """A signed link, good until `url_expires_at`."""
    url_expires_at: Timestamp
    """When the link expires. Read the asset again for a new one."""
    expires_at: Timestamp
    """When the image is deleted: 72 hours after the request."""
    width: int
    height: int
    format: OutputFormat
    """The format of the file."""
    content_type: str
    """The media type of the file."""
    size_bytes: int
    """The size of the file."""
    seed: int | None
    """Gives the same picture again; null where the model has none."""
    brand_report: BrandReport
    """What was measured on the image."""


class GenerationError(Answer):
    """Why a generation failed."""

    code: str
    """A stable code; docs/errors.md."""
    message: str
    """The same in words."""


class ImageFailure(GenerationError):
    """Why one image of several was not made; it costs nothing."""

    index: int
    """Which image, from 0."""


class Progress(Answer):
    """How many of the images are finished."""

    completed: int
    """Images finished so far."""
    total: int
    """Images requested."""


class Generation(Answer):
    """A generation. It expires together with its prompt and its images."""

    id: str
    status: Literal["queued", "running", "succeeded", "failed", "canceled"]
    prompt: str
    """What the image should show."""
    brand_id: str | None
    brand_version: int | None
    """The version of the brand that was applied."""
    model: str
    """The model that makes it."""
    width: int
    height: int
    n: int
    """How many images."""
    output_format: OutputFormat
    """The format of the files."""
    seed: int
    """Of the first image; each further one adds one."""
    mode: Mode
    credits: int
    """What it costs; 0 if it failed, or was canceled before its provider was asked."""
    progress: Progress
    """How far it is."""
    created_at: Timestamp
    expires_at: Timestamp
    assets: list[Asset]
    """The images, once made."""
    failures: list[ImageFailure]
    """Images that could not be made; they cost nothing."""
    error: GenerationError | None
    """Why it failed; null otherwise."""


class GenerationList(Answer):
    """A page of generations, newest first, without their images."""

    data: list[Generation]
    next_cursor: str | None
