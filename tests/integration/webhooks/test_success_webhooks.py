"""Endpoints: made, listed, changed, rotated and deleted, by members and by keys."""

from __future__ import annotations

import base64
import time

import pytest

from imagelayer.platform.times import parse_rfc3339
from imagelayer.webhooks.events import WEBHOOK_EVENTS
from imagelayer.webhooks.service import MAX_SECRETS
from imagelayer.webhooks.store import MAX_WEBHOOKS
from tests.support.api import Account, bearer
from tests.support.product import Product
from tests.support.webhook_requests import PATH, URL, call


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(
    product: Product, owner: Account
) -> None:
    made = call(product, owner, "POST", body={"url": URL, "description": "Shop"})
    assert made.status == 201
    webhook = made.json
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32
    assert webhook == {
        "id": webhook["id"],
        "url": URL,
        "events": sorted(WEBHOOK_EVENTS),
        "description": "Shop",
        "enabled": True,
        "disabled_reason": None,
        "failing_since": None,
        "created_at": webhook["created_at"],
        "created_by": owner.user_id,
        "updated_at": webhook["created_at"],
    }
    read = call(product, owner, "GET", f"/{webhook['id']}")
    assert read.json == webhook
    assert call(product, owner, "GET").json == {"data": [webhook], "next_cursor": None}
    (event,) = product.security_events("webhook.created")
    assert (event["org_id"], event["actor"]) == (owner.org_id, owner.user_id)
    assert event["reason"] == webhook["id"]


@pytest.mark.promise("keys-scoped")
def test_a_key_with_the_scopes_manages_endpoints(product: Product, owner: Account) -> None:
    writes, reads = (
        bearer(product.key(owner, scope)) for scope in ("webhooks:write", "webhooks:read")
    )
    made = product.call("POST", PATH, headers=writes, body={"url": URL})
    assert made.status == 201
    assert product.call("GET", PATH, headers=reads).json["data"][0]["id"] == made.json["id"]
    assert product.call("GET", PATH, headers=writes).status == 403
    assert product.call("POST", PATH, headers=reads, body={"url": URL}).status == 403


def test_endpoints_are_paged_in_order_of_creation(product: Product, owner: Account) -> None:
    made = []
    for _ in range(5):
        made.append(product.webhook(owner)["id"])
        time.sleep(0.002)  # ids of one millisecond have no order
    seen, query = [], {"limit": "2"}
    while True:
        page = call(product, owner, "GET", query=query).json
        seen += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made


def test_what_is_left_out_of_a_change_stays(product: Product, owner: Account) -> None:
    webhook = product.webhook(owner, description="Shop")
    path = f"/{webhook['id']}"
    events = ["quota.alert", "generation.failed", "quota.alert"]
    changed = call(product, owner, "PATCH", path, body={"events": events, "enabled": False})
    assert changed.status == 200
    assert changed.json["events"] == ["generation.failed", "quota.alert"]
    assert (changed.json["enabled"], changed.json["url"]) == (False, URL)
    assert changed.json["description"] == "Shop"
    assert call(product, owner, "PATCH", path, body={}).json == changed.json
    assert call(product, owner, "GET", path).json == changed.json
    (event,) = product.security_events("webhook.changed")
    assert event["reason"] == f"{webhook['id']} enabled, events"


def test_of_many_endpoints_exactly_as_many_fit_as_an_organization_may_have(
    product: Product, owner: Account, stranger: Account
) -> None:
    made = [product.webhook(owner) for _ in range(MAX_WEBHOOKS)]
    refused = call(product, owner, "POST", body={"url": URL})
    assert (refused.status, refused.json["code"]) == (409, "webhook_limit_reached")
    assert MAX_WEBHOOKS == 20
    product.webhook(stranger)
    assert call(product, owner, "DELETE", f"/{made[0]['id']}").status == 204
    assert call(product, owner, "DELETE", f"/{made[0]['id']}").status == 404
    product.webhook(owner)
    assert call(product, owner, "POST", body={"url": URL}).status == 409
    assert len(product.security_events("webhook.deleted")) == 1


def test_a_full_organization_still_answers_a_repeated_request(
    product: Product, owner: Account
) -> None:
    for _ in range(MAX_WEBHOOKS - 1):
        product.webhook(owner)
    headers = owner.headers | {"idempotency-key": "the-last"}
    first = product.call("POST", PATH, headers=headers, body={"url": URL})
    again = product.call("POST", PATH, headers=headers, body={"url": URL})
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json


def test_rotations_in_a_row_keep_the_newest_secrets_and_no_more(
    product: Product, owner: Account
) -> None:
    webhook = product.webhook(owner)
    before = time.time()
    rotated = [
        call(product, owner, "POST", f"/{webhook['id']}/rotate", body={"grace_seconds": 60}).json
        for _ in range(MAX_SECRETS + 1)
    ]
    assert len({webhook["secret"], *(each["secret"] for each in rotated)}) == len(rotated) + 1
    ends = parse_rfc3339(rotated[0]["previous_expires_at"])
    assert ends is not None
    assert before + 59 <= ends <= time.time() + 60
    item = product.item("WebhooksTable", "WHK#")
    assert [each["version"] for each in item["previous"]] == [5, 4, 3]
    assert item["secret"]["version"] == 6
    assert len(product.security_events("webhook.rotated")) == len(rotated)


def test_by_default_the_old_secret_signs_for_another_day(product: Product, owner: Account) -> None:
    webhook = product.webhook(owner)
    rotated = call(product, owner, "POST", f"/{webhook['id']}/rotate", body={}).json
    ends = parse_rfc3339(rotated["previous_expires_at"])
    assert ends is not None
    assert abs(ends - time.time() - 86_400) < 600


def test_an_endpoint_made_under_an_earlier_root_key_keeps_its_secret(
    product: Product, owner: Account
) -> None:
    """The operator has put a new root key in front of the old one."""
    headers = owner.headers | {"idempotency-key": "one"}
    made = product.call("POST", PATH, headers=headers, body={"url": URL}).json
    platform = product.platform("webhooks")
    secret_id = platform.settings.need("WEBHOOK_SECRET_ID")
    current = platform.secrets.read(secret_id)["current"]
    platform.secrets._kept[secret_id] = (
        time.monotonic(),
        {"current": "a new root", "previous": [current]},
    )
    again = product.call("POST", PATH, headers=headers, body={"url": URL}).json
    assert again["secret"] == made["secret"]
    rotated = call(product, owner, "POST", f"/{made['id']}/rotate", body={}).json
    item = product.item("WebhooksTable", "WHK#")
    assert item["secret"]["root"] != item["previous"][0]["root"]
    assert rotated["secret"] != made["secret"]


def test_a_secret_that_was_rotated_since_is_not_shown_again(
    product: Product, owner: Account
) -> None:
    headers = owner.headers | {"idempotency-key": "one"}
    made = product.call("POST", PATH, headers=headers, body={"url": URL}).json
    call(product, owner, "POST", f"/{made['id']}/rotate", body={})
    again = product.call("POST", PATH, headers=headers, body={"url": URL})
    assert (again.status, again.json["code"]) == (409, "conflict")
    assert "secret" not in again.json
