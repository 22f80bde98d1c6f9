"""Both kinds of token: what is minted verifies, and every known attack on a JWT is refused by
each kind's own verification (RFC 8725)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.identity.signing_keys import KEEP_KEYS_SECONDS, SigningKeyStore
from imagelayer.identity.tokens import (
    ACCESS_SECONDS,
    CLOCK_SKEW_SECONDS,
    AccessClaims,
    EndUserClaims,
    SigningKey,
    TokenRefused,
    mint_access,
    mint_end_user,
    signing_key,
    token_type,
    verify_access,
    verify_end_user,
)
from imagelayer.platform.ids import new_id
from imagelayer.platform.table import Item, Table

NOW = 1_800_000_000
ISSUER = "https://imagelayer.example"
KEY = signing_key("a" * 64)
FOREIGN = signing_key("b" * 64)
USER, SESSION = new_id("usr", NOW), new_id("ses", NOW)
ORG, END_USER_SESSION = new_id("org", NOW), new_id("eus", NOW)
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def public_key(kid: str) -> Mapping[str, str] | None:
    """A key store that knows one key."""
    return KEY.jwk if kid == KEY.kid else None


def encode(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint(now: float = NOW) -> str:
    return mint_access(
        KEY, issuer=ISSUER, user_id=USER, session_id=SESSION, token_id="token-1", now=now
    )


def mint_for_end_user(now: float = NOW) -> str:
    return mint_end_user(
        KEY,
        issuer=ISSUER,
        org_id=ORG,
        end_user_id="user-1",
        session_id=END_USER_SESSION,
        expires_at=int(now) + ACCESS_SECONDS,
        token_id="token-1",
        now=now,
    )


@dataclass(frozen=True)
class Kind:
    """One kind of token, and what forges it."""

    name: str
    header: dict[str, Any]
    claims: dict[str, Any]
    mint: Callable[[float], str]
    verification: Callable[..., AccessClaims | EndUserClaims]
    verified: AccessClaims | EndUserClaims

    def verify(self, token: str, now: float = NOW) -> AccessClaims | EndUserClaims:
        """What a good token says. Raises TokenRefused."""
        return self.verification(token, public_key, issuer=ISSUER, now=now)

    def forge(
        self,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        key: SigningKey = KEY,
    ) -> str:
        """A token signed with Ed25519 whatever its header says; None leaves a member out."""
        signed = ".".join(
            encode({name: value for name, value in part.items() if value is not None})
            for part in ({**self.header, **(header or {})}, {**self.claims, **(claims or {})})
        )
        return self.sign(signed, key)

    def sign(self, signed: str, key: SigningKey = KEY) -> str:
        """The same around parts that are encoded already."""
        return f"{signed}.{encode(key.private.sign(signed.encode()))}"

    def null(self, name: str) -> str:
        """A claim that is there and null."""
        return self.sign(f"{encode(self.header)}.{encode({**self.claims, name: None})}")

    def other(self, algorithm: str, key: Any) -> str:
        """A token that another algorithm signed."""
        headers = {"typ": self.header["typ"], "kid": self.header["kid"]}
        return jwt.encode(self.claims, key, algorithm=algorithm, headers=headers)

    def hmac(self, secret: bytes, algorithm: str = "HS256") -> str:
        """The classic confusion: a symmetric signature made with the public key."""
        signed = f"{encode({**self.header, 'alg': algorithm})}.{encode(self.claims)}"
        return f"{signed}.{encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    def parts(self) -> tuple[str, str, str]:
        """Those of a good token."""
        header, payload, signature = self.forge().split(".")
        return header, payload, signature


REGISTERED = {"iss": ISSUER, "jti": "token-1", "iat": NOW, "nbf": NOW, "exp": NOW + ACCESS_SECONDS}
KINDS = [
    Kind(
        "access",
        {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid},
        {
            **REGISTERED,
            "aud": "imagelayer:dashboard",
            "sub": USER,
            "client_id": "dashboard",
            "sid": SESSION,
        },
        mint,
        verify_access,
        AccessClaims(USER, SESSION),
    ),
    Kind(
        "end-user",
        {"alg": "EdDSA", "typ": "session+jwt", "kid": KEY.kid},
        {
            **REGISTERED,
            "aud": "imagelayer:end-user",
            "sub": "user-1",
            "org": ORG,
            "sid": END_USER_SESSION,
        },
        mint_for_end_user,
        verify_end_user,
        EndUserClaims(ORG, "user-1", END_USER_SESSION, NOW + ACCESS_SECONDS),
    ),
]
EACH_KIND = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def raw_public() -> bytes:
    return KEY.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pem_public() -> bytes:
    return KEY.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def in_json(kind: Kind, *, flattened: bool) -> str:
    """The JWS JSON serialization (RFC 7515 §7.2), which says the same with more room for tricks."""
    header, payload, signature = kind.parts()
    signatures = {"protected": header, "signature": signature}
    return json.dumps(
        {"payload": payload, **signatures}
        if flattened
        else {"payload": payload, "signatures": [signatures]}
    )


def signatures(kind: Kind) -> dict[str, str]:
    """Attacks on the signature and on which algorithm and key it is checked with."""
    header, payload, signature = kind.parts()
    changed = ("A" if signature[0] != "A" else "B") + signature[1:]
    unsigned = encode({**kind.header, "alg": "none"})
    return {
        "signature stripped": f"{header}.{payload}.",
        "signature left out": f"{header}.{payload}",
        "signature of zeros": f"{header}.{payload}.{encode(bytes(64))}",
        "signature cut short": f"{header}.{payload}.{signature[:40]}",
        "signature changed": f"{header}.{payload}.{changed}",
        "signature of another token": f"{header}.{payload}.{kind.mint(NOW + 1).split('.')[2]}",
        "payload changed": f"{header}.{encode({**kind.claims, 'jti': 'token-2'})}.{signature}",
        "header changed": f"{encode({**kind.header, 'x': 1})}.{payload}.{signature}",
        "alg none": f"{unsigned}.{payload}.",
        "alg none with a signature": kind.forge({"alg": "none"}),
        "alg None": f"{encode({**kind.header, 'alg': 'None'})}.{payload}.",
        "alg NONE": kind.forge({"alg": "NONE"}),
        "alg missing": kind.forge({"alg": None}),
        "alg empty": kind.forge({"alg": ""}),
        "alg lower case": kind.forge({"alg": "eddsa"}),
        "alg a list": kind.forge({"alg": ["EdDSA"]}),
        "alg Ed25519": kind.forge({"alg": "Ed25519"}),  # RFC 9864's name, which we do not mint
        "HS256 with the raw public key": kind.hmac(raw_public()),
        "HS256 with the PEM public key": kind.hmac(pem_public()),
        "HS256 with the JWK": kind.hmac(json.dumps(dict(KEY.jwk)).encode()),
        "HS256 with the x of the JWK": kind.hmac(KEY.jwk["x"].encode()),
        "HS256 with the kid": kind.hmac(KEY.kid.encode()),
        "HS256 with nothing": kind.hmac(b""),
        "HS256 that says EdDSA": kind.hmac(raw_public(), "EdDSA"),
        "RS256": kind.other("RS256", RSA_KEY),
        "PS256": kind.other("PS256", RSA_KEY),
        "ES256": kind.other("ES256", EC_KEY),
        "RS256 over our own signature": kind.forge({"alg": "RS256"}),
        "ES256 over our own signature": kind.forge({"alg": "ES256"}),
        "RS256 that says EdDSA": f"{header}.{payload}."
        + kind.other("RS256", RSA_KEY).rpartition(".")[2],
        "ES256 that says EdDSA": f"{header}.{payload}."
        + kind.other("ES256", EC_KEY).rpartition(".")[2],
    }


def keys(kind: Kind) -> dict[str, str]:
    """Attacks on which key is looked up. An attacker signs with a key of their own."""
    theirs = {"kid": FOREIGN.kid}
    jwk = dict(FOREIGN.jwk)
    return {
        "kid missing": kind.forge({"kid": None}),
        "kid empty": kind.forge({"kid": ""}),
        "kid unknown": kind.forge(theirs, key=FOREIGN),
        "kid of ours, key of theirs": kind.forge(key=FOREIGN),
        "kid a path": kind.forge({"kid": "../../../../../../../../../../dev/null"}),
        "kid a path of the right length": kind.forge({"kid": "../" * 14 + "x"}),
        "kid an injection": kind.forge({"kid": "x' OR '1'='1"}),
        "kid with a NUL": kind.forge({"kid": KEY.kid + "\x00"}),
        "kid with a line break": kind.forge({"kid": KEY.kid + "\n"}),
        "kid a number": kind.forge({"kid": 1}),
        "kid a list": kind.forge({"kid": [KEY.kid]}),
        "kid an object": kind.forge({"kid": {"eq": KEY.kid}}),
        "kid too long": kind.forge({"kid": KEY.kid + "A" * 10_000}),
        "kid too short": kind.forge({"kid": KEY.kid[:-1]}),
        "jwk embedded": kind.forge({**theirs, "jwk": jwk}, key=FOREIGN),
        "jwk embedded under our kid": kind.forge({"jwk": {**jwk, "kid": KEY.kid}}, key=FOREIGN),
        "jwk embedded without a kid": kind.forge({"kid": None, "jwk": jwk}, key=FOREIGN),
        "jku": kind.forge({**theirs, "jku": "https://evil.example/jwks.json"}, key=FOREIGN),
        "jku under our kid": kind.forge({"jku": "https://evil.example/jwks.json"}, key=FOREIGN),
        "x5u": kind.forge({"x5u": "https://evil.example/cert.pem"}, key=FOREIGN),
        "x5c": kind.forge({"x5c": [base64.b64encode(b"certificate").decode()]}, key=FOREIGN),
        "crit unknown": kind.forge({"crit": ["exp2"], "exp2": 1}),
        "crit empty": kind.forge({"crit": []}),
        "crit b64": kind.forge({"crit": ["b64"], "b64": False}),
    }


def types(kind: Kind) -> dict[str, str]:
    """Tokens of another kind, or of none."""
    (stranger,) = [each for each in KINDS if each is not kind]
    return {
        "typ JWT": kind.forge({"typ": "JWT"}),
        "typ missing": kind.forge({"typ": None}),
        "typ empty": kind.forge({"typ": ""}),
        "typ of an id token": kind.forge({"typ": "id+jwt"}),
        "typ in capitals": kind.forge({"typ": str(kind.header["typ"]).upper()}),
        "typ with its media type": kind.forge({"typ": f"application/{kind.header['typ']}"}),
        "typ a list": kind.forge({"typ": [kind.header["typ"]]}),
        "typ of the other kind": kind.forge({"typ": stranger.header["typ"]}),
        "the other kind": stranger.mint(NOW),
        "the other kind under this type": kind.forge(claims=stranger.claims | {"org": ORG}),
        "the other kind for this audience": stranger.forge(claims={"aud": kind.claims["aud"]}),
        "this kind for the other audience": kind.forge(claims={"aud": stranger.claims["aud"]}),
        "this kind with the other's session": kind.forge(claims={"sid": stranger.claims["sid"]}),
    }


def claims(kind: Kind) -> dict[str, str]:
    """Claims that are signed, and wrong."""
    return {
        "iss wrong": kind.forge(claims={"iss": "https://evil.example"}),
        "iss with a slash": kind.forge(claims={"iss": ISSUER + "/"}),
        "iss a list": kind.forge(claims={"iss": [ISSUER]}),
        "iss in capitals": kind.forge(claims={"iss": ISSUER.upper()}),
        "aud wrong": kind.forge(claims={"aud": "somebody-else"}),
        "aud a list with ours": kind.forge(claims={"aud": [kind.claims["aud"]]}),
        "aud a list with ours and another": kind.forge(claims={"aud": [kind.claims["aud"], "x"]}),
        "aud an empty list": kind.forge(claims={"aud": []}),
        "aud empty": kind.forge(claims={"aud": ""}),
        "expired": kind.forge(claims={"iat": NOW - 900, "nbf": NOW - 900, "exp": NOW - 300}),
        "expiring now": kind.forge(claims={"exp": NOW}),
        "not yet valid": kind.forge(claims={"nbf": NOW + CLOCK_SKEW_SECONDS + 1}),
        "issued in the future": kind.forge(claims={"iat": NOW + CLOCK_SKEW_SECONDS + 1}),
        **{
            f"{name} {what}": kind.forge(claims={name: value})
            for name in ("exp", "iat", "nbf")
            for what, value in {
                "text": str(NOW),
                "no time": "never",
                "a fraction": NOW + 0.5,
                "true": True,
                "a list": [NOW],
                "an object": {"at": NOW},
            }.items()
        },
        "exp a fraction that is whole": kind.forge(claims={"exp": float(NOW + 600)}),
        "exp infinite": kind.sign(
            f"{encode(kind.header)}."
            + encode(
                json.dumps(kind.claims).replace(str(NOW + ACCESS_SECONDS), "Infinity").encode()
            )
        ),
        "sub a list": kind.forge(claims={"sub": [kind.claims["sub"]]}),
        "sub a number": kind.forge(claims={"sub": 1}),
        "sid no session": kind.forge(claims={"sid": "ses_x"}),
        "sid a number": kind.forge(claims={"sid": 1}),
        "sid with more behind it": kind.forge(claims={"sid": kind.claims["sid"] + "x"}),
        **{f"{name} missing": kind.forge(claims={name: None}) for name in kind.claims},
        **{f"{name} null": kind.null(name) for name in kind.claims},
    }


def forms(kind: Kind) -> dict[str, str]:
    """What is not compact JWS of an object."""
    header, payload, signature = kind.parts()
    return {
        "empty": "",
        "no token": "not-a-token",
        "one part": header,
        "four parts": f"{kind.forge()}.x",
        "five parts, like a JWE": f"{header}..{payload}.{signature}.{signature}",
        "a JWE": ".".join(
            [encode({**kind.header, "alg": "dir", "enc": "A256GCM"}), "", "x", "y", "z"]
        ),
        "empty parts": "..",
        "with a space before": f" {kind.forge()}",
        "with a line break behind": f"{kind.forge()}\n",
        "padded": f"{kind.forge()}==",
        "in plain base64": kind.forge().replace(".", ".+/"),
        "JSON, general": in_json(kind, flattened=False),
        "JSON, flattened": in_json(kind, flattened=True),
        "header no object": kind.sign(f"{encode(['EdDSA'])}.{payload}"),
        "header no JSON": kind.sign(f"{encode(b'x')}.{payload}"),
        "header no UTF-8": kind.sign(f"{encode(bytes([255, 254]))}.{payload}"),
        "header deeper than a stack": kind.sign(f"{encode(b'[' * 100_000)}.{payload}"),
        "payload no object": kind.sign(f"{header}.{encode(['iss'])}"),
        "payload no JSON": kind.sign(f"{header}.{encode(b'x')}"),
        "payload no UTF-8": kind.sign(f"{header}.{encode(bytes([255, 254]))}"),
    }


ATTACKS = {
    f"{kind.name}: {name}": (kind, attack)
    for kind in KINDS
    for family in (signatures, keys, types, claims, forms)
    for name, attack in family(kind).items()
}
ATTACKS["access: sub no user"] = (KINDS[0], KINDS[0].forge(claims={"sub": ORG}))
ATTACKS["end-user: org no organization"] = (KINDS[1], KINDS[1].forge(claims={"org": USER}))
ATTACKS["end-user: org a list"] = (KINDS[1], KINDS[1].forge(claims={"org": [ORG]}))


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize(("kind", "attack"), ATTACKS.values(), ids=list(ATTACKS))
def test_every_forgery_is_refused(kind: Kind, attack: str) -> None:
    with pytest.raises(TokenRefused):
        kind.verify(attack)


@pytest.mark.promise("sessions-short")
@EACH_KIND
def test_a_minted_token_verifies_and_says_who_it_is(kind: Kind) -> None:
    assert kind.verify(kind.mint(NOW)) == kind.verified
    assert kind.verify(kind.forge()) == kind.verified  # the forger's own tool works


@pytest.mark.promise("sessions-short")
@EACH_KIND
def test_a_minted_token_says_what_its_kind_says_and_no_more(kind: Kind) -> None:
    minted = kind.mint(NOW)
    assert jwt.get_unverified_header(minted) == kind.header
    assert jwt.decode(minted, options={"verify_signature": False}) == kind.claims
    assert token_type(minted) == kind.header["typ"]


def test_an_access_token_has_the_claims_that_its_type_requires() -> None:
    """RFC 9068 §2.2; validators of its profile refuse a token that lacks one."""
    required = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    minted = mint()
    assert jwt.get_unverified_header(minted)["typ"] == "at+jwt"
    claims = jwt.decode(minted, options={"verify_signature": False})
    assert required <= {name for name, value in claims.items() if value}


@pytest.mark.promise("sessions-short")
def test_an_access_token_lives_ten_minutes() -> None:
    said = jwt.decode(mint(), options={"verify_signature": False})
    assert said["exp"] - said["iat"] == ACCESS_SECONDS == 600


@pytest.mark.promise("sessions-short")
def test_the_kinds_share_neither_type_nor_audience() -> None:
    first, second = KINDS
    assert first.header["typ"] != second.header["typ"]
    assert first.claims["aud"] != second.claims["aud"]


@EACH_KIND
def test_a_token_dies_at_its_expiry_without_leeway(kind: Kind) -> None:
    minted = kind.mint(NOW)
    assert kind.verify(minted, NOW + ACCESS_SECONDS - 1) == kind.verified
    with pytest.raises(TokenRefused, match="expired"):
        kind.verify(minted, NOW + ACCESS_SECONDS)


@EACH_KIND
def test_a_minting_clock_a_little_ahead_is_forgiven_and_no_more(kind: Kind) -> None:
    kind.verify(kind.mint(NOW + CLOCK_SKEW_SECONDS))
    with pytest.raises(TokenRefused, match="not yet valid"):
        kind.verify(kind.mint(NOW + CLOCK_SKEW_SECONDS + 1))


@EACH_KIND
def test_no_header_of_a_token_names_the_key_that_is_looked_up_but_a_thumbprint(kind: Kind) -> None:
    asked: list[str] = []

    def store(kid: str) -> None:
        asked.append(kid)

    for kid in ("../../dev/null", "", "x" * 44, KEY.kid[:-1], KEY.kid + "\n", KEY.kid):
        with pytest.raises(TokenRefused):
            kind.verification(kind.forge({"kid": kid}), store, issuer=ISSUER, now=NOW)
    assert asked == [KEY.kid]


@pytest.mark.parametrize("kid", [KEY.kid, FOREIGN.kid])
@EACH_KIND
def test_a_token_of_another_type_or_algorithm_costs_no_look_up(kind: Kind, kid: str) -> None:
    def store(_kid: str) -> None:
        pytest.fail("looked up")

    for header in ({"typ": "JWT"}, {"alg": "HS256"}, {"alg": "none"}):
        with pytest.raises(TokenRefused):
            kind.verification(kind.forge({**header, "kid": kid}), store, issuer=ISSUER, now=NOW)


@given(st.text(max_size=200))
def test_no_text_makes_verification_fail_in_another_way(text: str) -> None:
    for kind in KINDS:
        with pytest.raises(TokenRefused):
            kind.verify(text)
    with pytest.raises(TokenRefused):
        token_type(text)


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
    assert signing_key("x" * 32).kid


def test_a_signing_key_does_not_show_its_private_half() -> None:
    seed = hashlib.sha256(b"imagelayer/ed25519/v1\x00" + b"a" * 64).digest()
    assert seed.hex() not in repr(KEY)
    assert encode(seed) not in repr(KEY)


class Shelf:
    """Stands in for the table: the records of public keys, and how often they were read."""

    def __init__(self, **items: Item) -> None:
        self.items = items
        self.reads = 0

    def get(self, pk: str, sk: str) -> Item | None:
        assert pk == "JWKS"
        self.reads += 1
        return self.items.get(sk)

    def query(self, pk: str) -> list[Item]:
        assert pk == "JWKS"
        return list(self.items.values())


def store_of(shelf: Shelf, clock: Callable[[], float]) -> SigningKeyStore:
    return SigningKeyStore(cast("Table", shelf), clock)


@pytest.mark.promise("sessions-short")
def test_a_retired_key_is_not_trusted_past_its_end_even_by_who_remembers_it() -> None:
    shelf = Shelf(**{KEY.kid: {"sk": KEY.kid, "jwk": dict(KEY.jwk), "expires_at": NOW + 60}})
    now = [float(NOW)]
    store = store_of(shelf, lambda: now[0])
    assert store.public_key(KEY.kid) == KEY.jwk
    assert store.public_keys() == [KEY.jwk]
    now[0] = NOW + 59
    assert store.public_key(KEY.kid) == KEY.jwk
    assert shelf.reads == 1
    now[0] = NOW + 60
    assert store.public_key(KEY.kid) is None
    assert store.public_keys() == []
    assert shelf.reads == 1


@pytest.mark.promise("sessions-short")
def test_that_a_key_was_retired_is_noticed_within_minutes() -> None:
    shelf = Shelf(**{KEY.kid: {"sk": KEY.kid, "jwk": dict(KEY.jwk)}})
    now = [float(NOW)]
    store = store_of(shelf, lambda: now[0])
    assert store.public_key(KEY.kid) == KEY.jwk
    shelf.items[KEY.kid] = {**shelf.items[KEY.kid], "expires_at": NOW + 1}
    now[0] = NOW + KEEP_KEYS_SECONDS + 1
    assert store.public_key(KEY.kid) is None
    assert KEEP_KEYS_SECONDS <= 300


@pytest.mark.promise("sessions-short")
def test_a_key_that_was_removed_is_noticed_within_minutes() -> None:
    shelf = Shelf(**{KEY.kid: {"sk": KEY.kid, "jwk": dict(KEY.jwk)}})
    now = [float(NOW)]
    store = store_of(shelf, lambda: now[0])
    assert store.public_key(KEY.kid) == KEY.jwk
    del shelf.items[KEY.kid]
    now[0] = NOW + KEEP_KEYS_SECONDS + 1
    assert store.public_key(KEY.kid) is None


def test_a_key_that_is_published_later_is_found_at_once() -> None:
    """What was not there is not remembered: the first token of a new key must verify."""
    shelf = Shelf()
    store = store_of(shelf, lambda: float(NOW))
    assert store.public_key(KEY.kid) is None
    assert not store.knows(KEY.kid)
    shelf.items[KEY.kid] = {"sk": KEY.kid, "jwk": dict(KEY.jwk)}
    assert store.public_key(KEY.kid) == KEY.jwk
    assert store.knows(KEY.kid)


@EACH_KIND
def test_a_token_of_a_retired_key_is_refused_however_good_it_is_otherwise(kind: Kind) -> None:
    shelf = Shelf(**{KEY.kid: {"sk": KEY.kid, "jwk": dict(KEY.jwk), "expires_at": NOW + 10}})
    now = [float(NOW)]
    store = store_of(shelf, lambda: now[0])
    minted = kind.mint(NOW)
    assert kind.verification(minted, store.public_key, issuer=ISSUER, now=NOW) == kind.verified
    now[0] = NOW + 10
    with pytest.raises(TokenRefused, match="unknown key"):
        kind.verification(minted, store.public_key, issuer=ISSUER, now=NOW + 10)


def test_what_was_read_of_a_key_serves_for_minutes_and_no_longer() -> None:
    shelf = Shelf(**{KEY.kid: {"sk": KEY.kid, "jwk": dict(KEY.jwk)}})
    now = [float(NOW)]
    store = store_of(shelf, lambda: now[0])
    for later, reads in ((0, 1), (KEEP_KEYS_SECONDS, 1), (KEEP_KEYS_SECONDS + 0.5, 2)):
        now[0] = NOW + later
        assert store.public_key(KEY.kid) == KEY.jwk
        assert shelf.reads == reads
