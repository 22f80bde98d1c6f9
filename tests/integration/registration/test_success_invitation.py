"""Invitations that are accepted."""

from __future__ import annotations

import pytest

from tests.support.accounts import (
    NEW_PASSWORD,
    accept,
    confirm,
    invite,
    is_logged_in,
    log_in,
    lost_acknowledgement,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product

FRIEND = "friend@example.com"


@pytest.mark.parametrize("role", ["owner", "admin", "developer", "viewer"])
def test_who_accepts_belongs_to_the_organization_with_the_role_of_the_invitation(
    product: Product, owner: Account, role: str
) -> None:
    accepted = accept(product, invite(product, owner, FRIEND, role))
    assert (accepted.status, accepted.json) == (200, {"status": "joined"})
    login = log_in(product, FRIEND)
    assert login.json["organization"]["id"] == owner.org_id
    assert login.json["user"]["email_verified"] is True
    headers = {"authorization": f"Bearer {login.json['access_token']}"}
    assert product.call("GET", "/v1/auth/me", headers=headers).json["role"] == role


@pytest.mark.promise("passwords-bcrypt")
def test_the_password_of_who_joins_is_kept_as_bcrypt(product: Product, owner: Account) -> None:
    accept(product, invite(product, owner, FRIEND), NEW_PASSWORD)
    assert NEW_PASSWORD not in product.dump()
    login = log_in(product, FRIEND, NEW_PASSWORD)
    assert "$2b$" in user_of(product, login.json["user"]["id"])["password_hash"]


@pytest.mark.promise("verified-first")
def test_a_sign_up_that_waits_keeps_no_one_from_joining(product: Product, owner: Account) -> None:
    """A stranger who signed up with someone's address cannot keep them out."""
    product.register(FRIEND)
    strangers_link = product.newest_token()
    assert accept(product, invite(product, owner, FRIEND)).status == 200
    assert confirm(product, strangers_link, NEW_PASSWORD).status == 400
    assert log_in(product, FRIEND, NEW_PASSWORD).status == 401
    login = log_in(product, FRIEND)
    assert login.json["organization"]["id"] == owner.org_id
    items = product.items("AccountsTable")
    assert len([item for item in items if item["sk"] == "ORG"]) == 1
    reservations = [item for item in items if item["sk"] == "EMAIL"]
    assert login.json["user"]["id"] in {each["user_id"] for each in reservations}


@pytest.mark.promise("email-unique")
def test_who_joined_cannot_be_signed_up_again(product: Product, owner: Account) -> None:
    accept(product, invite(product, owner, FRIEND))
    assert product.register(FRIEND).status == 202
    assert "already" in product.mails()[-1].subject.lower()
    assert log_in(product, FRIEND).json["organization"]["id"] == owner.org_id


def test_an_acceptance_whose_answer_was_lost_is_answered_again_and_then_never(
    product: Product, owner: Account
) -> None:
    token = invite(product, owner, FRIEND)
    with lost_acknowledgement(product, "registration"):
        assert accept(product, token).status == 200
    before = len(product.items("AccountsTable"))
    assert accept(product, token, NEW_PASSWORD).status == 400  # someone else's call
    assert accept(product, token).status == 200
    assert accept(product, token).status == 400
    assert len(product.items("AccountsTable")) == before
    assert log_in(product, FRIEND).status == 200
    assert log_in(product, FRIEND, NEW_PASSWORD).status == 401


@pytest.mark.promise("auth-logged")
def test_joining_is_logged_with_who_and_from_where(product: Product, owner: Account) -> None:
    accept(product, invite(product, owner, FRIEND))
    friend = log_in(product, FRIEND).json["user"]["id"]
    (line,) = product.security_events("member.joined")
    assert (line["outcome"], line["org_id"], line["actor"], line["ip"]) == (
        "success",
        owner.org_id,
        friend,
        "198.51.100.7",
    )


def test_accepting_opens_no_session_by_itself(product: Product, owner: Account) -> None:
    before = product.dump_of("SessionsTable")
    answer = accept(product, invite(product, owner, FRIEND))
    assert not answer.cookies
    after = {item["sk"] for item in product.dump_of("SessionsTable")}
    assert after == {item["sk"] for item in before}
    assert is_logged_in(product, owner.token)
    assert log_in(product, FRIEND, PASSWORD).status == 200
