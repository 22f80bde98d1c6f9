"""Requests to the webhooks of an organization."""

from __future__ import annotations

from typing import Any

from tests.support.api import Account, Answer
from tests.support.product import Product

PATH = "/v1/organization/webhooks"
URL = "https://hooks.example.com/imagelayer"


def call(product: Product, account: Account, method: str, path: str = "", **parts: Any) -> Answer:
    """A request of someone's dashboard."""
    return product.call(method, f"{PATH}{path}", headers=account.headers, **parts)
