"""Whom a role does let one manage, generated from the one table of it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from imagelayer.identity.roles import may_manage
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.principals import Role
from tests.support import accounts, organizations
from tests.support.api import Account
from tests.support.product import Product

ROLES: tuple[str, ...] = get_args(Role.__value__)
PAIRS = [pair for pair in itertools.product(ROLES, ROLES) if may_manage(pair[0], pair[1])]


@pytest.mark.parametrize(("actor", "role"), PAIRS)
def test_a_role_invites_changes_and_removes_whom_it_manages(
    product: Product, owner: Account, actor: str, role: str
) -> None:
    by = owner if actor == "owner" else accounts.join(product, owner, "actor@example.com", actor)
    member = accounts.join(product, by, "member@example.com", role)  # invited by who acts
    assert organizations.roles(product, owner)[member.email] == role
    for other in (each for each in ROLES if may_manage(actor, each)):
        changed = organizations.give_role(product, by, member.user_id, other)
        assert (changed.status, changed.json["role"]) == (200, other)
        assert organizations.roles(product, owner)[member.email] == other
    assert organizations.give_role(product, by, member.user_id, role).status == 200
    assert organizations.remove(product, by, member.user_id).status == 200
    assert member.email not in organizations.roles(product, owner)
    assert organizations.owners(product, owner.org_id) == (1, 1)


def test_there_are_so_many_of_them() -> None:
    assert len(PAIRS) == 4 + 3


def test_an_admin_may_give_the_role_up(product: Product, owner: Account) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    assert organizations.give_role(product, admin, admin.user_id, "viewer").status == 200
    assert organizations.is_out(product, admin)
    assert organizations.roles(product, owner)[admin.email] == "viewer"


def test_an_admin_withdraws_no_invitation_that_an_admin_may_not_make(
    product: Product, owner: Account
) -> None:
    admin = accounts.join(product, owner, "admin@example.com", "admin")
    invitation = organizations.invite(product, owner, "friend@example.com", "owner").json
    refused = organizations.withdraw(product, admin, invitation["id"])
    assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
    assert organizations.listed(product, admin, organizations.INVITATIONS) == [invitation]
    assert accounts.accept(product, product.newest_token()).status == 200
    assert organizations.owners(product, owner.org_id) == (2, 2)


def test_a_member_who_logs_in_while_they_are_removed_keeps_no_session(
    product: Product, owner: Account
) -> None:
    """The login falls between the listing of the sessions that end and the removal."""
    member = accounts.join(product, owner, "member@example.com")
    sessions = product.part("organization", IdentityWiring).session_store
    with accounts.meanwhile(
        sessions, "list_sessions", lambda: accounts.log_in(product, member.email)
    ) as met:
        assert organizations.remove(product, owner, member.user_id).status == 200
    later = accounts.account_of(member.email, met[0])
    assert organizations.is_out(product, member)
    assert organizations.is_out(product, later)
    assert accounts.sessions_of(product, member.user_id) == []
    assert accounts.log_in(product, member.email).status == 401
