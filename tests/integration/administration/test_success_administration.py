"""What the operator decides holds from then on, once, and the ledger says so."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.credits.store import KEPT_SECONDS, until_of
from imagelayer.credits.wiring import CreditsWiring
from imagelayer.platform.ids import is_id
from imagelayer.platform.times import end_of_utc_month, rfc3339, utc_month
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account
from tests.support.generations import cancel, create
from tests.support.ledger import (
    administer,
    audit,
    balances,
    grant,
    set_plan,
)
from tests.support.product import Product

SOON = "2061-01-01T00:00:00Z"


@pytest.fixture
def owner(product: Product) -> Account:
    """An owner whose organization has ten credits a month."""
    product.parameters["MONTHLY_CREDITS"] = "10"
    return product.account("dev@example.com")


def use(product: Product, owner: Account) -> str:
    """Three credits used, two reserved; returns the job that holds the two."""
    assert create(product, owner.headers, n=3).status == 202
    product.work_queue()
    return str(create(product, owner.headers, n=2).json["id"])


@pytest.mark.promise("quota-org")
def test_a_grant_is_given_once_by_its_key_whatever_it_says_and_whenever(
    product: Product, owner: Account, stranger: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = grant(product, owner, 5, SOON)
    assert is_id("crg", given)
    asked = {"amount": 5, "expires_at": SOON, "idempotency_key": "invoice-1"}
    again = [asked, {**asked, "amount": 7}, {**asked, "expires_at": "2062-01-01T00:00:00+01:00"}]
    for fields in again:
        answer = administer(product, "grant_credits", owner.org_id, **fields)
        assert answer == {"id": given, "granted": False}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 40 * 86_400)
    answer = administer(product, "grant_credits", owner.org_id, **asked)
    assert answer == {"id": given, "granted": False}
    assert balances(product, owner.org_id) == {f"{given}#0": (5, 0, 0, 5)}
    assert grant(product, owner, 1, SOON, "invoice-2") != given
    assert grant(product, stranger, 5, SOON) != given
    assert [
        (each["org_id"], each["actor"]) for each in product.security_events("credits.granted")
    ] == [
        (owner.org_id, "operator"),
        (owner.org_id, "operator"),
        (stranger.org_id, "operator"),
    ]


PLAN_BEFORE = pytest.mark.parametrize("planned", [False, True], ids=["no plan", "a plan"])


@pytest.mark.promise("quota-org")
@PLAN_BEFORE
def test_a_grant_that_meets_a_change_of_the_plan_is_given_by_the_new_one(
    product: Product, owner: Account, planned: bool
) -> None:
    if planned:
        set_plan(product, owner, monthly_credits=10)
    store = product.part("administration", CreditsWiring).credit_store
    with accounts.meanwhile(store, "plan_to_change", lambda: set_plan(product, owner, shards=2)):
        given = grant(product, owner, 5, SOON)
    month = utc_month(time.time())
    assert balances(product, owner.org_id) == {
        f"{month}#0": (5, 0, 0, 5),
        f"{month}#1": (5, 0, 0, 5),
        f"{given}#0": (3, 0, 0, 3),
        f"{given}#1": (2, 0, 0, 2),
    }
    assert audit(product, owner) == []


@pytest.mark.promise("limits-fail-closed")
def test_neither_more_nor_fewer_shards_refill_a_limit(product: Product, owner: Account) -> None:
    limits = {"organization-generations": {"quota": 16, "window": 86_400, "burst": 8}}
    set_plan(product, owner, shards=1, limits=limits)
    statuses = [create(product, owner.headers).status for _ in range(9)]
    assert statuses == [202] * 8 + [429]
    for shards in (4, 2, 8, 1):
        set_plan(product, owner, shards=shards, limits=limits)
        assert {create(product, owner.headers).status for _ in range(4)} == {429}, shards


@pytest.mark.promise("limits-fail-closed")
def test_what_a_shard_counted_that_falls_away_still_counts(
    product: Product, owner: Account
) -> None:
    limits = {"organization-generations": {"quota": 16, "window": 86_400, "burst": 8}}
    set_plan(product, owner, shards=4, limits=limits)
    wallet = product.part("generation", CreditsWiring).wallet
    vars(wallet)["choose"] = lambda count: count - 1  # all on the last shard
    assert [create(product, owner.headers).status for _ in range(3)] == [202, 202, 429]
    vars(wallet)["choose"] = lambda count: 0
    set_plan(product, owner, shards=1, limits=limits)
    assert create(product, owner.headers).status == 429


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(
    ("allowance", "amount"), [(20, 20), (6, 6), (5, 5), (2, 5), (0, 5), (None, 10)]
)
def test_another_allowance_counts_from_this_month_and_never_falls_below_what_is_spent(
    product: Product, owner: Account, allowance: int | None, amount: int
) -> None:
    set_plan(product, owner, monthly_credits=15)
    use(product, owner)
    set_plan(product, owner, monthly_credits=allowance)
    month = utc_month(time.time())
    assert balances(product, owner.org_id) == {f"{month}#0": (amount, 3, 2, amount - 5)}
    for n in (4, 3, 2, 1):
        fits = amount - 5 >= n
        assert create(product, owner.headers, n=n).status == (202 if fits else 402)
        amount -= n * fits
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_balances_are_split_into_shards_and_put_together_again_with_nothing_lost(
    product: Product, owner: Account
) -> None:
    month = utc_month(time.time())
    held = use(product, owner)
    set_plan(product, owner, shards=3)
    assert balances(product, owner.org_id) == {
        f"{month}#0": (7, 3, 2, 2),
        f"{month}#1": (2, 0, 0, 2),
        f"{month}#2": (1, 0, 0, 1),
    }
    assert create(product, owner.headers, n=4).status == 202
    set_plan(product, owner)
    stood = balances(product, owner.org_id)
    assert sum(each[0] for each in stood.values()) == 10
    assert [each[3] for each in stood.values()] == [1, 0, 0]
    cancel(product, owner.headers, held)
    product.work_queue()
    assert create(product, owner.headers, n=3).status == 202
    assert create(product, owner.headers).status == 402
    assert audit(product, owner) == []


def test_a_plan_is_replaced_whole_and_shown(product: Product, owner: Account) -> None:
    product.key(owner, *ALL_SCOPES)
    limits = {"organization-generations": {"quota": 20, "window": 60, "burst": 10}}
    answer = set_plan(product, owner, monthly_credits=7, shards=2, limits=limits)
    plan = {"monthly_credits": 7, "shards": 2, "limits": limits}
    assert answer == {"plan": plan, "keys": 1}
    given = grant(product, owner, 3, SOON)
    month = {"id": utc_month(time.time()), "expires_at": rfc3339(end_of_utc_month(time.time()))}
    pools = [
        {**month, "amount": 7, "used": 0, "reserved": 0, "available": 7},
        {"id": given, "expires_at": SOON, "amount": 3, "used": 0, "reserved": 0, "available": 3},
    ]
    shown = administer(product, "show_plan", owner.org_id)
    assert shown == {"plan": plan, "monthly_credits": 7, "pools": pools}
    set_plan(product, owner)
    shown = administer(product, "show_plan", owner.org_id)
    assert (shown["plan"], shown["monthly_credits"]) == ({"shards": 1}, 10)
    assert [pool["amount"] for pool in shown["pools"]] == [10, 3]
    assert len(product.security_events("plan.changed")) == 2


def test_an_organization_no_one_touched_is_shown_with_what_everybody_has(
    product: Product, owner: Account
) -> None:
    shown = administer(product, "show_plan", owner.org_id)
    assert shown == {"plan": {}, "monthly_credits": 10, "pools": []}
    assert product.items("CreditsTable") == []


@pytest.mark.promise("quota-org")
@PLAN_BEFORE
@pytest.mark.parametrize("met", ["plan", "grant", "requests"])
def test_a_plan_that_meets_requests_grants_and_other_plans_is_set_on_what_stands_by_then(
    product: Product, owner: Account, met: str, planned: bool
) -> None:
    if planned:
        set_plan(product, owner, monthly_credits=12)
    create(product, owner.headers)

    def act() -> None:
        if met == "plan":
            set_plan(product, owner, monthly_credits=30, shards=2)
        elif met == "grant":
            grant(product, owner, 7, SOON)
        else:
            assert create(product, owner.headers, n=4).status == 202

    store = product.part("administration", CreditsWiring).credit_store
    reading = "pool" if met == "requests" else "plan_to_change"
    with accounts.meanwhile(store, reading, act) as came_to:
        set_plan(product, owner, monthly_credits=3)
    assert came_to == [None]
    month = utc_month(time.time())
    reserved = 5 if met == "requests" else 1
    amount = max(3, reserved)
    found = balances(product, owner.org_id)
    assert found[f"{month}#0"] == (amount, 0, reserved, amount - reserved)
    assert found.get(f"{month}#1", (0, 0, 0, 0)) == (0, 0, 0, 0)
    # Every change of the plan and every grant counts.
    plan = product.item("CreditsTable", "PLAN#0")
    assert plan["rev"] == 1 + planned + (met != "requests")
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@PLAN_BEFORE
def test_of_plans_that_are_set_before_the_months_first_request_the_later_one_counts(
    product: Product, owner: Account, planned: bool
) -> None:
    if planned:
        grant(product, owner, 1, SOON)  # a plan of its own, and no balance of this month yet
    store = product.part("administration", CreditsWiring).credit_store
    with accounts.meanwhile(
        store, "plan_to_change", lambda: set_plan(product, owner, monthly_credits=30, shards=2)
    ):
        set_plan(product, owner, monthly_credits=4)
    assert create(product, owner.headers, n=4).status == 202
    assert create(product, owner.headers, n=2).status == 402
    assert audit(product, owner) == []


@pytest.mark.promise("limits-fail-closed")
@PLAN_BEFORE
def test_calls_that_are_admitted_while_the_shards_change_stay_counted(
    product: Product, owner: Account, planned: bool
) -> None:
    """They fall between the reading of the limit and its copying to all shards."""
    limits = {"organization-generations": {"quota": 16, "window": 86_400, "burst": 8}}
    set_plan(product, owner, shards=1, limits=limits)
    if planned:
        assert [create(product, owner.headers).status for _ in range(4)] == [202] * 4
    left = 4 if planned else 8
    store = product.part("administration", CreditsWiring).credit_store

    def use_up() -> list[int]:
        return [create(product, owner.headers, n=1).status for _ in range(left)]

    with accounts.meanwhile(store, "plan_to_change", use_up) as came_to:
        set_plan(product, owner, shards=2, limits=limits)
    assert came_to == [[202] * left]
    assert {create(product, owner.headers).status for _ in range(6)} == {429}


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("first", ["request", "plan"])
def test_a_month_that_opens_while_a_plan_is_set_has_the_plans_allowance(
    product: Product, owner: Account, first: str
) -> None:
    """Whichever has read what the other then changes."""

    def ask() -> None:
        assert create(product, owner.headers).status == 202

    def plan() -> None:
        set_plan(product, owner, monthly_credits=3)

    if first == "request":
        store, reading = product.part("generation", CreditsWiring).credit_store, "plan"
        act, go_on = plan, ask
    else:
        store, reading = product.part("administration", CreditsWiring).credit_store, "pool"
        act, go_on = ask, plan

    with accounts.meanwhile(store, reading, act):
        go_on()
    month = utc_month(time.time())
    assert balances(product, owner.org_id) == {f"{month}#0": (3, 0, 1, 2)}
    assert create(product, owner.headers, n=3).status == 402
    assert audit(product, owner) == []


def movement(product: Product, kind: str) -> dict[str, Any]:
    """The one entry of a kind."""
    (found,) = [each for each in product.items("CreditsTable") if each.get("kind") == kind]
    return found


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("kind", ["allowance", "reserve", "settle", "release", "adjust", "grant"])
def test_an_audit_misses_no_entry_that_is_gone_or_says_another_sum(
    product: Product, owner: Account, kind: str
) -> None:
    cancel(product, owner.headers, create(product, owner.headers).json["id"])
    reserved = movement(product, "reserve")
    create(product, owner.headers, n=3)
    product.work_queue()
    set_plan(product, owner, monthly_credits=11)
    grant(product, owner, 2, SOON)
    assert audit(product, owner) == []
    entry = reserved if kind == "reserve" else movement(product, kind)
    ((name, amount),) = entry["amounts"].items()
    product.edit("CreditsTable", entry, amounts={name: amount + 1})
    assert audit(product, owner) == [name]
    product.delete("CreditsTable", entry)
    assert audit(product, owner) == [name]
    product.edit("CreditsTable", entry)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_an_audit_misses_no_balance_that_was_tampered_with(
    product: Product, owner: Account, stranger: Account
) -> None:
    use(product, owner)
    create(product, stranger.headers)
    (balance,) = [
        each
        for each in product.items("CreditsTable")
        if each["sk"].startswith("BALANCE#") and each["pk"] == f"ORG#{owner.org_id}"
    ]
    name = balance["sk"].removeprefix("BALANCE#")
    for change in (
        {"available": 6},
        {"amount": 11, "available": 6},
        {"used": 2, "available": 6},
        {"reserved": 1, "available": 6},
        {"used": 2, "reserved": 3},
    ):
        product.edit("CreditsTable", balance, **change)
        assert audit(product, owner) == [name], change
        assert audit(product, stranger) == []
    product.delete("CreditsTable", balance)
    assert audit(product, owner) == [name]
    made_up = {**balance, "sk": f"{balance['sk'][:-1]}9"}
    product.edit("CreditsTable", balance)
    product.edit("CreditsTable", made_up)
    assert audit(product, owner) == [f"{name[:-1]}9"]


def test_an_audit_takes_a_request_that_is_under_way_for_no_fault(
    product: Product, owner: Account
) -> None:
    create(product, owner.headers)
    store = product.part("administration", CreditsWiring).credit_store
    with accounts.meanwhile(store, "movements", lambda: create(product, owner.headers)) as came_to:
        assert audit(product, owner) == []
    assert came_to[0].status == 202


def test_an_audit_leaves_out_what_was_purged(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry of a request that drew from two balances stays as long as the later one."""
    set_plan(product, owner, monthly_credits=1)
    grant(product, owner, 1, "2071-01-01T00:00:00Z")
    create(product, owner.headers, n=2)
    (allowance,) = [
        each
        for each in product.items("CreditsTable")
        if f"#{utc_month(time.time())}#0" in each["sk"] and each["sk"].startswith("BALANCE#")
    ]
    name = allowance["sk"].removeprefix("BALANCE#")
    assert allowance["purge_at"] == until_of(name) + KEPT_SECONDS
    kept = [each["purge_at"] for each in product.items("CreditsTable") if "kind" in each]
    assert min(kept) >= allowance["purge_at"]
    product.delete("CreditsTable", allowance)
    assert audit(product, owner) == [name]
    monkeypatch.setattr(time, "time", lambda: float(allowance["purge_at"]))
    assert audit(product, owner) == []


@pytest.mark.promise("limits-fail-closed", "least-privilege")
def test_limits_reach_a_key_that_is_changed_while_they_are_set(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    limits = {"key-read": {"quota": 10, "window": 3600, "burst": 5}}
    renamed: list[int] = []

    def rename(params: dict[str, Any], **_: object) -> None:
        if b"state_hash" in params["body"] and not renamed:
            renamed.append(0)
            path, body = f"/v1/keys/{key['id']}", {"name": "renamed"}
            renamed[0] = product.call("PATCH", path, headers=owner.headers, body=body).status

    events = product.platform("administration").client("dynamodb").meta.events
    events.register("before-call.dynamodb.TransactWriteItems", rename)
    assert set_plan(product, owner, shards=1, limits=limits)["keys"] == 1
    assert renamed == [200]
    (stored,) = (each for each in product.items("KeysTable") if each.get("id") == key["id"])
    assert (stored["name"], stored["limits"]) == ("renamed", limits)
