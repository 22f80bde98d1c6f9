"""Waiting is paid for by its seconds, by organization and by end user."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.access.end_user_session_store import hash_of
from imagelayer.generations.wait_budget import (
    MAX_END_USER_SECONDS,
    SLICE_SECONDS,
    WaitBudget,
)
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.limits.rate_limits import POLICIES, Admission
from imagelayer.platform.principals import EndUser, Principal
from imagelayer.platform.table import StoreUnavailable
from tests.support import end_users
from tests.support.api import Account, Answer, session_bearer
from tests.support.generations import create
from tests.support.openai_requests import generate
from tests.support.product import Product

WAITING, OF_END_USERS = POLICIES["waiting"], POLICIES["end-user-waiting"]


def limit_key(owner: Account, end_user_id: str = "") -> dict[str, str]:
    subject = f"{owner.org_id}#{hash_of(end_user_id)}" if end_user_id else owner.org_id
    policy = OF_END_USERS if end_user_id else WAITING
    return {"pk": f"LIMIT#{policy.name}#{subject}", "sk": "TAT"}


def spend(product: Product, owner: Account, end_user_id: str = "") -> None:
    """Use all seconds up, and those of the next minute."""
    policy = OF_END_USERS if end_user_id else WAITING
    tat = int(time.time() * 1000) + policy.burst * policy.unit_ms + 60_000
    name = f"tat_{policy.name.replace('-', '_')}"
    product.edit("CountersTable", limit_key(owner, end_user_id), **{name: tat})


def paid(product: Product) -> list[dict[str, Any]]:
    """What was counted for waiting."""
    return [each for each in product.items("CountersTable") if "waiting" in each["pk"]]


def poll(product: Product, headers: dict[str, str], generation_id: str) -> Answer:
    path = f"/v1/generations/{generation_id}"
    return product.call("GET", path, headers=headers, query={"wait": "25"})


def names(answer: Answer) -> list[str]:
    """The limits that an answer names."""
    return [each.split(";")[0] for each in answer.headers["ratelimit-policy"].split(", ")]


@pytest.mark.promise("limits-fail-closed")
def test_an_organization_and_an_end_user_hold_a_bounded_number_of_machines(
    product: Product, owner: Account
) -> None:
    """All at one moment; then as many more as the seconds that pass pay for."""
    budget: WaitBudget = product.part("generation", GenerationsWiring).generations.wait_budget
    now = time.time()

    def waits(principal: Principal, at: float) -> int:
        count = 0
        while isinstance(budget.pay(principal, at), Admission):
            count += 1
        return count

    ends = int(now) + 3600
    one, other = (
        Principal("end_user", owner.org_id, "eus", frozenset(), end_user=EndUser(name, name, ends))
        for name in ("one", "other")
    )
    whole = Principal("key", owner.org_id, "key", frozenset())
    at_once = OF_END_USERS.burst // SLICE_SECONDS
    assert (waits(one, now), waits(other, now)) == (at_once, at_once) == (4, 4)
    assert waits(whole, now) == WAITING.burst // SLICE_SECONDS - 2 * at_once == 32
    # Those that began go on for five seconds; by then so many more can.
    assert waits(one, now + SLICE_SECONDS) == 1
    assert waits(whole, now + SLICE_SECONDS) == 39
    assert waits(Principal("key", "org_other", "key", frozenset()), now) == 40


def test_a_wait_is_paid_for_while_it_lasts(product: Product, owner: Account) -> None:
    product.works_while_waiting = False
    made = create(product, owner.headers).json["id"]
    began = time.time() * 1000
    answer = poll(product, owner.headers, made)
    assert names(answer) == ['"generation-read"', '"waiting"']
    (limit,) = paid(product)
    assert limit["pk"] == limit_key(owner)["pk"]
    # The last payment was for the last five seconds, and what was paid before is past.
    last = limit["tat_waiting"] - began
    assert 20_000 <= last <= 20_000 + (time.time() * 1000 - began) + 5 * WAITING.unit_ms * 2 + 1000


def test_what_is_done_costs_no_wait(product: Product, owner: Account) -> None:
    made = create(product, owner.headers).json["id"]
    product.work_queue()
    assert poll(product, owner.headers, made).json["status"] == "succeeded"
    assert paid(product) == []


@pytest.mark.promise("limits-fail-closed")
def test_with_no_seconds_left_the_answer_comes_at_once(product: Product, owner: Account) -> None:
    product.works_while_waiting = False
    made = create(product, owner.headers).json["id"]
    spend(product, owner)
    read = poll(product, owner.headers, made)
    assert (read.status, read.json["status"]) == (200, "queued")
    created = create(product, {**owner.headers, "prefer": "wait=20"})
    assert (created.status, created.json["status"]) == (202, "queued")
    assert "preference-applied" not in created.headers
    for answer in (read, created):
        assert names(answer)[1:] == ['"waiting"']
        assert '"waiting";r=0;t=' in answer.headers["ratelimit"]
        assert "retry-after" not in answer.headers
    assert product._waited == 0


@pytest.mark.promise("limits-fail-closed")
def test_an_openai_client_gets_a_time_at_which_to_come_again(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    spend(product, owner)
    first = generate(product, owner.headers)
    assert (first.status, product._waited) == (303, 0)
    path, _, query = first.headers["location"].partition("?")
    wait = dict(each.split("=") for each in query.split("&"))
    refused = product.call("GET", path, headers=owner.headers, query=wait)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert refused.headers["ratelimit-policy"] == WAITING.header
    assert int(refused.headers["retry-after"]) >= 1
    product.work_queue()
    assert product.call("GET", path, headers=owner.headers, query=wait).status == 200
    assert generate(product, owner.headers, attempt=1).status == 200  # the same job
    assert len([each for each in product.items("GenerationsTable") if "status" in each]) == 1


@pytest.mark.promise("limits-fail-closed")
def test_an_end_users_waits_are_fewer_and_shorter(product: Product, owner: Account) -> None:
    product.works_while_waiting = False
    key = end_users.key_of(product, owner)
    session, other = product.session(key, "user-1"), product.session(key, "user-2")
    made = end_users.generate(product, session).json["id"]
    theirs = end_users.generate(product, other).json["id"]
    assert poll(product, session_bearer(session), made).json["status"] == "queued"
    assert MAX_END_USER_SECONDS - 1 < product._waited <= MAX_END_USER_SECONDS
    waited = product._waited
    spend(product, owner, "user-1")
    # A new session of theirs has no seconds of its own.
    again = product.session(key, "user-1")
    for each in (session, again):
        answer = poll(product, session_bearer(each), made)
        assert names(answer)[1:] == ['"end-user-waiting"']
    assert product._waited == waited
    answer = poll(product, session_bearer(other), theirs)
    assert names(answer)[1:] == ['"waiting"']
    assert product._waited > waited


@pytest.mark.promise("limits-fail-closed")
def test_while_the_limit_cannot_be_asked_nothing_waits(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers).json["id"]

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("update_item", "ThrottlingException")

    monkeypatch.setattr(WaitBudget, "pay", fail)
    assert poll(product, owner.headers, made).status == 503
    created = create(product, {**owner.headers, "prefer": "wait=20"})
    assert created.status == 202  # accepted, and paid for: it must not be asked for again
    assert product._waited == 0
