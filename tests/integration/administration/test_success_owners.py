"""An operator invites an owner, who creates the organization with the link of a mail."""

from __future__ import annotations

from typing import Any

from tests.support.api import PASSWORD
from tests.support.product import Product

ACTION = {"action": "create_owner", "email": "Founder@Example.com", "organization_name": "Acme"}


def invite(product: Product, **changes: Any) -> dict[str, Any]:
    return dict(product.invoke("administration", {**ACTION, **changes}))


def test_the_first_owner_needs_a_mailbox_and_no_captcha(product: Product) -> None:
    product.siteverify = {"success": False}
    answer = invite(product)
    assert answer == {"email": "founder@example.com", "organization_name": "Acme"}
    (mail,) = product.mails()
    assert mail.destinations["ToAddresses"] == ["founder@example.com"]
    assert product.confirm(product.newest_token()).status == 200
    login = {"email": "founder@example.com", "password": PASSWORD}
    assert product.call("POST", "/v1/auth/login", body=login).status == 200
    (event,) = product.security_events("owner.invited")
    assert (event["actor"], event["outcome"]) == ("operator", "success")
    assert "founder@" not in product.output.getvalue()


def test_the_mail_names_the_organization_that_the_operator_meant(product: Product) -> None:
    invite(product, organization_name="Solstice Coffee")
    assert "Solstice Coffee" in str(product.mails()[-1].body)


def test_a_repeated_call_sends_another_link_that_replaces_the_first(product: Product) -> None:
    invite(product)
    first = product.newest_token()
    assert invite(product) == invite(product, email="founder@example.com")
    second = product.newest_token()
    assert len(product.mails()) == 3
    assert [each["email"] for each in product.items("AccountsTable")] == ["founder@example.com"]
    assert product.confirm(first).status == 400
    assert product.confirm(second).status == 200


def test_strangers_who_sign_the_address_up_do_not_use_up_the_operators_mail(
    product: Product,
) -> None:
    for number in range(12):
        product.register("founder@example.com", ip=f"198.51.100.{number}")
    capped = len(product.mails())
    assert capped < 12
    invite(product)
    assert len(product.mails()) == capped + 1
