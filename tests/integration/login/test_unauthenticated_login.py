"""Credentials that are wrong, spent, ended or not yet good."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import (
    ELSEWHERE,
    FIREFOX,
    HOME,
    NEW_PASSWORD,
    SAFARI,
    calls,
    change,
    cookie_of,
    expires_cookie,
    forgot,
    is_logged_in,
    log_in,
    meanwhile,
    refresh,
    reset,
    sessions_of,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product


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


@pytest.mark.parametrize("password", [PASSWORD, "not the right password"], ids=["right", "wrong"])
def test_the_same_work_is_done_whether_or_not_the_address_has_an_account(
    product: Product, owner: Account, password: str
) -> None:
    """Or the time would tell what the answer does not."""
    product.register("waiting@example.com")
    product.mails()
    log_in(product, "warm@example.com", ip=ELSEWHERE)
    made = {}
    for email in ("nobody@example.com", "waiting@example.com"):
        with calls(product, "login") as made[email]:
            log_in(product, email, password, ip=ELSEWHERE)
    with calls(product, "login") as made[owner.email]:
        log_in(product, owner.email, "not the right password", ip=ELSEWHERE)
    assert made[owner.email] == made["nobody@example.com"] == made["waiting@example.com"]
    assert made[owner.email].count("bcrypt 4") == 1


@pytest.mark.promise("verified-first", "email-unique")
@pytest.mark.parametrize("mailed", [False, True])
def test_an_address_that_is_not_confirmed_is_answered_like_one_without_an_account(
    product: Product, mailed: bool
) -> None:
    product.register("dev@example.com")
    if mailed:
        product.mails()
    refused = log_in(product, "dev@example.com")
    unknown = log_in(product, "nobody@example.com")
    assert (refused.status, refused.json["code"]) == (401, "invalid_credentials")
    assert refused.json["detail"] == unknown.json["detail"]
    assert not refused.cookies
    assert product.items("SessionsTable") == []


@pytest.mark.promise("email-unique")
def test_a_sign_up_and_a_login_do_not_tell_whether_the_address_had_an_account(
    product: Product, owner: Account
) -> None:
    """Who signs up with an address and tries a password there learns nothing of either."""
    answers = []
    for email in (owner.email, "free@example.com"):
        signed_up = product.register(email)
        product.mails()
        tried = log_in(product, email, "the strangers own password", ip=ELSEWHERE)
        answers.append((signed_up.status, signed_up.text, tried.status, tried.json["detail"]))
    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][2]) == (202, 401)


@pytest.mark.promise("sessions-short", "auth-logged")
@pytest.mark.parametrize(
    ("ip", "agent", "seconds_later"),
    [
        (ELSEWHERE, FIREFOX, 0),
        ("198.51.101.7", FIREFOX, 0),
        (HOME, SAFARI, 0),
        (HOME, "", 0),
        (HOME, FIREFOX, 12),
    ],
    ids=["other network", "next network", "other client", "no client", "later"],
)
def test_a_spent_refresh_token_ends_the_whole_family(
    product: Product, owner: Account, ip: str, agent: str, seconds_later: int
) -> None:
    refreshed = refresh(product, owner.cookie, agent=FIREFOX)
    newest = cookie_of(refreshed)
    (session,) = sessions_of(product, owner.user_id)
    at = session["refreshed_at"] - seconds_later
    product.edit("SessionsTable", session, refreshed_at=at)
    stolen = refresh(product, owner.cookie, ip=ip, agent=agent)
    assert stolen.status == 401
    assert expires_cookie(stolen)
    assert refresh(product, newest, agent=FIREFOX).status == 401
    assert not is_logged_in(product, refreshed.json["access_token"])
    assert not is_logged_in(product, owner.token)
    assert sessions_of(product, owner.user_id) == []
    (line,) = product.security_events("auth.refresh_reuse")
    assert (line["outcome"], line["actor"], line["org_id"], line["ip"]) == (
        "denied",
        owner.user_id,
        owner.org_id,
        ip,
    )
    trades = [each["outcome"] for each in product.security_events("auth.refresh")]
    assert trades == ["success", "failure"]


@pytest.mark.promise("sessions-short")
def test_the_thief_and_the_owner_cannot_both_go_on_no_matter_who_trades_first(
    product: Product, owner: Account
) -> None:
    thiefs = cookie_of(refresh(product, owner.cookie, ip=ELSEWHERE, agent=SAFARI))
    assert refresh(product, owner.cookie, agent=FIREFOX).status == 401
    assert refresh(product, thiefs, ip=ELSEWHERE, agent=SAFARI).status == 401


@pytest.mark.promise("sessions-short")
def test_a_family_that_ended_leaves_other_sessions_alone(product: Product, owner: Account) -> None:
    other = log_in(product, owner.email)
    refresh(product, owner.cookie)
    refresh(product, owner.cookie, ip=ELSEWHERE)
    assert refresh(product, cookie_of(other)).status == 200


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
        [f"__Host-il_refresh={'0' * 26}-{'0' * 26}.x.{'x' * 43}"],
        [f"__Host-il_refresh={'0' * 26}-{'0' * 26}.x."],
        [f"__Host-il_refresh={'0' * 26}-{'0' * 26}..x"],
        [f"__Host-il_refresh={'0' * 26}.{'0' * 26}.x.y"],
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
    assert bool(refused.cookies) == any("__Host-" in cookie for cookie in cookies or [])
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200


def test_a_member_who_was_removed_cannot_log_in(product: Product, owner: Account) -> None:
    member = product.item("AccountsTable", "MEMBER")
    product.delete("AccountsTable", member)
    assert log_in(product, owner.email).status == 401


@pytest.mark.parametrize("tail", [".x.y", ".x"])
def test_knowing_a_session_id_ends_nothing(product: Product, owner: Account, tail: str) -> None:
    """Session ids stand in access tokens; only what stands in refresh tokens may end a session."""
    name, _, value = owner.cookie.partition("=")
    guessed = f"{name}={value.partition('.')[0]}{tail}"
    assert product.call("POST", "/v1/auth/refresh", cookies=[guessed]).status == 401
    assert product.call("POST", "/v1/auth/logout", cookies=[guessed]).status == 401
    assert product.call("GET", "/v1/auth/me", headers=owner.headers).status == 200
    assert product.call("POST", "/v1/auth/refresh", cookies=[owner.cookie]).status == 200


@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "GetItem"), ("dynamodb", "PutItem"), ("secretsmanager", "GetSecretValue")],
)
def test_a_refresh_that_fails_half_way_spends_nothing(
    product: Product, owner: Account, service: str, operation: str
) -> None:
    """Otherwise its owner would come back with a spent token and be taken for a thief."""
    signing_keys = product.part("login", IdentityWiring).signing_keys
    signing_keys._published.clear()  # as in a process that has just started
    product.platform("login").secrets._kept.clear()
    with product.broken(service, operation):
        refused = refresh(product, owner.cookie)
    assert refused.status == 503
    assert not refused.cookies
    assert refresh(product, owner.cookie, ip=ELSEWHERE).status == 200


def test_a_trade_that_the_sdk_repeats_after_a_lost_answer_is_not_theft(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = product.part("login", IdentityWiring).session_store._table
    update = table.update

    def update_and_repeat(*parts: str, **values: object) -> object:
        update(*parts, **values)  # type: ignore[arg-type]
        return update(*parts, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(table, "update", update_and_repeat)
    traded = cookie_of(refresh(product, owner.cookie))
    monkeypatch.undo()
    assert product.security_events("auth.refresh_reuse") == []
    assert refresh(product, traded).status == 200


Change = Callable[[Product, Account], object]


def with_another_password(product: Product, account: Account) -> object:
    return change(product, account)


def with_a_reset(product: Product, account: Account) -> object:
    forgot(product, account.email)
    return reset(product, product.newest_token())


def without_a_membership(product: Product, account: Account) -> object:
    user = user_of(product, account.user_id)
    product.edit("AccountsTable", user, rev=user["rev"] + 1)
    member = product.item("AccountsTable", "MEMBER")
    product.delete("AccountsTable", member)
    return member


def without_an_account(product: Product, account: Account) -> object:
    user = user_of(product, account.user_id)
    product.delete("AccountsTable", user)
    return user


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("step", ["get_role", "get_organization"])
@pytest.mark.parametrize(
    "change_it",
    [with_another_password, with_a_reset, without_a_membership, without_an_account],
)
def test_a_login_that_meets_a_change_opens_nothing_that_outlives_it(
    product: Product, owner: Account, step: str, change_it: Change
) -> None:
    """The old password was right when it was compared, and is not when the session is written."""
    known = {each["id"] for each in sessions_of(product, owner.user_id)}
    organizations = product.part("login", IdentityWiring).organization_store
    with meanwhile(organizations, step, lambda: change_it(product, owner)) as changed:
        refused = log_in(product, owner.email)
    assert len(changed) == 1
    assert (refused.status, refused.json["code"]) == (401, "invalid_credentials")
    assert not refused.cookies
    assert {each["id"] for each in sessions_of(product, owner.user_id)} <= known


def test_a_login_that_meets_a_change_of_role_has_the_new_one(
    product: Product, owner: Account
) -> None:
    def demote() -> None:
        product.edit("AccountsTable", product.item("AccountsTable", "MEMBER"), role="viewer")
        user = user_of(product, owner.user_id)
        product.edit("AccountsTable", user, rev=user["rev"] + 1)

    organizations = product.part("login", IdentityWiring).organization_store
    with meanwhile(organizations, "get_role", demote) as demoted:
        answer = log_in(product, owner.email)
    assert len(demoted) == 1
    headers = {"authorization": f"Bearer {answer.json['access_token']}"}
    assert product.call("GET", "/v1/auth/me", headers=headers).json["role"] == "viewer"


def test_a_password_change_that_meets_a_login_ends_its_session(
    product: Product, owner: Account
) -> None:
    """The other way round: the login is complete while the change has read the sessions."""
    sessions = product.part("password", IdentityWiring).session_store
    with meanwhile(sessions, "list_sessions", lambda: log_in(product, owner.email)) as logins:
        assert change(product, owner, PASSWORD, NEW_PASSWORD).status == 204
    (login,) = logins
    assert login.status == 200
    assert not is_logged_in(product, login.json["access_token"])
    assert refresh(product, cookie_of(login)).status == 401
    assert is_logged_in(product, owner.token)
