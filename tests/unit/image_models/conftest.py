"""Providers on this machine; nothing else can be reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import provider_stubs as support
from tests.support.provider_stubs import ProviderStubs


@pytest.fixture(scope="session")
def served() -> Iterator[ProviderStubs]:
    """One server for the whole run."""
    with support.serve() as found:
        yield found


@pytest.fixture
def providers(no_network: None, served: ProviderStubs) -> Iterator[ProviderStubs]:
    """The providers without a script."""
    served.reset()
    with support.loopback():
        yield served
