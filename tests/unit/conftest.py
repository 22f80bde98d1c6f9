"""Unit tests reach no network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """Any socket raises, but for the pairs that asyncio makes for itself."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
