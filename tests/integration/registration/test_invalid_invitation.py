"""Invitations that cannot be accepted, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import (
    NEW_PASSWORD,
    accept,
    confirm,
    invite,
    join,
    log_in,
    meanwhile,
)
from tests.support.api import Account, Answer
from tests.support.organizations import give_role, remove
from tests.support.product import Product

FRIEND = "friend@example.com"


def waiting(product: Product) -> list[str]:
    """The ids of the invitations that wait."""
    items = product.items("AccountsTable")
    return [item["id"] for item in items if item["sk"].startswith("INVITE#")]


def refused(product: Product, token: str) -> bool:
    """Refused as a token that is not good, with nothing left behind but the line in the log."""
    before = product.dump_of("AccountsTable")
    answer = accept(product, token)
    assert product.dump_of("AccountsTable") == before
    line = product.security_events("member.joined")[-1]
    assert (line["outcome"], line["reason"]) == ("failure", "invalid token")
    return (answer.status, answer.json["code"]) == (400, "invalid_token")


@pytest.mark.parametrize(
    "change",
    [
        lambda org, inv, _: f"{org}.{inv}.{'x' * 43}",
        lambda org, inv, secret: f"{org}.{inv}.{secret[:-1]}",
        lambda org, inv, secret: f"{inv}.{org}.{secret}",
        lambda org, _, secret: f"{org}.{'0' * 26}.{secret}",
        lambda _, inv, secret: f"{'0' * 26}.{inv}.{secret}",
        lambda org, inv, secret: f"{org}.{inv}.{secret}.x",
        lambda _org, inv, secret: f"{inv}.{secret}",
        lambda *_: "x" * 90,
    ],
    ids=[
        "another secret",
        "a shorter secret",
        "swapped",
        "another invitation",
        "another organization",
        "four parts",
        "two parts",
        "nonsense",
    ],
)
def test_any_other_token_is_refused(product: Product, owner: Account, change: object) -> None:
    assert callable(change)
    token = invite(product, owner, FRIEND)
    assert refused(product, change(*token.split(".")))
    assert accept(product, token).status == 200


def test_an_invitation_is_accepted_once(product: Product, owner: Account) -> None:
    token = invite(product, owner, FRIEND)
    assert accept(product, token).status == 200
    assert refused(product, token)


def test_an_invitation_that_was_withdrawn_is_dead_at_once(product: Product, owner: Account) -> None:
    token = invite(product, owner, FRIEND)
    (invitation_id,) = waiting(product)
    path = f"/v1/organization/invitations/{invitation_id}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert refused(product, token)


def test_an_invitation_that_ran_out_is_dead(product: Product, owner: Account) -> None:
    token = invite(product, owner, FRIEND)
    invitation = product.item("AccountsTable", "INVITE#")
    assert abs(invitation["expires_at"] - time.time() - 7 * 86_400) < 600
    product.edit("AccountsTable", invitation, expires_at=int(time.time()))
    assert refused(product, token)


@pytest.mark.promise("email-unique")
def test_an_address_with_an_account_elsewhere_joins_no_second_organization(
    product: Product, owner: Account, stranger: Account
) -> None:
    token = invite(product, owner, stranger.email)
    before = product.dump_of("AccountsTable")
    answer = accept(product, token)
    assert (answer.status, answer.json["code"]) == (409, "address_taken")
    assert product.dump_of("AccountsTable") == before
    assert log_in(product, stranger.email).json["organization"]["id"] == stranger.org_id


@pytest.mark.promise("email-unique")
def test_an_account_that_is_confirmed_while_the_invitation_is_accepted_stays(
    product: Product, owner: Account
) -> None:
    """The read before the transaction is a courtesy; its condition decides."""
    product.register(FRIEND)
    confirmation = product.newest_token()
    token = invite(product, owner, FRIEND)
    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(
        accounts, "get_user_by_address", lambda: confirm(product, confirmation, NEW_PASSWORD)
    ) as met:
        answer = accept(product, token)
    assert [each.status for each in met] == [200]
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert len(waiting(product)) == 1
    assert accept(product, token).json["code"] == "address_taken"
    assert log_in(product, FRIEND, NEW_PASSWORD).status == 200
    reservations = [item for item in product.items("AccountsTable") if item["sk"] == "EMAIL"]
    assert len({each["pk"] for each in reservations}) == len(reservations) == 2


@pytest.mark.promise("email-unique")
def test_of_two_organizations_invitations_that_are_accepted_at_once_one_makes_an_account(
    product: Product, owner: Account, stranger: Account
) -> None:
    mine, theirs = invite(product, owner, FRIEND), invite(product, stranger, FRIEND)
    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(
        accounts, "get_user_by_address", lambda: accept(product, theirs, NEW_PASSWORD)
    ) as met:
        answer = accept(product, mine)
    assert [each.status for each in met] == [200]
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert len(waiting(product)) == 1
    assert log_in(product, FRIEND).status == 401
    assert log_in(product, FRIEND, NEW_PASSWORD).json["organization"]["id"] == stranger.org_id
    members = [item for item in product.items("AccountsTable") if item["sk"][:7] == "MEMBER#"]
    assert len(members) == 3


def test_an_invitation_that_is_withdrawn_while_it_is_accepted_creates_no_account(
    product: Product, owner: Account
) -> None:
    token = invite(product, owner, FRIEND)
    path = f"/v1/organization/invitations/{waiting(product)[0]}"
    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(
        accounts, "get_user_by_address", lambda: product.call("DELETE", path, headers=owner.headers)
    ) as met:
        answer = accept(product, token)
    assert [each.status for each in met] == [204]
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert log_in(product, FRIEND).status == 401


ENDS_AUTHORITY: dict[str, tuple[str, str, Callable[[Product, Account, Account], Answer]]] = {
    # The sender's role, that of the invitation, and what takes the authority for it away.
    "an admin is removed": ("admin", "admin", lambda p, by, m: remove(p, by, m.user_id)),
    "an admin leaves": ("admin", "viewer", lambda p, _, m: remove(p, m, m.user_id)),
    "an owner is removed": ("owner", "owner", lambda p, by, m: remove(p, by, m.user_id)),
    "an owner leaves": ("owner", "developer", lambda p, _, m: remove(p, m, m.user_id)),
    "an admin becomes a developer": (
        "admin",
        "viewer",
        lambda p, by, m: give_role(p, by, m.user_id, "developer"),
    ),
    "an owner becomes an admin": (
        "owner",
        "owner",
        lambda p, by, m: give_role(p, by, m.user_id, "admin"),
    ),
    "an owner gives the role up": (
        "owner",
        "owner",
        lambda p, _, m: give_role(p, m, m.user_id, "admin"),
    ),
}
EVERY_END = pytest.mark.parametrize("end", ENDS_AUTHORITY)


@EVERY_END
def test_an_invitation_does_not_outlive_the_authority_of_its_sender(
    product: Product, owner: Account, end: str
) -> None:
    role, invited_as, happen = ENDS_AUTHORITY[end]
    sender = join(product, owner, "sender@example.com", role)
    token = invite(product, sender, FRIEND, invited_as)
    kept = {item["sk"]: item for item in product.items("AccountsTable")}
    assert happen(product, owner, sender).status < 300
    assert waiting(product) == []
    assert refused(product, token)
    # The condition decides, also where the invitation could not be deleted.
    (invitation,) = [item for sk, item in kept.items() if sk.startswith("INVITE#")]
    product.edit("AccountsTable", invitation, **invitation)
    assert refused(product, token)
    assert log_in(product, FRIEND).status == 401


@EVERY_END
def test_a_sender_who_loses_the_authority_during_the_acceptance_makes_no_member(
    product: Product, owner: Account, end: str
) -> None:
    """The read before the transaction is a courtesy; its condition decides."""
    role, invited_as, happen = ENDS_AUTHORITY[end]
    sender = join(product, owner, "sender@example.com", role)
    token = invite(product, sender, FRIEND, invited_as)
    (invitation,) = [
        item for item in product.items("AccountsTable") if item["sk"].startswith("INVITE#")
    ]

    def end_it() -> int:
        status = happen(product, owner, sender).status
        product.edit("AccountsTable", invitation, **invitation)  # not deleted yet
        return status

    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(accounts, "get_user_by_address", end_it) as met:
        answer = accept(product, token)
    assert met[0] < 300
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert log_in(product, FRIEND).status == 401
    assert refused(product, token)


@pytest.mark.parametrize(
    ("role", "invited_as", "new_role"),
    [("owner", "admin", "admin"), ("admin", "viewer", "owner"), ("owner", "viewer", "admin")],
)
def test_an_invitation_that_the_new_role_may_send_stays(
    product: Product, owner: Account, role: str, invited_as: str, new_role: str
) -> None:
    sender = join(product, owner, "sender@example.com", role)
    token = invite(product, sender, FRIEND, invited_as)
    assert give_role(product, owner, sender.user_id, new_role).status == 200
    assert accept(product, token).status == 200


def test_the_invitations_of_others_stay(product: Product, owner: Account) -> None:
    sender = join(product, owner, "sender@example.com", "admin")
    invite(product, sender, "other@example.com")
    token = invite(product, owner, FRIEND)
    assert remove(product, owner, sender.user_id).status < 300
    assert accept(product, token).status == 200
    assert waiting(product) == []


@pytest.mark.parametrize(
    "password",
    ["too short", "a" * 40, "friend@example.com", "imagelayerimagelayer"],
    ids=["short", "one letter", "the address", "our own name"],
)
def test_a_weak_password_is_refused_and_consumes_nothing(
    product: Product, owner: Account, password: str
) -> None:
    token = invite(product, owner, FRIEND)
    before = product.dump_of("AccountsTable")
    answer = accept(product, token, password)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["body.password"]
    assert product.dump_of("AccountsTable") == before
    assert accept(product, token).status == 200
