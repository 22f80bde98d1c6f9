"""The shapes of the API: request bodies as they are checked, answers as they are documented.

One source for both: `http.body` converts requests through these types and `openapi` turns them
into schemas. msgspec rather than a heavier validator because importing it is most of what a cold
start can save (docs/decisions/0003-msgspec-and-own-dispatch.md).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from imagelayer.designs import Template, Text, Treatment, Typography


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
    "sessions:write",
    "usage:read",
    "webhooks:read",
    "webhooks:write",
]
# What a customer's server may hand on to its own users.
EndUserScope = Literal["assets:read", "generations:read", "generations:write"]
Role = Literal["owner", "admin", "developer", "viewer"]
Mode = Literal["live", "test"]
KeyKind = Literal["secret", "publishable"]
# `203.0.113.0/24`, `2001:db8::/48`; a bare address is its own network.
Cidr = Annotated[str, Meta(min_length=2, max_length=43, examples=["203.0.113.0/24"])]
Cidrs = Annotated[list[Cidr], Meta(max_length=32)]


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
    """The address is verified.

    `password_token` is only there when the address was signed up more than once with different
    passwords: none of them counts then, and the token sets a new one at
    `POST /v1/auth/password/reset`.
    """

    status: Literal["verified"] = "verified"
    password_token: str | None = None


class ResendRequest(Request):
    """Ask for another verification mail."""

    email: Email


RecoveryCode = Annotated[str, Meta(min_length=25, max_length=40)]
TotpCode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)", examples=["123456"])]


class LoginRequest(Request):
    """Password login. With a second factor: its code, or one of the recovery codes."""

    email: Email
    password: Password
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None


class ForgotPasswordRequest(Request):
    """Ask for a mail with a link that sets a new password."""

    email: Email


class ForgotPasswordAnswer(Answer):
    """Always the same, whether or not the address has an account."""

    status: Literal["reset_sent"] = "reset_sent"


class ResetPasswordRequest(Request):
    """The token of a reset link and the new password."""

    token: Token
    password: Password


class ChangePasswordRequest(Request):
    """Replace the password of the one who is logged in."""

    current_password: Password
    password: Password


class AcceptInvitationRequest(Request):
    """The token of an invitation, and who accepts it."""

    token: Token
    name: Name
    password: Password


class AcceptInvitationAnswer(Answer):
    """The account exists and its address is verified; log in next."""

    status: Literal["joined"] = "joined"


class User(Answer):
    """A person."""

    id: str
    email: str
    name: str
    email_verified: bool
    two_factor_enabled: bool
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
    # The organization asks for a second factor: until it is set up, only that is possible.
    second_factor_required: bool


class MeAnswer(Answer):
    """Who the access token belongs to."""

    user: User
    organization: Organization
    role: Role


class Session(Answer):
    """A dashboard session of the one who asks."""

    id: str
    current: bool
    client: str
    ip: str
    created_at: Timestamp
    refreshed_at: Timestamp
    expires_at: Timestamp


class SessionList(Answer):
    """All sessions, the newest first. There are never more than a page of them."""

    data: list[Session]
    next_cursor: None


# Second factor


class PasswordRequest(Request):
    """The password once more, before something that weighs."""

    password: Password


class TotpRequest(Request):
    """A code of the authenticator that is being set up."""

    totp_code: TotpCode


class PasswordAndTotpRequest(Request):
    """Both factors once more: the authenticator's code, or a recovery code in its place."""

    password: Password
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None


class TotpEnrolment(Answer):
    """What an authenticator needs (RFC 6238: SHA-1, six digits, 30 seconds), shown this once."""

    secret: str
    otpauth_uri: Url
    qr_svg: str
    expires_at: Timestamp


class RecoveryCodes(Answer):
    """Each stands in for the second factor once. Shown this once."""

    recovery_codes: list[str]


# Organization


class OrganizationDetails(Organization):
    """A tenant with its settings."""

    owners_need_second_factor: bool


class UpdateOrganizationRequest(Request):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    owners_need_second_factor: bool | UnsetType = UNSET


