"""docs/permissions.md says of every role, permission and route what the code says."""

from __future__ import annotations

from typing import get_args

from dev.settings import ROOT
from imagelayer.access.permissions import ENROLMENT_SCOPES, ROLE_SCOPES
from imagelayer.access.scopes import EndUserScope, Scope
from imagelayer.identity.roles import MANAGES, may_manage
from imagelayer.platform.principals import Role
from imagelayer.routes import ROUTES
from tests.support.markdown_tables import rows

PAGE = ROOT / "docs" / "permissions.md"
ROLES: tuple[Role, ...] = get_args(Role.__value__)


def said(yes: bool) -> str:
    return "yes" if yes else "–"


def test_every_permission_is_listed_with_the_roles_that_have_it() -> None:
    assert tuple(ROLE_SCOPES) == ROLES[::-1]
    permissions = sorted(frozenset().union(*ROLE_SCOPES.values()))
    assert rows(PAGE, "| permission | owner | admin | developer | viewer |") == [
        [f"`{permission}`", *(said(permission in ROLE_SCOPES[role]) for role in ROLES)]
        for permission in permissions
    ]


def test_every_role_is_listed_with_whom_it_manages() -> None:
    assert set(MANAGES) <= set(ROLES)
    assert rows(PAGE, "| role | owner | admin | developer | viewer |") == [
        [f"`{role}`", *(said(may_manage(role, other)) for other in ROLES)] for role in ROLES
    ]


def test_every_route_is_listed_with_what_it_requires_and_of_whom() -> None:
    header = "| route | permission | dashboard | API key | end user |"
    assert sorted(rows(PAGE, header)) == sorted(
        [
            f"`{each.key}`",
            f"`{each.scope}`" if each.scope else "none",
            said(each.auth != "key"),
            said(each.auth != "user"),
            said(each.end_user),
        ]
        for each in ROUTES.values()
        if each.auth != "none"
    )


def test_every_permission_is_asked_for_somewhere() -> None:
    asked = {each.scope for each in ROUTES.values() if each.scope}
    assert asked | {"security:write"} == frozenset().union(*ROLE_SCOPES.values())


def test_a_key_can_have_the_permissions_of_the_routes_it_can_call_and_no_other() -> None:
    asked = {each.scope for each in ROUTES.values() if each.auth != "user" and each.scope}
    assert asked == set(get_args(Scope.__value__))


def test_an_end_user_can_have_the_permissions_of_the_routes_open_to_them_and_no_other() -> None:
    asked = {each.scope for each in ROUTES.values() if each.end_user}
    assert asked == set(get_args(EndUserScope.__value__))


def test_what_is_open_before_a_second_factor_is_set_up_is_about_oneself() -> None:
    assert {"account:read", "account:write"} == ENROLMENT_SCOPES
    text = PAGE.read_text("utf-8")
    for permission in ENROLMENT_SCOPES:
        assert f"`{permission}`" in text.partition("requires a second factor of its owners")[2]


def test_roles_grow_one_out_of_the_other_and_only_owners_may_do_everything() -> None:
    viewer, developer, admin, owner = (ROLE_SCOPES[role] for role in ROLES[::-1])
    assert viewer < developer < admin < owner


def test_no_one_manages_a_role_above_their_own() -> None:
    for role in ROLES:
        for other in ROLES:
            if may_manage(role, other):
                assert ROLE_SCOPES[other] <= ROLE_SCOPES[role]
