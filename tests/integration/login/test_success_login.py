"""Sessions that work."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.ids import new_id
from tests.support.accounts import (
    ELSEWHERE,
    FIREFOX,
    HOME,
    NEW_PASSWORD,
    SAFARI,
    account_of,
    cookie_of,
    forgot,
    is_logged_in,
    log_in,
    meanwhile,
    refresh,
    reset,
    restart,
    rotate_pepper,
    sessions_of,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product


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


@pytest.mark.promise("sessions-short")
def test_a_login_ends_the_session_whose_cookie_it_replaces(
    product: Product, owner: Account, stranger: Account
) -> None:
    body = {"email": owner.email, "password": PASSWORD}
    again = product.call("POST", "/v1/auth/login", body=body, cookies=[owner.cookie])
    assert again.status == 200
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 401
    headers = {"authorization": f"Bearer {again.json['access_token']}"}
    assert product.call("GET", "/v1/auth/me", headers=headers).status == 200
    # Nor does one that fails end anything, no matter whose cookie it comes with.
    wrong = {"email": owner.email, "password": "not the right password"}
    failed = product.call("POST", "/v1/auth/login", body=wrong, cookies=[stranger.cookie])
    assert failed.status == 401
    assert product.call("GET", "/v1/auth/me", headers=stranger.headers).status == 200


def test_logout_with_a_spent_token_ends_the_session_too(product: Product, owner: Account) -> None:
    """A tab that was asleep while another one traded still means it."""
    newest = cookie_of(refresh(product, owner.cookie))
    assert product.call("POST", "/v1/auth/logout", cookies=[owner.cookie]).status == 204
    assert not is_logged_in(product, owner.token)
    assert refresh(product, newest).status == 401


@pytest.mark.parametrize("cookies", [[], ["__Host-il_refresh="], ["theme=dark"]])
def test_logging_out_twice_or_without_a_session_is_fine(
    product: Product, owner: Account, cookies: list[str]
) -> None:
    assert product.call("POST", "/v1/auth/logout", cookies=cookies).status == 204
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200


@pytest.mark.promise("keys-hashed")
def test_no_token_of_a_session_is_kept(product: Product, owner: Account) -> None:
    """Nor its successor, which is drawn from it and the record and from neither alone."""
    cookies = [owner.cookie]
    for _ in range(3):
        cookies.append(cookie_of(refresh(product, cookies[-1])))
    stored = product.dump()
    assert owner.token not in stored
    secrets = [cookie.split(".")[1:] for cookie in cookies]
    assert len({secret for _, secret in secrets}) == 4
    for secret in {each for pair in secrets for each in pair}:
        assert len(secret) >= 22  # 128 bits of the family, 256 of the token
        assert secret not in stored
        assert secret not in product.output.getvalue()


@pytest.mark.promise("auth-logged")
def test_every_step_of_a_session_is_logged(product: Product, owner: Account) -> None:
    cookie = product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).cookies[0]
    product.call("POST", "/v1/auth/logout", cookies=[cookie.partition(";")[0]])
    for event in ("auth.login", "auth.refresh", "auth.logout"):
        (line,) = product.security_events(event)
        assert line["outcome"] == "success"
        assert line["ip"] == "198.51.100.7"


@pytest.mark.promise("sessions-short")
def test_a_trade_that_is_repeated_at_once_from_the_same_place_gets_the_same_successor(
    product: Product, owner: Account
) -> None:
    """Two tabs that wake together, or a client that got no answer."""
    first = refresh(product, owner.cookie, agent=FIREFOX)
    again = refresh(product, owner.cookie, agent=FIREFOX)
    assert cookie_of(again) == cookie_of(first)
    neighbor = refresh(product, owner.cookie, ip="198.51.100.200", agent=FIREFOX)
    assert cookie_of(neighbor) == cookie_of(first)
    assert refresh(product, cookie_of(again), agent=FIREFOX).status == 200
    assert product.security_events("auth.refresh_reuse") == []


def test_repeating_a_trade_does_not_stretch_the_moment_in_which_it_may_be_repeated(
    product: Product, owner: Account
) -> None:
    refresh(product, owner.cookie)
    (session,) = sessions_of(product, owner.user_id)
    earlier = product.edit("SessionsTable", session, refreshed_at=session["refreshed_at"] - 8)
    assert refresh(product, owner.cookie).status == 200
    (session,) = sessions_of(product, owner.user_id)
    assert session["refreshed_at"] == earlier["refreshed_at"]
    assert session["refresh_hash"] == earlier["refresh_hash"]


@pytest.mark.promise("sessions-short")
def test_a_session_idles_for_a_week_and_lives_for_a_month_however_often_it_is_used(
    product: Product, owner: Account
) -> None:
    week, month = 7 * 86_400, 30 * 86_400
    (session,) = sessions_of(product, owner.user_id)
    assert session["idle_until"] - session["created_at"] == week
    assert session["expires_at"] - session["created_at"] == month
    # As if it had been opened four weeks ago, and used five days ago.
    aged = {name: session[name] - 28 * 86_400 for name in ("created_at", "expires_at")}
    product.edit("SessionsTable", session, **aged, idle_until=int(time.time()) + 2 * 86_400)
    answer = refresh(product, owner.cookie)
    (session,) = sessions_of(product, owner.user_id)
    assert abs(session["idle_until"] - time.time() - week) < 600
    assert session["expires_at"] == aged["expires_at"]
    assert session["created_at"] == aged["created_at"]
    max_age = re.search(r"Max-Age=(\d+);", answer.cookies[0])
    assert max_age is not None
    assert abs(int(max_age[1]) - 2 * 86_400) < 60


def listed(product: Product, account: Account) -> list[dict[str, Any]]:
    answer = product.call("GET", "/v1/auth/sessions", headers=account.headers)
    assert answer.status == 200, answer.text
    assert answer.json["next_cursor"] is None
    return list(answer.json["data"])


def test_one_sees_where_one_is_logged_in(product: Product, owner: Account) -> None:
    log_in(product, owner.email, ip=ELSEWHERE, agent=FIREFOX)
    newest, current = listed(product, owner)
    assert (newest["client"], newest["ip"], newest["current"]) == (
        "Firefox on Linux",
        ELSEWHERE,
        False,
    )
    assert (current["client"], current["ip"], current["current"]) == (
        "an unknown client",
        HOME,
        True,
    )
    assert set(current) == {
        "id", "current", "client", "ip", "created_at", "refreshed_at", "expires_at",
    }  # fmt: skip


def test_a_session_that_is_used_elsewhere_says_so(product: Product, owner: Account) -> None:
    refresh(product, owner.cookie, ip=ELSEWHERE, agent=SAFARI)
    (session,) = listed(product, owner)
    assert (session["client"], session["ip"]) == ("Safari on macOS", ELSEWHERE)


@pytest.mark.parametrize("lifetime", ["expires_at", "idle_until"])
def test_a_session_that_ran_out_is_not_listed(
    product: Product, owner: Account, lifetime: str
) -> None:
    other = account_of(owner.email, log_in(product, owner.email))
    oldest, _ = sessions_of(product, owner.user_id)
    product.edit("SessionsTable", oldest, **{lifetime: int(time.time())})
    assert [each["current"] for each in listed(product, other)] == [True]


@pytest.mark.promise("sessions-short")
def test_one_may_end_another_of_ones_sessions(product: Product, owner: Account) -> None:
    other = account_of(owner.email, log_in(product, owner.email))
    (lost,) = [each["id"] for each in listed(product, other) if not each["current"]]
    path = f"/v1/auth/sessions/{lost}"
    assert product.call("DELETE", path, headers=other.headers).status == 204
    assert not is_logged_in(product, owner.token)
    assert refresh(product, owner.cookie).status == 401
    assert is_logged_in(product, other.token)
    assert product.call("DELETE", path, headers=other.headers).status == 404


@pytest.mark.promise("sessions-short")
def test_one_may_end_all_of_ones_sessions_this_one_included(
    product: Product, owner: Account, stranger: Account
) -> None:
    other = account_of(owner.email, log_in(product, owner.email))
    ended = product.call("DELETE", "/v1/auth/sessions", headers=other.headers)
    assert ended.status == 204
    assert re.search(r"__Host-il_refresh=; Max-Age=0;", ended.cookies[0])
    for account in (owner, other):
        assert not is_logged_in(product, account.token)
        assert refresh(product, account.cookie).status == 401
    assert is_logged_in(product, stranger.token)
    assert log_in(product, owner.email).status == 200


def test_the_forty_first_session_ends_the_oldest_and_no_other(
    product: Product, owner: Account
) -> None:
    (oldest,) = sessions_of(product, owner.user_id)
    for second in range(1, 40):
        session_id = new_id("ses", oldest["created_at"] + second / 100)
        copy = {**oldest, "id": session_id, "sk": f"SES#{session_id}"}
        product.edit("SessionsTable", copy)
    full = [each["id"] for each in sessions_of(product, owner.user_id)]
    assert len(full) == 40
    newest = log_in(product, owner.email)
    assert newest.status == 200
    left = [each["id"] for each in sessions_of(product, owner.user_id)]
    assert len(left) == 40
    assert set(full) - set(left) == {full[0]}
    assert is_logged_in(product, newest.json["access_token"])


def test_sessions_that_ran_out_make_room_before_active_ones_do(
    product: Product, owner: Account
) -> None:
    (session,) = sessions_of(product, owner.user_id)
    dead_id = new_id("ses", time.time() + 1)
    dead = {**session, "id": dead_id, "sk": f"SES#{dead_id}", "idle_until": int(time.time())}
    product.edit("SessionsTable", dead)
    log_in(product, owner.email)
    left = [each["id"] for each in sessions_of(product, owner.user_id)]
    assert session["id"] in left
    assert dead_id not in left


def new_place_mails(product: Product) -> list[str]:
    return [str(mail.body) for mail in product.mails() if mail.subject.startswith("New login")]


def test_a_login_from_a_new_network_is_reported_once_by_mail_and_the_first_one_is_not(
    product: Product, owner: Account
) -> None:
    assert new_place_mails(product) == []
    assert log_in(product, owner.email, ip=ELSEWHERE, agent=FIREFOX).status == 200
    (mail,) = new_place_mails(product)
    assert "Firefox on Linux" in mail
    assert f"from {ELSEWHERE}" in mail
    for ip in (ELSEWHERE, "203.0.113.250", HOME):
        assert log_in(product, owner.email, ip=ip, agent=SAFARI).status == 200
    assert len(new_place_mails(product)) == 1
    assert [line["ip"] for line in product.security_events("auth.new_place")] == [ELSEWHERE]


def test_a_login_that_fails_makes_no_place_known_and_sends_nothing(
    product: Product, owner: Account
) -> None:
    log_in(product, owner.email, "not the right password", ip=ELSEWHERE)
    assert new_place_mails(product) == []
    places = [item for item in product.items("AccountsTable") if item["sk"].startswith("PLACE#")]
    assert len(places) == 1


def test_a_place_is_kept_in_a_form_that_tells_no_address(product: Product, owner: Account) -> None:
    place = product.item("AccountsTable", "PLACE#")
    assert set(place) == {"pk", "sk", "expires_at"}
    assert "198.51" not in str(place)
    assert abs(place["expires_at"] - time.time() - 90 * 86_400) < 600


def test_a_place_that_was_not_seen_for_three_months_is_new_again(
    product: Product, owner: Account
) -> None:
    place = product.item("AccountsTable", "PLACE#")
    product.edit("AccountsTable", place, expires_at=int(time.time()))
    assert log_in(product, owner.email).status == 200
    assert len(new_place_mails(product)) == 1


def test_when_the_mail_cannot_be_asked_for_the_place_stays_new(
    product: Product, owner: Account
) -> None:
    """Once more rather than never."""
    with product.broken("sqs"):
        assert log_in(product, owner.email, ip=ELSEWHERE).status == 503
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 200
    assert len(new_place_mails(product)) == 1


@pytest.mark.promise("passwords-bcrypt")
def test_a_raised_cost_takes_hold_at_the_next_login_and_not_before(
    product: Product, owner: Account
) -> None:
    before = user_of(product, owner.user_id)["password_hash"]
    assert "$2b$04$" in before
    restart(product, "login", BCRYPT_COST="5")
    log_in(product, owner.email, "not the right password")
    assert user_of(product, owner.user_id)["password_hash"] == before
    assert log_in(product, owner.email).status == 200
    renewed = user_of(product, owner.user_id)["password_hash"]
    assert "$2b$05$" in renewed
    assert log_in(product, owner.email).status == 200
    assert user_of(product, owner.user_id)["password_hash"] == renewed
    assert log_in(product, owner.email, "not the right password").status == 401


def test_a_login_that_meets_another_while_the_hash_is_made_anew_gets_in_too(
    product: Product, owner: Account
) -> None:
    """The hash it verified is gone, and the password is still the right one."""
    restart(product, "login", BCRYPT_COST="5")
    organizations = product.part("login", IdentityWiring).organization_store
    with meanwhile(organizations, "get_role", lambda: log_in(product, owner.email).status) as first:
        assert log_in(product, owner.email).status == 200
    assert first == [200]


def test_a_lowered_cost_weakens_no_hash(product: Product, owner: Account) -> None:
    restart(product, "login", BCRYPT_COST="5")
    log_in(product, owner.email)
    renewed = user_of(product, owner.user_id)["password_hash"]
    restart(product, "login", BCRYPT_COST="4")
    assert log_in(product, owner.email).status == 200
    assert user_of(product, owner.user_id)["password_hash"] == renewed


@pytest.mark.promise("passwords-bcrypt")
def test_a_new_pepper_takes_hold_at_the_next_login(product: Product, owner: Account) -> None:
    before = user_of(product, owner.user_id)["password_hash"]
    rotate_pepper(product)
    assert log_in(product, owner.email).status == 200
    renewed = user_of(product, owner.user_id)["password_hash"]
    assert renewed.partition("$")[0] != before.partition("$")[0]
    assert log_in(product, owner.email).status == 200
    assert user_of(product, owner.user_id)["password_hash"] == renewed


def test_a_new_pepper_ends_no_session_and_no_link(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    rotate_pepper(product)
    assert is_logged_in(product, owner.token)
    assert refresh(product, owner.cookie).status == 200
    assert reset(product, token).status == 204
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200
