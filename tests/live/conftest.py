"""Checks against the providers themselves, with keys of your own: `make live`.

They cost money and need the network, so they belong to no other run. A provider without a key is
not collected: nothing is claimed of it, and nothing is skipped.
"""

from __future__ import annotations

import os

import pytest

NEEDS = {
    "openai": "LIVE_OPENAI_API_KEY",
    "google": "LIVE_GOOGLE_API_KEY",
    "bedrock": "LIVE_BEDROCK_REGION",
}
SET_UP = [provider for provider, name in NEEDS.items() if os.environ.get(name)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs for each provider that is set up."""
    if "provider" in metafunc.fixturenames:
        metafunc.parametrize("provider", SET_UP)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say so when there is nothing to check with."""
    if not SET_UP:
        items.clear()
        raise pytest.UsageError(f"set one of {', '.join(NEEDS.values())}; see docs/models.md")
