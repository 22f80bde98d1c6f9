"""Tokens that our own key signed, or could have, for something that they are not good for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from imagelayer.identity.tokens import (
    ACCESS_AUDIENCE,
    ACCESS_CLIENT,
    ACCESS_TYPE,
    END_USER_AUDIENCE,
    END_USER_TYPE,
    SigningKey,
    signing_key,
)
from imagelayer.platform.ids import new_id
from tests.support import aws
from tests.support.api import ALL_SCOPES, session_bearer
from tests.support.endpoint_requests import WITH_CREDENTIALS, request
from tests.support.product import Product


@dataclass
class World:
    """A product with a dashboard session and an end user's session, both of them good."""

    product: Product
    key: SigningKey
    access: dict[str, Any]
    end_user: dict[str, Any]
    good: dict[str, dict[str, str]]

    def token(
        self, claims: dict[str, Any], kind: str, key: SigningKey | None = None, **changes: Any
    ) -> str:
        """Claims signed anew, with some of them changed; None takes one away."""
        changed = {**claims, **changes}
        kept = {name: value for name, value in changed.items() if value is not None}
        headers = {"kid": self.key.kid, "typ": kind}
        return jwt.encode(kept, (key or self.key).private, algorithm="EdDSA", headers=headers)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One for the whole table: none of these requests may change it."""
    with Product() as product:
        owner = product.account("dev@example.com")
        session = product.session(product.key(owner, *ALL_SCOPES))

        def claims(token: str) -> dict[str, Any]:
            return dict(jwt.decode(token, options={"verify_signature": False}))

        yield World(
            product,
            signing_key(f"SigningSecret-{'x' * 60}"),
            claims(owner.token),
            claims(session["session_token"]),
            {"dashboard": owner.headers, "end user": session_bearer(session)},
        )


OTHERS_KEY = signing_key("a key that anybody could have made for themselves")
FORGED: dict[str, Callable[[World], str]] = {
    "another key under our kid": lambda w: w.token(w.access, ACCESS_TYPE, OTHERS_KEY),
    "an end user's under another key": lambda w: w.token(w.end_user, END_USER_TYPE, OTHERS_KEY),
    "an end user's as a dashboard's": lambda w: w.token(
        w.end_user, ACCESS_TYPE, client_id=ACCESS_CLIENT
    ),
    "an end user's for the dashboard": lambda w: w.token(
        w.end_user, ACCESS_TYPE, aud=ACCESS_AUDIENCE, client_id=ACCESS_CLIENT
    ),
    "an end user's with a dashboard's ids": lambda w: w.token(
        w.end_user, END_USER_TYPE, sub=w.access["sub"], sid=w.access["sid"]
    ),
    "a dashboard's as an end user's": lambda w: w.token(w.access, END_USER_TYPE),
    "a dashboard's for end users": lambda w: w.token(
        w.access, END_USER_TYPE, aud=END_USER_AUDIENCE, org=w.end_user["org"]
    ),
    "both audiences": lambda w: w.token(
        w.access, ACCESS_TYPE, aud=[ACCESS_AUDIENCE, END_USER_AUDIENCE]
    ),
    "no type": lambda w: w.token(w.access, "JWT"),
    "another issuer": lambda w: w.token(w.access, ACCESS_TYPE, iss="http://elsewhere.invalid"),
    "an end user's of another issuer": lambda w: w.token(
        w.end_user, END_USER_TYPE, iss="http://elsewhere.invalid"
    ),
    "run out": lambda w: w.token(w.access, ACCESS_TYPE, exp=int(time.time()) - 1),
    "an end user's that ran out": lambda w: w.token(
        w.end_user, END_USER_TYPE, exp=int(time.time()) - 1
    ),
    "an end user's that was prolonged": lambda w: w.token(
        w.end_user, END_USER_TYPE, exp=w.end_user["exp"] + 3600
    ),
    "never ends": lambda w: w.token(w.access, ACCESS_TYPE, exp=None),
    "not yet good": lambda w: w.token(w.access, ACCESS_TYPE, nbf=int(time.time()) + 600),
    "another user of the session": lambda w: w.token(
        w.access, ACCESS_TYPE, sub=new_id("usr", time.time())
    ),
    "another session": lambda w: w.token(w.access, ACCESS_TYPE, sid=new_id("ses", time.time())),
    "another organization": lambda w: w.token(
        w.end_user, END_USER_TYPE, org=new_id("org", time.time())
    ),
    "another end user": lambda w: w.token(w.end_user, END_USER_TYPE, sub="somebody-else"),
    "another end user's session": lambda w: w.token(
        w.end_user, END_USER_TYPE, sid=new_id("eus", time.time())
    ),
}


@pytest.mark.promise("org-scoped", "sessions-short")
@pytest.mark.parametrize("route", WITH_CREDENTIALS)
def test_a_token_that_says_what_is_not_so_is_refused(world: World, route: str) -> None:
    method, path, parts = request(route)
    before = world.product.counts()
    for number, (what, forge) in enumerate(FORGED.items()):
        headers = {"authorization": f"Bearer {forge(world)}"}
        ip = f"203.0.{number}.{WITH_CREDENTIALS.index(route)}"
        answer = world.product.call(method, path, headers=headers, ip=ip, **parts)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated"), what
    assert world.product.counts() == before


def test_what_the_forgeries_are_made_of_is_good(world: World) -> None:
    """Otherwise the test above would prove nothing."""
    again = {
        "dashboard": world.token(world.access, ACCESS_TYPE),
        "end user": world.token(world.end_user, END_USER_TYPE),
    }
    for who, path in (("dashboard", "/v1/keys"), ("end user", "/v1/generations/x")):
        for headers in (world.good[who], {"authorization": f"Bearer {again[who]}"}):
            assert world.product.call("GET", path, headers=headers).status in (200, 404)


def test_the_kid_of_no_key_of_ours_is_refused_and_nothing_is_fetched(world: World) -> None:
    """Headers that name a key, or where to get one, are not looked at."""
    for extra in (
        {"kid": OTHERS_KEY.kid},
        {"kid": OTHERS_KEY.kid, "jwk": dict(OTHERS_KEY.jwk)},
        {"kid": OTHERS_KEY.kid, "jku": "https://evil.example/jwks.json"},
        {"kid": "../JWKS"},
        {"kid": ""},
    ):
        token = jwt.encode(
            world.access,
            OTHERS_KEY.private,
            algorithm="EdDSA",
            headers={"typ": ACCESS_TYPE, **extra},
        )
        headers = {"authorization": f"Bearer {token}"}
        assert world.product.call("GET", "/v1/keys", headers=headers).status == 401
    kids = [item["sk"] for item in world.product.items("SigningKeysTable")]
    assert kids == [world.key.kid]
    assert aws.PARAMETERS["BaseUrl"] == world.access["iss"] == world.end_user["iss"]
