"""Steps that come too early, too late or twice."""

from __future__ import annotations

import time

import pyotp

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import (
    account_of,
    change,
    confirm_enrolment,
    disable,
    enrol,
    log_in,
    meanwhile,
    renew_codes,
    start_enrolment,
    user_of,
)
from tests.support.api import Account, Answer
from tests.support.product import Product


def is_conflict(answer: Answer) -> bool:
    return (answer.status, answer.json["code"]) == (409, "conflict")


def test_without_a_start_there_is_nothing_to_confirm(product: Product, owner: Account) -> None:
    assert is_conflict(confirm_enrolment(product, owner, "123456"))
    assert "totp" not in user_of(product, owner.user_id)


def test_a_start_is_good_for_a_quarter_of_an_hour(product: Product, owner: Account) -> None:
    secret = start_enrolment(product, owner).json["secret"]
    user = user_of(product, owner.user_id)
    pending = user["totp_pending"]
    assert abs(pending["expires_at"] - time.time() - 900) < 600
    expired = {**pending, "expires_at": int(time.time())}
    product.edit("AccountsTable", user, totp_pending=expired)
    assert is_conflict(confirm_enrolment(product, owner, pyotp.TOTP(secret).now()))
    assert log_in(product, owner.email).status == 200


def test_a_setup_that_was_begun_under_the_old_password_is_not_finished(
    product: Product, owner: Account
) -> None:
    """Who knows the old password and no longer the new one must not be left with the secret."""
    secret = start_enrolment(product, owner).json["secret"]
    assert change(product, owner).status == 204
    assert is_conflict(confirm_enrolment(product, owner, pyotp.TOTP(secret).now()))
    assert "totp" not in user_of(product, owner.user_id)


def test_a_second_factor_that_stands_is_not_replaced(product: Product, owner: Account) -> None:
    """Otherwise a stolen session and the password were enough to swap it."""
    app = enrol(product, owner)
    assert is_conflict(start_enrolment(product, owner))
    assert "totp_pending" not in user_of(product, owner.user_id)
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_another_session_does_not_confirm_what_was_confirmed(
    product: Product, owner: Account
) -> None:
    """A repeated confirmation makes new recovery codes; that is for the session it began in."""
    other = account_of(owner.email, log_in(product, owner.email))
    app = enrol(product, owner)
    assert is_conflict(confirm_enrolment(product, other, app.code()))
    recovery_code = app.recovery_codes[0]
    assert log_in(product, owner.email, recovery_code=recovery_code).status == 200


def test_without_a_second_factor_there_is_none_to_remove(product: Product, owner: Account) -> None:
    assert is_conflict(disable(product, owner, "123456"))
    assert is_conflict(renew_codes(product, owner, "123456"))


def test_an_enrolment_that_starts_while_another_is_confirmed_is_refused(
    product: Product, owner: Account
) -> None:
    """The other is confirmed after the password was checked, and stays."""
    store = product.part("second_factor", IdentityWiring).account_store
    with meanwhile(store, "get_user", lambda: enrol(product, owner)) as others:
        refused = start_enrolment(product, owner)
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    user = user_of(product, owner.user_id)
    assert "totp_pending" not in user
    code = others[0].fresh_code()
    assert log_in(product, owner.email, totp_code=code).status == 200
