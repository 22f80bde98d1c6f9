"""Cookies that are odd, others', doubled, spent or made up: what they end, and what is said."""

from __future__ import annotations

import pytest

from imagelayer.platform.ids import new_id
from tests.support.accounts import cookie_of, expires_cookie, is_logged_in, refresh, sessions_of
from tests.support.api import PASSWORD, Account, Answer
from tests.support.product import Product

NAME = "__Host-il_refresh"
FOREIGN = ("a/b=1", "a@b=1", "a,b=1", "a{b=1", "a(b=1", "a?b=1", "a<b=1", 'prefs={"a":[1, 2]}')


def log_out(product: Product, *cookies: str) -> Answer:
    return product.call("POST", "/v1/auth/logout", cookies=list(cookies))


def log_in(product: Product, owner: Account, *cookies: str) -> Answer:
    body = {"email": owner.email, "password": PASSWORD}
    return product.call("POST", "/v1/auth/login", body=body, cookies=list(cookies))


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_cookie_of_another_application_breaks_neither_refresh_nor_login_nor_logout(
    product: Product, owner: Account, foreign: str, after: bool
) -> None:
    def jar(cookie: str) -> list[str]:
        return [cookie, foreign] if after else [foreign, cookie]

    refreshed = product.call("POST", "/v1/auth/refresh", cookies=jar(owner.cookie))
    replaced = log_in(product, owner, *jar(cookie_of(refreshed)))
    assert not is_logged_in(product, refreshed.json["access_token"])
    newest = cookie_of(replaced)
    assert log_out(product, *jar(newest)).status == 204
    assert not is_logged_in(product, replaced.json["access_token"])
    assert sessions_of(product, owner.user_id) == []


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize(
    "sent",
    [
        "x.y",
        "nonsense",
        '{"a":1}',
        "{user}-{session}.x.y",
        "{user}-{session}",
        "{user}-{session}.x",
    ],
)
def test_a_logout_that_ended_nothing_says_so(product: Product, owner: Account, sent: str) -> None:
    ids = owner.cookie.partition("=")[2].partition(".")[0]
    cookie = f"{NAME}={sent.replace('{user}-{session}', ids)}"
    refused = log_out(product, cookie)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert "no session was ended" in refused.json["detail"]
    assert expires_cookie(refused)
    assert is_logged_in(product, owner.token)
    (line,) = product.security_events("auth.logout")
    assert line["outcome"] == "failure"


def test_a_repeated_logout_is_fine_because_the_session_is_over(
    product: Product, owner: Account
) -> None:
    for _ in range(2):
        ended = log_out(product, owner.cookie)
        assert ended.status == 204
        assert expires_cookie(ended)
    ids = f"{new_id('usr', 1)[4:]}-{new_id('ses', 1)[4:]}"
    assert log_out(product, f"{NAME}={ids}.family.secret").status == 204


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("other", ["another", ""])
def test_two_different_refresh_cookies_are_refused_and_end_nothing(
    product: Product, owner: Account, other: str
) -> None:
    jars = ([owner.cookie, f"{NAME}={other}"], [f"{NAME}={other}", owner.cookie])
    for jar in jars:
        for refused in (
            log_out(product, *jar),
            product.call("POST", "/v1/auth/refresh", cookies=jar),
            log_in(product, owner, *jar),
        ):
            assert (refused.status, refused.json["code"]) == (400, "bad_request")
            assert not refused.cookies
    assert is_logged_in(product, owner.token)
    assert refresh(product, owner.cookie).status == 200


@pytest.mark.parametrize("sent", [None, "nonsense", "dead"])
def test_a_refresh_that_is_refused_expires_the_cookie_that_was_sent(
    product: Product, owner: Account, sent: str | None
) -> None:
    log_out(product, owner.cookie)
    cookies = {None: [], "nonsense": [f"{NAME}=nonsense"], "dead": [owner.cookie]}[sent]
    refused = product.call("POST", "/v1/auth/refresh", cookies=cookies)
    assert refused.status == 401
    assert expires_cookie(refused) == bool(cookies)


def test_a_refresh_that_may_still_succeed_keeps_the_cookie(
    product: Product, owner: Account
) -> None:
    with product.broken("dynamodb", "GetItem"):
        failed = refresh(product, owner.cookie)
    assert failed.status == 503
    assert not failed.cookies
    first, second = refresh(product, owner.cookie), refresh(product, owner.cookie)
    assert cookie_of(first) == cookie_of(second)
    refused = product.call(
        "POST",
        "/v1/auth/refresh",
        cookies=[cookie_of(first)],
        headers={"origin": "https://evil.example"},
    )
    assert (refused.status, refused.cookies) == (403, [])


@pytest.mark.parametrize("cookie", ["nonsense", "x.y", ""])
def test_a_login_succeeds_whatever_the_old_cookie_holds(
    product: Product, owner: Account, cookie: str
) -> None:
    assert log_in(product, owner, f"{NAME}={cookie}").status == 200
