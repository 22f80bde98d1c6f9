"""A product whose webhooks arrive where a test can see them."""

from __future__ import annotations

import pytest

from tests.support.api import Account
from tests.support.product import Product
from tests.support.webhook_receivers import Post, post_of


@pytest.fixture
def post(product: Product, owner: Account) -> Post:
    """The delivery function with receivers of ours."""
    return post_of(product)
