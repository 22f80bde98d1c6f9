"""An organization may ask its owners for a second factor: what is closed to one who has none."""

from __future__ import annotations

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import (
    account_of,
    change,
    confirm_enrolment,
    disable,
    enrol,
    is_logged_in,
    join,
    log_in,
    meanwhile,
    refresh,
    start_enrolment,
    user_of,
)
from tests.support.api import Account, Answer
from tests.support.endpoint_requests import FOR_USERS, request
from tests.support.product import Product

OPEN = {
    "GET /v1/auth/me",
    "GET /v1/auth/sessions",
    "DELETE /v1/auth/sessions",
    "DELETE /v1/auth/sessions/{session_id}",
    "POST /v1/auth/password/change",
    "POST /v1/auth/totp",
    "POST /v1/auth/totp/confirm",
    "POST /v1/auth/totp/recovery-codes",
    "POST /v1/auth/totp/disable",
}
COLLEAGUE = "colleague@example.com"


def ask_owners(product: Product, account: Account, *, asked: bool = True) -> Answer:
    body = {"owners_need_second_factor": asked}
    return product.call("PATCH", "/v1/organization", headers=account.headers, body=body)


def keys(product: Product, account: Account) -> Answer:
    return product.call("GET", "/v1/keys", headers=account.headers)


def is_closed(answer: Answer) -> bool:
    return (answer.status, answer.json["code"]) == (403, "second_factor_required")


@pytest.fixture
def unenrolled(product: Product, owner: Account) -> Account:
    """Another owner, who has no second factor in an organization that requires one."""
    enrol(product, owner)
    join(product, owner, COLLEAGUE, "owner")
    assert ask_owners(product, owner).status == 200
    return account_of(COLLEAGUE, log_in(product, COLLEAGUE))


def test_who_asks_must_have_one(product: Product, owner: Account) -> None:
    """Or the first to be shut out were the one who asked."""
    refused = ask_owners(product, owner)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    organization = product.call("GET", "/v1/organization", headers=owner.headers).json
    assert organization["owners_need_second_factor"] is False
    enrol(product, owner)
    assert ask_owners(product, owner).json["owners_need_second_factor"] is True


@pytest.mark.promise("sessions-short")
def test_asking_ends_the_sessions_of_owners_without_one_and_no_others(
    product: Product, owner: Account, stranger: Account
) -> None:
    without = join(product, owner, COLLEAGUE, "owner")
    having = join(product, owner, "having@example.com", "owner")
    developer = join(product, owner, "developer@example.com", "developer")
    enrol(product, owner)
    enrol(product, having)
    assert ask_owners(product, owner).status == 200
    assert not is_logged_in(product, without.token)
    assert refresh(product, without.cookie).status == 401
    for account in (owner, having, developer, stranger):
        assert is_logged_in(product, account.token)


def test_an_owner_without_one_is_let_in_to_set_one_up(
    product: Product, unenrolled: Account
) -> None:
    assert is_closed(keys(product, unenrolled))
    app = enrol(product, unenrolled)
    assert keys(product, unenrolled).status == 200  # the same session, opened
    refreshed = refresh(product, unenrolled.cookie)
    assert refreshed.json["second_factor_required"] is False
    assert log_in(product, COLLEAGUE).status == 401
    login = log_in(product, COLLEAGUE, totp_code=app.fresh_code())
    assert login.json["second_factor_required"] is False


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("route", [route for route in FOR_USERS if route not in OPEN])
def test_nothing_else_is_open_until_then(
    product: Product, owner: Account, unenrolled: Account, route: str
) -> None:
    ids = {"user_id": owner.user_id}
    method, path, parts = request(route, ids)
    before = product.counts()
    refused = product.call(method, path, headers=unenrolled.headers, **parts)
    assert is_closed(refused)
    after = product.counts()
    assert {**after, "EventsTable": 0} == {**before, "EventsTable": 0}
    line = product.security_events("authz.denied")[-1]
    assert (line["outcome"], line["actor"]) == ("denied", unenrolled.user_id)


