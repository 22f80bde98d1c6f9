"""Where credits come from and where they go: what runs out first is used first, each once."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from imagelayer.credits.store import Usage
from imagelayer.credits.wiring import CreditsWiring
from imagelayer.generations.jobs import reservation
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.errors import Problem
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import Till, create, job, moment
from tests.support.ledger import (
    another_process,
    audit,
    balances,
    grant,
    set_plan,
)
from tests.support.product import Product

# Far enough ahead that no real clock is past it.
JANUARY = moment("2061-01-20T12:00:00Z")
END_OF_JANUARY = moment("2061-02-01T00:00:00Z")


@pytest.fixture
def owner(product: Product) -> Account:
    """An owner whose organization has ten credits a month."""
    product.parameters["MONTHLY_CREDITS"] = "10"
    return product.account("dev@example.com")


@pytest.fixture
def till(product: Product, owner: Account) -> Till:
    """Its requests."""
    return Till(product, owner)


def refused(till: Till, now: float, n: int = 1) -> bool:
    """Whether a request is refused for want of credits."""
    try:
        till.ask(now, n)
    except Problem as problem:
        return problem.code == "insufficient_credits"
    return False


def kinds(product: Product) -> list[str]:
    """What the ledger reports, in order of its keys."""
    return [each["kind"] for each in product.dump_of("CreditsTable") if "kind" in each]


@pytest.mark.promise("quota-org")
def test_of_requests_that_open_a_month_at_once_one_does(
    product: Product, owner: Account, till: Till
) -> None:
    store = product.part("generation", CreditsWiring).credit_store

    def be_first() -> None:
        with another_process(product):
            till.ask(JANUARY, 4)

    with accounts.meanwhile(store, "balances", be_first):
        till.ask(JANUARY, 3)
    assert balances(product, owner.org_id) == {"2061-01#0": (10, 0, 7, 3)}
    assert kinds(product) == ["allowance", "reserve", "reserve"]
    assert refused(till, JANUARY, 4)
    assert not refused(till, JANUARY, 3)


def test_an_organization_no_one_touched_is_accepted_without_a_read(
    product: Product, owner: Account
) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES))
    create(product, key)
    with accounts.calls(product, "generation") as made:
        assert create(product, key).status == 202
    assert made == ["UpdateItem", "TransactWriteItems", "SendMessage"]


@pytest.mark.promise("quota-org")
def test_a_month_has_an_allowance_of_its_own_and_none_is_left_over(
    product: Product, owner: Account, till: Till
) -> None:
    till.ask(END_OF_JANUARY - 1, 4)
    till.ask(END_OF_JANUARY, 4)
    till.ask(END_OF_JANUARY, 4)
    assert refused(till, END_OF_JANUARY, 4)
    assert not refused(till, END_OF_JANUARY, 2)
    assert balances(product, owner.org_id) == {
        "2061-01#0": (10, 0, 4, 6),
        "2061-02#0": (10, 0, 10, 0),
    }


@pytest.mark.promise("quota-org")
def test_a_warm_process_that_is_out_of_credits_has_new_ones_with_the_month(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES))
    monkeypatch.setattr(time, "time", lambda: END_OF_JANUARY - 1)
    grant(product, owner, 1, "2061-02-01T00:00:00Z")  # so that balances are remembered
    assert [create(product, key, n=4).status for _ in range(3)] == [202, 202, 402]
    monkeypatch.setattr(time, "time", lambda: END_OF_JANUARY)
    assert create(product, key, n=4).status == 202


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("ends", ["release", "settle"])
def test_a_job_ends_in_the_month_it_was_asked_for_in(
    product: Product, owner: Account, till: Till, ends: str
) -> None:
    made = till.ask(END_OF_JANUARY - 1, 2)
    if ends == "release":
        till.cancel(made, END_OF_JANUARY + 1)
    else:
        assert till.work(made, END_OF_JANUARY + 1) == "succeeded"
    numbers = (10, 0, 0, 10) if ends == "release" else (10, 2, 0, 8)
    assert balances(product, owner.org_id) == {"2061-01#0": numbers}
    assert kinds(product) == ["allowance", ends, "reserve"]
    days = [each["sk"] for each in product.dump_of("CreditsTable") if each["sk"][:5] == "USAGE"]
    assert [day.split("#")[1] for day in days] == ["2061-02-01"] * (ends == "settle")
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_what_runs_out_first_is_used_first_the_allowance_and_grants_alike(
    product: Product, owner: Account, till: Till
) -> None:
    late = grant(product, owner, 5, "2061-03-01T00:00:00Z", "late")
    early = grant(product, owner, 3, "2061-01-25T00:00:00Z", "early")
    drawn = []
    for n in (1, 4, 4, 4, 4, 1):
        made = till.ask(JANUARY, n)
        names = job(product, made)["draws"]
        drawn.append({name.split("#")[1]: amount for name, amount in names.items()})
    month = "2061-01"
    assert drawn == [
        {early: 1},
        {early: 2, month: 2},
        {month: 4},
        {month: 4},
        {late: 4},
        {late: 1},
    ]
    assert refused(till, JANUARY)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("ends", ["release", "settle"])
def test_a_job_drawn_from_several_balances_ends_in_each_of_them(
    product: Product, owner: Account, till: Till, ends: str
) -> None:
    grants = [grant(product, owner, 1, f"2061-01-{day}T00:00:00Z", f"of-{day}") for day in (22, 24)]
    made = till.ask(JANUARY, 4)
    names = [*(f"{each}#0" for each in grants), "2061-01#0"]
    assert balances(product, owner.org_id) == {
        names[0]: (1, 0, 1, 0),
        names[1]: (1, 0, 1, 0),
        names[2]: (10, 0, 2, 8),
    }
    if ends == "release":
        till.cancel(made, JANUARY)
    else:
        assert till.work(made, JANUARY) == "succeeded"
    given, used = (1, 0) if ends == "release" else (0, 1)
    assert balances(product, owner.org_id) == {
        names[0]: (1, used, 0, given),
        names[1]: (1, used, 0, given),
        names[2]: (10, 2 * used, 0, 10 - 2 * used),
    }
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_grant_that_has_ended_is_worth_nothing_though_it_is_still_stored(
    product: Product, owner: Account, till: Till
) -> None:
    set_plan(product, owner, monthly_credits=0)
    end = moment("2061-01-25T00:00:00Z")
    name = grant(product, owner, 9, "2061-01-25T00:00:00Z")
    assert not refused(till, end - 1, 2)
    assert refused(till, end, 2)  # by what is remembered
    with another_process(product):
        assert refused(till, end, 2)  # by what is read
    assert balances(product, owner.org_id)[f"{name}#0"] == (9, 0, 2, 7)


def test_in_a_new_month_its_allowance_comes_before_a_later_grant_at_once(
    product: Product, owner: Account, till: Till
) -> None:
    late = grant(product, owner, 5, "2061-03-15T00:00:00Z")
    till.ask(END_OF_JANUARY - 1)
    till.ask(END_OF_JANUARY)
    assert balances(product, owner.org_id) == {
        "2061-01#0": (10, 0, 1, 9),
        "2061-02#0": (10, 0, 1, 9),
        f"{late}#0": (5, 0, 0, 5),
    }


@pytest.mark.promise("quota-org")
def test_a_warm_process_notices_a_grant_and_each_change_of_the_plan_at_once(
    product: Product, owner: Account
) -> None:
    assert [create(product, owner.headers, n=n).status for n in (4, 4, 4)] == [202, 202, 402]
    grant(product, owner, 3, "2061-01-01T00:00:00Z", "one")
    assert create(product, owner.headers, n=4).status == 202  # two of the grant's
    assert create(product, owner.headers, n=4).status == 402
    set_plan(product, owner, monthly_credits=14)
    assert create(product, owner.headers, n=4).status == 202
    set_plan(product, owner, monthly_credits=10)
    assert create(product, owner.headers, n=2).status == 402
    grant(product, owner, 1, "2061-01-01T00:00:00Z", "two")
    assert create(product, owner.headers, n=2).status == 202
    assert create(product, owner.headers).status == 402
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_warm_process_notices_what_another_used_up_or_gave_back(
    product: Product, owner: Account
) -> None:
    """Its balances are a guess: never taken from twice, and never a reason to refuse."""
    grant(product, owner, 4, "2061-01-01T00:00:00Z")
    create(product, owner.headers)
    with another_process(product):
        others = [create(product, owner.headers, n=4).json["id"] for _ in range(2)]
    assert create(product, owner.headers, n=4).status == 202  # one of the allowance, three more
    assert create(product, owner.headers, n=2).status == 402
    with another_process(product):
        path = f"/v1/generations/{others[0]}/cancel"
        assert product.call("POST", path, headers=owner.headers).status == 200
    assert create(product, owner.headers, n=4).status == 202
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_shards_of_a_balance_are_used_to_the_last_credit(product: Product, owner: Account) -> None:
    set_plan(product, owner, shards=4)
    asked = [create(product, owner.headers, n=n).status for n in (1, 1, 1, 4, 3, 1)]
    assert asked == [202] * 5 + [402]
    stood = balances(product, owner.org_id)
    assert [name.partition("#")[2] for name in stood] == ["0", "1", "2", "3"]
    assert [each[0] for each in stood.values()] == [3, 3, 2, 2]
    assert [each[3] for each in stood.values()] == [0] * 4
    product.work_queue()
    assert sum(each[1] for each in balances(product, owner.org_id).values()) == 10
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_the_ledger_sums_to_the_balance_after_every_outcome(
    product: Product, owner: Account
) -> None:
    brand = product.brand_with_logo(owner)
    create(product, owner.headers)
    create(product, owner.headers, n=2)
    create(product, owner.headers, brand_id=brand["id"])
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()  # two succeed, the third fails for want of its logo
    create(product, owner.headers)
    moves = product.part("generation", CreditsWiring).credit_store.movements(owner.org_id)
    sums = {
        kind: sum(sum(move["amounts"].values()) for move in moves if move["kind"] == kind)
        for kind in ("allowance", "reserve", "settle", "release")
    }
    assert sums == {"allowance": 10, "reserve": 5, "settle": 3, "release": 1}
    assert list(balances(product, owner.org_id).values()) == [(10, 3, 1, 6)]
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(
    ("first", "second"), list(itertools.product(("settle", "release"), repeat=2))
)
def test_a_reservation_has_one_outcome(
    product: Product, owner: Account, first: str, second: str
) -> None:
    create(product, owner.headers)
    credit_store = product.part("generation_worker", CreditsWiring).credit_store
    store = product.part("generation_worker", GenerationsWiring).generation_store
    stored: Any = product.item("GenerationsTable", "GEN#")
    held = reservation(stored)
    usage = Usage(None, owner.user_id, None, "studio", None, "live", 1, 1)
    actions = {
        "settle": credit_store.settle(held, usage, 0),
        "release": credit_store.release(held, 0),
    }
    assert store.fail(stored, "x", "x", actions[first], 0)
    product.edit("GenerationsTable", stored)  # as if the job's own state did not protect it
    before = product.dump_of("CreditsTable")
    assert not store.fail(stored, "x", "x", actions[second], 0)
    assert product.dump_of("CreditsTable") == before
