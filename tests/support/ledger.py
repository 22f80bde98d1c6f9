"""What an operator does, and how an organization's credits stand afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.support.api import Account
from tests.support.product import Product

NUMBERS = ("amount", "used", "reserved", "available")


def administer(product: Product, action: str, org_id: str, **fields: Any) -> dict[str, Any]:
    """Ask for one of the operator's actions."""
    event = {"action": action, "org_id": org_id, **fields}
    return dict(product.invoke("administration", event))


def grant(
    product: Product, account: Account, amount: int, expires_at: str, key: str = "invoice-1"
) -> str:
    """Give credits; returns the grant's id."""
    given = administer(
        product,
        "grant_credits",
        account.org_id,
        amount=amount,
        expires_at=expires_at,
        idempotency_key=key,
    )
    assert given.get("granted"), given
    return str(given["id"])


def set_plan(product: Product, account: Account, **plan: Any) -> dict[str, Any]:
    """Replace an organization's plan."""
    answer = administer(product, "set_plan", account.org_id, **plan)
    assert "error" not in answer, answer
    return answer


def balances(product: Product, org_id: str) -> dict[str, tuple[int, ...]]:
    """amount, used, reserved and available of every balance, by `<pool>#<shard>`."""
    found: dict[str, tuple[int, ...]] = {}
    for item in product.dump_of("CreditsTable"):
        if item["pk"] == f"ORG#{org_id}" and item["sk"].startswith("BALANCE#"):
            assert item["amount"] - item["used"] - item["reserved"] == item["available"]
            found[item["sk"].split("#", 2)[2]] = tuple(item[name] for name in NUMBERS)
    return found


def held(product: Product) -> tuple[int, int]:
    """Used and reserved of the one balance there is."""
    item = product.item("CreditsTable", "BALANCE#")
    assert item["amount"] - item["used"] - item["reserved"] == item["available"]
    return item["used"], item["reserved"]


def audit(product: Product, account: Account) -> list[str]:
    """Names of the balances whose ledger does not add up."""
    answer = administer(product, "audit", account.org_id)
    assert answer["balanced"] == (not answer["wrong"])
    return list(answer["wrong"])


@contextlib.contextmanager
def another_process(product: Product, function: str = "generation") -> Iterator[None]:
    """Calls within it reach a process of the function that has seen nothing yet."""
    warm = product._platforms.pop(function, None)
    yield
    product._platforms.pop(function, None)
    if warm is not None:
        product._platforms[function] = warm
