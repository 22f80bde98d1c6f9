"""The product with three vendors set up, which are on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import provider_stubs as support
from tests.support.product import Product
from tests.support.provider_stubs import Vendors


@pytest.fixture(scope="module")
def served() -> Iterator[Vendors]:
    """One server for the module."""
    with support.serve() as found:
        yield found


@pytest.fixture
def vendors(served: Vendors) -> Vendors:
    """The vendors without a script."""
    served.reset()
    return served


@pytest.fixture
def product(vendors: Vendors) -> Iterator[Product]:
    """The whole product, with keys of all vendors."""
    with support.product_with(vendors) as made:
        yield made
