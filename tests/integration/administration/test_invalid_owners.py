"""Whom an operator cannot invite: nothing is written, and no mail is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.product import Product

ACTION = {"action": "create_owner", "email": "founder@example.com", "organization_name": "Acme"}


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "founder"},
        {"email": ""},
        {"email": None},
        {"email": "a@mailinator.com"},
        {"organization_name": ""},
        {"organization_name": "x" * 101},
        {"organization_name": 1},
        {"password": "correct horse battery staple"},
        {"org_id": "org_01k0samp1e0rgan1zat10n0000"},
    ],
)
def test_an_invitation_that_is_not_valid_changes_nothing(
    product: Product, changes: dict[str, Any]
) -> None:
    answer = product.invoke("administration", {**ACTION, **changes})
    assert answer["error"]["code"] in ("validation_failed", "disposable_email")
    assert product.items("AccountsTable") == []
    assert product.mails() == []


def test_an_address_that_has_an_account_is_refused_and_stays_as_it_is(product: Product) -> None:
    account = product.account("founder@example.com")
    before, mails = product.items("AccountsTable"), len(product.mails())
    for spelling in ("founder@example.com", "Founder@EXAMPLE.com"):
        answer = product.invoke("administration", {**ACTION, "email": spelling})
        assert answer["error"]["code"] == "address_taken"
    assert product.items("AccountsTable") == before
    assert len(product.mails()) == mails
    assert product.security_events("owner.invited") == []
    assert account.org_id


def test_an_account_that_came_first_gets_no_invitation(product: Product) -> None:
    """It was made between the operator's call and the mail."""
    product.register("founder@example.com")
    token = product.newest_token()
    product.invoke("administration", ACTION)
    assert product.confirm(token).status == 200
    assert len(product.mails()) == 1
    assert "SIGNUP" not in {each["pk"].partition("#")[0] for each in product.items("AccountsTable")}
