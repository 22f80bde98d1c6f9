"""An idempotency key shows no one what someone else made with it."""

from __future__ import annotations

import pytest

from tests.support import idempotent_requests
from tests.support.api import Account
from tests.support.idempotent_requests import CREATING, OWN
from tests.support.product import Product


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("route", CREATING)
def test_a_key_of_one_organization_means_nothing_to_another(
    product: Product, owner: Account, stranger: Account, route: str
) -> None:
    ours, theirs = (idempotent_requests.order(product, each, route) for each in (owner, stranger))
    first = ours.send()
    other = theirs.send()
    assert not idempotent_requests.is_replayed(other)
    assert other.json["id"] != first.json["id"]
    assert idempotent_requests.shown(ours.send()) == idempotent_requests.shown(first)
    assert idempotent_requests.shown(theirs.send()) == idempotent_requests.shown(other)


@pytest.mark.promise("keys-hashed")
@pytest.mark.parametrize("route", OWN)
def test_a_secret_is_shown_again_to_the_one_who_asked_for_it_and_to_no_colleague(
    product: Product, owner: Account, route: str
) -> None:
    order = idempotent_requests.order(product, owner, route)
    first = order.send()
    other = order.send(headers=idempotent_requests.colleague(product, owner, route))
    assert not idempotent_requests.is_replayed(other)
    secret = "session_token" if "session" in route else "secret" if "webhook" in route else "key"
    assert other.json[secret] != first.json[secret]
