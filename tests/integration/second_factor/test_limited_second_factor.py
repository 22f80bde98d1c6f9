"""Codes have six digits; what keeps them from being guessed is how often one may try."""

from __future__ import annotations

import pytest

from imagelayer.limits.rate_limits import POLICIES
from tests.support.accounts import (
    ELSEWHERE,
    HOME,
    Authenticator,
    confirm_enrolment,
    disable,
    enrol,
    log_in,
    renew_codes,
    start_enrolment,
)
from tests.support.api import Account, Answer
from tests.support.product import Product

POLICY = POLICIES["second-factor"]


def guess(product: Product, account: Account, app: Authenticator, times: int) -> list[Answer]:
    """Logins with the right password and a wrong code, from two networks in turn: each has its own
    allowance of logins, so that it is the codes' that runs out."""
    return [
        log_in(product, account.email, totp_code=app.wrong_code(), ip=(HOME, ELSEWHERE)[each % 2])
        for each in range(times)
    ]


def statuses(answers: list[Answer]) -> list[int]:
    return [each.status for each in answers]


def is_limited(answer: Answer) -> bool:
    assert answer.headers["ratelimit-policy"] == POLICY.header, answer.text
    return (answer.status, answer.json["code"]) == (429, "rate_limited")


def test_codes_can_be_guessed_at_only_so_often(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    assert statuses(guess(product, owner, app, POLICY.burst)) == [401] * POLICY.burst
    right = log_in(product, owner.email, totp_code=app.fresh_code())
    assert is_limited(right)
    assert not right.cookies
    assert product.security_events("limit.denied")[-1]["reason"] == POLICY.name


def test_recovery_codes_and_every_endpoint_share_one_allowance(
    product: Product, owner: Account
) -> None:
    app = enrol(product, owner)
    guess(product, owner, app, POLICY.burst - 3)
    assert disable(product, owner, app.wrong_code()).status == 401
    assert renew_codes(product, owner, app.wrong_code()).status == 401
    wrong = "aaaaa-bbbbb-ccccc-ddddd-eeeee"
    assert log_in(product, owner.email, recovery_code=wrong).status == 401
    for refused in (
        log_in(product, owner.email, recovery_code=app.recovery_codes[0]),
        disable(product, owner, app.fresh_code()),
        renew_codes(product, owner, app.fresh_code()),
    ):
        assert is_limited(refused)


def test_a_right_code_forgives_the_wrong_ones_before_it(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    assert statuses(guess(product, owner, app, POLICY.burst - 1)) == [401] * (POLICY.burst - 1)
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200
    assert statuses(guess(product, owner, app, POLICY.burst - 1)) == [401] * (POLICY.burst - 1)
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_who_does_not_know_the_password_spends_no_codes(product: Product, owner: Account) -> None:
    """Or strangers could keep the owner from ever giving hers."""
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 200
    app = enrol(product, owner)
    strangers = [
        log_in(product, owner.email, "not the right one", totp_code="000000", ip=f"192.{each}.2.1")
        for each in range(POLICY.burst + 2)
    ]
    assert 200 not in statuses(strangers)
    without_a_code = [
        log_in(product, owner.email, ip=(HOME, ELSEWHERE)[each % 2])
        for each in range(POLICY.burst + 2)
    ]
    assert statuses(without_a_code) == [401] * (POLICY.burst + 2)
    assert log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_the_first_code_cannot_be_guessed_either(product: Product, owner: Account) -> None:
    secret = start_enrolment(product, owner).json["secret"]
    app = Authenticator(product, owner.user_id, secret, [])
    wrong = [
        confirm_enrolment(product, owner, app.wrong_code()).status for _ in range(POLICY.burst)
    ]
    assert wrong == [401] * POLICY.burst
    assert is_limited(confirm_enrolment(product, owner, app.code()))


@pytest.mark.parametrize("way", ["totp_code", "recovery_code"])
def test_one_users_guesses_limit_no_one_else(
    product: Product, owner: Account, stranger: Account, way: str
) -> None:
    own, theirs = enrol(product, owner), enrol(product, stranger)
    guess(product, owner, own, POLICY.burst + 1)
    code = theirs.fresh_code() if way == "totp_code" else theirs.recovery_codes[0]
    assert log_in(product, stranger.email, **{way: code}).status == 200
