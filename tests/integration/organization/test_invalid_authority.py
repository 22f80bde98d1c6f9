"""A member acts with the role they have when the change is made, not when their request began."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support import accounts, organizations, sent_mail
from tests.support.api import Account, Answer
from tests.support.product import Product

MANY = 130  # more than one transaction holds

ACTS: dict[str, Callable[[Product, Account, Account], Answer]] = {
    "promotes": lambda p, by, m: organizations.give_role(p, by, m.user_id, "admin"),
    "removes": lambda p, by, m: organizations.remove(p, by, m.user_id),
}
ENDS: dict[str, Callable[[Product, Account, Account], Answer]] = {
    "removed": lambda p, by, m: organizations.remove(p, by, m.user_id),
    "demoted": lambda p, by, m: organizations.give_role(p, by, m.user_id, "viewer"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("reading", ["get_member", "get_user", "get_role"])
def test_a_member_who_loses_the_role_during_a_request_changes_no_one(
    product: Product, owner: Account, act: str, end: str, reading: str
) -> None:
    """Wherever in the request it happens: the transaction has the condition."""
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    friend = accounts.join(product, owner, "friend@example.com", "viewer")
    wiring = product.part("organization", IdentityWiring)
    store = wiring.account_store if reading == "get_user" else wiring.organization_store
    with accounts.meanwhile(store, reading, lambda: ENDS[end](product, owner, admin)) as met:
        answer = ACTS[act](product, admin, friend)
    assert met[0].status < 300
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert organizations.roles(product, owner)[friend.email] == "viewer"
    assert accounts.is_logged_in(product, friend.token)
    assert product.security_events("authz.denied")[-1]["actor"] == admin.user_id


@pytest.mark.parametrize("end", ENDS)
def test_all_that_a_member_has_open_is_withdrawn_however_much_it_is(
    product: Product, owner: Account, end: str
) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    organizations.invite(product, admin, "friend@example.com")
    (sent,) = [i for i in product.items("AccountsTable") if i["sk"].startswith("INVITE#")]
    for number in range(MANY):
        invitation_id = f"{sent['id'][:-4]}{number:04}"
        product.edit(
            "AccountsTable",
            {"pk": sent["pk"], "sk": f"INVITE#{invitation_id}"},
            **{**sent, "id": invitation_id, "sk": f"INVITE#{invitation_id}"},
        )
    organizations.invite(product, owner, "another@example.com")
    assert ENDS[end](product, owner, admin).status < 300
    kept = organizations.listed(product, owner, organizations.INVITATIONS, limit="100")
    assert [each["email"] for each in kept] == ["another@example.com"]
    (event,) = product.security_events("member.invitation_withdrawn")
    assert event["reason"].startswith(f"{admin.user_id} ")


def test_a_demotion_that_was_cut_off_before_the_invitations_is_finished_by_the_next(
    product: Product, owner: Account
) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    organizations.invite(product, admin, "friend@example.com")
    (sent,) = [i for i in product.items("AccountsTable") if i["sk"].startswith("INVITE#")]
    assert organizations.give_role(product, owner, admin.user_id, "viewer").status == 200
    product.edit("AccountsTable", sent, **sent)
    assert organizations.give_role(product, owner, admin.user_id, "viewer").status == 200
    assert organizations.listed(product, owner, organizations.INVITATIONS) == []


def test_an_invitation_whose_sender_was_removed_is_not_mailed(
    product: Product, owner: Account
) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    organizations.invite(product, admin, "friend@example.com")
    (waiting,) = [i for i in product.items("AccountsTable") if i["sk"].startswith("INVITE#")]
    assert organizations.remove(product, owner, admin.user_id).status < 300
    product.edit("AccountsTable", waiting, **waiting)  # not deleted yet
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert sent == []
