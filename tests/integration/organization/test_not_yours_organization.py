"""Whom no one's role lets them manage: refused, reported, and nothing changes. Generated from the
one table of whom a role manages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import pytest

from imagelayer.identity.roles import may_manage
from imagelayer.platform.principals import Role
from tests.support import accounts, organizations
from tests.support.api import Account, Answer
from tests.support.product import Product

ROLES: tuple[str, ...] = get_args(Role.__value__)
PAIRS = [pair for pair in itertools.product(ROLES, ROLES) if not may_manage(pair[0], pair[1])]
CHANGES = [
    (actor, member, role)
    for actor, member, role in itertools.product(ROLES, ROLES, ROLES)
    if not (may_manage(actor, member) and may_manage(actor, role))
]


@dataclass
class Team:
    """Two of each role in one organization: who acts, and whom it is done to."""

    product: Product
    actors: dict[str, Account]
    members: dict[str, Account]

    def state(self) -> Any:
        """What a refused call leaves alone."""
        return (
            self.product.dump_of("AccountsTable"),
            len(self.product.items("SessionsTable")),
            self.product.asked_mails(),
        )


@pytest.fixture(scope="module")
def both() -> Iterator[Team]:
    """One for the whole table: none of these requests may change it."""
    with Product() as product:
        owner = product.account("owner@example.com")
        actors = {"owner": owner}
        for role in ROLES[1:]:
            actors[role] = accounts.join(product, owner, f"{role}@example.com", role)
        members = {
            role: accounts.join(product, owner, f"another-{role}@example.com", role)
            for role in ROLES
        }
        yield Team(product, actors, members)


def refused(both: Team, actor: str, answer: Answer) -> None:
    """The answer and the event of a refusal."""
    assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    denied = both.product.security_events("authz.denied")[-1]
    assert denied["actor"] == both.actors[actor].user_id
    assert denied["org_id"] == both.actors[actor].org_id
    assert denied["reason"] == "members:write"


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize(("actor", "role"), PAIRS)
def test_no_one_invites_into_a_role_that_theirs_does_not_manage(
    both: Team, actor: str, role: str
) -> None:
    before = both.state()
    refused(
        both, actor, organizations.invite(both.product, both.actors[actor], "x@example.com", role)
    )
    assert both.state() == before


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize(("actor", "role"), PAIRS)
def test_no_one_removes_a_member_whose_role_theirs_does_not_manage(
    both: Team, actor: str, role: str
) -> None:
    before = both.state()
    member = both.members[role]
    refused(both, actor, organizations.remove(both.product, both.actors[actor], member.user_id))
    assert both.state() == before
    assert accounts.is_logged_in(both.product, member.token)


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize(("actor", "member", "role"), CHANGES)
def test_no_one_gives_a_role_that_theirs_does_not_manage_or_to_whom_it_does_not(
    both: Team, actor: str, member: str, role: str
) -> None:
    before = both.state()
    user_id = both.members[member].user_id
    refused(both, actor, organizations.give_role(both.product, both.actors[actor], user_id, role))
    assert both.state() == before


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("actor", [role for role in ROLES if role != "owner"])
def test_no_one_raises_themselves(both: Team, actor: str) -> None:
    before = both.state()
    account = both.actors[actor]
    refused(both, actor, organizations.give_role(both.product, account, account.user_id, "owner"))
    assert both.state() == before


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("actor", [role for role in ROLES if role != "owner"])
@pytest.mark.parametrize("wanted", [True, False])
def test_only_owners_decide_whether_owners_need_a_second_factor(
    both: Team, actor: str, wanted: bool
) -> None:
    before = both.state()
    for fields in ({}, {"name": "Sneaked in beside it"}):
        account = both.actors[actor]
        answer = organizations.change(
            both.product, account, owners_need_second_factor=wanted, **fields
        )
        assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
    assert both.state() == before
    reason = both.product.security_events("authz.denied")[-1]["reason"]
    assert reason == ("security:write" if actor == "admin" else "organization:write")


def test_the_table_of_refusals_is_the_one_that_is_documented() -> None:
    """Should someone loosen it, these numbers say so."""
    assert (len(PAIRS), len(CHANGES)) == (9, 39)
