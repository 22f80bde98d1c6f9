"""Messages on request are limited for the whole organization, whatever credential sends them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.limits.rate_limits import POLICIES
from imagelayer.limits.wiring import LimitsWiring
from tests.support.api import Account, Answer, bearer
from tests.support.product import Product
from tests.support.role_calls import NO_TABLE
from tests.support.webhook_requests import PATH

POLICY = POLICIES["webhook-send"]


def spend(product: Product, org_id: str) -> None:
    """Use the organization's limit up."""
    tat = int(time.time() * 1000) + POLICY.burst * POLICY.interval_ms + 10_000
    key = {"pk": f"LIMIT#webhook-send#{org_id}", "sk": "TAT"}
    product.edit("CountersTable", key, tat_webhook_send=tat)


def send(product: Product, webhook: dict[str, Any], headers: dict[str, str]) -> Answer:
    """Send a test message."""
    return product.call("POST", f"{PATH}/{webhook['id']}/test", headers=headers)


@pytest.mark.promise("limits-fail-closed")
def test_all_credentials_of_an_organization_share_one_limit_on_messages_they_send(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    webhook = product.webhook(owner)
    keys = [bearer(product.key(owner, "webhooks:write")) for _ in range(6)]
    # Each stays below the limit of its own credential.
    statuses = [
        send(product, webhook, keys[number % len(keys)]).status
        for number in range(POLICY.burst + 1)
    ]
    assert statuses == [202] * POLICY.burst + [429]


@pytest.mark.promise("limits-fail-closed")
def test_past_it_neither_a_test_nor_a_resend_goes_out_and_another_organization_sends(
    product: Product, owner: Account, stranger: Account
) -> None:
    webhook, others = product.webhook(owner), product.webhook(stranger)
    message = send(product, webhook, owner.headers).json
    key = bearer(product.key(owner, "webhooks:write"))
    spend(product, owner.org_id)
    before = product.counts()
    resend = f"{PATH}/{webhook['id']}/messages/{message['id']}/resend"
    for headers in (owner.headers, key):
        for refused in (
            send(product, webhook, headers),
            product.call("POST", resend, headers=headers),
        ):
            assert (refused.status, refused.json["code"]) == (429, "rate_limited")
            assert refused.headers["ratelimit-policy"] == POLICY.header
    assert product.counts() == before
    assert send(product, others, stranger.headers).status == 202


def test_a_message_to_an_unknown_endpoint_counts_as_none(
    product: Product, owner: Account, stranger: Account
) -> None:
    others = product.webhook(stranger)
    assert send(product, others, owner.headers).status == 404
    sends = f"LIMIT#webhook-send#{owner.org_id}"
    assert [item for item in product.items("CountersTable") if item["pk"] == sends] == []


@pytest.mark.promise("limits-fail-closed")
def test_when_the_count_cannot_be_kept_no_message_goes_out(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = product.webhook(owner)
    counters = product.part("webhooks", LimitsWiring).counters
    monkeypatch.setattr(counters._table, "_name", NO_TABLE)
    before = product.counts()
    assert send(product, webhook, owner.headers).status == 503
    assert product.counts() == before
