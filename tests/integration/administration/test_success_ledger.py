"""Whatever happens in whatever order, the ledger adds up and no one draws what is not there."""

from __future__ import annotations

import secrets
from copy import replace
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagelayer.credits.ledger import audit as audit_of
from imagelayer.credits.store import Usage, pool_of
from imagelayer.credits.wallet import WalletMemory
from imagelayer.credits.wiring import CreditsWiring
from imagelayer.generations.jobs import reservation
from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.operations.plans import Plans
from imagelayer.operations.wiring import OperationsWiring
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Principal
from imagelayer.platform.times import rfc3339, utc_month
from tests.support.generations import ORIGIN, moment
from tests.support.ledger import balances
from tests.support.product import Product

START = moment("2061-01-31T22:00:00Z")  # two hours before the month turns
HOUR = 3600
ALLOWANCE = 10

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 4)),
        st.tuples(st.just("ask_elsewhere"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["settle", "release"]), st.integers(0, 9)),
        st.tuples(st.just("grant"), st.tuples(st.integers(1, 6), st.integers(1, 6))),
        st.tuples(st.just("plan"), st.tuples(st.integers(0, 14), st.integers(1, 3))),
        st.tuples(st.just("pass"), st.just(HOUR)),
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class World:
    """One organization of a product, with two processes that take its requests."""

    product: Product
    org_id: str = ""
    now: float = START
    open_jobs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.org_id = new_id("org", 0, secrets.token_bytes)
        self.product.edit("AccountsTable", {"pk": f"ORG#{self.org_id}", "sk": "ORG"})
        wiring = self.product.part("generation", GenerationsWiring)
        one = wiring.generations
        wallet = replace(one.acceptance.wallet, memory=WalletMemory())
        self.processes = {
            "ask": one,
            "ask_elsewhere": replace(one, acceptance=replace(one.acceptance, wallet=wallet)),
        }
        self.credits = wiring.part(CreditsWiring).credit_store
        self.store = wiring.generation_store
        self.plans: Plans = self.product.part("administration", OperationsWiring).plans

    def forget(self) -> None:
        """Leave nothing: moto copies all there is for every transaction."""
        for table in ("CreditsTable", "GenerationsTable", "EventsTable"):
            for item in self.product.items(table):
                self.product.delete(table, item)

    def living(self) -> int:
        """What all unexpired balances have available, by what stands in the table."""
        there = self.credits.balances(self.org_id, int(self.now))
        opened = any(pool_of(each["name"]) == utc_month(self.now) for each in there)
        plan = self.credits.plan(self.org_id).get("terms") or {}
        unopened = 0 if opened else int(plan.get("monthly_credits", ALLOWANCE))
        return unopened + sum(int(each["available"]) for each in there)

    def do(self, what: str, how: Any) -> None:
        """Let something happen."""
        if what in self.processes:
            self.ask(what, how)
        elif what in ("settle", "release") and self.open_jobs:
            self.end(what, self.open_jobs.pop(how % len(self.open_jobs)))
        elif what == "grant":
            amount, hours = how
            end = rfc3339(self.now + hours * HOUR)
            key = secrets.token_hex(8)
            self.plans.grant_credits(
                self.now, self.org_id, amount=amount, expires_at=end, idempotency_key=key
            )
        elif what == "plan":
            credits, shards = how
            self.plans.set_plan(
                self.now, self.org_id, monthly_credits=credits, shards=shards, limits={}
            )
        elif what == "pass":
            self.now += how

    def ask(self, process: str, n: int) -> None:
        """Ask for images: refused if and only if there are not enough credits."""
        enough = self.living() >= n
        principal = Principal("user", self.org_id, "usr_1", frozenset())
        body = CreateGenerationRequest(prompt="waves", size="256x256", n=n)
        try:
            made = self.processes[process].create_generation(principal, ORIGIN, self.now, body)
        except Problem as problem:
            assert problem.code == "insufficient_credits"  # noqa: PT017
            assert not enough
            return
        assert enough
        self.open_jobs.append(made.body["id"])

    def end(self, how: str, generation_id: str) -> None:
        """Let a job succeed or be canceled, whatever month it is by then."""
        now = int(self.now)
        if how == "release":
            principal = Principal("user", self.org_id, "usr_1", frozenset())
            self.processes["ask"].cancel_generation(principal, generation_id, now)
            return
        job = self.store.lease_generation(self.org_id, generation_id, "m-1", now, now + 150)
        assert job is not None
        usage = Usage(None, "usr_1", None, "studio", None, "live", job["n"], job["credits"])
        settle = self.credits.settle(reservation(job), usage, now)
        assert self.store.succeed(job, [], [], settle, now)


@pytest.mark.promise("quota-org")
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=EVENTS)
def test_grants_plans_and_requests_in_any_order_keep_the_ledger_balanced(
    product: Product, events: list[tuple[str, Any]]
) -> None:
    product.parameters["MONTHLY_CREDITS"] = str(ALLOWANCE)
    world = World(product)
    for what, how in events:
        world.do(what, how)
    assert audit_of(world.credits, world.org_id, world.now) == []
    stood = balances(product, world.org_id)
    assert all(number >= 0 for numbers in stood.values() for number in numbers)
    rows = world.credits.usage(
        world.org_id, "2061-01-31", "2061-02-28", by_end_user=False, limit=100
    )
    assert sum(row["credits"] for row in rows) == sum(numbers[1] for numbers in stood.values())
    world.forget()
