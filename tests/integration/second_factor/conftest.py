"""A clock that stands still, for tests of how long a code is good."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from imagelayer.http import app
from imagelayer.identity.second_factor import STEP_SECONDS


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> float:
    """The middle of the next step, at which every request arrives from now on.

    Not of this one, which may be past: a token that was just minted is good from its minting on.
    """
    now = time.time() // STEP_SECONDS * STEP_SECONDS + 1.5 * STEP_SECONDS
    monkeypatch.setattr(app, "time", SimpleNamespace(time=lambda: now))
    return now
