"""The second factor: set up, asked for, stood in for by recovery codes, and taken down."""

from __future__ import annotations

import re
import urllib.parse

import pyotp
import pytest

from imagelayer.identity.second_factor import STEP_SECONDS
from tests.support.accounts import (
    ELSEWHERE,
    account_of,
    confirm_enrolment,
    cookie_of,
    disable,
    enrol,
    is_logged_in,
    join,
    log_in,
    lost_acknowledgement,
    refresh,
    renew_codes,
    restart,
    rotate_pepper,
    sessions_of,
    start_enrolment,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product


def two_factors(product: Product, account: Account) -> bool:
    """What the account says of itself."""
    me = product.call("GET", "/v1/auth/me", headers=account.headers)
    assert me.status == 200, me.text
    return bool(me.json["user"]["two_factor_enabled"])


def test_an_authenticator_gets_what_it_needs(product: Product, owner: Account) -> None:
    started = start_enrolment(product, owner)
    assert started.status == 201
    secret = started.json["secret"]
    assert re.fullmatch(r"[A-Z2-7]{32}", secret)  # 160 bits, as RFC 4226 recommends
    uri = urllib.parse.urlsplit(started.json["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert urllib.parse.unquote(uri.path) == f"/ImageLayer:{owner.email}"
    assert dict(urllib.parse.parse_qsl(uri.query)) == {"secret": secret, "issuer": "ImageLayer"}
    assert started.json["qr_svg"].startswith("<svg")
    assert "<script" not in started.json["qr_svg"]


def test_until_a_first_code_shows_that_it_works_nothing_is_asked_for(
    product: Product, owner: Account
) -> None:
    start_enrolment(product, owner)
    assert not two_factors(product, owner)
    assert log_in(product, owner.email).status == 200


def test_from_the_first_code_on_logins_need_one(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    assert two_factors(product, owner)
    without = log_in(product, owner.email)
    assert (without.status, without.json["code"]) == (401, "totp_required")
    assert not without.cookies
    login = log_in(product, owner.email, totp_code=app.fresh_code())
    assert login.status == 200
    assert login.json["user"]["two_factor_enabled"] is True
    assert login.json["second_factor_required"] is False


def test_a_second_start_replaces_the_secret_of_the_first(product: Product, owner: Account) -> None:
    first = start_enrolment(product, owner).json["secret"]
    second = start_enrolment(product, owner).json["secret"]
    assert first != second
    assert confirm_enrolment(product, owner, pyotp.TOTP(first).now()).status == 401
    assert confirm_enrolment(product, owner, pyotp.TOTP(second).now()).status == 200


def test_a_confirmation_whose_answer_was_lost_is_answered_with_fresh_recovery_codes(
    product: Product, owner: Account
) -> None:
    started = start_enrolment(product, owner).json
    code = pyotp.TOTP(started["secret"]).now()
    with lost_acknowledgement(product, "second_factor"):
        lost = confirm_enrolment(product, owner, code).json["recovery_codes"]
    again = confirm_enrolment(product, owner, code)
    assert again.status == 200
    # Now that it was acknowledged, the code makes no more of them.
    assert confirm_enrolment(product, owner, code).status == 409
    codes = again.json["recovery_codes"]
    assert not set(codes) & set(lost)
    assert log_in(product, owner.email, recovery_code=lost[0]).status == 401
    assert log_in(product, owner.email, recovery_code=codes[0]).status == 200


def test_setting_it_up_and_taking_it_down_is_reported_by_mail(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    assert "set up" in product.mails()[-1].subject
    disable(product, owner, app.fresh_code())
    assert "removed" in product.mails()[-1].subject


@pytest.mark.parametrize(
    ("steps", "status"), [(-3, 401), (-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401), (3, 401)]
)
def test_a_clock_may_be_off_by_one_step_and_no_more(
    product: Product, owner: Account, still: float, steps: int, status: int
) -> None:
    app = enrol(product, owner, still)
    app.fresh_code()
    code = app.code(still + steps * STEP_SECONDS)
    assert log_in(product, owner.email, totp_code=code).status == status


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_is_good_once_and_no_earlier_one_after_it(
    product: Product, owner: Account, still: float, steps: int
) -> None:
    app = enrol(product, owner, still)
    app.fresh_code()
    codes = {step: app.code(still + step * STEP_SECONDS) for step in (-1, 0, 1)}
    assert log_in(product, owner.email, totp_code=codes[steps]).status == 200
    for step, code in codes.items():
        answer = log_in(product, owner.email, totp_code=code)
        if step > steps:
            assert answer.status == 200
        else:
            assert (answer.status, answer.json["code"]) == (401, "invalid_totp_code")


def test_the_code_that_set_it_up_opens_no_session(
    product: Product, owner: Account, still: float
) -> None:
    app = enrol(product, owner, still)
    assert log_in(product, owner.email, totp_code=app.code(still)).status == 401


@pytest.mark.promise("sessions-short")
def test_a_login_whose_answer_was_lost_may_be_repeated_and_leaves_one_session(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    code = app.fresh_code()
    with lost_acknowledgement(product, "login"):
        lost = log_in(product, owner.email, totp_code=code)
    again = log_in(product, owner.email, totp_code=code)
    assert (lost.status, again.status) == (200, 200)
    assert not is_logged_in(product, lost.json["access_token"])
    assert is_logged_in(product, again.json["access_token"])
    assert len(sessions_of(product, owner.user_id)) == 2  # the one that set it up, and this one
    assert log_in(product, owner.email, totp_code=code).status == 401
    assert is_logged_in(product, again.json["access_token"])


def test_a_session_needs_its_code_at_the_login_alone(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    login = log_in(product, owner.email, totp_code=app.fresh_code())
    assert refresh(product, cookie_of(login)).status == 200


def test_there_are_ten_recovery_codes_that_no_one_guesses(product: Product, owner: Account) -> None:
    codes = enrol(product, owner).recovery_codes
    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch(r"([a-hjkmnp-z2-9]{5}-){4}[a-hjkmnp-z2-9]{5}", code)


def test_a_recovery_code_stands_in_for_a_code_once(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    first, second = app.recovery_codes[:2]
    assert log_in(product, owner.email, recovery_code=first).status == 200
    again = log_in(product, owner.email, recovery_code=first)
    assert (again.status, again.json["code"]) == (401, "invalid_totp_code")
    assert log_in(product, owner.email, recovery_code=second).status == 200
    used = product.security_events("auth.recovery_code_used")
    assert [line["reason"] for line in used] == ["9 left", "8 left"]


@pytest.mark.parametrize(
    "written",
    [
        lambda code: code.upper(),
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f" {code} ",
    ],
    ids=["capitals", "in one word", "with spaces", "with a margin"],
)
def test_how_a_recovery_code_was_written_down_does_not_matter(
    product: Product, owner: Account, written: object
) -> None:
    assert callable(written)
    code = written(enrol(product, owner).recovery_codes[0])
    assert log_in(product, owner.email, recovery_code=code).status == 200


def test_renewed_recovery_codes_void_the_old_ones(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    renewed = renew_codes(product, owner, app.fresh_code())
    assert renewed.status == 200
    codes = renewed.json["recovery_codes"]
    assert len(codes) == 10
    assert not set(codes) & set(app.recovery_codes)
    assert log_in(product, owner.email, recovery_code=app.recovery_codes[0]).status == 401
    assert log_in(product, owner.email, recovery_code=codes[0]).status == 200
    assert is_logged_in(product, owner.token)


def test_recovery_codes_that_are_used_or_replaced_are_reported_by_mail(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    assert log_in(product, owner.email, recovery_code=app.recovery_codes[0]).status == 200
    used = product.mails()[-1]
    assert "recovery code" in used.subject
    assert "9 are left" in str(used.body)
    assert renew_codes(product, owner, app.fresh_code()).status == 200
    assert "replaced" in product.mails()[-1].subject


def test_a_recovery_code_renews_the_codes_when_the_authenticator_is_lost(
    product: Product, owner: Account
) -> None:
    codes = enrol(product, owner).recovery_codes
    body = {"password": PASSWORD, "recovery_code": codes[0]}
    path = "/v1/auth/totp/recovery-codes"
    renewed = product.call("POST", path, headers=owner.headers, body=body)
    assert renewed.status == 200, renewed.text
    assert log_in(product, owner.email, recovery_code=codes[1]).status == 401
    fresh = renewed.json["recovery_codes"]
    assert log_in(product, owner.email, recovery_code=fresh[0]).status == 200


@pytest.mark.promise("sessions-short")
def test_taking_it_down_ends_every_other_session(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    code = app.fresh_code()
    other = account_of(owner.email, log_in(product, owner.email, ip=ELSEWHERE, totp_code=code))
    assert disable(product, owner, app.fresh_code()).status == 204
    assert not two_factors(product, owner)
    assert not is_logged_in(product, other.token)
    assert refresh(product, other.cookie, ip=ELSEWHERE).status == 401
    assert refresh(product, owner.cookie).status == 200
    assert log_in(product, owner.email).status == 200
    assert "totp" not in user_of(product, owner.user_id)


def test_who_lost_the_authenticator_takes_it_down_with_a_recovery_code(
    product: Product, owner: Account
) -> None:
    """Or the account would be lost with the last recovery code."""
    codes = enrol(product, owner).recovery_codes
    again = account_of(owner.email, log_in(product, owner.email, recovery_code=codes[0]))
    path = "/v1/auth/totp/disable"
    spent = {"password": PASSWORD, "recovery_code": codes[0]}
    assert product.call("POST", path, headers=again.headers, body=spent).status == 401
    body = {"password": PASSWORD, "recovery_code": codes[1]}
    taken_down = product.call("POST", path, headers=again.headers, body=body)
    assert taken_down.status == 204, taken_down.text
    assert log_in(product, owner.email).status == 200


def test_it_can_be_set_up_anew_with_another_secret(product: Product, owner: Account) -> None:
    first = enrol(product, owner)
    disable(product, owner, first.fresh_code())
    second = enrol(product, owner)
    assert second.secret != first.secret
    assert log_in(product, owner.email, totp_code=first.fresh_code()).status == 401
    assert log_in(product, owner.email, recovery_code=first.recovery_codes[0]).status == 401
    assert log_in(product, owner.email, totp_code=second.fresh_code()).status == 200


@pytest.mark.promise("keys-hashed")
def test_the_secret_is_sealed_and_recovery_codes_are_hashed_from_the_first_moment_on(
    product: Product, owner: Account
) -> None:
    started = start_enrolment(product, owner).json
    pending = product.dump()
    confirmed = confirm_enrolment(product, owner, pyotp.TOTP(started["secret"]).now()).json
    stored = pending + product.dump() + product.output.getvalue()
    assert started["secret"] not in stored
    for code in confirmed["recovery_codes"]:
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_a_new_pepper_takes_hold_at_the_next_code_and_the_old_one_can_go(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    before = user_of(product, owner.user_id)["totp"]["secret"]
    rotate_pepper(product)
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200
    after = user_of(product, owner.user_id)["totp"]["secret"]
    assert after.partition(".")[0] != before.partition(".")[0]
    rotate_pepper(product)
    restart(product, "login")
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_a_process_that_has_not_heard_of_a_new_pepper_asks_again(
    product: Product, owner: Account
) -> None:
    """A login sealed the secret anew; it must open in every other function at once."""
    app = enrol(product, owner)
    rotate_pepper(product, "login")
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200
    assert disable(product, owner, app.fresh_code()).status == 204


def test_every_role_may_have_one(product: Product, owner: Account) -> None:
    viewer = join(product, owner, "viewer@example.com", "viewer")
    app = enrol(product, viewer)
    assert log_in(product, viewer.email).status == 401
    assert log_in(product, viewer.email, totp_code=app.fresh_code()).status == 200
    assert log_in(product, owner.email).status == 200


@pytest.mark.promise("auth-logged")
def test_each_step_is_logged_with_who(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    log_in(product, owner.email, recovery_code=app.recovery_codes[0])
    renew_codes(product, owner, app.fresh_code())
    disable(product, owner, app.fresh_code())
    for event in (
        "auth.totp_enabled",
        "auth.recovery_code_used",
        "auth.recovery_codes_renewed",
        "auth.totp_disabled",
    ):
        (line,) = product.security_events(event)
        assert (line["outcome"], line["actor"], line["org_id"]) == (
            "success",
            owner.user_id,
            owner.org_id,
        )


def test_a_code_may_be_typed_as_authenticators_show_it(product: Product, owner: Account) -> None:
    code = enrol(product, owner).fresh_code()
    login = log_in(product, owner.email, totp_code=f" {code[:3]} {code[3:]}")
    assert login.status == 200
