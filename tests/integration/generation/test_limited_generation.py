"""Limits that several credentials share, of an organization and of an end user: counted with what
they admit, and not with what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.access.end_user_session_store import hash_of
from imagelayer.limits.rate_limits import POLICIES, Policy
from tests.support import end_users
from tests.support.api import ALL_SCOPES, Account, Answer, bearer, session_bearer
from tests.support.generations import cancel, create
from tests.support.ledger import another_process, balances, set_plan
from tests.support.product import Product

TWO_AT_ONCE = Policy("organization-generations", quota=4, window=60, burst=2)
END_USER = POLICIES["end-user-generations"]


def limit(product: Product, owner: Account, policy: Policy = TWO_AT_ONCE, shards: int = 1) -> None:
    """Give an organization another limit of its own."""
    numbers = {"quota": policy.quota, "window": policy.window, "burst": policy.burst}
    set_plan(product, owner, shards=shards, limits={policy.name: numbers})


def spend_end_user(product: Product, owner: Account, end_user_id: str = "user-1") -> str:
    """Use an end user's limit up; returns the key of its item."""
    tat = int(time.time() * 1000) + END_USER.burst * END_USER.interval_ms + 10_000
    pk = f"LIMIT#{END_USER.name}#{owner.org_id}#{hash_of(end_user_id)}"
    product.edit("CountersTable", {"pk": pk, "sk": "TAT"}, tat_end_user_generations=tat)
    return pk


def is_limited(answer: Answer, policy: Policy) -> bool:
    """Whether this very policy refused a call, and says until when."""
    if answer.status != 429:
        return False
    assert answer.json["code"] == "rate_limited"
    assert answer.headers["ratelimit-policy"] == policy.header
    assert answer.headers["ratelimit"].startswith(f'"{policy.name}";r=0;t=')
    assert 1 <= int(answer.headers["retry-after"]) <= policy.window
    return True


def left_behind(product: Product) -> Any:
    """What a refused request must leave as it was."""
    sessions = [(each["id"], each["generations"]) for each in end_users.records(product)]
    tables = ("GenerationsTable", "CreditsTable")
    return [product.dump_of(table) for table in tables], sessions, product.queued()


@pytest.mark.promise("limits-fail-closed")
def test_all_credentials_of_an_organization_share_its_limit(
    product: Product, owner: Account, stranger: Account
) -> None:
    limit(product, owner)
    limit(product, stranger)
    keys = [product.key(owner, *ALL_SCOPES, mode=mode) for mode in ("live", "live", "test")]
    session = product.session(keys[0], max_generations=5)
    callers = [bearer(keys[0]), owner.headers]
    assert [create(product, headers).status for headers in callers] == [202, 202]
    before = left_behind(product)
    for headers in (*callers, bearer(keys[1]), bearer(keys[2]), session_bearer(session)):
        assert is_limited(create(product, headers, "order-1"), TWO_AT_ONCE)
        with another_process(product):
            assert is_limited(create(product, headers, "order-1"), TWO_AT_ONCE)
    assert left_behind(product) == before
    assert [
        each["pk"] for each in product.items("CountersTable") if END_USER.name in each["pk"]
    ] == []
    assert {line["reason"] for line in product.security_events("limit.denied")} == {
        TWO_AT_ONCE.name
    }
    assert create(product, stranger.headers).status == 202


