"""Stores on their own tables, without a handler between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from imagelayer.platform.table import Table
from tests.support import aws
from tests.support.product import Product

Tables = Callable[[str], Table]


@pytest.fixture
def client(product: Product) -> Any:
    """The client that transactions are made with."""
    return aws.client("dynamodb")


@pytest.fixture
def table(product: Product, client: Any) -> Tables:
    """A table of the template by its logical name."""
    return lambda logical: Table(client, product.names[logical])
