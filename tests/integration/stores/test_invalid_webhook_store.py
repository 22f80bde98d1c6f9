"""A message is opened once, one worker makes a delivery, and what was deleted stays deleted."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.platform.table import Table
from imagelayer.webhooks.records import Delivery
from imagelayer.webhooks.store import TooManyWebhooks, WebhookStore
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG, attempt, message, webhook

WEBHOOK = webhook()["id"]
UNTIL = NOW + 120


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("WebhooksTable")


@pytest.fixture
def store(client: Any, rows: Table) -> WebhookStore:
    return WebhookStore(client, rows)


def lease(store: WebhookStore, by: str, now: int = NOW) -> Delivery | None:
    return store.lease_delivery(ORG, message()["id"], WEBHOOK, by, now, now + 120)


def deliver(store: WebhookStore) -> None:
    """Put a message and make its delivery."""
    store.add_message(message())
    store.open_message(message(), [WEBHOOK], NOW)
    leased = lease(store, "l-1")
    assert leased is not None
    assert store.settle_delivery(leased, "succeeded", attempt(leased))


def delivery(rows: Table) -> dict[str, Any]:
    (found,) = rows.query(f"ORG#{ORG}", prefix="DLV#")
    return found


def test_an_endpoint_is_not_overwritten_by_another_of_its_id(
    store: WebhookStore, rows: Table
) -> None:
    store.create_webhook(webhook())
    before = rows.query(f"ORG#{ORG}")
    with pytest.raises(TooManyWebhooks):
        store.create_webhook(webhook(url="https://other.example.com/"))
    assert rows.query(f"ORG#{ORG}") == before


def test_an_endpoint_that_was_deleted_is_not_brought_back(store: WebhookStore, rows: Table) -> None:
    store.create_webhook(webhook())
    seen = store.get_webhook(ORG, WEBHOOK)
    assert seen is not None
    assert store.delete_webhook(seen)
    before = rows.query(f"ORG#{ORG}")
    assert not store.delete_webhook(seen)
    assert not store.update_webhook(seen, {"enabled": False})
    assert not store.disable_webhook(seen, "failing", [])
    assert store.record_failure(ORG, WEBHOOK, NOW) is None
    store.reset_failures(ORG, WEBHOOK)
    assert rows.query(f"ORG#{ORG}") == before


def test_an_endpoint_is_changed_only_as_it_was_read(store: WebhookStore) -> None:
    store.create_webhook(webhook())
    seen = store.get_webhook(ORG, WEBHOOK)
    assert seen is not None
    assert store.update_webhook(seen, {"description": "first"})
    assert not store.update_webhook(seen, {"description": "second"})
    assert store.disable_webhook(seen, "failing", [])
    assert not store.disable_webhook(seen, "failing", [])


def test_a_message_is_added_once(store: WebhookStore, rows: Table) -> None:
    assert store.add_message(message())
    before = rows.query(f"ORG#{ORG}")
    assert not store.add_message(message(body='{"again": true}'))
    assert rows.query(f"ORG#{ORG}") == before


def test_a_message_that_is_opened_twice_is_delivered_once(store: WebhookStore, rows: Table) -> None:
    """The second worker read the message before the first had opened it."""
    deliver(store)
    store.open_message(message(), [WEBHOOK], NOW + 1)
    assert (delivery(rows)["status"], delivery(rows)["attempts"]) == ("succeeded", 1)


def test_a_delivery_that_ended_or_is_not_due_or_is_leased_is_not_leased(
    store: WebhookStore, rows: Table
) -> None:
    deliver(store)
    assert lease(store, "l-2") is None
    rows.put({**delivery(rows), "status": "pending", "next_at": NOW + 60})
    assert lease(store, "l-2", NOW + 59) is None
    assert lease(store, "l-2", NOW + 60) is not None
    assert lease(store, "l-3", NOW + 179) is None
    assert lease(store, "l-3", NOW + 180) is not None


def test_a_worker_whose_lease_ran_out_does_not_settle(store: WebhookStore, rows: Table) -> None:
    store.add_message(message())
    store.open_message(message(), [WEBHOOK], NOW)
    late = lease(store, "l-1")
    assert late is not None
    assert lease(store, "l-2", UNTIL) is not None
    assert not store.settle_delivery(late, "failed", attempt(late))
    assert (delivery(rows)["status"], delivery(rows)["lease"]) == ("pending", "l-2")
    assert rows.query(f"ORG#{ORG}", prefix="ATT#") == []


def test_a_delivery_is_sent_again_unless_an_attempt_is_being_made(
    store: WebhookStore, rows: Table
) -> None:
    deliver(store)
    assert store.resend_message(message(), WEBHOOK, NOW)
    assert lease(store, "l-2") is not None
    assert not store.resend_message(message(), WEBHOOK, UNTIL - 1)
    assert delivery(rows)["lease"] == "l-2"
    # The worker died: its lease is over.
    assert store.resend_message(message(), WEBHOOK, UNTIL)
    assert (delivery(rows)["attempts"], delivery(rows)["next_at"]) == (0, UNTIL)


def test_of_two_sweeps_one_postpones(store: WebhookStore) -> None:
    store.add_message(message())
    seen = store.message(ORG, message()["id"], NOW)
    assert seen is not None
    assert store.postpone(seen, NOW + 600)
    assert not store.postpone(seen, NOW + 900)
