"""Keys that were found in public are revoked, and their owners are notified."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from imagelayer.access.key_secrets import checksum, hash_secret
from imagelayer.access.wiring import AccessWiring
from tests.support import accounts, api_keys, end_users, leak_reports, sent_mail
from tests.support.api import ALL_SCOPES, Account
from tests.support.events import http_event
from tests.support.product import Product

UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"


@pytest.mark.promise("keys-rotate")
@pytest.mark.parametrize("found", ["current", "in its grace"])
def test_a_reported_key_ends_at_once_with_all_its_secrets_and_sessions(
    product: Product, owner: Account, found: str
) -> None:
    old, other = product.key(owner, *ALL_SCOPES), product.key(owner, *ALL_SCOPES)
    current = api_keys.rotate(product, owner.headers, old, grace=3600).json
    sessions = [product.session(old, "user-1"), product.session(current, "user-2")]
    kept = product.session(other)
    token = (current if found == "current" else old)["key"]
    answer = leak_reports.report(product, token)
    assert (answer.status, answer.json) == (
        200,
        [
            {
                "token_hash": hash_secret(token),
                "token_type": "imagelayer_key",
                "label": "true_positive",
            }
        ],
    )
    assert [api_keys.own(product, each).status for each in (old, current, other)] == [401, 401, 200]
    assert [end_users.is_good(product, each) for each in (*sessions, kept)] == [False, False, True]
    assert api_keys.counter(product)["count"] == 1
    (line,) = product.security_events("key.leaked")
    assert (line["outcome"], line["org_id"], line["actor"], line["reason"]) == (
        "success",
        owner.org_id,
        "scanner",
        old["id"],
    )
    # Sent again, it finds no key of ours.
    assert leak_reports.labels(leak_reports.report(product, token)) == ["false_positive"]
    assert len(product.security_events("key.leaked")) == 1


def test_owners_learn_which_key_it_was_and_where_it_was_found(
    product: Product, owner: Account
) -> None:
    second = accounts.join(product, owner, "second@example.com", "owner")
    accounts.join(product, owner, "dev-eloper@example.com", "developer")
    key = product.key(owner, "assets:read")
    product.deliver_mail()
    sent = sent_mail.watch(product)
    leak_reports.report(product, key["key"])
    product.deliver_mail()
    assert sorted(letter.to for letter in sent) == sorted([owner.email, second.email])
    for letter in sent:
        assert f'"test key" ({key["prefix"]}…{key["last_four"]})' in letter.flowing
        assert letter.link == leak_reports.PLACE
        assert key["key"] not in letter.text + letter.html


@pytest.mark.parametrize(
    "url", ["", "http://evil.example/", "javascript:alert(1)", "https://a\n.example", "x" * 501]
)
def test_a_place_that_is_no_address_of_a_page_is_left_out(
    product: Product, owner: Account, url: str
) -> None:
    key = product.key(owner, "assets:read")
    product.deliver_mail()
    assert leak_reports.labels(leak_reports.report(product, key["key"], url=url)) == [
        "true_positive"
    ]
    (message,) = product.asked_mails()
    assert (message["kind"], message["place"]) == ("key_leaked", "")


def test_each_token_of_a_report_is_judged_in_its_order(
    product: Product, owner: Account, stranger: Account
) -> None:
    live, theirs = product.key(owner, "assets:read"), product.key(stranger, "assets:read")
    test = product.key(owner, "assets:read", mode="test")
    publishable, kept = product.key(owner, kind="publishable"), product.key(owner, "assets:read")
    gone = product.key(owner, "assets:read")
    api_keys.revoke(product, owner, gone)
    answer = leak_reports.report(
        product,
        live["key"],
        f"il_live_{UNKNOWN}{checksum(UNKNOWN)}",
        test["key"],
        publishable["key"],
        gone["key"],
        kept["key"][:-1],
        "ghp_somebody_elses",
        "",
        theirs["key"],
        live["key"],
    )
    ours, none = "true_positive", "false_positive"
    assert leak_reports.labels(answer) == [
        ours,
        none,
        ours,
        none,
        none,
        none,
        none,
        none,
        ours,
        none,
    ]
    dead = [api_keys.own(product, each).status for each in (live, test, theirs)]
    assert dead == [401] * 3
    assert api_keys.own(product, kept).status == 200
    assert api_keys.read(product, owner, publishable)["enabled"] is True  # it is meant to be seen
    told = {(line["org_id"], line["reason"]) for line in product.security_events("key.leaked")}
    assert told == {
        (owner.org_id, live["id"]),
        (owner.org_id, test["id"]),
        (stranger.org_id, theirs["id"]),
    }


def test_a_report_is_verified_over_its_raw_bytes_however_the_gateway_hands_them_on(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    # Spaces, order and an unknown field, as a reader would not write them again.
    body = f'[ {{"source":"commit","url":"","extra":1, "token":"{key["key"]}","type":"t"}} ]'
    headers = product.scanner.sign(body.encode())
    event = http_event("POST", leak_reports.PATH, body=body, headers=headers)
    event |= {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True}
    assert leak_reports.labels(product.answer("leaked_keys", event)) == ["true_positive"]
    assert api_keys.own(product, key).status == 401


@pytest.mark.promise("keys-rotate")
@pytest.mark.parametrize("broken", ["DeleteItem", "Query"])
def test_a_report_that_died_half_way_is_finished_when_it_is_sent_again(
    product: Product, owner: Account, broken: str
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    session = product.session(key)
    with product.broken("dynamodb", broken):
        assert leak_reports.report(product, key["key"]).status == 503
    assert api_keys.own(product, key).status == 401  # refused already
    assert leak_reports.labels(leak_reports.report(product, key["key"])) == ["true_positive"]
    assert not end_users.is_good(product, session)
    assert [item["sk"] for item in product.items("KeysTable")] == ["KEYS"]
    assert [message["kind"] for message in product.asked_mails()][-1] == "key_leaked"


def test_a_key_that_changes_in_between_is_revoked_as_it_is_by_then(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")

    def rotate() -> dict[str, Any]:
        return dict(api_keys.rotate(product, owner.headers, key, grace=3600).json)

    with accounts.meanwhile(
        product.part("leaked_keys", AccessWiring).key_store, "get_key", rotate
    ) as came_to:
        assert leak_reports.labels(leak_reports.report(product, key["key"])) == ["true_positive"]
    (rotated,) = came_to
    assert [api_keys.own(product, each).status for each in (key, rotated)] == [401, 401]
    assert [item["sk"] for item in product.items("KeysTable")] == ["KEYS"]


@pytest.mark.promise("keys-hashed")
def test_no_reported_token_is_kept_or_logged(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    unknown = f"il_live_{UNKNOWN}{checksum(UNKNOWN)}"
    leak_reports.report(product, key["key"], unknown, "ghp_somebody_elses")
    leak_reports.send(product, json.dumps([leak_reports.leak(unknown)]), {})
    written = product.dump() + product.output.getvalue() + json.dumps(product.asked_mails())
    for token in (key["key"], unknown, "ghp_somebody_elses"):
        assert token not in written
