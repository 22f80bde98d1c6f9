"""What an organization reads of its own security events."""

from __future__ import annotations

import json
import time

import pytest

from imagelayer.audit.security_log import EVENTS
from imagelayer.audit.store import KEPT_SECONDS
from imagelayer.platform.ids import new_id
from imagelayer.platform.times import parse_rfc3339
from tests.support import accounts, organizations
from tests.support.api import ALL_SCOPES, PASSWORD, Account, bearer
from tests.support.product import Product

WRONG_PASSWORD = "a wrong password of somebody"


def names(rows: list[dict[str, str]]) -> list[str]:
    return [row["event"] for row in rows]


@pytest.mark.promise("security-logged", "auth-logged")
def test_events_are_read_newest_first_with_what_was_logged(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    rows = organizations.listed(product, owner, organizations.EVENTS)
    assert names(rows) == [
        "key.revoked",
        "key.created",
        "auth.login",
        "auth.verify_email",
    ]
    newest = rows[0]
    (logged,) = product.security_events("key.revoked")
    for name in ("event", "outcome", "actor", "ip", "request_id", "reason"):
        assert newest[name] == logged[name]
    at = parse_rfc3339(newest["created_at"])
    assert at is not None
    assert abs(at - time.time()) < 600
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)


@pytest.mark.promise("security-logged")
def test_refusals_are_among_them(product: Product, owner: Account) -> None:
    viewer = accounts.join(product, owner, "viewer@example.com", "viewer")
    organizations.invite(product, viewer, "friend@example.com")
    accounts.log_in(product, owner.email, WRONG_PASSWORD)
    found = {
        (row["event"], row["outcome"], row["actor"])
        for row in organizations.listed(product, owner, organizations.EVENTS)
    }
    assert ("authz.denied", "denied", viewer.user_id) in found
    assert ("auth.login", "failure", owner.user_id) in found


def test_events_are_read_in_pages_without_gaps(product: Product, owner: Account) -> None:
    for _ in range(3):
        product.key(owner, "assets:read")
    everything = organizations.listed(product, owner, organizations.EVENTS, limit="100")
    pages = organizations.paged(product, owner, organizations.EVENTS, 3)
    assert [row for page in pages for row in page] == everything
    assert [len(page) for page in pages] == [3, 2]


def test_what_happens_while_someone_pages_repeats_nothing(product: Product, owner: Account) -> None:
    first = product.call(
        "GET", organizations.EVENTS, headers=owner.headers, query={"limit": "1"}
    ).json
    product.key(owner, "assets:read")
    query = {"limit": "100", "cursor": first["next_cursor"]}
    rest = product.call("GET", organizations.EVENTS, headers=owner.headers, query=query).json
    seen = names(first["data"] + rest["data"])
    assert seen == ["auth.login", "auth.verify_email"]


@pytest.mark.promise("org-scoped")
def test_an_organization_reads_its_own_events_alone(
    product: Product, owner: Account, stranger: Account
) -> None:
    product.key(owner, "assets:read")
    mine = organizations.listed(product, owner, organizations.EVENTS, limit="100")
    theirs = organizations.listed(product, stranger, organizations.EVENTS, limit="100")
    assert {row["actor"] for row in theirs} == {stranger.user_id}
    assert not {row["id"] for row in mine} & {row["id"] for row in theirs}


@pytest.mark.promise("org-scoped")
def test_a_guess_at_an_address_without_an_account_is_in_nobodys_events(
    product: Product, owner: Account
) -> None:
    before = organizations.listed(product, owner, organizations.EVENTS, limit="100")
    accounts.log_in(product, "nobody@example.com", WRONG_PASSWORD)
    assert organizations.listed(product, owner, organizations.EVENTS, limit="100") == before
    (kept,) = [item for item in product.items("EventsTable") if item["pk"] == "ORG#unknown"]
    assert (kept["event"], kept["reason"]) == ("auth.login", "unknown address")


def test_an_event_is_kept_for_ninety_days_and_not_shown_a_moment_longer(
    product: Product, owner: Account
) -> None:
    newest, *rest = organizations.listed(product, owner, organizations.EVENTS)
    item = product.item("EventsTable", f"EVT#{newest['id']}")
    assert item["expires_at"] - item["at"] == KEPT_SECONDS == 90 * 86_400
    product.edit("EventsTable", item, expires_at=int(time.time()))
    assert organizations.listed(product, owner, organizations.EVENTS) == rest


def test_a_page_of_events_that_ran_out_still_leads_on(product: Product, owner: Account) -> None:
    everything = organizations.listed(product, owner, organizations.EVENTS)
    for row in everything[:2]:
        item = product.item("EventsTable", f"EVT#{row['id']}")
        product.edit("EventsTable", item, expires_at=int(time.time()))
    pages = organizations.paged(product, owner, organizations.EVENTS, 2)
    assert [row for page in pages for row in page] == everything[2:]


@pytest.mark.promise("org-scoped")
def test_an_admin_reads_them_and_no_one_below_does(product: Product, owner: Account) -> None:
    statuses = {}
    for role in ("owner", "admin", "developer", "viewer"):
        member = accounts.join(product, owner, f"{role}@example.com", role)
        statuses[role] = product.call("GET", organizations.EVENTS, headers=member.headers).status
    assert statuses == {"owner": 200, "admin": 200, "developer": 403, "viewer": 403}
    key = product.key(owner, *ALL_SCOPES)
    assert product.call("GET", organizations.EVENTS, headers=bearer(key)).status == 403


@pytest.mark.promise("keys-hashed", "security-logged")
def test_no_event_holds_a_secret_or_an_address(product: Product, owner: Account) -> None:
    friend = accounts.join(product, owner, "friend@example.com", "admin")
    app = accounts.enrol(product, friend)
    accounts.log_in(product, friend.email, WRONG_PASSWORD)
    accounts.log_in(product, friend.email, recovery_code=app.recovery_codes[0])
    key = product.key(friend, *ALL_SCOPES)
    session = product.session(key, "end.user@customer.example")
    accounts.forgot(product, friend.email)
    reset = product.newest_token()
    accounts.reset(product, reset)
    product.register(owner.email)
    product.mails()
    product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    rows = organizations.listed(product, owner, organizations.EVENTS, limit="100")
    text = json.dumps(rows)
    assert "@" not in text
    for secret in (
        PASSWORD,
        WRONG_PASSWORD,
        accounts.NEW_PASSWORD,
        app.secret,
        app.recovery_codes[0],
        key["key"],
        session["session_token"],
        reset.split(".")[-1],
        friend.token,
        "end.user",
        "friend",
        "Fri Endly",
    ):
        assert secret not in text
    assert set(names(rows)) <= set(EVENTS)
    assert len(set(names(rows))) > 10


def test_an_event_that_cannot_be_kept_is_counted_and_undoes_nothing(
    product: Product, owner: Account
) -> None:
    before = organizations.listed(product, owner, organizations.EVENTS)
    with product.broken("dynamodb", "PutItem"):
        answer = organizations.change(product, owner, name="Another name")
    assert answer.status == 200
    assert organizations.listed(product, owner, organizations.EVENTS) == before
    (logged,) = product.security_events("organization.changed")
    assert logged["outcome"] == "success"
    assert any("SecurityEventNotKept" in line for line in product.logs())


def test_a_cursor_of_another_kind_is_refused(product: Product, owner: Account) -> None:
    for cursor in (new_id("key", 1.0), "nonsense"):
        query = {"cursor": cursor}
        answer = product.call("GET", organizations.EVENTS, headers=owner.headers, query=query)
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
