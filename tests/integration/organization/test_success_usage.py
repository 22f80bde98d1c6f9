"""What was used adds up, however it is grouped, to what was charged."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from imagelayer.credits.wiring import CreditsWiring
from imagelayer.platform.times import end_of_utc_month, rfc3339, utc_day, utc_month
from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, bearer, session_bearer
from tests.support.generations import Till, cancel, create, moment
from tests.support.ledger import another_process, grant, set_plan
from tests.support.product import Product

USAGE = "/v1/organization/usage"
COLUMNS = {
    "day": "day",
    "key": "key_id",
    "model": "model",
    "brand": "brand_id",
    "end_user": "end_user_id",
    "mode": "mode",
}
NUMBERS = ("generations", "images", "credits")


def usage(product: Product, headers: dict[str, str], **query: str) -> dict[str, Any]:
    """Ask for usage."""
    answer = product.call("GET", USAGE, headers=headers, query=query)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def numbers(row: dict[str, Any]) -> tuple[int, ...]:
    """How many generations, images and credits a row reports."""
    return tuple(row[name] for name in NUMBERS)


def busy(product: Product, owner: Account) -> list[dict[str, Any]]:
    """Generations of each kind, over two days; returns a row of usage for each of them."""
    live, other, test = (
        product.key(owner, *ALL_SCOPES, mode=mode) for mode in ("live", "live", "test")
    )
    brand = product.brand(owner)["id"]
    user = session_bearer(product.session(live, "user-1"))
    tomorrow = time.time() + 86_400
    made: list[dict[str, Any]] = []
    for headers, key, end_user, fields, now in (
        (owner.headers, None, None, {"n": 2}, time.time()),
        (bearer(live), live, None, {}, time.time()),
        (bearer(live), live, None, {"brand_id": brand}, tomorrow),
        (bearer(other), other, None, {}, time.time()),
        (user, live, "user-1", {}, time.time()),
        (user, live, "user-1", {"brand_id": brand}, tomorrow),
        (session_bearer(product.session(live, "user-2")), live, "user-2", {"n": 2}, tomorrow),
        (bearer(test), test, None, {}, time.time()),
        (session_bearer(product.session(test, "user-1")), test, "user-1", {}, time.time()),
    ):
        made_id = create(product, headers, **fields).json["id"]
        assert Till(product, owner).work(made_id, now) == "succeeded"
        images = int(fields.get("n", 1))
        made.append(
            {
                "day": utc_day(now),
                "key_id": key and key["id"],
                "model": "studio",
                "brand_id": fields.get("brand_id"),
                "end_user_id": end_user,
                "mode": "test" if key is test else "live",
                "generations": 1,
                "images": images,
                "credits": 0 if key is test else images,
            }
        )
    cancel(product, owner.headers, create(product, owner.headers).json["id"])
    create(product, owner.headers)  # what is not made, or not yet, is not used
    return made


def summed(rows: list[dict[str, Any]], groups: tuple[str, ...]) -> dict[Any, tuple[int, ...]]:
    """Rows by the values of some columns."""
    found: dict[Any, tuple[int, ...]] = {}
    for row in rows:
        values = tuple(row[COLUMNS[group]] for group in groups)
        so_far = found.get(values, (0, 0, 0))
        found[values] = tuple(a + b for a, b in zip(so_far, numbers(row), strict=True))
    return found


@pytest.mark.promise("quota-org", "org-scoped")
def test_usage_in_every_grouping_is_what_was_made_and_what_the_ledger_charged(
    product: Product, owner: Account, stranger: Account
) -> None:
    made = busy(product, owner)
    days = {"start": utc_day(time.time()), "end": utc_day(time.time() + 86_400)}
    groupings = [
        *itertools.combinations(COLUMNS, 1),
        *itertools.combinations(COLUMNS, 2),
        ("mode", "end_user", "brand", "model", "key", "day"),
    ]
    key = bearer(product.key(owner, "usage:read"))
    for groups in groupings:
        report = usage(product, key, **days, group_by=",".join(groups))
        assert report["group_by"] == list(groups)
        shown = [tuple(row[COLUMNS[group]] for group in groups) for row in report["data"]]
        assert all(set(row) == {*(COLUMNS[g] for g in groups), *NUMBERS} for row in report["data"])
        assert shown == sorted(shown, key=lambda row: tuple(each or "" for each in row))
        assert dict(zip(shown, map(numbers, report["data"]), strict=True)) == summed(made, groups)
        assert numbers(report["total"]) == (9, 11, 9)
    moves = product.part("organization", CreditsWiring).credit_store.movements(owner.org_id)
    settled = [each["amounts"] for each in moves if each["kind"] == "settle"]
    assert sum(sum(amounts.values()) for amounts in settled) == 9
    nothing = usage(product, stranger.headers, **days)
    assert (nothing["data"], numbers(nothing["total"])) == ([], (0, 0, 0))
    assert nothing["credits"]["allowance"]["used"] == 0


def test_every_member_and_a_key_with_the_scope_see_the_same(
    product: Product, owner: Account
) -> None:
    create(product, owner.headers)
    product.work_queue()
    viewer = accounts.join(product, owner, "viewer@example.com", "viewer")
    key = product.key(owner, "usage:read")
    shown = [usage(product, each) for each in (owner.headers, viewer.headers, bearer(key))]
    assert shown[0] == shown[1] == shown[2]
    assert numbers(shown[0]["total"]) == (1, 1, 1)


def test_unless_told_otherwise_it_is_this_months_usage_by_day(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES))
    for day in ("2061-01-31", "2061-02-01", "2061-02-10"):
        now = moment(f"{day}T23:59:59Z")
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with another_process(product):
            made = create(product, key).json["id"]
        Till(product, owner).work(made, now)
    report = usage(product, key)
    assert (report["start"], report["end"], report["group_by"]) == (
        "2061-02-01",
        "2061-02-10",
        ["day"],
    )
    one = dict.fromkeys(NUMBERS, 1)
    assert report["data"] == [{"day": "2061-02-01", **one}, {"day": "2061-02-10", **one}]
    for start, end, days in (
        ("2061-01-31", "2061-02-01", ["2061-01-31", "2061-02-01"]),
        ("2061-01-31", "2061-01-31", ["2061-01-31"]),
        ("2061-02-02", "2061-02-09", []),
    ):
        shown = usage(product, key, start=start, end=end)["data"]
        assert [row["day"] for row in shown] == days
    later = usage(product, key, start="2061-03-01")  # with no end: its own day
    assert (later["start"], later["end"], later["data"]) == ("2061-03-01", "2061-03-01", [])


@pytest.mark.promise("quota-org")
def test_it_tells_what_is_left_of_the_allowance_and_of_every_grant(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "3"
    month = {"id": utc_month(time.time()), "expires_at": rfc3339(end_of_utc_month(time.time()))}
    unopened = {**month, "amount": 3, "used": 0, "reserved": 0, "available": 3}
    before = usage(product, owner.headers, start="2020-01-01", end="2020-01-02")
    assert before["credits"] == {"available": 3, "allowance": unopened, "grants": []}
    set_plan(product, owner, shards=2)
    given = grant(product, owner, 5, "2061-01-01T00:00:00Z")
    create(product, owner.headers, n=4)
    product.work_queue()
    create(product, owner.headers)
    assert usage(product, owner.headers)["credits"] == {
        "available": 3,
        "allowance": {**month, "amount": 3, "used": 3, "reserved": 0, "available": 0},
        "grants": [
            {
                "id": given,
                "expires_at": "2061-01-01T00:00:00Z",
                "amount": 5,
                "used": 1,
                "reserved": 1,
                "available": 3,
            }
        ],
    }
