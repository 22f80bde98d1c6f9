"""Changes of an organization and its members: who is refused what, and what a request finds that
comes second."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.members import Members
from imagelayer.identity.records import User
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Role
from tests.support.identity import NOW, ORIGIN, World

TOTP = {"secret": "s", "last_step": 1, "recovery": {}}


@pytest.fixture
def world() -> World:
    return World()


def members(world: World) -> Members:
    stores = cast("Any", world.stores)
    return Members(stores, stores, world.user_changes, world.log)


def code_of(act: Any, *about: Any) -> str:
    with pytest.raises(Problem) as refused:
        act(*about)
    return refused.value.code


def invitation(world: World, by: User, role: Role) -> str:
    invitation_id = new_id("inv", NOW)
    world.stores.invitations[invitation_id] = {
        "id": invitation_id,
        "org_id": world.org_id,
        "email": "guest@example.com",
        "role": role,
        "invited_by": by["id"],
        "created_at": NOW,
        "expires_at": NOW + 100,
    }
    return invitation_id


def test_an_organization_that_is_gone_is_missing(world: World) -> None:
    caller = world.principal(world.owner)
    del world.stores.organizations[world.org_id]
    assert code_of(members(world).get_organization, caller) == "not_found"
    change = members(world).update_organization
    assert code_of(change, caller, ORIGIN, {"name": "New"}) == "not_found"
    assert world.events == []


def test_an_admin_renames_the_organization(world: World) -> None:
    admin = world.principal(world.join("admin@example.com", "admin"))
    changed = members(world).update_organization(admin, ORIGIN, {"name": "New"})
    assert (changed["name"], changed["owners_need_second_factor"]) == ("New", False)
    assert world.told("organization.changed") == [("success", "name")]


@pytest.mark.parametrize("wanted", [True, False])
def test_an_admin_does_not_decide_about_the_owners_second_factor(
    world: World, wanted: bool
) -> None:
    admin = world.principal(world.join("admin@example.com", "admin", totp=TOTP))
    fields = {"owners_need_second_factor": wanted}
    change = members(world).update_organization
    assert code_of(change, admin, ORIGIN, fields) == "insufficient_scope"
    assert world.told("authz.denied") == [("denied", "security:write")]
    assert "owners_need_second_factor" not in world.stores.organizations[world.org_id]


def test_an_owner_without_a_second_factor_requires_none_of_others(world: World) -> None:
    caller = world.principal(world.owner)
    change = members(world).update_organization
    assert code_of(change, caller, ORIGIN, {"owners_need_second_factor": True}) == "conflict"
    assert change(caller, ORIGIN, {"owners_need_second_factor": False})["id"] == world.org_id


def test_requiring_a_second_factor_ends_the_sessions_of_owners_without_one(world: World) -> None:
    world.owner["totp"] = cast("Any", TOTP)
    other = world.join("other@example.com", "owner")
    admin = world.join("admin@example.com", "admin")
    gone = world.join("gone@example.com", "owner")
    del world.stores.users[gone["id"]]
    caller = world.principal(world.owner)
    members(world).update_organization(caller, ORIGIN, {"owners_need_second_factor": True})
    assert world.stores.list_sessions(other["id"]) == []
    assert len(world.stores.list_sessions(world.owner["id"])) == 1
    assert len(world.stores.list_sessions(admin["id"])) == 1


def test_another_change_ends_no_owners_session(world: World) -> None:
    other = world.join("other@example.com", "owner")
    caller = world.principal(world.owner)
    for fields in ({"name": "New"}, {"owners_need_second_factor": False}):
        members(world).update_organization(caller, ORIGIN, fields)
    assert len(world.stores.list_sessions(other["id"])) == 1


def test_a_change_of_nothing_is_answered_and_not_recorded(world: World) -> None:
    caller = world.principal(world.owner)
    shown = members(world).update_organization(caller, ORIGIN, {})
    assert shown == members(world).get_organization(caller)
    assert world.events == []


def test_a_member_whose_account_is_gone_is_not_listed(world: World) -> None:
    admin = world.join("admin@example.com", "admin", totp=TOTP)
    gone = world.join("gone@example.com")
    del world.stores.users[gone["id"]]
    rows, cursor = members(world).list_members(world.principal(admin), limit=10, after=None)
    assert cursor is None
    assert [(each["email"], each["name"], each["two_factor_enabled"]) for each in rows] == [
        ("owner@example.com", "owner", False),
        ("admin@example.com", "admin", True),
    ]


@pytest.mark.parametrize(
    "user_id",
    ["", "nobody", new_id("usr", NOW), new_id("org", NOW)],
    ids=["empty", "another form", "unknown", "another kind"],
)
def test_who_is_not_a_member_is_missing(world: World, user_id: str) -> None:
    caller = world.principal(world.owner)
    assert code_of(members(world).change_role, caller, ORIGIN, user_id, "viewer") == "not_found"
    assert code_of(members(world).remove_member, caller, ORIGIN, user_id) == "not_found"


def test_an_id_of_another_form_is_missing_without_a_read(world: World) -> None:
    """It is part of a key, and must not name another item."""
    member = world.join("member@example.com")
    caller = world.principal(world.owner)
    world.stores.members["usr_x"] = world.stores.members[member["id"]]
    assert code_of(members(world).change_role, caller, ORIGIN, "usr_x", "viewer") == "not_found"


@pytest.mark.parametrize(
    ("actor", "before", "after"),
    [("admin", "owner", "viewer"), ("admin", "viewer", "owner"), ("viewer", "viewer", "viewer")],
)
def test_both_roles_of_a_change_are_within_the_callers(
    world: World, actor: Role, before: Role, after: Role
) -> None:
    member = world.join("member@example.com", before)
    caller = world.principal(world.join("actor@example.com", actor))
    change = members(world).change_role
    assert code_of(change, caller, ORIGIN, member["id"], after) == "insufficient_scope"
    assert world.told("authz.denied") == [("denied", "members:write")]


def test_another_role_is_shown_recorded_and_ends_the_sessions(world: World) -> None:
    member = world.join("member@example.com", "viewer", totp=TOTP)
    caller = world.principal(world.owner)
    shown = members(world).change_role(caller, ORIGIN, member["id"], "developer")
    assert (shown["email"], shown["role"]) == ("member@example.com", "developer")
    assert world.stores.members[member["id"]]["role"] == "developer"
    assert world.stores.list_sessions(member["id"]) == []
    assert world.told("member.role_changed") == [("success", f"{member['id']} developer")]
    assert world.told("member.invitation_withdrawn") == []


def test_the_same_role_again_finishes_what_was_cut_off_and_ends_nothing(world: World) -> None:
    member = world.join("member@example.com", "developer")
    invitation(world, member, "viewer")
    caller = world.principal(world.owner)
    shown = members(world).change_role(caller, ORIGIN, member["id"], "developer")
    assert (shown["email"], shown["role"]) == ("member@example.com", "developer")
    assert world.stores.invitations == {}
    assert len(world.stores.list_sessions(member["id"])) == 1
    assert world.told("member.role_changed") == []
    assert world.told("member.invitation_withdrawn") == [("success", f"{member['id']} 1 open")]


def test_a_role_that_another_request_changed_first_is_a_conflict(world: World) -> None:
    member = world.join("member@example.com", "developer")
    caller = world.principal(world.owner)

    def first() -> None:
        world.stores.members[member["id"]]["role"] = "viewer"
        world.stores.users[member["id"]]["rev"] += 1

    world.stores.first.append(first)
    change = members(world).change_role
    assert code_of(change, caller, ORIGIN, member["id"], "admin") == "conflict"
    assert world.stores.members[member["id"]]["role"] == "viewer"


@pytest.mark.parametrize("how", ["steps down", "leaves"])
def test_the_last_owner_is_refused_before_the_transaction(world: World, how: str) -> None:
    caller = world.principal(world.owner)
    world.stores.first.append(lambda: pytest.fail("a transaction was begun"))
    change = members(world)
    if how == "leaves":
        assert code_of(change.remove_member, caller, ORIGIN, caller.actor) == "last_owner"
    else:
        assert code_of(change.change_role, caller, ORIGIN, caller.actor, "admin") == "last_owner"


@pytest.mark.parametrize("how", ["steps down", "leaves"])
def test_an_owner_goes_when_another_stays(world: World, how: str) -> None:
    world.join("other@example.com", "owner")
    caller = world.principal(world.owner)
    if how == "leaves":
        members(world).remove_member(caller, ORIGIN, caller.actor)
    else:
        members(world).change_role(caller, ORIGIN, caller.actor, "admin")
    assert world.stores.organizations[world.org_id]["owners"] == 1


def test_an_owner_of_an_organization_that_is_gone_does_not_go(world: World) -> None:
    caller = world.principal(world.owner)
    del world.stores.organizations[world.org_id]
    assert code_of(members(world).remove_member, caller, ORIGIN, caller.actor) == "last_owner"


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_every_member_may_leave_whether_or_not_they_must_enrol(world: World, role: Role) -> None:
    member = world.join("member@example.com", role)
    caller = world.principal(member, must_enrol=True)
    members(world).remove_member(caller, ORIGIN, caller.actor)
    assert member["id"] not in world.stores.users
    assert world.told("member.removed") == [("success", member["id"])]


def test_who_must_enrol_removes_no_other_member(world: World) -> None:
    member = world.join("member@example.com")
    caller = world.principal(world.owner, must_enrol=True)
    remove = members(world).remove_member
    assert code_of(remove, caller, ORIGIN, member["id"]) == "second_factor_required"
    assert world.told("authz.denied") == [("denied", "second factor required")]
    assert member["id"] in world.stores.users


def test_a_role_that_does_not_manage_a_member_does_not_remove_them(world: World) -> None:
    caller = world.principal(world.join("admin@example.com", "admin"))
    remove = members(world).remove_member
    assert code_of(remove, caller, ORIGIN, world.owner["id"]) == "insufficient_scope"


def test_a_removal_ends_the_sessions_and_withdraws_the_invitations(world: World) -> None:
    member = world.join("member@example.com", "admin")
    theirs = invitation(world, member, "viewer")
    kept = invitation(world, world.owner, "viewer")
    world.stores.places[member["id"]] = NOW
    members(world).remove_member(world.principal(world.owner), ORIGIN, member["id"])
    assert world.stores.list_sessions(member["id"]) == []
    assert theirs not in world.stores.invitations
    assert kept in world.stores.invitations
    assert world.stores.places == {}


def test_what_cannot_be_forgotten_now_fails_no_removal(world: World) -> None:
    member = world.join("member@example.com")
    invitation(world, member, "viewer")
    world.stores.down |= {"forget_places", "withdraw_invitations_of"}
    members(world).remove_member(world.principal(world.owner), ORIGIN, member["id"])
    assert member["id"] not in world.stores.users
    assert world.told("member.invitation_withdrawn") == []


def test_a_removal_is_decided_again_after_another_change_of_the_member(world: World) -> None:
    member = world.join("member@example.com")
    world.stores.first.append(lambda: world.stores.users[member["id"]].update({"rev": 7}))
    members(world).remove_member(world.principal(world.owner), ORIGIN, member["id"])
    assert member["id"] not in world.stores.users


def test_a_member_who_is_removed_first_is_missing(world: World) -> None:
    member = world.join("member@example.com")

    world.stores.first.append(world.stores.users.clear)
    remove = members(world).remove_member
    assert code_of(remove, world.principal(world.owner), ORIGIN, member["id"]) == "not_found"


def test_a_removal_that_is_always_overtaken_is_a_conflict(world: World) -> None:
    member = world.join("member@example.com")

    def overtake() -> None:
        world.stores.users[member["id"]]["rev"] += 1

    world.stores.first += [overtake] * 20
    remove = members(world).remove_member
    assert code_of(remove, world.principal(world.owner), ORIGIN, member["id"]) == "conflict"
    assert member["id"] in world.stores.users


@pytest.mark.parametrize("how", ["removes", "changes"])
def test_a_caller_who_lost_the_role_after_admission_changes_no_member(
    world: World, how: str
) -> None:
    """A change of the role ends the session, but not a request that was admitted before."""
    member = world.join("member@example.com")
    admin = world.join("admin@example.com", "admin")
    caller = world.principal(admin)
    world.stores.members[admin["id"]]["role"] = "viewer"
    change = members(world)
    if how == "removes":
        refused = code_of(change.remove_member, caller, ORIGIN, member["id"])
    else:
        refused = code_of(change.change_role, caller, ORIGIN, member["id"], "viewer")
    assert refused == "insufficient_scope"
    assert world.told("authz.denied") == [("denied", "members:write")]
    assert world.stores.members[member["id"]]["role"] == "developer"


def test_a_caller_who_loses_the_role_just_before_the_transaction_removes_no_one(
    world: World,
) -> None:
    member = world.join("member@example.com")
    admin = world.join("admin@example.com", "admin")
    caller = world.principal(admin)
    world.stores.first.append(lambda: world.stores.members[admin["id"]].update({"role": "viewer"}))
    remove = members(world).remove_member
    assert code_of(remove, caller, ORIGIN, member["id"]) == "insufficient_scope"
    assert member["id"] in world.stores.users


def test_giving_up_a_role_has_no_check_beside_its_own(world: World) -> None:
    """The condition on one's own membership is that of the change itself."""
    admin = world.join("admin@example.com", "admin")
    shown = members(world).change_role(world.principal(admin), ORIGIN, admin["id"], "viewer")
    assert shown["role"] == "viewer"


def test_a_member_whose_account_is_gone_is_shown_without_address_and_second_factor(
    world: World,
) -> None:
    member = world.join("member@example.com", "developer", totp=TOTP)
    del world.stores.users[member["id"]]
    caller = world.principal(world.owner)
    shown = members(world).change_role(caller, ORIGIN, member["id"], "developer")
    assert (shown["email"], shown["name"], shown["two_factor_enabled"]) == ("", "", False)
