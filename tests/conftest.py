"""What holds for every test: promises are recorded, and no connection leaves this machine."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.promise_plugin"]

LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-socket refuses to connect anywhere else; a folder may be stricter."""
    for item in items:
        if item.get_closest_marker("allow_hosts") is None:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