class Member(Answer):
    """Somebody who belongs to the organization; `id` is the user's."""

    id: str
    email: str
    name: str
    role: Role
    two_factor_enabled: bool
    joined_at: Timestamp


class MemberList(Answer):
    """A page of members."""

    data: list[Member]
    next_cursor: str | None


class ChangeRoleRequest(Request):
    """Another role for a member."""

    role: Role


class CreateInvitationRequest(Request):
    """Invite somebody by mail."""

    email: Email
    role: Role


class Invitation(Answer):
    """An invitation that waits for its answer."""

    id: str
    email: str
    role: Role
    invited_by: str
    created_at: Timestamp
    expires_at: Timestamp


class InvitationList(Answer):
    """A page of invitations."""

    data: list[Invitation]
    next_cursor: str | None


class SecurityEvent(Answer):
    """Something that happened to the organization's security; see docs/security/events.md."""

    id: str
    event: str
    outcome: Literal["success", "failure", "denied"]
    actor: str
    ip: str
    request_id: str
    reason: str
    created_at: Timestamp


class SecurityEventList(Answer):
    """A page of events, the newest first."""

    data: list[SecurityEvent]
    next_cursor: str | None


# End users

EndUserId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$(?!\n)")]


class CreateEndUserSessionRequest(Request):
    """A short-lived token for one of the customer's own users."""

    end_user_id: EndUserId
    scopes: Annotated[list[EndUserScope], Meta(min_length=1, max_length=8)] | None = None
    expires_in: Annotated[int, Meta(ge=60, le=3600)] = 900
    allowed_origins: Annotated[list[Annotated[str, Meta(max_length=260)]], Meta(max_length=16)] = []
    max_generations: Annotated[int, Meta(ge=0, le=100_000)] | None = None


class EndUserSession(Answer):
    """The token, shown this once, and what it may do."""

    id: str
    session_token: str
    end_user_id: str
    scopes: list[EndUserScope]
    allowed_origins: list[str]
    max_generations: int | None
    expires_at: Timestamp


class RevokeEndUserSessionsRequest(Request):
    """Which sessions to end: one of an end user's, of a key's, or all of the organization's."""

    end_user_id: EndUserId | None = None
    key_id: str | None = None
    all: bool = False


class RevokedSessions(Answer):
    """How many living sessions were ended."""

    revoked: int


# Keys


class CreateKeyRequest(Request):
    """A new API key: a secret one with at least one scope, or a publishable one without any.

    With `allowed_cidrs` it may be used from these networks alone.
    """

    name: Name
    mode: Mode
    kind: KeyKind = "secret"
    scopes: Annotated[list[Scope], Meta(max_length=16)] = []
    expires_at: Timestamp | None = None
    allowed_cidrs: Cidrs = []


class UpdateKeyRequest(Request):
    """Fields left out stay as they are; an empty `allowed_cidrs` allows every network."""

    name: Name | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    allowed_cidrs: Cidrs | UnsetType = UNSET


class RotateKeyRequest(Request):
    """How long the old secret keeps working, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 0


class Key(Answer):
    """A key without its secret."""

    id: str
    name: str
    kind: KeyKind
    prefix: str
    last_four: str
    scopes: list[Scope]
    mode: Mode
    enabled: bool
    allowed_cidrs: list[str]
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


class LeakedKey(msgspec.Struct, kw_only=True):
    """A key found in public, as GitHub's secret scanning reports it; other fields are ignored."""

    token: Annotated[str, Meta(max_length=500)]
    type: Annotated[str, Meta(max_length=200)] = ""
    url: Annotated[str, Meta(max_length=4000)] = ""
    source: Annotated[str, Meta(max_length=200)] = ""


class LeakVerdict(Answer):
    """Whether a reported key was one of ours; if so it is revoked by now."""

    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]


# Webhooks

WebhookEvent = Literal[
    "generation.succeeded",
    "generation.failed",
    "generation.canceled",
    "quota.alert",
    "webhook.disabled",
]
WEBHOOK_EVENTS: tuple[str, ...] = get_args(WebhookEvent)
WebhookEvents = Annotated[list[WebhookEvent], Meta(min_length=1, max_length=32)]
WebhookUrl = Annotated[
    str, Meta(min_length=8, max_length=2048, examples=["https://hooks.example.com/imagelayer"])
]
Description = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f<>]*$(?!\n)")]


