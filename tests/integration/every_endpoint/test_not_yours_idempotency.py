"""An idempotency key shows nobody what somebody else made with it."""

from __future__ import annotations

import pytest

from tests.integration.every_endpoint import again
from tests.integration.every_endpoint.again import CREATING, OWN
from tests.support.product import Account, Product


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("route", CREATING)
def test_a_key_of_one_organization_means_nothing_to_another(
    product: Product, owner: Account, stranger: Account, route: str
) -> None:
    ours, theirs = (again.order(product, each, route) for each in (owner, stranger))
    first = ours.send()
    other = theirs.send()
    assert not again.is_replayed(other)
    assert other.json["id"] != first.json["id"]
    assert again.shown(ours.send()) == again.shown(first)
    assert again.shown(theirs.send()) == again.shown(other)


@pytest.mark.promise("keys-hashed")
@pytest.mark.parametrize("route", OWN)
def test_a_secret_is_shown_again_to_the_one_who_asked_for_it_and_to_no_colleague(
    product: Product, owner: Account, route: str
) -> None:
    order = again.order(product, owner, route)
    first = order.send()
    other = order.send(headers=again.colleague(product, owner, route))
    assert not again.is_replayed(other)
    secret = "session_token" if "session" in route else "secret" if "webhook" in route else "key"
    assert other.json[secret] != first.json[secret]