@pytest.mark.promise("limits-fail-closed")
def test_the_limit_admits_one_more_when_it_said_it_would(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(product, owner)
    key = bearer(product.key(owner, *ALL_SCOPES))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    answers = [create(product, key) for _ in range(3)]
    assert [each.status for each in answers] == [202, 202, 429]
    wait = int(answers[2].headers["retry-after"])
    assert wait == TWO_AT_ONCE.window // (TWO_AT_ONCE.quota - TWO_AT_ONCE.burst)
    monkeypatch.setattr(time, "time", lambda: now + wait - 0.001)
    assert create(product, key).status == 429
    monkeypatch.setattr(time, "time", lambda: now + wait)
    assert [create(product, key).status for _ in range(2)] == [202, 429]


@pytest.mark.promise("limits-fail-closed")
def test_all_sessions_of_an_end_user_share_one_limit_within_their_organization(
    product: Product, owner: Account, stranger: Account
) -> None:
    keys = [end_users.key_of(product, owner) for _ in range(2)]
    sessions = [product.session(key, "user-1", max_generations=5) for key in keys]
    assert end_users.generate(product, sessions[0]).status == 202
    spend_end_user(product, owner)
    before = left_behind(product)
    for session in sessions:
        assert is_limited(end_users.generate(product, session, idempotency_key="order-1"), END_USER)
        with another_process(product):
            assert is_limited(end_users.generate(product, session), END_USER)
    assert left_behind(product) == before
    for other in (
        product.session(keys[0], "user-2"),
        product.session(end_users.key_of(product, stranger), "user-1"),
    ):
        assert end_users.generate(product, other).status == 202
    assert create(product, bearer(keys[0])).status == 202


def test_what_an_end_user_makes_counts_with_the_organizations(
    product: Product, owner: Account
) -> None:
    limit(product, owner)
    key = end_users.key_of(product, owner)
    for user in ("user-1", "user-2"):
        assert end_users.generate(product, product.session(key, user)).status == 202
    assert is_limited(create(product, owner.headers), TWO_AT_ONCE)


@pytest.mark.parametrize("reason", ["credits", "brand", "cap"])
def test_what_is_refused_for_another_reason_counts_at_no_shared_limit(
    product: Product, owner: Account, reason: str
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    key = end_users.key_of(product, owner)
    session = product.session(key, max_generations=0 if reason == "cap" else 1)
    missing = "brd_00000000000000000000000000"
    body: dict[str, Any] = {"n": 2} if reason == "credits" else {}
    if reason == "brand":
        body = {"brand_id": missing}
    answers = [end_users.generate(product, session, **body).status for _ in range(3)]
    assert answers == [{"credits": 402, "brand": 404, "cap": 403}[reason]] * 3
    assert [each for each in product.items("CreditsTable") if each["sk"].startswith("PLAN#")] == []
    assert [each for each in product.items("CountersTable") if END_USER.name in each["pk"]] == []


def test_a_repeated_request_is_answered_and_counted_at_no_shared_limit(
    product: Product, owner: Account
) -> None:
    limit(product, owner)
    first = create(product, owner.headers, "order-1").json["id"]
    assert create(product, owner.headers, "order-1").json["id"] == first
    assert create(product, owner.headers, "order-2").status == 202
    for _ in range(2):  # decided by the table, then by what this process remembers
        assert is_limited(create(product, owner.headers, "order-3"), TWO_AT_ONCE)
    again = create(product, owner.headers, "order-1")
    assert (again.status, again.json["id"]) == (202, first)
    assert again.headers["idempotent-replayed"] == "true"
    mismatch = create(product, owner.headers, "order-1", n=2)
    assert (mismatch.status, mismatch.json["code"]) == (422, "idempotency_mismatch")


@pytest.mark.promise("limits-fail-closed")
def test_shards_together_admit_no_more_than_the_limit(product: Product, owner: Account) -> None:
    whole = Policy(TWO_AT_ONCE.name, quota=8, window=60, burst=4)
    limit(product, owner, whole, shards=2)
    statuses = [create(product, owner.headers).status for _ in range(40)]
    # Each shard has half of it; forty requests that choose by chance find both.
    assert sorted(statuses) == [202] * 4 + [429] * 36
    limit(product, owner, whole, shards=4)
    assert create(product, owner.headers).status == 429  # new shards begin as full as the first


@pytest.mark.promise("limits-fail-closed")
def test_a_warm_process_keeps_to_a_limit_that_was_lowered_or_raised(
    product: Product, owner: Account
) -> None:
    wide = Policy(TWO_AT_ONCE.name, quota=40, window=60, burst=20)
    limit(product, owner, wide)
    assert [create(product, owner.headers).status for _ in range(3)] == [202] * 3
    limit(product, owner)
    # Three calls of three seconds each are less ahead than one of thirty may be.
    assert [create(product, owner.headers).status for _ in range(2)] == [202, 429]
    with another_process(product):
        assert is_limited(create(product, owner.headers), TWO_AT_ONCE)
    limit(product, owner, wide)
    with another_process(product):  # one that remembers the denial learns of it in ten seconds
        assert create(product, owner.headers).status == 202


@pytest.mark.promise("limits-fail-closed", "quota-org")
def test_when_the_count_cannot_be_kept_nothing_is_accepted(
    product: Product, owner: Account
) -> None:
    before = left_behind(product)
    with product.broken("dynamodb", "TransactWriteItems"):
        answer = create(product, owner.headers, "order-1")
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert left_behind(product) == before


def test_a_canceled_generation_stays_counted(product: Product, owner: Account) -> None:
    """Otherwise asking and canceling in turn would be free of the limit."""
    limit(product, owner)
    for _ in range(2):
        cancel(product, owner.headers, create(product, owner.headers).json["id"])
    assert is_limited(create(product, owner.headers), TWO_AT_ONCE)
    assert [each[2:] for each in balances(product, owner.org_id).values()] == [(0, 1000)]
