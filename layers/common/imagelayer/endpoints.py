"""The one table of endpoints: route, function, credentials, scope, limit, shapes.

Everything that must agree is derived from it or checked against it: the OpenAPI description, the
routes of `template.yaml`, what a handler may bind, which limit counts a call and which scope it
needs. A route that is not here cannot be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from imagelayer import schemas
from imagelayer.idempotency import Scope
from imagelayer.rate_limits import POLICIES, Policy

# none: counted per client address. key: an API key. user: a dashboard access token.
Auth = Literal["none", "user", "key", "user_or_key"]

MAX_BODY_BYTES = 64 * 1024

# The one table of what each dashboard role may do; docs/permissions.md is compared with it. A
# key's scopes are listed on the key. Whom an admin may manage is `members.may_manage`.
_VIEWER = frozenset(
    {
        "account:read",
        "account:write",
        "organization:read",
        "members:read",
        "keys:read",
        "brands:read",
        "generations:read",
        "assets:read",
        "usage:read",
    }
)
_DEVELOPER = _VIEWER | {
    "keys:write",
    "keys:rotate",
    "brands:write",
    "generations:write",
    "sessions:write",
    "webhooks:read",
    "webhooks:write",
}
_ADMIN = _DEVELOPER | {"organization:write", "members:write", "events:read"}
_OWNER = _ADMIN | {"security:write"}
ROLE_SCOPES: Mapping[schemas.Role, frozenset[str]] = {
    "viewer": _VIEWER,
    "developer": _DEVELOPER,
    "admin": _ADMIN,
    "owner": _OWNER,
}
# What is open to a user who must first set a second factor up.
ENROLMENT_SCOPES = frozenset({"account:read", "account:write"})


@dataclass(frozen=True)
class Endpoint:
    """One route of the API."""

    route: str
    function: str
    operation: str
    summary: str
    auth: Auth
    limit: str
    status: int
    answer: Any = None
    body: Any = None
    scope: str | None = None
    problems: tuple[str, ...] = ()
    content_type: str = "application/json"
    query: tuple[str, ...] = ()
    # Whether an Idempotency-Key is taken, and who shares its meaning (see `idempotency`).
    idempotent: Scope | None = None
    # Whether a client without a key is recognized by the attempt it says it makes.
    by_attempt: bool = False
    # Limits beside the caller's own that count a call, inside the transaction that accepts it.
    shared: tuple[str, ...] = ()
    # A body that is checked by its signature before it is parsed.
    signed: bool = False
    # A body that may come as multipart/form-data as well.
    forms: bool = False
    # Statuses of success beside `status`.
    also: tuple[int, ...] = ()
    # Whether an end user's session token may call it, with the scope among its own.
    end_user: bool = False
    max_body_bytes: int = MAX_BODY_BYTES

    @property
    def method(self) -> str:
        """`GET`, `POST` …"""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path template."""
        return self.route.partition(" ")[2]

    @property
    def policy(self) -> Policy:
        """The limit that counts its calls."""
        return POLICIES[self.limit]


PAGE = ("limit", "cursor")
USAGE = ("start", "end", "group_by")
# Every way a generation can fail, where the request is answered with its outcome.
FAILED = (
    "brand_missing",
    "content_filtered",
    "invalid_image",
    "model_unavailable",
    "provider_bad_image",
    "provider_misconfigured",
    "provider_quota",
    "provider_rate_limited",
    "provider_rejected",
    "provider_timeout",
    "provider_unavailable",
    "text_does_not_fit",
    "timed_out",
)
# A picture as multipart: the most that Lambda takes, 6 MB of base64 (Lambda quotas).
MAX_PICTURE_BYTES = 4_400_000

