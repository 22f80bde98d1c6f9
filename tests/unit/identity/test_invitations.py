"""Invitations: made once per idempotency key, and withdrawn by those who could send them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.email_policy import DomainLists
from imagelayer.identity.invitations import Invitations
from imagelayer.platform.errors import Problem
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Principal, Role
from tests.support.identity import NOW, ORIGIN, World

EMAIL = "guest@example.com"


@pytest.fixture
def world() -> World:
    return World()


def invitations(world: World) -> Invitations:
    stores, limits = cast("Any", world.stores), cast("Any", world.limits)
    return Invitations(stores, limits, world.outbox, world.log, DomainLists())


def invite(
    world: World, caller: Principal, role: Role = "viewer", *, key: str = "", now: float = NOW
) -> Created:
    record = IdempotencyRecord(world.org_id, key, "", caller.actor, int(now), int(now) + 100)
    return invitations(world).create_invitation(
        caller, ORIGIN, now, email=EMAIL, role=role, idempotency=record if key else None
    )


def code_of(act: Any, *about: Any) -> str:
    with pytest.raises(Problem) as refused:
        act(*about)
    return refused.value.code


def test_each_request_without_a_key_makes_an_invitation_and_a_mail(world: World) -> None:
    caller = world.principal(world.owner)
    made = [invite(world, caller), invite(world, caller)]
    assert [each.replayed for each in made] == [False, False]
    ids = [each.body["id"] for each in made]
    assert list(world.stores.invitations) == ids
    assert [each["invitation_id"] for each in world.mails] == ids
    assert world.told("member.invited") == [("success", f"{each} viewer") for each in ids]


def test_a_repeated_request_makes_no_second_one_and_requests_the_mail_again(world: World) -> None:
    caller = world.principal(world.owner)
    first = invite(world, caller, key="k")
    again = invite(world, caller, key="k", now=NOW + 60)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.body == first.body
    assert list(world.stores.invitations) == [first.body["id"]]
    assert [each["invitation_id"] for each in world.mails] == [first.body["id"]] * 2
    assert len(world.told("member.invited")) == 1


def test_a_repeated_request_whose_invitation_is_gone_is_refused(world: World) -> None:
    caller = world.principal(world.owner)
    invite(world, caller, key="k")
    world.stores.invitations.clear()
    assert code_of(lambda: invite(world, caller, key="k")) == "not_found"
    assert len(world.mails) == 1


def test_a_role_does_not_invite_one_that_it_does_not_manage(world: World) -> None:
    caller = world.principal(world.join("admin@example.com", "admin"))
    assert code_of(lambda: invite(world, caller, "owner")) == "insufficient_scope"
    assert world.told("authz.denied") == [("denied", "members:write")]
    assert (world.limits.counted, world.stores.invitations) == ([], {})


def test_an_invitation_is_listed_until_the_second_in_which_it_expires(world: World) -> None:
    caller = world.principal(world.owner)
    made = invite(world, caller)
    expires_at = world.stores.invitations[made.body["id"]]["expires_at"]
    assert expires_at == NOW + 7 * 86_400
    for now, listed in ((expires_at - 1, [made.body]), (expires_at, [])):
        rows, _ = invitations(world).list_invitations(caller, limit=10, after=None, now=now)
        assert rows == listed


def test_an_expired_invitation_is_withdrawn_too_and_recorded(world: World) -> None:
    caller = world.principal(world.owner)
    made = invite(world, caller, now=NOW - 30 * 86_400)
    invitations(world).withdraw_invitation(caller, ORIGIN, made.body["id"])
    assert world.stores.invitations == {}
    assert world.told("member.invitation_withdrawn") == [("success", made.body["id"])]


@pytest.mark.parametrize(
    "invitation_id",
    ["", "inv_x", new_id("inv", NOW), new_id("key", NOW)],
    ids=["empty", "another form", "unknown", "another kind"],
)
def test_an_invitation_that_is_not_there_is_missing(world: World, invitation_id: str) -> None:
    caller = world.principal(world.owner)
    made = invite(world, caller)
    # An id of another form is part of a key, and must not name another item.
    world.stores.invitations["inv_x"] = world.stores.invitations[made.body["id"]]
    withdraw = invitations(world).withdraw_invitation
    assert code_of(withdraw, caller, ORIGIN, invitation_id) == "not_found"
    assert len(world.stores.invitations) == 2


def test_a_role_withdraws_no_invitation_that_it_could_not_send(world: World) -> None:
    made = invite(world, world.principal(world.owner), "owner")
    caller = world.principal(world.join("admin@example.com", "admin"))
    withdraw = invitations(world).withdraw_invitation
    assert code_of(withdraw, caller, ORIGIN, made.body["id"]) == "insufficient_scope"
    assert list(world.stores.invitations) == [made.body["id"]]


def test_an_invitation_that_is_accepted_first_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = world.principal(world.owner)
    made = invite(world, caller)
    monkeypatch.setattr(world.stores, "withdraw_invitation", lambda *_: False)
    withdraw = invitations(world).withdraw_invitation
    assert code_of(withdraw, caller, ORIGIN, made.body["id"]) == "not_found"
    assert world.told("member.invitation_withdrawn") == []
