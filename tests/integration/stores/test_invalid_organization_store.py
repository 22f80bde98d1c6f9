"""Members and invitations change only as they were read, and what is gone does not come back."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.identity.organization_store import (
    OrganizationStore,
    invitation_key,
    member_key,
    organization_key,
    owner_count_actions,
)
from imagelayer.platform.principals import Role
from imagelayer.platform.table import Action, Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG, invitation, user

INVITATION = invitation()["id"]


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("AccountsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> OrganizationStore:
    return OrganizationStore(client, rows)


def put_organization(rows: Table, **changes: Any) -> None:
    item = {"id": ORG, "name": "Solstice", "created_at": NOW, "owners": 2, **changes}
    rows.put({**organization_key(ORG), **item})


def put_member(rows: Table, role: Role) -> None:
    rows.put({**member_key(ORG, user()["id"]), "role": role, "joined_at": NOW})


def refused(client: Any, actions: list[Action]) -> bool:
    try:
        transact(client, actions)
    except TransactionRefused:
        return True
    return False


def test_an_organization_that_is_gone_is_not_brought_back(
    store: OrganizationStore, rows: Table, client: Any
) -> None:
    assert store.update_organization(ORG, {"name": "Again"}) is None
    assert refused(client, owner_count_actions(rows, ORG, gained=True, lost=False))
    assert rows.query(f"ORG#{ORG}") == []
    put_organization(rows)
    assert store.update_organization(ORG, {"name": "Another"}) is not None
    assert not refused(client, owner_count_actions(rows, ORG, gained=True, lost=False))


def test_the_last_owner_stays_and_the_one_before_may_go(rows: Table, client: Any) -> None:
    put_organization(rows)
    assert not refused(client, owner_count_actions(rows, ORG, gained=False, lost=True))
    assert refused(client, owner_count_actions(rows, ORG, gained=False, lost=True))


@pytest.mark.parametrize(
    ("owners_need_second_factor", "is_refused"), [(None, False), (False, False), (True, True)]
)
def test_a_second_factor_is_optional_unless_the_organization_requires_it(
    store: OrganizationStore,
    rows: Table,
    client: Any,
    owners_need_second_factor: bool | None,
    is_refused: bool,
) -> None:
    put_organization(rows, owners_need_second_factor=owners_need_second_factor)
    assert refused(client, [store.factor_optional_check(ORG)]) is is_refused


@pytest.mark.parametrize("now_is", ["viewer", None], ids=["another role", "removed"])
def test_a_role_is_changed_only_as_it_was_read(
    store: OrganizationStore, rows: Table, client: Any, now_is: Role | None
) -> None:
    put_member(rows, "developer")
    read = store.get_member(ORG, user()["id"])
    assert read is not None
    if now_is is None:
        rows.delete(**member_key(ORG, user()["id"]))
    else:
        put_member(rows, now_is)
    assert refused(client, store.role_actions(read, "admin"))
    assert store.get_role(ORG, user()["id"]) == now_is
    put_member(rows, "developer")
    assert not refused(client, store.role_actions(read, "admin"))


@pytest.mark.parametrize(
    ("role", "is_refused"),
    [("owner", False), ("admin", False), ("developer", True), (None, True)],
)
def test_what_takes_authority_is_refused_once_it_is_gone(
    store: OrganizationStore, rows: Table, client: Any, role: Role | None, is_refused: bool
) -> None:
    if role is not None:
        put_member(rows, role)
    check = store.role_check(ORG, user()["id"], ["owner", "admin"])
    assert refused(client, [check]) is is_refused


def test_an_invitation_that_was_withdrawn_is_not_brought_back_by_its_mail(
    store: OrganizationStore, rows: Table
) -> None:
    store.create_invitation(invitation())
    assert store.set_invitation_token(invitation(), "hash")
    assert store.withdraw_invitation(ORG, INVITATION)
    assert not store.withdraw_invitation(ORG, INVITATION)
    assert not store.set_invitation_token(invitation(), "hash")
    assert rows.get(**invitation_key(ORG, INVITATION)) is None


def test_a_notice_is_reserved_by_one_message_each_time_it_is_delivered(
    store: OrganizationStore,
) -> None:
    assert store.reserve_notice(ORG, "quota-80", "m-1", NOW + 100)
    assert not store.reserve_notice(ORG, "quota-80", "m-2", NOW + 100)
    assert store.reserve_notice(ORG, "quota-80", "m-1", NOW + 100)
    assert store.reserve_notice(ORG, "quota-100", "m-2", NOW + 100)
