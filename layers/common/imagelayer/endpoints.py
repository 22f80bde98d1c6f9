"""The one table of endpoints: route, function, credentials, scope, limit, shapes.

Everything that must agree is derived from it or checked against it: the OpenAPI description, the
routes of `template.yaml`, what a handler may bind, which limit counts a call and which scope it
needs. A route that is not here cannot be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from imagelayer import schemas
from imagelayer.rate_limits import POLICIES, Policy

# none: counted per client address. key: an API key. user: a dashboard access token.
Auth = Literal["none", "user", "key", "user_or_key"]
Role = Literal["owner", "admin", "developer", "viewer"]

MAX_BODY_BYTES = 64 * 1024

# What each dashboard role may do. A key's scopes are listed on the key.
_VIEWER = frozenset({"account:read", "keys:read", "brands:read", "generations:read", "assets:read"})
_DEVELOPER = _VIEWER | {"keys:write", "keys:rotate", "brands:write", "generations:write"}
ROLE_SCOPES: Mapping[str, frozenset[str]] = {
    "viewer": _VIEWER,
    "developer": _DEVELOPER,
    "admin": _DEVELOPER,
    "owner": _DEVELOPER,
}


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
    answer: type | None = None
    body: type | None = None
    scope: str | None = None
    problems: tuple[str, ...] = ()
    content_type: str = "application/json"
    query: tuple[str, ...] = ()
    idempotent: bool = False
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
    Endpoint("POST /v1/auth/login", "login", "login", "Log in", "none", "login", 200,
             schemas.LoginAnswer, schemas.LoginRequest,
             problems=("invalid_credentials", "email_not_verified")),
    Endpoint("POST /v1/auth/refresh", "login", "refresh",
             "Trade the refresh cookie for a new access token", "none", "refresh", 200,
             schemas.LoginAnswer, problems=("unauthenticated",)),
    Endpoint("POST /v1/auth/logout", "login", "logout", "End this session", "none", "refresh", 204),
    Endpoint("GET /v1/auth/me", "login", "getMe", "Who is logged in", "user", "session-read", 200,
             schemas.MeAnswer, scope="account:read"),
    Endpoint("POST /v1/keys", "key_rotation", "createKey", "Create an API key", "user", "key-write",
             201, schemas.CreatedKey, schemas.CreateKeyRequest, scope="keys:write"),
    Endpoint("GET /v1/keys", "key_rotation", "listKeys", "List keys", "user", "key-read", 200,
             schemas.KeyList, scope="keys:read", query=PAGE),
    Endpoint("GET /v1/keys/self", "key_rotation", "getOwnKey", "What a key may do", "key",
             "key-read", 200, schemas.Key),
    Endpoint("GET /v1/keys/{key_id}", "key_rotation", "getKey", "Read a key", "user", "key-read",
             200, schemas.Key, scope="keys:read"),
    Endpoint("DELETE /v1/keys/{key_id}", "key_rotation", "revokeKey", "Revoke a key", "user",
             "key-write", 204, scope="keys:write"),
    Endpoint("POST /v1/keys/{key_id}/rotate", "key_rotation", "rotateKey",
             "Give a key a new secret", "user_or_key", "key-write", 201, schemas.RotatedKey,
             schemas.RotateKeyRequest, scope="keys:rotate", problems=("conflict",)),
    Endpoint("POST /v1/brands", "brand", "createBrand", "Describe a brand", "user_or_key",
             "brand-write", 201, schemas.Brand, schemas.CreateBrandRequest, scope="brands:write"),
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
             schemas.CreateUploadRequest, scope="brands:write"),
    Endpoint("GET /v1/brands/{brand_id}/assets/{upload_id}", "brand", "getUpload",
             "Whether a logo file is usable", "user_or_key", "brand-read", 200, schemas.Upload,
             scope="brands:read"),
    Endpoint("POST /v1/generations", "generation", "createGeneration", "Ask for images",
             "user_or_key", "generation-create", 202, schemas.Generation,
             schemas.CreateGenerationRequest, scope="generations:write", idempotent=True,
             problems=("insufficient_credits", "idempotency_mismatch")),
    Endpoint("GET /v1/generations", "generation", "listGenerations", "List generations",
             "user_or_key", "generation-read", 200, schemas.GenerationList,
             scope="generations:read", query=PAGE),
    Endpoint("GET /v1/generations/{generation_id}", "generation", "getGeneration",
             "Read a generation", "user_or_key", "generation-read", 200, schemas.Generation,
             scope="generations:read"),
    Endpoint("GET /v1/assets/{asset_id}", "asset_delivery", "getAsset",
             "An image's record and a fresh signed link", "user_or_key", "asset-read", 200,
             schemas.Asset, scope="assets:read", problems=("expired",)),
    Endpoint("GET /v1/assets/{asset_id}/content", "asset_delivery", "getAssetContent",
             "Redirect to the image", "user_or_key", "asset-read", 302, scope="assets:read",
             problems=("expired",)),
)  # fmt: skip

ENDPOINTS: Mapping[str, Endpoint] = {endpoint.route: endpoint for endpoint in _ENDPOINTS}
