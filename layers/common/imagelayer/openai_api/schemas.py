"""Shapes of the API: openai api."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import from_json

from imagelayer.api.schemas import PROSE, WHOLE, Answer, Shape, form
from imagelayer.design.schemas import Template, TextBlock
from imagelayer.generations.schemas import BrandedRequest, BrandReport, OutputFormat

SizeOrAuto = Annotated[
    str,
    form(
        r"^(auto|[1-9][0-9]{2,3}x[1-9][0-9]{2,3})$",
        "auto or WIDTHxHEIGHT in pixels, such as 1024x1024",
        examples=["1024x1024"],
    ),
]


class ImagesRequest(BrandedRequest):
    """Images as the `openai` client requests them, with a brand; unknown fields are ignored.

    Without `response_format` each image has a link and the bytes, so that code written for either
    works. `quality`, `style`, `moderation` and `user` are
    accepted and have no effect.
    """

    prompt: Annotated[str, Field(min_length=1, max_length=32_000), PROSE]
    """What the image should show."""
    model: str | None = None
    """`GET /v1/models` lists them."""
    n: Annotated[int, Field(ge=1, le=4), WHOLE] | None = None
    """How many images."""
    size: SizeOrAuto | None = None
    """Width and height in pixels, or `auto`."""
    response_format: Literal["url", "b64_json"] | None = None
    """`url`, `b64_json`, or null for both."""
    output_format: OutputFormat | None = None
    """The format of the files."""
    output_compression: Annotated[int, Field(ge=0, le=100), WHOLE] | None = None
    """Quality of lossy formats, 0 to 100."""
    background: Literal["opaque", "auto", "transparent"] | None = None
    """Transparent backgrounds are not supported."""
    stream: bool | None = None
    """Answer with server-sent events."""


class SourceImage(Shape):
    """An image inside JSON."""

    image_url: Annotated[str, Field(max_length=6_000_000)]
    """A `data:` URL in base64; other URLs are not fetched."""


class ImageEditsRequest(ImagesRequest):
    """An image to start from, in JSON."""

    images: Annotated[list[SourceImage], Field(max_length=16)] | None = None
    """Exactly one image: PNG, JPEG or WebP."""
    mask: Any = None
    """Masks are not supported."""


def _json(value: Any) -> Any:
    """What a form carries as JSON text, in the way OpenAPI gives objects in forms by default."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


# OpenAPI 3.0 and most generators know a file in a form by this format.
File = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]


class ImageEditsForm(ImagesRequest):
    """An image to start from, as a file in a form."""

    image: File | list[File] | None = None
    """Exactly one image: PNG, JPEG or WebP."""
    text: Annotated[TextBlock | None, BeforeValidator(_json)] = None
    """Text to set on the image, as JSON or as parts named `text[headline]`."""
    template: Annotated[Template | None, BeforeValidator(_json)] = None
    """A layout with fields of its own, as JSON or as parts named `template[type]`."""
    mask: Any = None
    """Masks are not supported."""


class GeneratedImage(Answer):
    """One image. Beyond OpenAI's fields: the asset's id, its seed and its brand report."""

    url: str | None
    """A signed link; null if only bytes were requested."""
    b64_json: str | None
    """The bytes; null if only links were requested."""
    revised_prompt: str | None
    """Always null: prompts are not rewritten."""
    asset_id: str
    """Its record: `GET /v1/assets/{asset_id}`."""
    seed: int | None
    """Gives the same picture again; null where the model has none."""
    brand_report: BrandReport
    """What was measured on the image."""


class ImagesAnswer(Answer):
    """Images as the `openai` client reads them, with the generation and its credits."""

    created: int
    """Seconds since 1970."""
    data: list[GeneratedImage]
    """The images of this request."""
    background: str
    """Always `opaque`."""
    output_format: OutputFormat
    """The format of the files."""
    quality: str
    """Always `auto`."""
    size: str
    """Width and height in pixels."""
    generation_id: str
    credits: int
    """What it cost."""
    brand_id: str | None
    brand_version: int | None
    """The version of the brand that was applied."""


class ModelDetails(Answer):
    """A model; `shutdown_date` is when its provider shuts it down, if announced."""

    id: str
    created: int
    """Always 0."""
    owned_by: str
    """The provider."""
    credits_per_image: int
    """Credits for each image."""
    credits_per_megapixel: int
    """Credits for each begun megapixel of an image."""
    max_prompt: int
    """The longest prompt, in characters."""
    min_side: int
    """The shortest side, in pixels."""
    max_side: int
    """The longest side, in pixels."""
    edits: bool
    """Whether it can start from a picture."""
    shutdown_date: str | None
    """The day its provider stops answering; null if none is known."""
    replacement: str | None
    """What to use instead; null if nothing is known."""
    object: Literal["model"] = "model"


class ModelList(Answer):
    """Every model that is available."""

    data: list[ModelDetails]
    """Every available model."""
    object: Literal["list"] = "list"
