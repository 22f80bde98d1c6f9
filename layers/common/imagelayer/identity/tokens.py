"""Two kinds of token, both EdDSA JWTs: access tokens of the dashboard, valid for ten minutes, and
session tokens of end users, valid for an hour at most (RFC 8725, RFC 9068).

A kind is a type, an audience and a set of claims of its own, and each is verified by its own
function: a token of one kind is never accepted as another (RFC 8725 §3.11, §3.12).

Only functions that mint can read a private key. The rest verify with public keys found by `kid` in
the sessions table, where the minting function puts each key before its first token. `jku`, `jwk`
and `x5u` headers are ignored, and the list of algorithms is this module's, not the token's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from imagelayer.platform.frozen import frozen
from imagelayer.platform.ids import is_id
from imagelayer.platform.lazy import lazy

# PyJWT imports this for keys in certificates, which we have none of: two thirds of its own import.
lazy("cryptography.x509")

import jwt  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: E402

ALGORITHM = "EdDSA"
ACCESS_TYPE = "at+jwt"  # RFC 9068 §2.1
ACCESS_AUDIENCE = "imagelayer:dashboard"
ACCESS_CLIENT = "dashboard"  # our own pages are the one client that tokens are issued to (§2.2)
ACCESS_SECONDS = 600
END_USER_TYPE = "session+jwt"
END_USER_AUDIENCE = "imagelayer:end-user"
CLOCK_SKEW_SECONDS = 5

_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_REQUIRED = ("iss", "aud", "sub", "sid", "exp", "iat", "nbf", "jti")
# Only the compact serialization, before anything is decoded (draft-ietf-oauth-rfc8725bis).
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

PublicKey = Callable[[str], Mapping[str, str] | None]


class TokenRefused(Exception):
    """A token that is not accepted; `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class SigningKey:
    """A private key with its public description."""

    private: Ed25519PrivateKey
    jwk: Mapping[str, str]

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint of the public key."""
        return self.jwk["kid"]


@frozen
class AccessClaims:
    """What a verified access token says."""

    user_id: str
    session_id: str


def signing_key(seed_text: str) -> SigningKey:
    """Derive the Ed25519 key from a generated secret of at least 32 characters.

    Secrets Manager generates text, not keys; SHA-256 of 64 random characters (over 380 bits) is a
    uniformly random 32-byte seed, as RFC 8032 §5.1.5 requires.
    """
    if len(seed_text) < 32:
        raise ValueError("the signing seed is too short")
    seed = hashlib.sha256(b"imagelayer/ed25519/v1\x00" + seed_text.encode()).digest()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    thumbprint = hashlib.sha256(
        json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    ).digest()
    jwk = {**members, "kid": _base64url(thumbprint), "alg": ALGORITHM, "use": "sig"}
    return SigningKey(private, jwk)


@frozen
class EndUserClaims:
    """What a verified session token of an end user says; the session's record says the rest."""

    org_id: str
    end_user_id: str
    session_id: str
    expires_at: int


def mint_access(
    key: SigningKey, *, issuer: str, user_id: str, session_id: str, token_id: str, now: float
) -> str:
    """A signed access token for one session."""
    return _mint(
        key,
        ACCESS_TYPE,
        {
            "iss": issuer,
            "aud": ACCESS_AUDIENCE,
            "sub": user_id,
            "client_id": ACCESS_CLIENT,
            "sid": session_id,
            "jti": token_id,
            "exp": int(now) + ACCESS_SECONDS,
        },
        now,
    )


def mint_end_user(
    key: SigningKey,
    *,
    issuer: str,
    org_id: str,
    end_user_id: str,
    session_id: str,
    expires_at: int,
    token_id: str,
    now: float,
) -> str:
    """A signed session token for an end user."""
    return _mint(
        key,
        END_USER_TYPE,
        {
            "iss": issuer,
            "aud": END_USER_AUDIENCE,
            "sub": end_user_id,
            "org": org_id,
            "sid": session_id,
            "jti": token_id,
            "exp": expires_at,
        },
        now,
    )


def token_type(token: str) -> str:
    """The `typ` that a token claims, to choose the one function that may verify it.

    Raises TokenRefused for text that is not a compact JWT.
    """
    return str(_header(token).get("typ"))


def verify_access(token: str, public_key: PublicKey, *, issuer: str, now: float) -> AccessClaims:
    """Check type, algorithm, key, signature, issuer, audience and times. Raises TokenRefused."""
    required = (*_REQUIRED, "client_id")
    claims = _verify(
        token, public_key, ACCESS_TYPE, ACCESS_AUDIENCE, required, issuer=issuer, now=now
    )
    if not (is_id("usr", str(claims["sub"])) and is_id("ses", str(claims["sid"]))):
        raise TokenRefused("wrong subject")
    return AccessClaims(claims["sub"], claims["sid"])


def verify_end_user(token: str, public_key: PublicKey, *, issuer: str, now: float) -> EndUserClaims:
    """As `verify_access`, for a session token. Raises TokenRefused."""
    required = (*_REQUIRED, "org")
    claims = _verify(
        token, public_key, END_USER_TYPE, END_USER_AUDIENCE, required, issuer=issuer, now=now
    )
    known = is_id("org", str(claims["org"])) and is_id("eus", str(claims["sid"]))
    if not known or not isinstance(claims["sub"], str):
        raise TokenRefused("wrong subject")
    return EndUserClaims(claims["org"], claims["sub"], claims["sid"], claims["exp"])


def _mint(key: SigningKey, kind: str, claims: dict[str, Any], now: float) -> str:
    times = {"iat": int(now), "nbf": int(now)}
    headers = {"kid": key.kid, "typ": kind}
    return jwt.encode(claims | times, key.private, algorithm=ALGORITHM, headers=headers)


def _header(token: str) -> dict[str, Any]:
    if not _COMPACT.fullmatch(token):
        raise TokenRefused("not a token")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused("not a token") from None


def _verify(
    token: str,
    public_key: PublicKey,
    kind: str,
    audience: str,
    required: tuple[str, ...],
    *,
    issuer: str,
    now: float,
) -> dict[str, Any]:
    header = _header(token)
    if header.get("typ") != kind:
        raise TokenRefused("wrong type")
    if header.get("alg") != ALGORITHM:
        raise TokenRefused("wrong algorithm")
    kid = header.get("kid")
    jwk = public_key(kid) if isinstance(kid, str) and _KID.fullmatch(kid) else None
    if jwk is None:
        raise TokenRefused("unknown key")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK.from_dict(dict(jwk)).key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            # The times are checked below against the caller's clock.
            options={
                "require": list(required),
                "strict_aud": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise TokenRefused(type(error).__name__) from None
    _check_times(claims, now)
    return claims


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    times = [claims["exp"], claims["iat"], claims["nbf"]]
    if not all(type(time) is int for time in times):
        raise TokenRefused("malformed times")
    expires, issued, not_before = times
    if expires <= now:
        raise TokenRefused("expired")
    if max(issued, not_before) > now + CLOCK_SKEW_SECONDS:
        raise TokenRefused("not yet valid")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
