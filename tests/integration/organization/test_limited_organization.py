"""An organization invites so many a day and no more, no matter which member does it."""

from __future__ import annotations

import time

import pytest

from imagelayer.limits.rate_limits import POLICIES
from imagelayer.limits.wiring import LimitsWiring
from tests.support import accounts, organizations
from tests.support.api import Account
from tests.support.product import Product
from tests.support.role_calls import NO_TABLE

POLICY = POLICIES["invite"]


def spend(product: Product, org_id: str) -> None:
    """Use the day's invitations up."""
    tat = int(time.time() * 1000) + POLICY.burst * POLICY.interval_ms + 10_000
    key = {"pk": f"LIMIT#invite#{org_id}", "sk": "TAT"}
    product.edit("CountersTable", key, tat_invite=tat)


@pytest.mark.promise("limits-fail-closed")
def test_a_burst_is_admitted_to_the_last_invitation_and_not_one_more(
    product: Product, owner: Account
) -> None:
    statuses = [
        organizations.invite(product, owner, f"guest-{number}@example.com").status
        for number in range(POLICY.burst + 1)
    ]
    assert statuses == [201] * POLICY.burst + [429]
    assert (
        len(organizations.listed(product, owner, organizations.INVITATIONS, limit="100"))
        == POLICY.burst
    )
    assert len(product.asked_mails()) == POLICY.burst


@pytest.mark.promise("limits-fail-closed")
def test_past_it_no_one_of_the_organization_invites_and_another_one_does(
    product: Product, owner: Account, stranger: Account
) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    spend(product, owner.org_id)
    before = product.counts()
    for account in (owner, admin):
        refused = organizations.invite(product, account, "friend@example.com")
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["ratelimit-policy"] == POLICY.header
        assert 1 <= int(refused.headers["retry-after"]) <= POLICY.window
    assert (product.counts(), product.asked_mails()) == (before, [])
    assert {line["reason"] for line in product.security_events("limit.denied")} == {"invite"}
    assert organizations.invite(product, stranger, "friend@example.com").status == 201


def test_what_is_refused_for_another_reason_counts_as_no_invitation(
    product: Product, owner: Account
) -> None:
    viewer = accounts.join(product, owner, "viewer@example.com", "viewer")
    key = f"LIMIT#invite#{owner.org_id}"
    before = [item for item in product.items("CountersTable") if item["pk"] == key]
    organizations.invite(product, owner, "friend@mailinator.com")
    organizations.invite(product, owner, "nonsense")
    organizations.invite(product, viewer, "friend@example.com")
    assert [item for item in product.items("CountersTable") if item["pk"] == key] == before


@pytest.mark.promise("limits-fail-closed")
def test_when_the_count_cannot_be_kept_no_one_is_invited(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = product.part("organization", LimitsWiring).counters
    monkeypatch.setattr(counters._table, "_name", NO_TABLE)
    before = product.counts()
    answer = organizations.invite(product, owner, "friend@example.com")
    assert answer.status == 503
    assert (product.counts(), product.asked_mails()) == (before, [])
