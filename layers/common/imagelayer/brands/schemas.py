"""Shapes of the API: brands."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from imagelayer.api.schemas import Answer, HexColor, Name, Request, Timestamp, Url
from imagelayer.design.designs import Typography

Palette = Annotated[list[HexColor], Meta(min_length=1, max_length=8)]

Guidelines = Annotated[str, Meta(max_length=2000)]

Keywords = Annotated[list[Annotated[str, Meta(min_length=1, max_length=60)]], Meta(max_length=12)]

# Written in place of a logo that a brand does not have.
Brandmark = Annotated[str, Meta(max_length=40)]


class CreateBrandRequest(Request):
    """What makes an image ours."""

    name: Name
    palette: Palette
    style: Guidelines = ""
    tone: Keywords = msgspec.field(default_factory=list)
    avoid: Keywords = msgspec.field(default_factory=list)
    prompt_suffix: Annotated[str, Meta(max_length=500)] = ""
    typography: Typography | None = None
    brandmark: Brandmark = ""


class UpdateBrandRequest(Request):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    palette: Palette | UnsetType = UNSET
    style: Guidelines | UnsetType = UNSET
    tone: Keywords | UnsetType = UNSET
    avoid: Keywords | UnsetType = UNSET
    prompt_suffix: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET
    typography: Typography | UnsetType | None = UNSET
    brandmark: Brandmark | UnsetType = UNSET


AssetKind = Literal["logo", "logo_dark", "logo_mono"]


class BrandLogo(Answer):
    """A logo ready for use."""

    upload_id: str
    width: int
    height: int


class Brand(Answer):
    """A brand; `version` grows with every change."""

    id: str
    version: int
    name: str
    palette: list[str]
    style: str
    tone: list[str]
    avoid: list[str]
    prompt_suffix: str
    typography: Typography | None
    brandmark: str
    logos: dict[AssetKind, BrandLogo]
    created_at: Timestamp
    updated_at: Timestamp


class BrandList(Answer):
    """A page of brands."""

    data: list[Brand]
    next_cursor: str | None


class CreateUploadRequest(Request):
    """Announce a file; the answer holds a form to post it with."""

    kind: AssetKind
    content_type: Literal["image/png", "image/jpeg", "image/webp"]
    size_bytes: Annotated[int, Meta(ge=1, le=5_242_880)]


class UploadForm(Answer):
    """A presigned POST: send `fields` and then the file as `file`, multipart, to `url`."""

    url: Url
    fields: dict[str, str]


class Upload(Answer):
    """A brand file on its way to being usable."""

    id: str
    brand_id: str
    kind: AssetKind
    status: Literal["pending", "ready", "rejected"]
    reason: str | None
    created_at: Timestamp


class CreatedUpload(Upload):
    """An announced file with the form to send it."""

    upload: UploadForm
