"""Security events have one schema and a closed catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from dev.settings import ROOT
from imagelayer.audit.security_log import EVENTS, SecurityLog
from imagelayer.platform.principals import Origin
from imagelayer.webhooks.outbox import TEST_EVENT


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
    families = "|".join({event.partition(".")[0] for event in EVENTS})
    named = set(re.findall(rf'"((?:{families})\.[a-z_]+)"', source))
    recorded = set(re.findall(r'\.record\(\s*"([^"]+)"', source))
    # One of the events that webhooks report has the name of the same family.
    assert named - {TEST_EVENT} == set(EVENTS)
    assert recorded <= set(EVENTS)


def test_an_event_of_an_organization_is_kept_as_it_is_logged() -> None:
    written: list[Mapping[str, Any]] = []
    kept: list[Mapping[str, Any]] = []
    log = SecurityLog(written.append, kept.append)
    log.record("key.created", "success", Origin("198.51.100.7", "req-1"), org_id="org_1")
    assert kept == written
    assert len(kept) == 1


def test_an_event_of_no_one_is_logged_and_not_kept_unless_the_work_must_not_tell() -> None:
    written: list[Mapping[str, Any]] = []
    kept: list[Mapping[str, Any]] = []
    log = SecurityLog(written.append, kept.append)
    log.record("auth.credential_refused", "denied")
    assert (len(written), kept) == (1, [])
    log.record("auth.login", "failure", reason="unknown address", keep_unknown=True)
    assert kept == written[1:]


def test_what_is_logged_of_an_event_never_waits_for_what_is_kept() -> None:
    """The log line is the record of truth, so it is written first."""
    order: list[str] = []
    log = SecurityLog(lambda _: order.append("log"), lambda _: order.append("keep"))
    log.record("key.created", "success", org_id="org_1")
    assert order == ["log", "keep"]
