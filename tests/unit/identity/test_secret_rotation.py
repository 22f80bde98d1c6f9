"""The steps of a rotation: each does its own work, and no other step is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.secret_rotation import Rotation

NOW = 1_800_000_000


class Secret:
    """A secret's versions."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.events: list[Mapping[str, Any]] = []

    def add_pending(self, secret_id: str, version: str, content: str) -> None:
        self.done.append(("pending", secret_id, version, content))

    def make_current(self, secret_id: str, version: str) -> None:
        self.done.append(("current", secret_id, version))

    def rotate(self, step: str) -> None:
        Rotation(
            cast("Any", self),
            SecurityLog(self.events.append),
            "pepper",
            lambda secret_id, version: {"made": f"{secret_id} {version}"},
            lambda version, now: self.done.append(("finished", version, now)),
        ).step(step, "secret", "v2", NOW)


@pytest.mark.parametrize(
    ("step", "done"),
    [
        ("createSecret", [("pending", "secret", "v2", '{"made": "secret v2"}')]),
        ("setSecret", []),
        ("testSecret", []),
        ("finishSecret", [("current", "secret", "v2"), ("finished", "v2", NOW)]),
    ],
)
def test_each_step_does_its_own_work_and_the_last_one_is_recorded(
    step: str, done: list[tuple[Any, ...]]
) -> None:
    secret = Secret()
    secret.rotate(step)
    assert secret.done == done
    recorded = [(each["event"], each["reason"]) for each in secret.events]
    assert recorded == ([("secret.rotated", "pepper")] if step == "finishSecret" else [])


@pytest.mark.parametrize("step", ["", "dropSecret", "createsecret"])
def test_an_unknown_step_is_refused(step: str) -> None:
    secret = Secret()
    with pytest.raises(ValueError, match="unknown step"):
        secret.rotate(step)
    assert (secret.done, secret.events) == ([], [])
