"""Shapes of the API: openai api."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from imagelayer.api.schemas import Answer
from imagelayer.generations.schemas import BrandedRequest, BrandReport, OutputFormat

SizeOrAuto = Annotated[
    str, Meta(pattern=r"^(auto|[1-9][0-9]{2,3}x[1-9][0-9]{2,3})$(?!\n)", examples=["1024x1024"])
]


class ImagesRequest(BrandedRequest, kw_only=True):
    """Images as the `openai` client asks for them, with a brand beside; unknown fields pass.

    What is left out of `response_format` gets both a link and, where it fits an answer, the bytes:
    code written for either finds what it reads. `quality`, `style`, `moderation` and `user` are
    taken and have no effect.
    """

    prompt: Annotated[str, Meta(min_length=1, max_length=32_000)]
    model: str | None = None
    n: Annotated[int, Meta(ge=1, le=4)] | None = None
    size: SizeOrAuto | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: OutputFormat | None = None
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None = None
    background: Literal["opaque", "auto", "transparent"] | None = None
    stream: bool | None = None


class SourceImage(msgspec.Struct, kw_only=True):
    """A picture inside JSON: a `data:` URL."""

    image_url: Annotated[str, Meta(max_length=6_000_000)]


class ImageEditsRequest(ImagesRequest, kw_only=True):
    """A picture to start from, as a file `image` of a form or as `images` of JSON: one of them."""

    image: bytes | list[bytes] | None = None
    images: list[SourceImage] | None = None
    mask: Any = None


class ImageData(Answer):
    """One image. Beyond what OpenAI answers: its record's id, its seed and its brand report."""

    url: str | None
    b64_json: str | None
    revised_prompt: str | None
    asset_id: str
    seed: int | None
    brand_report: BrandReport


class ImagesAnswer(Answer):
    """Images as the `openai` client reads them. Beyond that: the generation and its credits."""

    created: int
    data: list[ImageData]
    background: str
    output_format: OutputFormat
    quality: str
    size: str
    generation_id: str
    credits: int
    brand_id: str | None
    brand_version: int | None


class ModelDetails(Answer):
    """A model; `shutdown_date` is when its vendor stops answering, if it has said so."""

    id: str
    created: int
    owned_by: str
    credits_per_image: int
    credits_per_megapixel: int
    max_prompt: int
    min_side: int
    max_side: int
    edits: bool
    shutdown_date: str | None
    replacement: str | None
    object: Literal["model"] = "model"


class ModelList(Answer):
    """Every model that may be asked for."""

    data: list[ModelDetails]
    object: Literal["list"] = "list"
