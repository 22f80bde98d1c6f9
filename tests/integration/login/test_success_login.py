"""Sessions that work."""

from __future__ import annotations

import re

import pytest

from tests.support.product import PASSWORD, Account, Product


def test_a_login_says_who_is_logged_in(product: Product, owner: Account) -> None:
    me = product.call("GET", "/v1/auth/me", headers=owner.headers)
    assert me.status == 200
    assert (me.json["user"]["id"], me.json["organization"]["id"], me.json["role"]) == (
        owner.user_id,
        owner.org_id,
        "owner",
    )
    assert me.json["user"]["email_verified"] is True


@pytest.mark.promise("sessions-short")
def test_the_refresh_token_travels_in_a_cookie_that_scripts_and_other_sites_cannot_use(
    product: Product, owner: Account
) -> None:
    login = product.call(
        "POST", "/v1/auth/login", body={"email": owner.email, "password": PASSWORD}
    )
    (cookie,) = login.cookies
    name, _, value = cookie.partition(";")[0].partition("=")
    assert name == "__Host-il_refresh"
    attributes = {each.strip() for each in cookie.split(";")[1:]}
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= attributes
    assert not [each for each in attributes if each.startswith("Domain")]
    assert value not in login.text
    assert login.json["expires_in"] == 600


@pytest.mark.parametrize("spelling", ["DEV@example.com", "dev@EXAMPLE.com."])
def test_the_address_may_be_spelled_another_way(
    product: Product, owner: Account, spelling: str
) -> None:
    body = {"email": spelling, "password": PASSWORD}
    assert product.call("POST", "/v1/auth/login", body=body).status == 200


def test_a_refresh_gives_a_new_pair_and_the_same_session(product: Product, owner: Account) -> None:
    refreshed = product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie])
    assert refreshed.status == 200
    assert refreshed.json["access_token"] != owner.token
    cookie = refreshed.cookies[0].partition(";")[0]
    assert cookie != owner.cookie
    headers = {"authorization": f"Bearer {refreshed.json['access_token']}"}
    assert product.call("GET", "/v1/auth/me", headers=headers).status == 200
    assert product.call("POST", "/v1/auth/refresh", cookies=[cookie]).status == 200


def test_the_cookie_may_come_as_a_header(product: Product, owner: Account) -> None:
    headers = {"cookie": f"theme=dark; {owner.cookie}"}
    assert product.call("POST", "/v1/auth/refresh", headers=headers).status == 200


@pytest.mark.promise("sessions-short")
def test_logout_ends_access_and_refresh_at_once(product: Product, owner: Account) -> None:
    ended = product.call("POST", "/v1/auth/logout", cookies=[owner.cookie])
    assert ended.status == 204
    assert re.search(r"__Host-il_refresh=; Max-Age=0;", ended.cookies[0])
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 401
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 401


def test_logout_of_one_session_leaves_the_others(product: Product, owner: Account) -> None:
    body = {"email": owner.email, "password": PASSWORD}
    other = product.call("POST", "/v1/auth/login", body=body)
    product.call("POST", "/v1/auth/logout", cookies=[owner.cookie])
    headers = {"authorization": f"Bearer {other.json['access_token']}"}
    assert product.call("GET", "/v1/auth/me", headers=headers).status == 200


@pytest.mark.parametrize("cookies", [[], ["__Host-il_refresh="], ["__Host-il_refresh=x.y"]])
def test_logging_out_twice_or_without_a_session_is_fine(
    product: Product, owner: Account, cookies: list[str]
) -> None:
    assert product.call("POST", "/v1/auth/logout", cookies=cookies).status == 204
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200


@pytest.mark.promise("keys-hashed")
def test_no_token_of_a_session_is_kept(product: Product, owner: Account) -> None:
    stored = product.dump()
    assert owner.token not in stored
    for secret in owner.cookie.partition("=")[2].split(".")[1:]:
        assert secret not in stored


@pytest.mark.promise("auth-logged")
def test_every_step_of_a_session_is_logged(product: Product, owner: Account) -> None:
    cookie = product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).cookies[0]
    product.call("POST", "/v1/auth/logout", cookies=[cookie.partition(";")[0]])
    for event in ("auth.login", "auth.refresh", "auth.logout"):
        (line,) = product.security_events(event)
        assert line["outcome"] == "success"
        assert line["ip"] == "198.51.100.7"
