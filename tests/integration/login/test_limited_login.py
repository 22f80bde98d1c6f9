"""How often one account may be guessed at: by strangers together, and at each place it knows."""

from __future__ import annotations

import pytest

from imagelayer.limits.rate_limits import POLICIES
from tests.support.accounts import (
    ELSEWHERE,
    HOME,
    NEW_PASSWORD,
    forgot,
    log_in,
    reset,
)
from tests.support.api import PASSWORD, Account, Answer
from tests.support.product import Product

GUESSES = POLICIES["login-account"]
WRONG = "a wrong password here"


def guess(product: Product, email: str, network: str, times: int) -> list[Answer]:
    """Wrong passwords, each from another address of one network."""
    return [log_in(product, email, WRONG, ip=f"{network}.{10 + each}") for each in range(times)]


def guess_from_everywhere(product: Product, email: str, times: int) -> list[Answer]:
    """Wrong passwords, each from another network."""
    return [log_in(product, email, WRONG, ip=f"192.{each}.2.1") for each in range(times)]


@pytest.mark.promise("auth-logged")
def test_one_account_is_guessed_at_only_so_often_from_however_many_networks(
    product: Product, owner: Account
) -> None:
    answers = guess_from_everywhere(product, owner.email, GUESSES.burst + 3)
    assert [each.status for each in answers] == [401] * GUESSES.burst + [429] * 3
    refused = log_in(product, owner.email, ip=ELSEWHERE)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    assert not refused.cookies
    assert {line["reason"] for line in product.security_events("limit.denied")} == {"login-account"}
    tried = [line["reason"] for line in product.security_events("auth.login")]
    assert tried.count("wrong password") == GUESSES.burst
    assert tried.count("too many attempts") == 4
    assert log_in(product, "nobody@example.com", ip=ELSEWHERE).status == 401


def test_an_address_without_an_account_is_limited_just_the_same(
    product: Product, owner: Account
) -> None:
    """Or the limit would tell which addresses have one."""
    real = guess_from_everywhere(product, owner.email, GUESSES.burst + 1)
    none = guess_from_everywhere(product, "nobody@example.com", GUESSES.burst + 1)
    assert [each.status for each in none] == [each.status for each in real]
    assert none[-1].json["detail"] == real[-1].json["detail"]


def test_strangers_cannot_lock_the_owner_out_of_a_place_she_is_known_at(
    product: Product, owner: Account
) -> None:
    guess_from_everywhere(product, owner.email, GUESSES.burst + 1)
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 429
    for ip in (HOME, "198.51.100.250"):
        assert log_in(product, owner.email, ip=ip).status == 200


def test_a_known_place_has_a_limit_of_its_own(product: Product, owner: Account) -> None:
    answers = guess(product, owner.email, "198.51.100", GUESSES.burst + 1)
    assert [each.status for each in answers] == [401] * GUESSES.burst + [429]
    assert log_in(product, owner.email, ip=HOME).status == 429
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 200


def test_a_refusal_does_not_tell_a_known_place_from_another(
    product: Product, owner: Account
) -> None:
    """Or a neighbor on the owner's network would learn that the address has an account."""
    at_home = guess(product, owner.email, "198.51.100", GUESSES.burst + 1)
    nobody = guess(product, "nobody@example.com", "198.51.100", GUESSES.burst + 1)
    assert [each.status for each in at_home] == [each.status for each in nobody]
    for name in ("ratelimit-policy", "ratelimit"):
        shown = {each[-1].headers[name].partition(";t=")[0] for each in (at_home, nobody)}
        assert len(shown) == 1


def test_each_known_place_is_counted_by_itself(product: Product, owner: Account) -> None:
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 200
    guess(product, owner.email, "198.51.100", GUESSES.burst + 1)
    assert log_in(product, owner.email, ip=HOME).status == 429
    assert log_in(product, owner.email, ip=ELSEWHERE).status == 200


def test_a_place_is_known_to_its_own_account_alone(
    product: Product, owner: Account, stranger: Account
) -> None:
    """Else a stranger would only need an account to get an allowance of their own."""
    assert log_in(product, stranger.email, ip=ELSEWHERE).status == 200
    answers = guess(product, owner.email, "203.0.113", GUESSES.burst + 1)
    assert [each.status for each in answers] == [401] * GUESSES.burst + [429]


@pytest.mark.parametrize("network", ["198.51.100", "203.0.113"])
def test_a_right_login_forgives_the_wrong_ones_before_it(
    product: Product, owner: Account, network: str
) -> None:
    guess(product, owner.email, network, GUESSES.burst - 1)
    assert log_in(product, owner.email, ip=f"{network}.200").status == 200
    answers = guess(product, owner.email, network, GUESSES.burst - 1)
    assert [each.status for each in answers] == [401] * (GUESSES.burst - 1)
    assert log_in(product, owner.email, ip=f"{network}.200").status == 200


def test_a_right_login_at_home_forgives_the_strangers_nothing(
    product: Product, owner: Account
) -> None:
    """Or someone who guesses would have a fresh allowance each time the owner logs in."""
    guess_from_everywhere(product, owner.email, GUESSES.burst)
    assert log_in(product, owner.email, ip=HOME).status == 200
    assert log_in(product, owner.email, WRONG, ip=ELSEWHERE).status == 429


def test_an_address_that_is_not_confirmed_is_guessed_at_no_more_often(product: Product) -> None:
    product.register("waiting@example.com")
    product.mails()
    answers = guess_from_everywhere(product, "waiting@example.com", GUESSES.burst + 1)
    assert [each.status for each in answers] == [401] * GUESSES.burst + [429]


def test_a_reset_lets_the_owner_in_where_strangers_locked_her_out(
    product: Product, owner: Account
) -> None:
    """Where the link was opened is a known place from then on."""
    guess_from_everywhere(product, owner.email, GUESSES.burst + 1)
    assert log_in(product, owner.email, PASSWORD, ip=ELSEWHERE).status == 429
    forgot(product, owner.email, ip=ELSEWHERE)
    assert reset(product, product.newest_token(), NEW_PASSWORD, ip=ELSEWHERE).status == 204
    assert log_in(product, owner.email, NEW_PASSWORD, ip=ELSEWHERE).status == 200
