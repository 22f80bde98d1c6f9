"""Pages of other origins cause nothing where the refresh cookie counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import aws
from tests.support.accounts import HOME, is_logged_in, sessions_of
from tests.support.api import PASSWORD, Account, Answer
from tests.support.product import Product

OURS = aws.PARAMETERS["BaseUrl"]
FOREIGN: dict[str, dict[str, str]] = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "another site, by its origin": {"origin": "https://evil.example"},
    "a sibling subdomain": {"origin": "http://user-content.front.invalid"},
    "a sibling, by the browser's word": {"sec-fetch-site": "same-site"},
    "another site, by the browser's word": {"sec-fetch-site": "cross-site"},
    "another port": {"origin": f"{OURS}:8443"},
    "another scheme": {"origin": OURS.replace("http:", "https:")},
    "no origin to speak of": {"origin": "null"},
    "an empty origin": {"origin": ""},
    "ours as a prefix": {"origin": f"{OURS}.evil.example"},
    "our origin and another site": {"origin": OURS, "sec-fetch-site": "cross-site"},
    "another origin on our site": {
        "origin": "https://evil.example",
        "sec-fetch-site": "same-origin",
    },
    "a navigation": {"sec-fetch-site": "none"},
}
OWN: dict[str, dict[str, str]] = {
    "a program": {},
    "our page": {"origin": OURS, "sec-fetch-site": "same-origin"},
    "an old browser": {"origin": OURS},
    "a browser that sends no origin": {"sec-fetch-site": "same-origin"},
}


def log_in(product: Product, owner: Account, headers: dict[str, str]) -> Answer:
    return product.call(
        "POST",
        "/v1/auth/login",
        body={"email": owner.email, "password": PASSWORD},
        cookies=[owner.cookie],
        headers=headers,
        ip=HOME,
    )


def refresh(product: Product, owner: Account, headers: dict[str, str]) -> Answer:
    return product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie], headers=headers)


def log_out(product: Product, owner: Account, headers: dict[str, str]) -> Answer:
    return product.call("POST", "/v1/auth/logout", cookies=[owner.cookie], headers=headers)


CALLS: dict[str, Callable[[Product, Account, dict[str, str]], Answer]] = {
    "login": log_in,
    "refresh": refresh,
    "logout": log_out,
}


@pytest.mark.parametrize("whence", FOREIGN)
@pytest.mark.parametrize("name", CALLS)
def test_a_page_of_another_origin_causes_nothing(
    product: Product, owner: Account, name: str, whence: str
) -> None:
    before = product.dump_of("SessionsTable")
    answer = CALLS[name](product, owner, FOREIGN[whence])
    assert (answer.status, answer.json["code"]) == (403, "cross_site_request")
    assert answer.cookies == []
    assert product.dump_of("SessionsTable") == before
    event = product.security_events("authz.origin_denied")[-1]
    assert event["outcome"] == "denied"
    assert is_logged_in(product, owner.token)


@pytest.mark.parametrize("whence", OWN)
@pytest.mark.parametrize("name", CALLS)
def test_our_own_pages_and_programs_are_let_through(
    product: Product, owner: Account, name: str, whence: str
) -> None:
    answer = CALLS[name](product, owner, OWN[whence])
    assert answer.status in (200, 204)
    assert len(sessions_of(product, owner.user_id)) == (0 if name == "logout" else 1)
