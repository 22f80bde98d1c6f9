"""The shapes of what the brand store reads and writes. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class ReplacedLogo(TypedDict):
    """The logo before the current one: jobs that were accepted with it still need its object."""

    upload_id: str
    key: str


class LogoRecord(TypedDict):
    """A logo ready for use: the object's key in the brand bucket, its sides in pixels, and the one
    that it replaced, whose object goes when this one is replaced."""

    upload_id: str
    key: str
    width: int
    height: int
    replaced: NotRequired[ReplacedLogo]


class BrandSnapshot(TypedDict):
    """A brand as a job keeps it; `logos` are by kind."""

    id: str
    version: int
    name: str
    palette: list[str]
    style: str
    tone: list[str]
    avoid: list[str]
    prompt_suffix: str
    logos: dict[str, LogoRecord]
    typography: NotRequired[dict[str, Any] | None]
    brandmark: NotRequired[str]


class BrandRecord(BrandSnapshot):
    """A brand of an organization."""

    org_id: str
    created_at: int
    updated_at: int


class UploadRecord(TypedDict):
    """A file for a brand: posted to `incoming_key`, kept re-encoded under `logo_key`. It expires
    while it is pending."""

    id: str
    org_id: str
    brand_id: str
    kind: str
    status: Literal["pending", "ready", "rejected"]
    incoming_key: str
    logo_key: str
    created_at: int
    expires_at: NotRequired[int]
    reason: NotRequired[str]
