"""Quota alerts: at which charge each is sent, once a month, and never at the charge's cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from imagelayer.audit.security_log import SecurityLog
from imagelayer.credits.quota_alerts import QuotaAlerts
from imagelayer.credits.store import allowance_name, balance_name
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.table import StoreUnavailable

NOW = 1_800_000_000.0  # 2027-01-15
MONTH = "2027-01"
NAME = allowance_name(NOW, MONTH)


class Alerts:
    """The alerts over one month's allowance, in shards."""

    def __init__(self, *used_of: tuple[int, int]) -> None:
        self.balances: list[dict[str, Any]] = [
            {"name": allowance_name(NOW, MONTH, shard), "amount": amount, "used": used}
            for shard, (used, amount) in enumerate(used_of)
        ]
        self.mails: list[Mapping[str, Any]] = []
        self.announced: list[str] = []
        self.events: list[Mapping[str, Any]] = []
        self.lost: list[str] = []
        self.reads: list[str] = []
        self.is_down = False
        self.marked_first = False  # by another charge
        this = cast("Any", self)
        self.alerts = QuotaAlerts(
            this, Outbox(this, self.lost.append), SecurityLog(self.events.append), this
        )

    def pool(self, _org_id: str, name: str) -> list[dict[str, Any]]:
        if self.is_down:
            raise StoreUnavailable("query", "down")
        self.reads.append(name)
        return self.balances

    def mark_alerted(self, _org_id: str, _name: str, percent: int) -> bool:
        self.balances[0][f"alerted_{percent}"] = True
        return not self.marked_first

    def send(self, mail: Mapping[str, Any]) -> None:
        self.mails.append(mail)

    def announce_once(self, _org_id: str, _event: str, _data: Any, _now: float, once: str) -> None:
        self.announced.append(once)

    @property
    def percents(self) -> list[int]:
        """What was mailed."""
        return [each["percent"] for each in self.mails]


@pytest.mark.parametrize(
    ("used", "percents"),
    [(0, []), (79, []), (80, [80]), (99, [80]), (100, [80, 100]), (120, [80, 100])],
)
def test_owners_are_notified_from_the_credit_that_reaches_a_share(
    used: int, percents: list[int]
) -> None:
    made = Alerts((used, 100))
    made.alerts.settled("org_1", [NAME], NOW)
    assert made.percents == percents
    assert made.announced == [f"{MONTH} {percent}" for percent in percents]
    assert [each["reason"] for each in made.events] == [f"{each} percent" for each in percents]
    assert all(each["allowance"] == 100 for each in made.mails)


def test_the_shards_of_an_allowance_count_together() -> None:
    made = Alerts((50, 50), (29, 50))
    made.alerts.settled("org_1", [NAME], NOW)
    assert made.percents == []
    made.balances[1]["used"] = 30
    made.alerts.settled("org_1", [NAME], NOW)
    assert made.percents == [80]


def test_an_alert_is_sent_once() -> None:
    made = Alerts((100, 100))
    for _ in range(3):
        made.alerts.settled("org_1", [NAME], NOW)
        made.alerts.denied("org_1", NOW)
    assert made.percents == [80, 100]


def test_of_charges_that_send_at_once_one_records_it() -> None:
    made = Alerts((80, 100))
    made.marked_first = True
    made.alerts.settled("org_1", [NAME], NOW)
    assert made.percents == [80]
    assert made.events == []


def test_without_an_allowance_no_charge_alerts() -> None:
    made = Alerts((0, 0))
    made.alerts.settled("org_1", [NAME], NOW)
    assert made.percents == []


def test_a_charge_to_a_grant_or_another_month_reads_no_allowance() -> None:
    made = Alerts((100, 100))
    names = [balance_name(int(NOW) + 9, "crg_a"), allowance_name(NOW - 31 * 86_400, "2026-12")]
    made.alerts.settled("org_1", names, NOW)
    assert (made.reads, made.percents) == ([], [])
    made.alerts.settled("org_1", [*names, NAME, allowance_name(NOW, MONTH, 1)], NOW)
    assert (made.reads, made.percents) == ([NAME], [80, 100])


def test_a_refused_request_alerts_as_if_all_were_used() -> None:
    made = Alerts((3, 100))
    made.alerts.denied("org_1", NOW)
    assert made.percents == [100]


def test_a_refusal_before_the_month_is_opened_alerts_no_one() -> None:
    made = Alerts()
    made.alerts.denied("org_1", NOW)
    assert made.percents == []


def test_an_alert_that_cannot_be_made_fails_no_charge_and_is_counted() -> None:
    made = Alerts((100, 100))
    made.is_down = True
    made.alerts.settled("org_1", [NAME], NOW)
    made.alerts.denied("org_1", NOW)
    assert len(made.lost) == 2
    assert made.percents == []
