"""How often the password may be guessed at by who holds a session."""

from __future__ import annotations

import pytest

from imagelayer.limits.rate_limits import POLICIES
from tests.support.accounts import (
    NEW_PASSWORD,
    account_of,
    change,
    forgot,
    is_logged_in,
    log_in,
    reset,
    start_enrolment,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product

POLICY = POLICIES["password-check"]
WRONG = "not the right password"


def test_a_stolen_session_is_no_way_to_guess_the_password(product: Product, owner: Account) -> None:
    """Counted per user: another session of theirs, or another endpoint, gives no new guesses."""
    other = account_of(owner.email, log_in(product, owner.email))
    guessed = 0
    while guessed < POLICY.burst:
        account = (owner, other)[guessed % 4 == 0]
        # A change names two passwords, either of which could be the right one.
        wrong, guesses = (
            (start_enrolment(product, account, WRONG), 1)
            if guessed % 3 == 0 or guessed == POLICY.burst - 1
            else (change(product, account, WRONG), 2)
        )
        assert wrong.status == 403
        guessed += guesses
    for refused in (change(product, owner), start_enrolment(product, other)):
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["ratelimit-policy"] == POLICY.header
        assert int(refused.headers["retry-after"]) > 0
    assert log_in(product, owner.email).status == 200
    assert is_logged_in(product, owner.token)


def test_a_right_password_forgives_the_wrong_ones_before_it(
    product: Product, owner: Account
) -> None:
    def right_change() -> int:
        return change(product, owner, PASSWORD, NEW_PASSWORD).status

    def right_start() -> int:
        return start_enrolment(product, owner, NEW_PASSWORD).status

    for right, status in ((right_change, 204), (right_start, 201)):
        wrong = [
            change(product, owner, WRONG, "somebody elses long phrase").status
            for _ in range(POLICY.burst // 2 - 1)  # each holds two guesses
        ]
        assert wrong == [403] * (POLICY.burst // 2 - 1)
        assert right() == status
    assert change(product, owner, WRONG, "somebody elses long phrase").status == 403


def test_another_users_guesses_limit_no_one_else(
    product: Product, owner: Account, stranger: Account
) -> None:
    for _ in range(POLICY.burst + 1):
        change(product, owner, WRONG)
    assert change(product, owner).status == 429
    assert change(product, stranger).status == 204


def test_a_reset_is_open_to_who_was_limited(product: Product, owner: Account) -> None:
    for _ in range(POLICY.burst + 1):
        change(product, owner, WRONG)
    forgot(product, owner.email)
    assert reset(product, product.newest_token()).status == 204


@pytest.mark.parametrize("email", ["dev@example.com", "nobody@example.com"])
def test_asking_for_resets_is_limited_per_client_no_matter_whom_they_are_for(
    product: Product, owner: Account, email: str
) -> None:
    policy = POLICIES["forgot-password"]
    statuses = [forgot(product, email, ip="192.0.2.4").status for _ in range(policy.burst + 1)]
    assert statuses == [202] * policy.burst + [429]
    assert forgot(product, email, ip="192.0.2.5").status == 202
