"""What holds for every test: promises are recorded, and no connection leaves this machine."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from dev.local_cloud import LocalCloud

pytest_plugins = ["tests.promise_plugin"]

# A busy machine fails no test: examples have no deadline, and CI tries the same ones each time.
settings.register_profile("imagelayer", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("imagelayer")

LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """pytest-socket refuses to connect anywhere else; a folder may be stricter."""
    for item in items:
        if item.get_closest_marker("allow_hosts") is None:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking ten thousand tests and moto's tables again and again,
    which takes a tenth of the run."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The real template, deployed once for the whole session, with IAM enforced; LOCAL_CLOUD_URL
    attaches to one that already runs."""
    from dev.local_cloud import LocalCloud
    from tests.support.cloud_clients import close_all

    url = os.environ.get("LOCAL_CLOUD_URL")
    with LocalCloud.attach(url) if url else LocalCloud(env={"BCRYPT_COST": "10"}) as running:
        yield running
        close_all()
