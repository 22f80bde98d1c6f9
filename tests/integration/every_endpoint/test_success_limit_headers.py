"""Every answer to a call that was counted names the limit that counted it, refusals included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from imagelayer.access.key_secrets import checksum
from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, Account, Answer, bearer, session_bearer
from tests.support.endpoint_requests import WITH_BODY, WITH_CREDENTIALS, WITH_ID, request
from tests.support.product import Product

IP = "203.0.113.9"
UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"


@dataclass
class Served:
    """One product for the whole table: none of these requests changes it."""

    product: Product
    owner: Account
    keys: dict[str, dict[str, str]]  # headers of a key by what it may: everything, or one scope

    def call(self, route: str, headers: dict[str, str], **parts: Any) -> Answer:
        method, path, sent = request(route)
        return self.product.call(method, path, headers=headers, ip=IP, **{**sent, **parts})


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Product() as product:
        owner = product.account("dev@example.com")
        scopes = {"all": ALL_SCOPES, "keys:rotate": ["keys:rotate"], "usage:read": ["usage:read"]}
        keys = {name: bearer(product.key(owner, *each)) for name, each in scopes.items()}
        yield Served(product, owner, keys)


def limits(answer: Answer) -> list[str]:
    """The limits that an answer names, in both of its fields."""
    names = re.findall(r'"([a-z-]+)";r=\d+;t=\d+', answer.headers.get("ratelimit", ""))
    policies = re.findall(r'"([a-z-]+)";q=\d+;w=\d+', answer.headers.get("ratelimit-policy", ""))
    assert names == policies
    return names


@pytest.mark.parametrize("route", WITH_BODY)
def test_a_body_that_is_refused_was_counted(served: Served, route: str) -> None:
    by_auth = {"none": {}, "key": served.keys["all"]}
    answer = served.call(route, by_auth.get(ROUTES[route].auth, served.owner.headers), body="{")
    assert (answer.status, answer.json["code"]) == (400, "malformed_json")
    assert limits(answer) == [ROUTES[route].limit]


@pytest.mark.parametrize("route", WITH_ID)
def test_what_is_missing_was_counted(served: Served, route: str) -> None:
    answer = served.call(route, served.owner.headers)
    assert answer.status == 404
    assert limits(answer) == [ROUTES[route].limit]


@pytest.mark.parametrize("route", [each for each in WITH_CREDENTIALS if ROUTES[each].scope])
def test_a_caller_who_is_not_allowed_was_counted(served: Served, route: str) -> None:
    lacking = "usage:read" if ROUTES[route].scope == "keys:rotate" else "keys:rotate"
    answer = served.call(route, served.keys[lacking])
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert limits(answer) == [ROUTES[route].limit]


def test_what_fails_on_our_side_was_counted(product: Product, owner: Account) -> None:
    with product.broken("dynamodb", "Query"):
        answer = product.call("GET", "/v1/brands", headers=owner.headers)
    assert (answer.status, limits(answer)) == (503, ["brand-read"])


def test_a_page_of_another_origin_was_counted(product: Product, owner: Account) -> None:
    session = product.session(
        product.key(owner, *ALL_SCOPES), allowed_origins=["https://shop.example"]
    )
    method, path, parts = request("GET /v1/generations/{generation_id}")
    headers = {**session_bearer(session), "origin": "https://evil.example"}
    answer = product.call(method, path, headers=headers, **parts)
    assert (answer.status, answer.json["code"]) == (403, "origin_not_allowed")
    assert limits(answer) == ["generation-read"]


def test_a_refused_credential_names_the_limit_that_counts_it(
    product: Product, owner: Account
) -> None:
    for sent in ("nonsense", f"il_live_{UNKNOWN}{checksum(UNKNOWN)}"):
        headers = {"authorization": f"Bearer {sent}"}
        answer = product.call("GET", "/v1/keys/self", headers=headers)
        assert (answer.status, limits(answer)) == (401, ["bad-credential"])
    key = product.key(owner, *ALL_SCOPES, allowed_cidrs=["192.0.2.0/24"])
    elsewhere = product.call("GET", "/v1/keys/self", headers=bearer(key))
    assert (elsewhere.status, elsewhere.json["code"]) == (403, "address_not_allowed")
    assert limits(elsewhere) == ["bad-credential"]


def test_a_call_that_was_not_counted_names_none(product: Product) -> None:
    assert limits(product.call("GET", "/v1/keys/self")) == []
