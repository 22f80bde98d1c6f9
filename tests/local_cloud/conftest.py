"""One local cloud for the whole session; LOCAL_CLOUD_URL attaches to one that already runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dev.local_cloud import LocalCloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the local cloud."""
    for item in items:
        if "local_cloud" in item.path.parts:
            item.add_marker(pytest.mark.local_cloud)


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The real template, deployed, with IAM enforced."""
    if url := os.environ.get("LOCAL_CLOUD_URL"):
        yield LocalCloud.attach(url)
        return
    with LocalCloud(env={"BCRYPT_COST": "10"}) as started:
        yield started


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails inside its faults must not fail the next."""
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").set_faults([])
