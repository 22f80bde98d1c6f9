"""Security events have one schema and a closed catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from dev.settings import ROOT
from imagelayer.principals import Origin
from imagelayer.security_events import EVENTS, SecurityLog


def recorder() -> tuple[SecurityLog, list[Mapping[str, Any]]]:
    written: list[Mapping[str, Any]] = []
    return SecurityLog(written.append), written


@pytest.mark.promise("security-logged", "auth-logged")
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_written_in_the_one_schema(event: str) -> None:
    log, written = recorder()
    log.record(event, "denied", Origin("198.51.100.7", "req-1"), org_id="org_1", reason="why")
    assert written == [
        {
            "event": event,
            "outcome": "denied",
            "org_id": "org_1",
            "actor": "",
            "ip": "198.51.100.7",
            "request_id": "req-1",
            "reason": "why",
        }
    ]


def test_an_event_outside_the_catalogue_cannot_be_written() -> None:
    log, written = recorder()
    with pytest.raises(KeyError):
        log.record("auth.made_up", "success")
    assert written == []


def test_an_event_without_a_request_has_the_same_schema() -> None:
    log, written = recorder()
    log.record("media.deleted", "success", org_id="org_1")
    assert (written[0]["ip"], written[0]["request_id"]) == ("", "")


def test_every_event_of_the_catalogue_is_recorded_somewhere_and_none_outside_it() -> None:
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "layers/common/imagelayer").rglob("*.py")
        if path.name != "security_events.py"
    )
    named = set(re.findall(r'"((?:auth|authz|key|limit|quota|brand|media)\.[a-z_]+)"', source))
    assert named == set(EVENTS)
