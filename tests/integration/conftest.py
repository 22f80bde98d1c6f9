"""A fresh product for every test: tables, buckets and queues made from template.yaml on moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.product import Account, Product


@pytest.fixture
def product() -> Iterator[Product]:
    """The whole product, empty."""
    with Product() as made:
        yield made


@pytest.fixture
def owner(product: Product) -> Account:
    """A verified, logged-in owner of an organization."""
    return product.account("dev@example.com")


@pytest.fixture
def stranger(product: Product, owner: Account) -> Account:
    """The owner of another organization."""
    return product.account("stranger@example.org")
