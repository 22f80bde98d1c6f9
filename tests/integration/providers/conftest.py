"""The product with three providers set up, which are on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import provider_stubs as support
from tests.support.paid_calls import PaidCalls
from tests.support.product import Product
from tests.support.provider_stubs import ProviderStubs


@pytest.fixture(scope="module")
def served() -> Iterator[ProviderStubs]:
    """One server for the module."""
    with support.serve() as found:
        yield found


@pytest.fixture
def providers(served: ProviderStubs) -> ProviderStubs:
    """The providers without a script."""
    served.reset()
    return served


@pytest.fixture
def product(providers: ProviderStubs, paid_calls: PaidCalls) -> Iterator[Product]:
    """The whole product, with keys of all providers, which are paid in the end."""
    with support.product_with(providers) as made:
        yield made
        paid_calls.check_product(made, len(providers.calls))
