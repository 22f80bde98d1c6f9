"""Access tokens: what is minted verifies, and every known attack on a JWT is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from imagelayer.ids import new_id
from imagelayer.tokens import (
    ACCESS_SECONDS,
    CLOCK_SKEW_SECONDS,
    AccessClaims,
    SigningKey,
    TokenRefused,
    mint_access,
    signing_key,
    verify_access,
)

NOW = 1_800_000_000
ISSUER = "https://imagelayer.example"
KEY = signing_key("a" * 64)
FOREIGN = signing_key("b" * 64)
USER, SESSION = new_id("usr", NOW), new_id("ses", NOW)
HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "imagelayer:dashboard",
    "sub": USER,
    "sid": SESSION,
    "jti": "token-1",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + ACCESS_SECONDS,
}


def public_key(kid: str) -> Mapping[str, str] | None:
    """A key store that knows one key."""
    return KEY.jwk if kid == KEY.kid else None


def verify(token: str, now: float = NOW) -> AccessClaims:
    return verify_access(token, public_key, issuer=ISSUER, now=now)


def mint(now: float = NOW) -> str:
    return mint_access(
        KEY, issuer=ISSUER, user_id=USER, session_id=SESSION, token_id="token-1", now=now
    )


def encode(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(
    header: Mapping[str, Any] = HEADER,
    claims: Any = CLAIMS,
    key: SigningKey = KEY,
) -> str:
    """A token signed with Ed25519 whatever its header says."""
    signed = f"{encode(dict(header))}.{encode(claims)}"
    return f"{signed}.{encode(key.private.sign(signed.encode()))}"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def raw_public() -> bytes:
    return KEY.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pem_public() -> bytes:
    return KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def hmac_token(secret: bytes) -> str:
    """The classic confusion: a symmetric signature made with the public key."""
    signed = f"{encode({**HEADER, 'alg': 'HS256'})}.{encode(CLAIMS)}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def tampered() -> str:
    header, _, signature = token().split(".")
    return f"{header}.{encode({**CLAIMS, 'sub': new_id('usr', NOW)})}.{signature}"


def cut(count: int) -> str:
    return ".".join(token().split(".")[:count])


@pytest.mark.promise("sessions-short")
def test_a_minted_token_verifies_and_says_who_it_is() -> None:
    assert verify(mint()) == AccessClaims(USER, SESSION)
    assert verify(token()) == AccessClaims(USER, SESSION)  # the forger's own tool works


@pytest.mark.promise("sessions-short")
def test_a_minted_token_lives_ten_minutes_and_names_everything_rfc_9068_asks_for() -> None:
    minted = mint()
    header = jwt.get_unverified_header(minted)
    claims = jwt.decode(minted, options={"verify_signature": False})
    assert header == HEADER
    assert claims["exp"] - claims["iat"] == 600
    assert set(claims) >= {"iss", "aud", "sub", "sid", "jti", "iat", "exp"}
    assert set(header) == {"alg", "typ", "kid"}


ATTACKS: dict[str, str] = {
    "empty": "",
    "no token": "not-a-token",
    "one part": cut(1),
    "two parts": cut(2),
    "no signature": cut(2) + ".",
    "four parts": token() + ".x",
    "alg none": f"{encode({**HEADER, 'alg': 'none'})}.{encode(CLAIMS)}.",
    "alg None": f"{encode({**HEADER, 'alg': 'None'})}.{encode(CLAIMS)}.",
    "alg NONE with a signature": token({**HEADER, "alg": "NONE"}),
    "alg missing": token({k: v for k, v in HEADER.items() if k != "alg"}),
    "alg lower case": token({**HEADER, "alg": "eddsa"}),
    "alg a list": token({**HEADER, "alg": ["EdDSA"]}),
    "hs256 with the raw public key": hmac_token(raw_public()),
    "hs256 with the pem public key": hmac_token(pem_public()),
    "hs256 with the jwk": hmac_token(json.dumps(dict(KEY.jwk)).encode()),
    "hs256 with nothing": hmac_token(b""),
    "typ JWT": token({**HEADER, "typ": "JWT"}),
    "typ missing": token({k: v for k, v in HEADER.items() if k != "typ"}),
    "typ of an id token": token({**HEADER, "typ": "id+jwt"}),
    "kid missing": token({k: v for k, v in HEADER.items() if k != "kid"}),
    "kid unknown": token({**HEADER, "kid": FOREIGN.kid}, key=FOREIGN),
    "kid of ours, key of theirs": token(key=FOREIGN),
    "kid a path": token({**HEADER, "kid": "../../dev/null"}),
    "kid an injection": token({**HEADER, "kid": "x' OR '1'='1"}),
    "kid a number": token({**HEADER, "kid": 1}),
    "kid too long": token({**HEADER, "kid": KEY.kid + "A" * 10_000}),
    "embedded jwk": token({**HEADER, "kid": FOREIGN.kid, "jwk": dict(FOREIGN.jwk)}, key=FOREIGN),
    "embedded jwk, kid of ours": token({**HEADER, "jwk": dict(FOREIGN.jwk)}, key=FOREIGN),
    "jku": token(
        {**HEADER, "kid": FOREIGN.kid, "jku": "https://evil.example/jwks.json"}, key=FOREIGN
    ),
    "x5u": token({**HEADER, "x5u": "https://evil.example/cert.pem"}, key=FOREIGN),
    "unknown critical extension": token({**HEADER, "crit": ["exp2"], "exp2": 1}),
    "wrong issuer": token(claims={**CLAIMS, "iss": "https://evil.example"}),
    "issuer with a slash": token(claims={**CLAIMS, "iss": ISSUER + "/"}),
    "issuer a list": token(claims={**CLAIMS, "iss": [ISSUER]}),
    "wrong audience": token(claims={**CLAIMS, "aud": "imagelayer:sessions"}),
    "audience empty": token(claims={**CLAIMS, "aud": []}),
    "expired": token(claims={**CLAIMS, "iat": NOW - 900, "nbf": NOW - 900, "exp": NOW - 300}),
    "expiring now": token(claims={**CLAIMS, "exp": NOW}),
    "not yet valid": token(claims={**CLAIMS, "nbf": NOW + CLOCK_SKEW_SECONDS + 1}),
    "issued in the future": token(claims={**CLAIMS, "iat": NOW + CLOCK_SKEW_SECONDS + 1}),
    "exp text": token(claims={**CLAIMS, "exp": str(NOW + 600)}),
    "exp no time": token(claims={**CLAIMS, "exp": "never"}),
    "exp null": token(claims={**CLAIMS, "exp": None}),
    "exp a fraction": token(claims={**CLAIMS, "exp": NOW + 600.5}),
    "subject no user": token(claims={**CLAIMS, "sub": new_id("org", NOW)}),
    "subject a list": token(claims={**CLAIMS, "sub": [USER]}),
    "session no session": token(claims={**CLAIMS, "sid": "ses_x"}),
    "session a number": token(claims={**CLAIMS, "sid": 1}),
    "payload changed": tampered(),
    "signature changed": token()[:-4] + ("AAAA" if token()[-4:] != "AAAA" else "BBBB"),
    "signature of another token": cut(2) + "." + mint(NOW + 1).split(".")[2],
    "payload no object": token(claims=["iss"]),
    "payload no json": f"{encode(HEADER)}.{encode(b'x')}.{encode(b'y')}",
    **{
        f"without {name}": token(claims=without(name))
        for name in ("iss", "aud", "sub", "sid", "exp", "iat", "jti")
    },
}


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_every_forgery_is_refused(attack: str) -> None:
    with pytest.raises(TokenRefused):
        verify(attack)


def test_a_token_dies_at_its_expiry_without_leeway() -> None:
    minted = mint()
    assert verify(minted, NOW + ACCESS_SECONDS - 1).user_id == USER
    with pytest.raises(TokenRefused, match="expired"):
        verify(minted, NOW + ACCESS_SECONDS)


def test_a_minting_clock_a_little_ahead_is_forgiven_and_no_more() -> None:
    assert verify(mint(NOW + CLOCK_SKEW_SECONDS)).user_id == USER
    with pytest.raises(TokenRefused, match="not yet valid"):
        verify(mint(NOW + CLOCK_SKEW_SECONDS + 1))


def test_no_header_of_a_token_names_the_key_that_is_looked_up_but_a_thumbprint() -> None:
    asked: list[str] = []

    def store(kid: str) -> None:
        asked.append(kid)

    for kid in ("../../dev/null", "", "x" * 44, KEY.kid[:-1], KEY.kid + "\n", KEY.kid):
        with pytest.raises(TokenRefused):
            verify_access(token({**HEADER, "kid": kid}), store, issuer=ISSUER, now=NOW)
    assert asked == [KEY.kid]


def test_the_kid_is_the_rfc_7638_thumbprint_of_the_public_key() -> None:
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": KEY.jwk["x"]}, separators=(",", ":"))
    assert KEY.kid == encode(hashlib.sha256(members.encode()).digest())
    assert KEY.jwk["x"] == encode(raw_public())
    assert "d" not in KEY.jwk


def test_one_seed_makes_one_key_and_another_seed_another() -> None:
    assert signing_key("a" * 64).kid == KEY.kid != FOREIGN.kid
    assert isinstance(KEY.private, Ed25519PrivateKey)


@pytest.mark.parametrize("seed", ["", "short", "x" * 31])
def test_a_seed_that_could_be_guessed_is_refused(seed: str) -> None:
    with pytest.raises(ValueError, match="too short"):
        signing_key(seed)


def test_a_signing_key_does_not_show_its_private_half() -> None:
    seed = hashlib.sha256(b"imagelayer/ed25519/v1\x00" + b"a" * 64).digest()
    assert seed.hex() not in repr(KEY)
    assert encode(seed) not in repr(KEY)
