"""The shapes of the API: request bodies as they are checked, answers as they are documented.

One source for both: `http.body` converts requests through these types and `openapi` turns them
into schemas. msgspec rather than a heavier validator because importing it is most of what a cold
start can save (docs/decisions/0003-msgspec-and-own-dispatch.md).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of request bodies: unknown fields are refused."""


class Answer(msgspec.Struct, kw_only=True, omit_defaults=False):
    """Base of documented answers."""


Email = Annotated[str, Meta(min_length=3, max_length=254, examples=["dev@example.com"])]
Password = Annotated[
    str, Meta(min_length=1, max_length=512, extra_json_schema={"format": "password"})
]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f<>]+$(?!\n)")]
Token = Annotated[str, Meta(min_length=20, max_length=200)]
# In Python's patterns `$` also matches before a last newline; hence `(?!\n)` and `max_length`.
HexColor = Annotated[str, Meta(max_length=7, pattern=r"^#[0-9A-Fa-f]{6}$", examples=["#1B4DFF"])]
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Scope = Literal[
    "assets:read",
    "brands:read",
    "brands:write",
    "generations:read",
    "generations:write",
    "keys:rotate",
]
Mode = Literal["live", "test"]


# Accounts


class RegisterRequest(Request):
    """Sign an organization and its owner up."""

    email: Email
    password: Password
    name: Name
    organization_name: Name
    turnstile_token: Annotated[str, Meta(min_length=1, max_length=2048)]


class RegisterAnswer(Answer):
    """Always the same, whether or not the address was taken; the mail differs."""

    status: Literal["verification_sent"] = "verification_sent"


class VerifyEmailRequest(Request):
    """The token of a verification link."""

    token: Token


class VerifyEmailAnswer(Answer):
    """The address is verified."""

    status: Literal["verified"] = "verified"


class ResendRequest(Request):
    """Ask for another verification mail."""

    email: Email


class LoginRequest(Request):
    """Password login."""

    email: Email
    password: Password


class User(Answer):
    """A person."""

    id: str
    email: str
    name: str
    email_verified: bool
    created_at: Timestamp


class Organization(Answer):
    """A tenant."""

    id: str
    name: str
    created_at: Timestamp


class LoginAnswer(Answer):
    """An access token; the refresh token travels in an HttpOnly cookie only."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: User
    organization: Organization


class MeAnswer(Answer):
    """Who the access token belongs to."""

    user: User
    organization: Organization
    role: Literal["owner", "admin", "developer", "viewer"]


# Keys


class CreateKeyRequest(Request):
    """A new secret API key."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=16)]
    mode: Mode
    expires_at: Timestamp | None = None


class RotateKeyRequest(Request):
    """How long the old secret keeps working, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 0


class Key(Answer):
    """A key without its secret."""

    id: str
    name: str
    prefix: str
    last_four: str
    scopes: list[Scope]
    mode: Mode
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None


class CreatedKey(Key):
    """A key with its secret, shown this once."""

    key: str


class RotatedKey(CreatedKey):
    """The new secret, and until when the previous one works."""

    previous_expires_at: Timestamp


class KeyList(Answer):
    """A page of keys."""

    data: list[Key]
    next_cursor: str | None


# Brands

Palette = Annotated[list[HexColor], Meta(min_length=1, max_length=8)]
Guidelines = Annotated[str, Meta(max_length=2000)]
Keywords = Annotated[list[Annotated[str, Meta(min_length=1, max_length=60)]], Meta(max_length=12)]


class CreateBrandRequest(Request):
    """What makes an image ours."""

    name: Name
    palette: Palette
    style: Guidelines = ""
    tone: Keywords = []
    avoid: Keywords = []
    prompt_suffix: Annotated[str, Meta(max_length=500)] = ""


class UpdateBrandRequest(Request):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    palette: Palette | UnsetType = UNSET
    style: Guidelines | UnsetType = UNSET
    tone: Keywords | UnsetType = UNSET
    avoid: Keywords | UnsetType = UNSET
    prompt_suffix: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET


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


# Generations

Size = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}$(?!\n)", examples=["1024x1024"])
]
OutputFormat = Literal["png", "jpeg", "webp"]
LogoPosition = Literal["auto", "none", "top-left", "top-right", "bottom-left", "bottom-right"]


class CreateGenerationRequest(Request):
    """Ask for images. `size` and `preset` exclude each other."""

    prompt: Annotated[str, Meta(min_length=1, max_length=4000)]
    brand_id: str | None = None
    apply_brand_guidelines: bool = True
    model: str = "studio"
    size: Size | None = None
    preset: str | None = None
    n: Annotated[int, Meta(ge=1, le=4)] = 1
    output_format: OutputFormat = "png"
    seed: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    logo: LogoPosition = "auto"


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
    seed: int
    brand_report: dict[str, Any]


class GenerationError(Answer):
    """Why a generation failed."""

    code: str
    message: str


class Generation(Answer):
    """A job. It, its prompt and its images expire together."""

    id: str
    status: Literal["queued", "running", "succeeded", "failed", "canceled"]
    prompt: str
    brand_id: str | None
    model: str
    width: int
    height: int
    n: int
    output_format: OutputFormat
    mode: Mode
    credits: int
    created_at: Timestamp
    expires_at: Timestamp
    assets: list[Asset]
    error: GenerationError | None


class GenerationList(Answer):
    """A page of jobs, newest first; their images are read one by one."""

    data: list[Generation]
    next_cursor: str | None


# Public


class Health(Answer):
    """The service answers."""

    stage: str
    status: Literal["ok"] = "ok"


class Jwks(Answer):
    """The public halves of the signing keys (RFC 7517)."""

    keys: list[dict[str, str]]


class ProblemError(Answer):
    """One broken rule."""

    location: str
    message: str


class OpenAIError(Answer):
    """The shape the `openai` client reads."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemAnswer(Answer):
    """Every error: RFC 9457 with an `error` member for OpenAI-style readers."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ProblemError]
    error: OpenAIError
