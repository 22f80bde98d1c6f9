"""Credentials that are wrong, spent, ended or not yet good."""

from __future__ import annotations

import time

import pytest

from tests.support.product import PASSWORD, Account, Answer, Product


def log_in(
    product: Product, email: str, password: str = PASSWORD, ip: str = "198.51.100.7"
) -> Answer:
    body = {"email": email, "password": password}
    return product.call("POST", "/v1/auth/login", body=body, ip=ip)


def test_a_wrong_password_and_an_unknown_address_look_the_same(
    product: Product, owner: Account
) -> None:
    wrong = log_in(product, owner.email, "not the right password")
    unknown = log_in(product, "nobody@example.com")
    no_address = log_in(product, "not an address")
    texts = {
        answer.text.replace(answer.json["request_id"], "")
        for answer in (wrong, unknown, no_address)
    }
    assert {wrong.status, unknown.status, no_address.status} == {401}
    assert len(texts) == 1
    assert not wrong.cookies


@pytest.mark.promise("auth-logged")
def test_failed_logins_are_logged_with_their_reason_and_without_the_address(
    product: Product, owner: Account
) -> None:
    log_in(product, owner.email, "not the right password")
    log_in(product, "nobody@example.com")
    wrong, unknown = [
        line for line in product.security_events("auth.login") if line["outcome"] == "failure"
    ]
    assert (wrong["reason"], wrong["actor"]) == ("wrong password", owner.user_id)
    assert (unknown["reason"], unknown["actor"]) == ("unknown address", "")


@pytest.mark.parametrize("change", [" ", "x", "\n"])
def test_a_password_is_compared_exactly(product: Product, owner: Account, change: str) -> None:
    assert log_in(product, owner.email, PASSWORD + change).status == 401
    assert log_in(product, owner.email, PASSWORD.title()).status == 401


@pytest.mark.promise("verified-first")
def test_before_the_address_is_confirmed_nobody_logs_in(product: Product) -> None:
    product.register("dev@example.com")
    refused = log_in(product, "dev@example.com")
    assert (refused.status, refused.json["code"]) == (403, "email_not_verified")
    assert not refused.cookies
    assert product.items("SessionsTable") == []


def test_an_unconfirmed_account_is_not_told_to_somebody_without_its_password(
    product: Product,
) -> None:
    product.register("dev@example.com")
    assert log_in(product, "dev@example.com", "not the right password").status == 401


@pytest.mark.promise("sessions-short", "auth-logged")
def test_a_spent_refresh_token_ends_the_whole_family(product: Product, owner: Account) -> None:
    refreshed = product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie])
    newest = refreshed.cookies[0].partition(";")[0]
    headers = {"authorization": f"Bearer {refreshed.json['access_token']}"}
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 401
    assert product.call("POST", "/v1/auth/refresh", cookies=[newest]).status == 401
    assert product.call("GET", "/v1/auth/me", headers=headers).status == 401
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 401
    (line,) = product.security_events("auth.refresh_reuse")
    assert (line["outcome"], line["actor"]) == ("denied", owner.user_id)


def test_a_token_older_than_the_last_one_ends_the_family_too(
    product: Product, owner: Account
) -> None:
    cookie = owner.cookie
    for _ in range(3):
        refreshed = product.call("POST", "/v1/auth/refresh", cookies=[cookie])
        cookie = refreshed.cookies[0].partition(";")[0]
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 401
    assert product.call("POST", "/v1/auth/refresh", cookies=[cookie]).status == 401


@pytest.mark.parametrize("attribute", ["expires_at", "idle_until"])
def test_an_old_or_idle_session_is_not_refreshed(
    product: Product, owner: Account, attribute: str
) -> None:
    session = product.item("SessionsTable", "SES")
    product.edit("SessionsTable", session, **{attribute: int(time.time())})
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 401


@pytest.mark.promise("sessions-short")
def test_an_access_token_dies_with_its_sessions_end(product: Product, owner: Account) -> None:
    session = product.item("SessionsTable", "SES")
    product.edit("SessionsTable", session, expires_at=int(time.time()))
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 401


@pytest.mark.parametrize(
    "cookies",
    [
        None,
        [],
        ["__Host-il_refresh="],
        ["__Host-il_refresh=nonsense"],
        ["__Host-il_refresh=01m85g9mspnb132tnphwa9cytt." + "x" * 43],
        ["__Host-il_refresh=01m85g9mspnb132tnphwa9cytt."],
        ["il_refresh=x.y"],
        ['__Host-il_refresh="; drop'],
        ["\x00=\x01"],
    ],
)
def test_a_refresh_without_a_valid_cookie_is_refused(
    product: Product, owner: Account, cookies: list[str] | None
) -> None:
    refused = product.call("POST", "/v1/auth/refresh", cookies=cookies)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert not refused.cookies
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200


def test_a_member_who_was_removed_cannot_log_in(product: Product, owner: Account) -> None:
    member = product.item("AccountsTable", "MEMBER")
    product.delete("AccountsTable", member)
    assert log_in(product, owner.email).status == 401


@pytest.mark.promise("auth-logged")
def test_one_account_is_guessed_at_only_so_often_from_however_many_addresses(
    product: Product, owner: Account
) -> None:
    statuses = [
        log_in(product, owner.email, "a wrong password here", ip=f"203.0.113.{number}").status
        for number in range(14)
    ]
    assert statuses[:9] == [401] * 9
    assert statuses[-1] == 429
    refused = log_in(product, owner.email, ip="192.0.2.1")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    assert {line["reason"] for line in product.security_events("limit.denied")} == {"login-account"}
    assert log_in(product, "nobody@example.com", ip="192.0.2.1").status == 401


@pytest.mark.parametrize("tail", [".x.y", ".x"])
def test_knowing_a_session_id_ends_nothing(product: Product, owner: Account, tail: str) -> None:
    """Session ids stand in access tokens; only what stands in refresh tokens may end a session."""
    name, _, value = owner.cookie.partition("=")
    guessed = f"{name}={value.partition('.')[0]}{tail}"
    assert product.call("POST", "/v1/auth/refresh", cookies=[guessed]).status == 401
    assert product.call("POST", "/v1/auth/logout", cookies=[guessed]).status == 204
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 200


@pytest.mark.parametrize("operation", ["GetItem", "PutItem"])
def test_a_refresh_that_fails_half_way_spends_nothing(
    product: Product, owner: Account, operation: str
) -> None:
    """Otherwise its owner would come back with a spent token and be taken for a thief."""
    product.wiring("login").sessions._public_keys.clear()
    with product.broken("dynamodb", operation):
        refused = product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie])
    assert refused.status == 503
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 200