@pytest.mark.parametrize("route", sorted(OPEN - {"POST /v1/auth/totp/disable"}))
def test_ones_own_account_stays_open(product: Product, unenrolled: Account, route: str) -> None:
    method, path, parts = request(route)
    answer = product.call(method, path, headers=unenrolled.headers, **parts)
    assert not (answer.status == 403 and "second_factor_required" in answer.text)


def test_refreshing_is_no_way_round(product: Product, unenrolled: Account) -> None:
    refreshed = refresh(product, unenrolled.cookie)
    assert refreshed.json["second_factor_required"] is True
    assert is_closed(keys(product, account_of(COLLEAGUE, refreshed)))


def test_a_start_without_a_first_code_is_no_way_round(
    product: Product, unenrolled: Account
) -> None:
    start_enrolment(product, unenrolled)
    confirm_enrolment(product, unenrolled, "000000")
    assert is_closed(keys(product, unenrolled))


def test_another_password_is_no_way_round(product: Product, unenrolled: Account) -> None:
    assert change(product, unenrolled).status == 204
    assert is_closed(keys(product, unenrolled))


def test_confirming_opens_the_session_it_was_done_in_and_no_other(
    product: Product, unenrolled: Account
) -> None:
    """Another that was opened with the password alone may be someone else's."""
    other = account_of(COLLEAGUE, log_in(product, COLLEAGUE))
    enrol(product, unenrolled)
    assert keys(product, unenrolled).status == 200
    assert is_closed(keys(product, other))


def test_an_owner_cannot_take_it_down_while_it_is_asked_for(
    product: Product, unenrolled: Account
) -> None:
    app = enrol(product, unenrolled)
    assert is_closed(disable(product, unenrolled, app.fresh_code()))
    assert "totp" in user_of(product, unenrolled.user_id)
    assert is_logged_in(product, unenrolled.token)
    assert ask_owners(product, unenrolled, asked=False).status == 200
    assert disable(product, unenrolled, app.fresh_code()).status == 204


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_it_is_asked_of_owners_alone(product: Product, owner: Account, role: str) -> None:
    enrol(product, owner)
    assert ask_owners(product, owner).status == 200
    member = join(product, owner, "member@example.com", role)
    assert keys(product, member).status == 200
    app = enrol(product, member)
    assert disable(product, member, app.fresh_code()).status == 204


def test_who_becomes_an_owner_must_have_one_from_then_on(product: Product, owner: Account) -> None:
    enrol(product, owner)
    assert ask_owners(product, owner).status == 200
    member = join(product, owner, COLLEAGUE, "developer")
    path = f"/v1/organization/members/{member.user_id}"
    promoted = product.call("PATCH", path, headers=owner.headers, body={"role": "owner"})
    assert promoted.status == 200
    assert not is_logged_in(product, member.token)
    login = log_in(product, COLLEAGUE)
    assert login.json["second_factor_required"] is True
    assert is_closed(keys(product, account_of(COLLEAGUE, login)))


@pytest.mark.promise("sessions-short")
def test_a_login_that_meets_the_wish_is_held_to_it(product: Product, owner: Account) -> None:
    """The organization was read before, and the session is written after."""
    enrol(product, owner)
    join(product, owner, COLLEAGUE, "owner")
    organizations = product.part("login", IdentityWiring).organization_store
    with meanwhile(organizations, "get_organization", lambda: ask_owners(product, owner)) as asked:
        login = log_in(product, COLLEAGUE)
    assert [each.status for each in asked] == [200]
    assert login.json["second_factor_required"] is True
    assert is_closed(keys(product, account_of(COLLEAGUE, login)))


def test_a_removal_that_meets_the_wish_does_not_slip_past_it(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    other = join(product, owner, COLLEAGUE, "owner")
    enrol(product, other)
    code = app.fresh_code()
    organizations = product.part("second_factor", IdentityWiring).organization_store
    with meanwhile(organizations, "get_organization", lambda: ask_owners(product, other)) as asked:
        refused = disable(product, owner, code)
    assert [each.status for each in asked] == [200]
    assert is_closed(refused)
    assert "totp" in user_of(product, owner.user_id)