_ENDPOINTS = (
    Endpoint("GET /v1/health", "discovery", "getHealth", "Whether the API answers", "none",
             "public-read", 200, schemas.Health),
    Endpoint("GET /openapi.json", "discovery", "getOpenApi", "This description", "none",
             "public-read", 200),
    Endpoint("GET /.well-known/jwks.json", "discovery", "getJwks", "Public signing keys", "none",
             "public-read", 200, schemas.Jwks),
    Endpoint("GET /.well-known/security.txt", "discovery", "getSecurityTxt",
             "How to report a vulnerability (RFC 9116)", "none", "public-read", 200,
             content_type="text/plain"),
    Endpoint("GET /v1/fonts", "discovery", "listFonts", "The bundled fonts and their weights",
             "none", "public-read", 200, schemas.FontList),
    Endpoint("GET /v1/presets", "discovery", "listPresets", "Platform sizes by name", "none",
             "public-read", 200, schemas.PresetList),
    Endpoint("GET /security", "discovery", "getSecurityPage",
             "What we promise, and the tests that show it", "none", "public-read", 200,
             content_type="text/html"),
    Endpoint("POST /v1/auth/register", "registration", "register", "Sign up", "none", "register",
             202, schemas.RegisterAnswer, schemas.RegisterRequest,
             problems=("captcha_failed", "disposable_email", "registration_limit")),
    Endpoint("GET /verify-email", "registration", "getVerificationPage",
             "The page verification mails link to; it posts the token", "none", "public-read", 200,
             content_type="text/html"),
    Endpoint("POST /v1/auth/verify-email", "registration", "verifyEmail", "Verify an address",
             "none", "verify-email", 200, schemas.VerifyEmailAnswer, schemas.VerifyEmailRequest,
             problems=("invalid_token",)),
    Endpoint("POST /v1/auth/verify-email/resend", "registration", "resendVerification",
             "Send another verification mail", "none", "resend-verification", 202,
             schemas.RegisterAnswer, schemas.ResendRequest),
    Endpoint("GET /accept-invitation", "registration", "getInvitationPage",
             "The page invitations link to; it posts the token", "none", "public-read", 200,
             content_type="text/html"),
    Endpoint("POST /v1/auth/invitations/accept", "registration", "acceptInvitation",
             "Join an organization", "none", "accept-invitation", 200,
             schemas.AcceptInvitationAnswer, schemas.AcceptInvitationRequest,
             problems=("invalid_token", "address_taken", "conflict")),
    Endpoint("POST /v1/auth/login", "login", "login", "Log in", "none", "login", 200,
             schemas.LoginAnswer, schemas.LoginRequest,
             problems=("invalid_credentials", "email_not_verified", "totp_required",
                       "invalid_totp_code")),
    Endpoint("POST /v1/auth/refresh", "login", "refresh",
             "Trade the refresh cookie for a new access token", "none", "refresh", 200,
             schemas.LoginAnswer, problems=("unauthenticated",)),
    Endpoint("POST /v1/auth/logout", "login", "logout", "End this session", "none", "refresh", 204),
    Endpoint("GET /v1/auth/me", "login", "getMe", "Who is logged in", "user", "session-read", 200,
             schemas.MeAnswer, scope="account:read"),
    Endpoint("GET /v1/auth/sessions", "login", "listSessions", "Where one is logged in", "user",
             "session-read", 200, schemas.SessionList, scope="account:read"),
    Endpoint("DELETE /v1/auth/sessions", "login", "endAllSessions",
             "Log out everywhere, here included", "user", "session-write", 204,
             scope="account:write"),
    Endpoint("DELETE /v1/auth/sessions/{session_id}", "login", "endSession",
             "End one session", "user", "session-write", 204, scope="account:write"),
    Endpoint("GET /reset-password", "password", "getResetPage",
             "The page reset mails link to; it posts the token", "none", "public-read", 200,
             content_type="text/html"),
    Endpoint("POST /v1/auth/password/forgot", "password", "forgotPassword",
             "Ask for a reset mail", "none", "forgot-password", 202, schemas.ForgotPasswordAnswer,
             schemas.ForgotPasswordRequest),
    Endpoint("POST /v1/auth/password/reset", "password", "resetPassword",
             "Set a new password with a mailed token; ends every session", "none",
             "reset-password", 204, body=schemas.ResetPasswordRequest,
             problems=("invalid_token",)),
    Endpoint("POST /v1/auth/password/change", "password", "changePassword",
             "Change the password; ends every other session", "user", "session-write", 204,
             body=schemas.ChangePasswordRequest, scope="account:write",
             problems=("wrong_password", "conflict")),
    Endpoint("POST /v1/auth/totp", "second_factor", "startTotp",
             "Begin to set a second factor up", "user", "session-write", 201,
             schemas.TotpEnrolment, schemas.PasswordRequest, scope="account:write",
             problems=("wrong_password", "conflict")),
    Endpoint("POST /v1/auth/totp/confirm", "second_factor", "confirmTotp",
             "Finish it with a first code; answers the recovery codes", "user", "session-write",
             200, schemas.RecoveryCodes, schemas.TotpRequest, scope="account:write",
             problems=("invalid_totp_code", "conflict")),
    Endpoint("POST /v1/auth/totp/recovery-codes", "second_factor", "renewRecoveryCodes",
             "Replace the recovery codes", "user", "session-write", 200, schemas.RecoveryCodes,
             schemas.PasswordAndTotpRequest, scope="account:write",
             problems=("wrong_password", "invalid_totp_code", "conflict")),
    Endpoint("POST /v1/auth/totp/disable", "second_factor", "disableTotp",
             "Remove the second factor; ends every other session", "user", "session-write", 204,
             body=schemas.PasswordAndTotpRequest, scope="account:write",
             problems=("wrong_password", "invalid_totp_code", "conflict",
                       "second_factor_required")),
    Endpoint("POST /v1/auth/session", "session", "createEndUserSession",
             "Mint a short-lived token for an end user", "key", "end-user-session-mint", 201,
             schemas.EndUserSession, schemas.CreateEndUserSessionRequest, scope="sessions:write",
             idempotent="actor"),
    Endpoint("POST /v1/auth/session/revoke", "session", "revokeEndUserSessions",
             "End sessions of an end user, of a key, or all", "user_or_key",
             "end-user-session-revoke", 200, schemas.RevokedSessions,
             schemas.RevokeEndUserSessionsRequest, scope="sessions:write"),
    Endpoint("GET /v1/organization", "organization", "getOrganization", "Read the organization",
             "user", "organization-read", 200, schemas.OrganizationDetails,
             scope="organization:read"),
    Endpoint("PATCH /v1/organization", "organization", "updateOrganization",
             "Change the organization; whether owners need a second factor is for owners", "user",
             "organization-write", 200, schemas.OrganizationDetails,
             schemas.UpdateOrganizationRequest, scope="organization:write",
             problems=("conflict",)),
    Endpoint("GET /v1/organization/members", "organization", "listMembers", "List members", "user",
             "organization-read", 200, schemas.MemberList, scope="members:read", query=PAGE),
    Endpoint("PATCH /v1/organization/members/{user_id}", "organization", "changeRole",
             "Give a member another role; ends their sessions", "user", "organization-write", 200,
             schemas.Member, schemas.ChangeRoleRequest, scope="members:write",
             problems=("last_owner", "conflict")),
    Endpoint("DELETE /v1/organization/members/{user_id}", "organization", "removeMember",
             "Remove a member, or leave; the account goes with the membership", "user",
             "organization-write", 204, scope="account:write",
             problems=("last_owner", "conflict", "second_factor_required")),
    Endpoint("POST /v1/organization/invitations", "organization", "createInvitation",
             "Invite somebody by mail", "user", "organization-write", 201, schemas.Invitation,
             schemas.CreateInvitationRequest, scope="members:write",
             problems=("disposable_email", "conflict"), idempotent="organization"),
    Endpoint("GET /v1/organization/invitations", "organization", "listInvitations",
             "List invitations that wait", "user", "organization-read", 200,
             schemas.InvitationList, scope="members:write", query=PAGE),
    Endpoint("DELETE /v1/organization/invitations/{invitation_id}", "organization",
             "withdrawInvitation", "Withdraw an invitation", "user", "organization-write", 204,
             scope="members:write"),
    Endpoint("GET /v1/organization/security-events", "organization", "listSecurityEvents",
             "What happened to the organization's security", "user", "organization-read", 200,
             schemas.SecurityEventList, scope="events:read", query=PAGE),
    Endpoint("GET /v1/organization/usage", "organization", "getUsage",
             "What was used, by day, key, model, brand, end user or mode; and the credits left",
             "user_or_key", "usage-read", 200, schemas.UsageReport, scope="usage:read",
             query=USAGE),
    Endpoint("POST /v1/organization/webhooks", "webhooks", "createWebhook",
             "Make a webhook endpoint", "user_or_key", "webhook-write", 201,
             schemas.CreatedWebhook, schemas.CreateWebhookRequest, scope="webhooks:write",
             problems=("webhook_limit_reached", "conflict"), idempotent="actor"),
    Endpoint("GET /v1/organization/webhooks", "webhooks", "listWebhooks",
             "List webhook endpoints", "user_or_key", "webhook-read", 200, schemas.WebhookList,
             scope="webhooks:read", query=PAGE),
    Endpoint("GET /v1/organization/webhooks/{webhook_id}", "webhooks", "getWebhook",
             "Read a webhook endpoint", "user_or_key", "webhook-read", 200, schemas.Webhook,
             scope="webhooks:read"),
    Endpoint("PATCH /v1/organization/webhooks/{webhook_id}", "webhooks", "updateWebhook",
             "Change a webhook endpoint, or switch it off or on", "user_or_key", "webhook-write",
             200, schemas.Webhook, schemas.UpdateWebhookRequest, scope="webhooks:write",
             problems=("conflict",)),
    Endpoint("DELETE /v1/organization/webhooks/{webhook_id}", "webhooks", "deleteWebhook",
             "Delete a webhook endpoint", "user_or_key", "webhook-write", 204,
             scope="webhooks:write"),
    Endpoint("POST /v1/organization/webhooks/{webhook_id}/rotate", "webhooks", "rotateWebhook",
             "Give a webhook endpoint a new secret", "user_or_key", "webhook-write", 201,
             schemas.RotatedWebhook, schemas.RotateWebhookRequest, scope="webhooks:write",
             problems=("conflict",), idempotent="actor"),
    Endpoint("POST /v1/organization/webhooks/{webhook_id}/test", "webhooks", "testWebhook",
             "Send a test event", "user_or_key", "webhook-send", 202, schemas.WebhookMessage,
             scope="webhooks:write"),
    Endpoint("GET /v1/organization/webhooks/{webhook_id}/attempts", "webhooks",
             "listWebhookAttempts", "What was sent to a webhook endpoint, and how it went",
             "user_or_key", "webhook-read", 200, schemas.WebhookAttemptList,
             scope="webhooks:read", query=PAGE),
    Endpoint("POST /v1/organization/webhooks/{webhook_id}/messages/{message_id}/resend",
             "webhooks", "resendWebhookMessage", "Send a message once more", "user_or_key",
             "webhook-send", 202, schemas.WebhookMessage, scope="webhooks:write",
             problems=("conflict",)),
    Endpoint("POST /v1/keys", "key_rotation", "createKey", "Create an API key", "user", "key-write",
             201, schemas.CreatedKey, schemas.CreateKeyRequest, scope="keys:write",
             problems=("key_limit_reached", "conflict"), idempotent="actor"),
    Endpoint("GET /v1/keys", "key_rotation", "listKeys", "List keys", "user", "key-read", 200,
             schemas.KeyList, scope="keys:read", query=PAGE),
    Endpoint("GET /v1/keys/self", "key_rotation", "getOwnKey", "What a key may do", "key",
             "key-read", 200, schemas.Key),
    Endpoint("GET /v1/keys/{key_id}", "key_rotation", "getKey", "Read a key", "user", "key-read",
             200, schemas.Key, scope="keys:read"),
    Endpoint("PATCH /v1/keys/{key_id}", "key_rotation", "updateKey",
             "Rename, disable or enable a key, or bind it to networks", "user", "key-write", 200,
             schemas.Key, schemas.UpdateKeyRequest, scope="keys:write", problems=("conflict",)),
    Endpoint("DELETE /v1/keys/{key_id}", "key_rotation", "revokeKey", "Revoke a key", "user",
             "key-write", 204, scope="keys:write", problems=("conflict",)),
    Endpoint("POST /v1/keys/{key_id}/rotate", "key_rotation", "rotateKey",
             "Give a key a new secret", "user_or_key", "key-write", 201, schemas.RotatedKey,
             schemas.RotateKeyRequest, scope="keys:rotate", problems=("conflict",),
             idempotent="actor"),
    Endpoint("POST /v1/leaked-keys", "leaked_keys", "reportLeakedKeys",
             "Keys found in public, as GitHub's secret scanning reports them", "none",
             "leaked-keys", 200, list[schemas.LeakVerdict], list[schemas.LeakedKey],
             problems=("signature_refused", "conflict"), signed=True),
    Endpoint("POST /v1/brands", "brand", "createBrand", "Describe a brand", "user_or_key",
             "brand-write", 201, schemas.Brand, schemas.CreateBrandRequest, scope="brands:write",
             problems=("not_found",), idempotent="organization"),
    Endpoint("GET /v1/brands", "brand", "listBrands", "List brands", "user_or_key", "brand-read",
             200, schemas.BrandList, scope="brands:read", query=PAGE),
    Endpoint("GET /v1/brands/{brand_id}", "brand", "getBrand", "Read a brand", "user_or_key",
             "brand-read", 200, schemas.Brand, scope="brands:read"),
    Endpoint("PATCH /v1/brands/{brand_id}", "brand", "updateBrand", "Change a brand",
             "user_or_key", "brand-write", 200, schemas.Brand, schemas.UpdateBrandRequest,
             scope="brands:write"),
    Endpoint("DELETE /v1/brands/{brand_id}", "brand", "deleteBrand", "Delete a brand",
             "user_or_key", "brand-write", 204, scope="brands:write"),
    Endpoint("POST /v1/brands/{brand_id}/assets", "brand", "createUpload",
             "Announce a logo file", "user_or_key", "brand-write", 201, schemas.CreatedUpload,
             schemas.CreateUploadRequest, scope="brands:write", idempotent="organization"),
    Endpoint("GET /v1/brands/{brand_id}/assets/{upload_id}", "brand", "getUpload",
             "Whether a logo file is usable", "user_or_key", "brand-read", 200, schemas.Upload,
             scope="brands:read"),
    Endpoint("POST /v1/generations", "generation", "createGeneration", "Ask for images",
             "user_or_key", "generation-create", 202, schemas.Generation,
             schemas.CreateGenerationRequest, scope="generations:write",
             problems=("insufficient_credits", "generation_cap_reached", "model_shut_down"),
             end_user=True, idempotent="organization", by_attempt=True, also=(200,),
             shared=("organization-generations", "end-user-generations")),
    Endpoint("POST /v1/generations/{generation_id}/cancel", "generation", "cancelGeneration",
             "Stop a generation that has not finished; its credits come back", "user_or_key",
             "generation-create", 200, schemas.Generation, scope="generations:write",
             problems=("conflict",), end_user=True),
    Endpoint("GET /v1/generations", "generation", "listGenerations", "List generations",
             "user_or_key", "generation-read", 200, schemas.GenerationList,
             scope="generations:read", query=PAGE),
    Endpoint("GET /v1/generations/{generation_id}", "generation", "getGeneration",
             "Read a generation", "user_or_key", "generation-read", 200, schemas.Generation,
             scope="generations:read", end_user=True, query=("wait",)),
    Endpoint("DELETE /v1/generations/{generation_id}", "generation", "deleteGeneration",
             "Remove a generation, its prompt and its images now", "user_or_key",
             "generation-create", 204, scope="generations:write", problems=("conflict",)),
    Endpoint("POST /v1/images/generations", "images", "createImage",
             "Ask for images as the openai client does", "user_or_key", "generation-create", 200,
             schemas.ImagesAnswer, schemas.ImagesRequest, scope="generations:write",
             problems=("insufficient_credits", "model_shut_down", "conflict", *FAILED),
             idempotent="organization", by_attempt=True, also=(303,),
             shared=("organization-generations",)),
    Endpoint("POST /v1/images/edits", "images", "createImageEdit",
             "Start from a picture as the openai client does", "user_or_key", "generation-create",
             200, schemas.ImagesAnswer, schemas.ImageEditsRequest, scope="generations:write",
             problems=("insufficient_credits", "model_shut_down", "conflict", *FAILED),
             idempotent="organization", by_attempt=True, also=(303,), forms=True,
             shared=("organization-generations",), max_body_bytes=MAX_PICTURE_BYTES),
    Endpoint("GET /v1/images/jobs/{generation_id}", "images", "awaitImage",
             "Wait for images that were asked for as the openai client does", "user_or_key",
             "generation-read", 200, schemas.ImagesAnswer, scope="generations:write",
             problems=("conflict", *FAILED), also=(303,), query=("hop", "as", "stream")),
    Endpoint("GET /v1/models", "images", "listModels", "List the models that may be asked for",
             "user_or_key", "generation-read", 200, schemas.ModelList, scope="generations:read"),
    Endpoint("GET /v1/models/{model_id}", "images", "getModel", "Read a model", "user_or_key",
             "generation-read", 200, schemas.ModelDetails, scope="generations:read"),
    Endpoint("GET /v1/assets/{asset_id}", "asset_delivery", "getAsset",
             "An image's record and a fresh signed link", "user_or_key", "asset-read", 200,
             schemas.Asset, scope="assets:read", problems=("expired",), end_user=True),
    Endpoint("GET /v1/assets/{asset_id}/content", "asset_delivery", "getAssetContent",
             "Redirect to the image", "user_or_key", "asset-read", 302, scope="assets:read",
             problems=("expired",), end_user=True),
)  # fmt: skip

ENDPOINTS: Mapping[str, Endpoint] = {endpoint.route: endpoint for endpoint in _ENDPOINTS}
