"""Codes and passwords that are wrong, and what they leave behind: nothing but a line in the log."""

from __future__ import annotations

import time

import pyotp
import pytest

from tests.support.accounts import (
    confirm_enrolment,
    disable,
    enrol,
    is_logged_in,
    log_in,
    renew_codes,
    sessions_of,
    start_enrolment,
    user_of,
)
from tests.support.api import Account
from tests.support.product import Product

WRONG = "not the right password"
NO_CODE = "aaaaa-bbbbb-ccccc-ddddd-eeeee"


def untouched(product: Product, account: Account) -> bool:
    """The second factor stands, and so does the session."""
    return "totp" in user_of(product, account.user_id) and is_logged_in(product, account.token)


@pytest.mark.promise("auth-logged")
@pytest.mark.parametrize(
    ("codes", "code", "reason"),
    [
        ({}, "totp_required", "no code"),
        ({"totp_code": ""}, "invalid_totp_code", "wrong code"),
        (
            {"recovery_code": "aaaaa-bbbbb-ccccc-ddddd-eeeee"},
            "invalid_totp_code",
            "wrong recovery code",
        ),
    ],
    ids=["missing", "wrong", "wrong recovery code"],
)
def test_the_right_password_alone_opens_nothing(
    product: Product, owner: Account, codes: dict[str, str], code: str, reason: str
) -> None:
    app = enrol(product, owner)
    if "totp_code" in codes:
        codes = {"totp_code": app.wrong_code()}
    before = sessions_of(product, owner.user_id)
    refused = log_in(product, owner.email, **codes)
    assert (refused.status, refused.json["code"]) == (401, code)
    assert not refused.cookies
    assert sessions_of(product, owner.user_id) == before
    (line,) = product.security_events("auth.totp_refused")
    assert (line["outcome"], line["reason"], line["actor"], line["org_id"]) == (
        "failure" if codes else "denied",
        reason,
        owner.user_id,
        owner.org_id,
    )


def test_the_right_code_with_a_wrong_password_tells_nothing(
    product: Product, owner: Account
) -> None:
    """Only a caller with the password learns whether there is a second factor."""
    app = enrol(product, owner)
    refused = [
        log_in(product, owner.email, WRONG),
        log_in(product, owner.email, WRONG, totp_code=app.fresh_code()),
        log_in(product, owner.email, WRONG, recovery_code=app.recovery_codes[0]),
        log_in(product, "nobody@example.com", WRONG, totp_code="000000"),
    ]
    assert {(each.status, each.json["code"]) for each in refused} == {(401, "invalid_credentials")}
    assert len(user_of(product, owner.user_id)["totp"]["recovery"]) == 10
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


@pytest.mark.parametrize(
    "sent",
    ["12345", "1234567", "12345a", "12345\u2160", "123456\n"],
)
def test_what_is_not_a_code_is_refused_by_its_form(
    product: Product, owner: Account, sent: str
) -> None:
    refused = log_in(product, owner.email, totp_code=sent)
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")


@pytest.mark.promise("auth-logged")
def test_a_wrong_first_code_sets_nothing_up(product: Product, owner: Account) -> None:
    secret = start_enrolment(product, owner).json["secret"]
    near = {pyotp.TOTP(secret).at(int(time.time()) + 30 * each) for each in range(-3, 4)}
    wrong = next(each for each in ("000000", "111111", "222222") if each not in near)
    refused = confirm_enrolment(product, owner, wrong)
    assert (refused.status, refused.json["code"]) == (401, "invalid_totp_code")
    assert "totp" not in user_of(product, owner.user_id)
    assert log_in(product, owner.email).status == 200
    (line,) = product.security_events("auth.totp_enabled")
    assert (line["outcome"], line["reason"]) == ("failure", "wrong code")


def test_setting_it_up_requires_the_password(product: Product, owner: Account) -> None:
    """Who holds a stolen token must not lock its owner out."""
    refused = start_enrolment(product, owner, WRONG)
    assert (refused.status, refused.json["code"]) == (403, "wrong_password")
    assert "totp_pending" not in user_of(product, owner.user_id)


@pytest.mark.parametrize("act", [disable, renew_codes])
def test_weighty_changes_ask_for_both_factors(
    product: Product, owner: Account, act: object
) -> None:
    assert callable(act)
    app = enrol(product, owner)
    before = user_of(product, owner.user_id)["totp"]["recovery"]
    wrong_password = act(product, owner, app.fresh_code(), WRONG)
    assert (wrong_password.status, wrong_password.json["code"]) == (403, "wrong_password")
    wrong_code = act(product, owner, app.wrong_code())
    assert (wrong_code.status, wrong_code.json["code"]) == (401, "invalid_totp_code")
    assert untouched(product, owner)
    assert user_of(product, owner.user_id)["totp"]["recovery"] == before
    code = app.fresh_code()
    assert log_in(product, owner.email, totp_code=code).status == 200
    spent = act(product, owner, code)
    assert (spent.status, spent.json["code"]) == (401, "invalid_totp_code")
    assert untouched(product, owner)


@pytest.mark.promise("org-scoped")
def test_a_sealed_secret_opens_on_its_own_users_record_alone(
    product: Product, owner: Account, stranger: Account
) -> None:
    """Who can write to the table still cannot put an authenticator of their own in place."""
    own, theirs = enrol(product, owner), enrol(product, stranger)
    moved = user_of(product, stranger.user_id)["totp"]
    product.edit("AccountsTable", user_of(product, owner.user_id), totp=moved)
    for app in (theirs, own):
        refused = log_in(product, owner.email, totp_code=app.fresh_code())
        assert (refused.status, refused.json["code"]) == (401, "invalid_totp_code")
    reasons = {line["reason"] for line in product.security_events("auth.totp_refused")}
    assert reasons == {"unreadable secret"}


def test_codes_of_one_user_are_not_anothers(
    product: Product, owner: Account, stranger: Account
) -> None:
    own, theirs = enrol(product, owner), enrol(product, stranger)
    own.fresh_code()
    assert log_in(product, owner.email, totp_code=theirs.code()).status == 401
    recovery_code = theirs.recovery_codes[0]
    assert log_in(product, owner.email, recovery_code=recovery_code).status == 401
    assert log_in(product, stranger.email, recovery_code=recovery_code).status == 200