class CreateWebhookRequest(Request):
    """Where to tell of what happens; of everything there is by now unless `events` chooses."""

    url: WebhookUrl
    events: WebhookEvents | None = None
    description: Description = ""
    enabled: bool = True


class UpdateWebhookRequest(Request):
    """Fields left out stay as they are."""

    url: WebhookUrl | UnsetType = UNSET
    events: WebhookEvents | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class RotateWebhookRequest(Request):
    """How long the old secret signs beside the new one, in seconds (0 to 7 days)."""

    grace_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 86_400


class Webhook(Answer):
    """An endpoint without its secret. `disabled_reason` says why we switched it off: its receiver
    is `gone` (410), or has been `failing` for five days."""

    id: str
    url: Url
    events: list[WebhookEvent]
    description: str
    enabled: bool
    disabled_reason: Literal["gone", "failing"] | None
    failing_since: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class CreatedWebhook(Webhook):
    """An endpoint with its secret, shown this once."""

    secret: str


class RotatedWebhook(CreatedWebhook):
    """The new secret, and until when the previous one signs beside it."""

    previous_expires_at: Timestamp


class WebhookList(Answer):
    """A page of endpoints."""

    data: list[Webhook]
    next_cursor: str | None


class WebhookMessage(Answer):
    """A message that is on its way; `id` is what its receiver finds in `webhook-id`."""

    id: str
    event: str
    created_at: Timestamp


class WebhookAttempt(Answer):
    """One attempt to send a message. `status_code` is null where no answer was had, and `error`
    where it was taken."""

    id: str
    message_id: str
    event: str
    attempt: int
    outcome: Literal["succeeded", "failed"]
    status_code: int | None
    error: str | None
    duration_ms: int
    created_at: Timestamp
    next_attempt_at: Timestamp | None


class WebhookAttemptList(Answer):
    """A page of attempts, newest first; they are kept for seven days."""

    data: list[WebhookAttempt]
    next_cursor: str | None


# Usage


class UsageRow(Answer):
    """What a group used. Of the fields that name it only those it was grouped by are there; one is
    null where there was none, such as the key of a request from the dashboard."""

    generations: int
    images: int
    credits: int
    day: str | UnsetType | None = UNSET
    key_id: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    brand_id: str | UnsetType | None = UNSET
    end_user_id: str | UnsetType | None = UNSET
    mode: Mode | UnsetType | None = UNSET


class UsageTotal(Answer):
    """Everything in the range."""

    generations: int
    images: int
    credits: int


class CreditPool(Answer):
    """A month's allowance or a grant; `amount` is `used` and `reserved` and `available`."""

    id: str
    expires_at: Timestamp
    amount: int
    used: int
    reserved: int
    available: int


class CreditStanding(Answer):
    """What may be used now: this month's allowance, and the grants in the order they expire in."""

    available: int
    allowance: CreditPool
    grants: list[CreditPool]


class UsageReport(Answer):
    """Finished generations from `start` to `end`, both days (UTC) included; and what is left."""

    start: str
    end: str
    group_by: list[str]
    data: list[UsageRow]
    total: UsageTotal
    credits: CreditStanding


# Brands

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
    tone: Keywords = []
    avoid: Keywords = []
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


# Generations

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


# The openai client's own shapes: what it sends beyond these is ignored


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


# Public


class Health(Answer):
    """The service answers."""

    stage: str
    status: Literal["ok"] = "ok"


class Font(Answer):
    """A bundled family and the weights it comes in."""

    family: str
    weights: list[int]


class FontList(Answer):
    """Every family that a brand's typography may name."""

    data: list[Font]


class Preset(Answer):
    """A platform's size, in pixels."""

    id: str
    width: int
    height: int


class PresetList(Answer):
    """Every preset that a generation may name."""

    data: list[Preset]


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
