"""No password that the owner of a mailbox did not choose opens a session, whatever the order of
sign-ups, mails and links."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from imagelayer.identity import passwords
from tests.support.sign_up_orders import (
    BUDGET,
    FORGOT,
    LENGTH,
    WEIGHTED_STEPS,
    QuickHash,
    Rules,
    WrongRules,
    play,
)

ORDERS = 2000
EVERY_ORDER = st.lists(st.sampled_from(WEIGHTED_STEPS), min_size=LENGTH, max_size=LENGTH)


@pytest.fixture(autouse=True)
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hashed how slowly is shown elsewhere."""
    monkeypatch.setattr(passwords, "bcrypt", QuickHash)


@pytest.mark.promise("verified-first")
def test_no_order_lets_in_a_password_that_the_mailboxs_owner_did_not_choose() -> None:
    played: Counter[bool] = Counter()

    @settings(max_examples=ORDERS, suppress_health_check=list(HealthCheck))
    @given(EVERY_ORDER)
    def holds(order: list[str]) -> None:
        played[play(Rules(), order)] += 1

    holds()
    print(f"\n{played.total()} orders of {LENGTH} steps; {played[True]} end with her account")
    assert played.total() >= 2000
    assert played[True] > 100  # otherwise the test would prove little


@pytest.mark.promise("verified-first")
@pytest.mark.parametrize("order", [BUDGET, FORGOT], ids=["budget", "forgot"])
def test_the_known_attacks_leave_the_account_to_its_owner(order: list[str]) -> None:
    assert play(Rules(), order)


@pytest.mark.parametrize("order", [BUDGET, FORGOT], ids=["budget", "forgot"])
def test_the_known_attacks_succeed_on_the_wrong_rule(order: list[str]) -> None:
    """The control: a confirmation that installs the password of an undisputed sign-up."""
    with pytest.raises(AssertionError, match="the stranger logged in"):
        play(WrongRules(), order)


def test_the_property_finds_the_wrong_rule_by_itself() -> None:
    @settings(
        max_examples=ORDERS,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(EVERY_ORDER)
    def holds(order: list[str]) -> None:
        play(WrongRules(), order)

    with pytest.raises(AssertionError, match="the stranger logged in"):
        holds()
