"""Races, on a data store that orders writes as DynamoDB does, each beside a racy control.

A control does the same job by reading and then writing. It must fail: a proof that cannot fail
proves nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.ids import new_id
from imagelayer.rate_limits import Limited, Policy
from imagelayer.stores.accounts import AccountStore
from imagelayer.stores.counters import CounterStore, TatMemory
from imagelayer.stores.credits import CreditStore, Reservation
from imagelayer.stores.generations import GenerationStore
from imagelayer.stores.table import Table
from tests.local_cloud.visitors import new_visitor
from tests.support.visitor import CAPTCHA, PASSWORD

THREADS = 40


def together[Result](count: int, job: Callable[[int], Result]) -> list[Result]:
    """Run `job` `count` times on THREADS threads that all start at once."""
    barrier = threading.Barrier(THREADS)

    def start(thread: int) -> list[Result]:
        barrier.wait()
        return [job(number) for number in range(thread, count, THREADS)]

    with ThreadPoolExecutor(THREADS) as pool:
        return [result for results in pool.map(start, range(THREADS)) for result in results]


def table(cloud: LocalCloud, name: str) -> Table:
    return Table(cloud.client("dynamodb"), cloud.info["tables"][name])


@pytest.mark.promise("limits-fail-closed")
def test_racing_calls_on_one_subject_admit_exactly_the_burst(cloud: LocalCloud) -> None:
    policy = Policy("race", quota=60, window=86_400, burst=50)  # refills once in over two hours
    subject = secrets.token_hex(8)
    now_ms = int(time.time() * 1000)

    def admitted(_: int) -> bool:
        # A memory of its own for each call, so that every decision is the table's.
        try:
            CounterStore(table(cloud, "CountersTable"), TatMemory()).admit(subject, policy, now_ms)
        except Limited:
            return False
        return True

    assert sum(together(400, admitted)) == 50


def test_the_racy_limiter_control_admits_too_many(cloud: LocalCloud) -> None:
    counters, subject = table(cloud, "CountersTable"), f"CONTROL#{secrets.token_hex(8)}"

    def admitted(_: int) -> bool:
        taken = (counters.get(subject, "TAT") or {"taken": 0})["taken"]
        if taken >= 50:
            return False
        counters.put({"pk": subject, "sk": "TAT", "taken": taken + 1})
        return True

    assert sum(together(400, admitted)) > 50


@pytest.mark.promise("ip-daily-limit")
def test_racing_sign_ups_from_one_address_take_exactly_the_daily_cap(cloud: LocalCloud) -> None:
    counters = CounterStore(table(cloud, "CountersTable"), TatMemory())
    address = secrets.token_hex(8)

    def taken(_: int) -> bool:
        return counters.take("register", address, "2026-01-01", limit=10, expires_at=2_000_000_000)

    assert sum(together(200, taken)) == 10


@pytest.mark.promise("email-unique")
def test_racing_sign_ups_with_one_email_make_one_account(cloud: LocalCloud) -> None:
    email = f"race-{secrets.token_hex(4)}@example.com"
    spellings = [email, email.upper(), email.title(), email + "."]
    visitors = [new_visitor(cloud) for _ in range(THREADS)]
    for visitor in visitors:
        visitor.secrets.add(PASSWORD)

    def sign_up(number: int) -> int:
        return visitors[number % THREADS].call(
            "POST",
            "/v1/auth/register",
            json={
                "email": spellings[number % 4],
                "password": PASSWORD,
                "name": "Racer",
                "organization_name": "Race",
                "turnstile_token": CAPTCHA,
            },
        ).status_code  # fmt: skip

    assert set(together(120, sign_up)) == {202}
    accounts = AccountStore(cloud.client("dynamodb"), table(cloud, "AccountsTable"))
    holder = accounts.by_email(email)
    assert holder is not None
    scan = cloud.client("dynamodb").get_paginator("scan")
    users = [
        item
        for page in scan.paginate(TableName=cloud.info["tables"]["AccountsTable"])
        for item in page["Items"]
        if item["sk"]["S"] == "USER" and item["email"]["S"] == email
    ]
    assert len(users) == 1


def test_the_racy_sign_up_control_makes_more_than_one_account(cloud: LocalCloud) -> None:
    accounts = table(cloud, "AccountsTable")
    email = f"control-{secrets.token_hex(4)}@example.com"

    def sign_up(_: int) -> bool:
        if accounts.get(f"CONTROL#{email}", "EMAIL") is not None:
            return False
        accounts.put({"pk": f"CONTROL#{email}", "sk": "EMAIL"})
        return True

    assert sum(together(120, sign_up)) > 1


@pytest.mark.promise("quota-org")
def test_racing_reservations_never_hold_more_than_is_available(cloud: LocalCloud) -> None:
    client = cloud.client("dynamodb")
    credits = CreditStore(table(cloud, "CreditsTable"))
    store = GenerationStore(client, table(cloud, "GenerationsTable"))
    org_id, month = new_id("org", time.time()), "2026-01"
    credits.open_month(org_id, month, 60)

    def accept(number: int) -> bool:
        now = int(time.time())
        held = Reservation(org_id, month, new_id("gen", now), 3)
        job: dict[str, Any] = {
            "id": held.generation_id,
            "org_id": org_id,
            "status": "queued",
            "created_at": now,
            "expires_at": now + 60,
        }
        return store.accept(job, None, [], credits.reserve(held, now)) is None

    accepted = sum(together(80, accept))
    assert accepted == 20
    balance = credits.balance(org_id, month)
    assert balance is not None
    assert (balance["available"], balance["reserved"], balance["used"]) == (0, 60, 0)
    assert sum(each["amount"] for each in credits.movements(org_id, month)) == 60


@pytest.mark.promise("quota-org")
def test_one_idempotency_key_under_a_race_makes_one_job_and_one_charge(cloud: LocalCloud) -> None:
    owner = new_visitor(cloud).sign_up()
    key = owner.make_key()["key"]

    def ask(_: int) -> tuple[int, str]:
        answer = owner.call(
            "POST",
            "/v1/generations",
            token=key,
            headers={"Idempotency-Key": "one"},
            json={"prompt": "one job only", "size": "256x256"},
        )
        return answer.status_code, answer.json().get("id", answer.text)

    assert len(set(together(THREADS, ask))) == 1
    month = time.strftime("%Y-%m", time.gmtime())
    moves = CreditStore(table(cloud, "CreditsTable")).movements(owner.org_id, month)
    assert [each["kind"] for each in moves].count("reserve") == 1
