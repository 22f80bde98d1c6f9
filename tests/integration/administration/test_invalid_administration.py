"""What an operator may not ask for: refused with a reason, and nothing changes."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.credits.wiring import CreditsWiring
from imagelayer.platform.ids import new_id
from imagelayer.platform.table import TransactionRefused
from imagelayer.platform.times import rfc3339
from tests.support.api import Account
from tests.support.generations import create
from tests.support.ledger import administer, set_plan
from tests.support.product import Product

GRANT = {"amount": 5, "expires_at": "2061-01-01T00:00:00Z", "idempotency_key": "invoice-1"}
LIMIT = {"quota": 20, "window": 60, "burst": 10}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("delete_everything", {}),
    ("", {}),
    ("show_plan", {"verbose": True}),
    ("grant_credits", {}),
    ("grant_credits", {**GRANT, "amount": 0}),
    ("grant_credits", {**GRANT, "amount": -1}),
    ("grant_credits", {**GRANT, "amount": 1_000_000_001}),
    ("grant_credits", {**GRANT, "amount": "5"}),
    ("grant_credits", {**GRANT, "amount": 1.5}),
    ("grant_credits", {**GRANT, "expires_at": "soon"}),
    ("grant_credits", {**GRANT, "expires_at": "2061-01-01"}),
    ("grant_credits", {**GRANT, "expires_at": "2020-01-01T00:00:00Z"}),
    ("grant_credits", {**GRANT, "expires_at": 2_871_763_200}),
    ("grant_credits", {**GRANT, "idempotency_key": ""}),
    ("grant_credits", {**GRANT, "idempotency_key": "x" * 256}),
    ("grant_credits", {**GRANT, "shards": 2}),
    ("set_plan", {"monthly_credits": -1}),
    ("set_plan", {"monthly_credits": 1_000_000_001}),
    ("set_plan", {"monthly_credits": "many"}),
    ("set_plan", {"shards": 0}),
    ("set_plan", {"shards": 33}),
    ("set_plan", {"shards": None}),
    ("set_plan", {"limits": {"register": LIMIT}}),
    ("set_plan", {"limits": {"login-account": LIMIT}}),
    ("set_plan", {"limits": {"end-user-generations": LIMIT}}),
    ("set_plan", {"limits": {"leaked-keys": LIMIT}}),
    ("set_plan", {"limits": {"publishable-key": LIMIT}}),
    ("set_plan", {"limits": {"generation-creat": LIMIT}}),
    ("set_plan", {"limits": {"generation-create": {**LIMIT, "burst": 20}}}),
    ("set_plan", {"limits": {"generation-create": {**LIMIT, "burst": 0}}}),
    ("set_plan", {"limits": {"generation-create": {**LIMIT, "window": 0}}}),
    ("set_plan", {"limits": {"generation-create": {**LIMIT, "window": -60}}}),
    ("set_plan", {"limits": {"generation-create": {**LIMIT, "name": 1}}}),
    ("set_plan", {"limits": {"generation-create": {"quota": 20}}}),
    ("set_plan", {"limits": {"generation-create": None}}),
    # One that is right does not carry one that is wrong.
    ("set_plan", {"monthly_credits": 5, "limits": {"key-read": LIMIT, "invite": LIMIT}}),
]
ACTIONS = ("grant_credits", "set_plan", "show_plan", "audit")


def fields_of(action: str) -> dict[str, Any]:
    """What an action needs beside the organization."""
    return GRANT if action == "grant_credits" else {}


def code(answer: dict[str, Any]) -> str:
    """The code of a refusal."""
    assert set(answer) == {"error"}
    assert answer["error"]["message"]
    return str(answer["error"]["code"])


def test_what_breaks_a_rule_is_refused_whole(product: Product, owner: Account) -> None:
    create(product, owner.headers)
    before = product.dump_of("CreditsTable"), product.dump_of("KeysTable")
    for action, fields in REFUSED:
        answer = administer(product, action, owner.org_id, **fields)
        assert code(answer) == "validation_failed", (action, fields)
    assert (product.dump_of("CreditsTable"), product.dump_of("KeysTable")) == before
    assert not product.security_events("plan.changed") + product.security_events("credits.granted")


def test_a_grant_that_ends_now_is_too_late(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    monkeypatch.setattr(time, "time", lambda: now + 0.5)
    for end in (rfc3339(now), rfc3339(now).replace("Z", ".7Z")):
        answer = administer(product, "grant_credits", owner.org_id, **{**GRANT, "expires_at": end})
        assert code(answer) == "validation_failed", end
    end = rfc3339(now + 1)
    answer = administer(product, "grant_credits", owner.org_id, **{**GRANT, "expires_at": end})
    assert answer["granted"] is True


@pytest.mark.parametrize("action", ACTIONS)
def test_an_organization_that_is_not_there_is_missing(product: Product, action: str) -> None:
    unknown = new_id("org", 1_800_000_000)
    assert code(administer(product, action, unknown, **fields_of(action))) == "not_found"
    for shape in ("", "org_1", unknown.upper(), f"{unknown}#", f"usr_{unknown[4:]}"):
        answer = administer(product, action, shape, **fields_of(action))
        assert code(answer) == "validation_failed"
    assert product.items("CreditsTable") == []


@pytest.mark.parametrize("action", ["grant_credits", "set_plan"])
def test_a_plan_that_keeps_changing_is_left_alone(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    set_plan(product, owner, monthly_credits=5)
    attempts = []

    def refuse(*_: object) -> None:
        attempts.append(1)
        raise TransactionRefused([False, True], [None, None])

    store = product.part("administration", CreditsWiring).credit_store
    for name in ("grant", "set_plan"):
        monkeypatch.setattr(store, name, refuse)
    before = product.dump_of("CreditsTable")
    assert code(administer(product, action, owner.org_id, **fields_of(action))) == "conflict"
    assert len(attempts) == 8
    assert product.dump_of("CreditsTable") == before
