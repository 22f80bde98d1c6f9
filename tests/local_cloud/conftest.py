"""Tests on the deployed template."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the local cloud."""
    for item in items:
        if "local_cloud" in item.path.parts:
            item.add_marker(pytest.mark.local_cloud)


@pytest.fixture(autouse=True)
def no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails inside its faults must not fail the next."""
    yield
    if "cloud" in request.fixturenames:
        request.getfixturevalue("cloud").set_faults([])
