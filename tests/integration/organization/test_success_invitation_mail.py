"""What the mail of an invitation says, and what it must not be made to say."""

from __future__ import annotations

import pytest

from imagelayer.identity.link_tokens import LinkToken
from tests.support import accounts, aws, organizations, sent_mail
from tests.support.api import Account
from tests.support.product import Product


def test_an_invitation_goes_to_the_one_who_is_invited_and_says_by_whom_and_as_what(
    product: Product, owner: Account
) -> None:
    sent = sent_mail.watch(product)
    invitation = organizations.invite(product, owner, "friend@example.com", "admin").json
    product.deliver_mail()
    (letter,) = sent
    assert letter.to == "friend@example.com"
    said = '"Dev Eloper" invites you to join the organization "Solstice Coffee" on ImageLayer'
    assert said in letter.flowing
    assert letter.text.startswith("Hello,\n")
    assert "as an admin" in letter.flowing
    page, _, token = letter.link.partition("#token=")
    assert page == f"{aws.PARAMETERS['BaseUrl']}/accept-invitation"
    link = LinkToken.parse(token, "org", "inv")
    assert link is not None
    assert link.owner == (owner.org_id, invitation["id"])
    assert link.is_kept_as(product.item("AccountsTable", "INVITE#")["token_hash"])


@pytest.mark.parametrize(
    "name", ["evil.example", "win at evil.example", "mallory@evil.example", "evil.example/win"]
)
def test_names_that_a_mail_client_could_make_links_of_are_left_out(
    product: Product, owner: Account, name: str
) -> None:
    accounts.accept(
        product, accounts.invite(product, owner, "mallory@example.org", "admin"), name=name
    )
    mallory = accounts.account_of(
        "mallory@example.org", accounts.log_in(product, "mallory@example.org")
    )
    assert organizations.change(product, mallory, name=name).status == 200
    sent = sent_mail.watch(product)
    organizations.invite(product, mallory, "victim@example.com", "viewer")
    product.deliver_mail()
    (letter,) = sent
    assert (
        "A member invites you to join an organization on ImageLayer as a viewer" in letter.flowing
    )
    for form in (letter.subject, letter.text, letter.html):
        assert "evil.example" not in form
        assert "mallory" not in form
    assert letter.html.count("<a ") == 1


def test_the_invited_address_is_in_the_mail_and_the_record_alone(
    product: Product, owner: Account
) -> None:
    organizations.invite(product, owner, "friend@example.com")
    (asked,) = product.asked_mails()
    assert asked["kind"] == "invitation"
    assert "@" not in str(asked)
    product.deliver_mail()
    assert "friend@example.com" not in product.output.getvalue()
    assert "friend" not in str(product.items("EventsTable"))
    assert "friend" not in str(product.items("CountersTable"))


def test_an_invitation_whose_mail_cannot_be_asked_for_is_not_answered_as_sent(
    product: Product, owner: Account
) -> None:
    with product.broken("sqs"):
        answer = organizations.invite(product, owner, "friend@example.com")
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert product.asked_mails() == []
