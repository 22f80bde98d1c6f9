"""Endpoints that may not be, changes that come too late."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.platform.settings import Settings
from imagelayer.webhooks.records import Webhook
from imagelayer.webhooks.wiring import WebhooksWiring
from tests.support.api import PASSWORD, Account
from tests.support.product import Product
from tests.support.webhook_requests import URL, call
from tests.support.webhook_targets import URLS

# In the local stage this machine is a receiver as well.
LOCAL = {
    "localhost",
    "loopback",
    "loopback with a dot behind it",
    "IPv6 loopback",
    "mapped loopback",
}


def without_loopback(product: Product) -> None:
    """As in a deployed stage."""
    product.parameters["WEBHOOK_LOOPBACK"] = ""


@pytest.mark.parametrize("kind", URLS)
def test_a_url_that_webhooks_may_not_go_to_makes_no_endpoint(
    product: Product, owner: Account, kind: str
) -> None:
    without_loopback(product)
    refused = call(product, owner, "POST", body={"url": URLS[kind]})
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in refused.json["errors"]] == ["body.url"]
    assert product.items("WebhooksTable") == []


@pytest.mark.parametrize("kind", ["http", "loopback", "metadata", "a decimal address"])
def test_an_endpoint_cannot_be_moved_to_such_a_url(
    product: Product, owner: Account, kind: str
) -> None:
    without_loopback(product)
    webhook = product.webhook(owner)
    refused = call(product, owner, "PATCH", f"/{webhook['id']}", body={"url": URLS[kind]})
    assert refused.status == 422
    assert call(product, owner, "GET", f"/{webhook['id']}").json["url"] == URL


def test_in_the_local_stage_only_this_machine_is_a_receiver_besides(
    product: Product, owner: Account
) -> None:
    assert call(product, owner, "POST", body={"url": "http://127.0.0.1:9/x"}).status == 201
    for number, kind in enumerate(sorted(set(URLS) - LOCAL)):
        if number % 20 == 0:  # as many as one session may make at once
            known = {"email": owner.email, "password": PASSWORD}
            owner.token = product.call("POST", "/v1/auth/login", body=known).json["access_token"]
        refused = call(product, owner, "POST", body={"url": URLS[kind]})
        assert refused.status == 422, kind
    assert Settings.read({"STAGE": "prod", "BASE_URL": "https://x"}).webhook_loopback is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("events", []),
        ("events", ["generation.started"]),
        ("events", ["webhook.test"]),
        ("description", "x" * 201),
        ("description", "line\nbreak"),
        ("description", "<script>"),
        ("enabled", "yes"),
        ("url", "x"),
        ("url", None),
        ("secret", "whsec_mine"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(
    product: Product, owner: Account, field: str, value: Any
) -> None:
    refused = call(product, owner, "POST", body={"url": URL, field: value})
    assert refused.status == 422
    assert refused.json["errors"][0]["location"].startswith(f"body.{field}")
    assert product.items("WebhooksTable") == []


@pytest.mark.parametrize("grace", [-1, 604_801, "1", None, 1.5])
def test_a_grace_outside_its_bounds_rotates_nothing(
    product: Product, owner: Account, grace: Any
) -> None:
    webhook = product.webhook(owner)
    before = product.item("WebhooksTable", "WHK#")
    path = f"/{webhook['id']}/rotate"
    assert call(product, owner, "POST", path, body={"grace_seconds": grace}).status == 422
    assert product.item("WebhooksTable", "WHK#") == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "", {"enabled": False}), ("POST", "/rotate", {"grace_seconds": 60})],
)
def test_of_two_changes_that_read_the_same_the_second_is_refused_whole(
    product: Product, owner: Account, method: str, path: str, body: dict[str, Any]
) -> None:
    webhook = product.webhook(owner)
    store = product.part("webhooks", WebhooksWiring).webhook_store
    read = store.get_webhook

    def slow(org_id: str, webhook_id: str) -> Webhook | None:
        """Between our read and our write someone else's change comes."""
        found = read(org_id, webhook_id)
        assert found is not None
        assert store.update_webhook(found, {"description": "theirs"})
        return found

    vars(store)["get_webhook"] = slow
    refused = call(product, owner, method, f"/{webhook['id']}{path}", body=body)
    del vars(store)["get_webhook"]
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    item = product.item("WebhooksTable", "WHK#")
    assert (item["description"], item["enabled"], item["secret"]["version"]) == ("theirs", True, 1)


def test_an_endpoint_that_is_deleted_while_it_is_changed_stays_deleted(
    product: Product, owner: Account
) -> None:
    webhook = product.webhook(owner)
    store = product.part("webhooks", WebhooksWiring).webhook_store
    found = store.get_webhook(owner.org_id, webhook["id"])
    assert found is not None
    assert store.delete_webhook(found)
    assert not store.delete_webhook(found)
    assert not store.update_webhook(found, {"description": "back again"})
    assert store.record_failure(owner.org_id, webhook["id"], 1) is None
    store.reset_failures(owner.org_id, webhook["id"])
    assert not store.disable_webhook(found, "gone", [])
    assert [each["sk"] for each in product.items("WebhooksTable")] == ["WEBHOOKS"]
    assert not store.has_any(owner.org_id)
