"""Shapes of the API: brands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field

from imagelayer.api.schemas import (
    LINE,
    PROSE,
    WHOLE,
    Answer,
    HexColor,
    Name,
    Request,
    Timestamp,
    Url,
)
from imagelayer.design.schemas import Typography

Palette = Annotated[list[HexColor], Field(min_length=1, max_length=8)]

Guidelines = Annotated[str, Field(max_length=2000), PROSE]

Suffix = Annotated[str, Field(max_length=500), PROSE]

Keyword = Annotated[str, Field(min_length=1, max_length=60), LINE]

Keywords = Annotated[list[Keyword], Field(max_length=12)]

# Written in place of a logo that a brand does not have.
Brandmark = Annotated[str, Field(max_length=40), LINE]


class CreateBrandRequest(Request):
    """A brand: what makes an image look like yours."""

    name: Name
    """The brand's name."""
    palette: Palette
    """1 to 8 colors, most important first."""
    style: Guidelines = ""
    """How pictures should look, in words; shapes the prompt."""
    tone: Keywords = []
    """Words for the mood, such as `calm`."""
    avoid: Keywords = []
    """What pictures must not show."""
    prompt_suffix: Suffix = ""
    """Added to every prompt, unchanged."""
    typography: Typography | None = None
    """The typefaces for text on pictures; null for Inter."""
    brandmark: Brandmark = ""
    """Drawn as text when the brand has no logo."""


class UpdateBrandRequest(Request):
    """Fields left out stay as they are."""

    name: Name | MISSING = MISSING
    """The brand's name."""
    palette: Palette | MISSING = MISSING
    """1 to 8 colors, most important first."""
    style: Guidelines | MISSING = MISSING
    """How pictures should look, in words."""
    tone: Keywords | MISSING = MISSING
    """Words for the mood."""
    avoid: Keywords | MISSING = MISSING
    """What pictures must not show."""
    prompt_suffix: Suffix | MISSING = MISSING
    """Added to every prompt, unchanged."""
    typography: Typography | MISSING | None = MISSING
    """The typefaces for text on pictures; null for Inter."""
    brandmark: Brandmark | MISSING = MISSING
    """Drawn as text when the brand has no logo."""


type AssetKind = Literal["logo", "logo_dark", "logo_mono"]


class BrandLogo(Answer):
    """A logo ready for use."""

    upload_id: str
    """The upload it came from."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


class Brand(Answer):
    """A brand; `version` grows with every change."""

    id: str
    version: int
    """Grows by one with every change."""
    name: str
    palette: list[str]
    """Its colors, the most important first."""
    style: str
    """How pictures should look, in words."""
    tone: list[str]
    """Words for the mood."""
    avoid: list[str]
    """What pictures must not show."""
    prompt_suffix: str
    """Added to every prompt, unchanged."""
    typography: Typography | None
    """Its typefaces; null for Inter."""
    brandmark: str
    """Written in place of a missing logo."""
    logos: dict[AssetKind, BrandLogo]
    """The logos ready for use, by kind."""
    created_at: Timestamp
    updated_at: Timestamp


class BrandList(Answer):
    """A page of brands."""

    data: list[Brand]
    next_cursor: str | None


class CreateUploadRequest(Request):
    """A file to upload; the answer holds a form to post it with."""

    kind: AssetKind
    """`logo_dark` is for dark backgrounds, `logo_mono` has one color."""
    content_type: Literal["image/png", "image/jpeg", "image/webp"]
    """The type of the file."""
    size_bytes: Annotated[int, Field(ge=1, le=5_242_880), WHOLE]
    """The exact size of the file, at most 5 MiB."""


class UploadForm(Answer):
    """A presigned POST: send `fields` and then the file as `file`, multipart, to `url`."""

    url: Url
    """Where to post."""
    fields: dict[str, str]
    """Form fields to send before the file, as they are."""


class Upload(Answer):
    """An uploaded brand file and its status."""

    id: str
    brand_id: str
    kind: AssetKind
    """What the file is."""
    status: Literal["pending", "ready", "rejected"]
    """`ready` when the file has been checked; `rejected` with a `reason`."""
    reason: str | None
    """Why it was rejected; otherwise null."""
    created_at: Timestamp


class CreatedUpload(Upload):
    """An upload with the form to post the file."""

    upload: UploadForm
    """How to send the file."""
