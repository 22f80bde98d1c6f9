"""A user changes only as they were read, and one who was removed does not come back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pytest

from imagelayer.identity.organization_store import invitation_key, member_key, organization_key
from imagelayer.identity.records import Invitation, MailedLink, Organization
from imagelayer.identity.store import AccountStore
from imagelayer.platform.principals import Role
from imagelayer.platform.table import Action, Item, Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG, invitation, member, user

ADDRESS = "address-hash"
USER = user()
LINK: MailedLink = {"token_hash": "hash", "expires_at": NOW + 100}
ORGANIZATION: Organization = {"id": ORG, "name": "Solstice", "created_at": NOW, "owners": 1}
INVITED = invitation(token_hash="hash", invited_by="usr_00000000000000000000000002")
KEY = {"pk": f"USER#{USER['id']}", "sk": "USER"}


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("AccountsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> AccountStore:
    return AccountStore(client, rows)


def put_user(rows: Table, **changes: Any) -> None:
    rows.put({**KEY, **USER, **changes})


def put_account(rows: Table, role: str = "developer", holder: str = USER["id"]) -> None:
    """The user with membership, organization and address."""
    put_user(rows)
    rows.put({**member_key(ORG, USER["id"]), "role": role, "joined_at": NOW})
    rows.put({**organization_key(ORG), "id": ORG, "owners": 2})
    rows.put({"pk": f"EMAIL#{ADDRESS}", "sk": "EMAIL", "user_id": holder, "org_id": ORG})


def everything(rows: Table) -> list[Item]:
    partitions = (f"USER#{USER['id']}", f"ORG#{ORG}", f"EMAIL#{ADDRESS}")
    return [item for each in partitions for item in rows.query(each)]


def refused(client: Any, actions: list[Action]) -> bool:
    try:
        transact(client, actions)
    except TransactionRefused:
        return True
    return False


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.acknowledge(USER["id"], "verified_with"),
        lambda store: store.acknowledge_code(USER["id"]),
        lambda store: store.acknowledge_enrolment(USER["id"]),
    ],
    ids=["a link", "a code", "an enrolment"],
)
def test_a_user_who_was_removed_is_not_brought_back_by_an_answer_that_arrived(
    store: AccountStore, rows: Table, act: Callable[[AccountStore], None]
) -> None:
    act(store)
    assert rows.get(**KEY) is None


def test_a_second_factor_that_was_removed_is_not_brought_back_by_an_answer_that_arrived(
    store: AccountStore, rows: Table
) -> None:
    put_user(rows)
    before = rows.get(**KEY)
    store.acknowledge_code(USER["id"])
    store.acknowledge_enrolment(USER["id"])
    assert rows.get(**KEY) == before


def test_a_user_is_changed_only_as_they_were_read(
    store: AccountStore, rows: Table, client: Any
) -> None:
    put_user(rows)
    assert not refused(client, [store.user_action(USER, {"name": "First"})])
    assert refused(client, [store.user_action(USER, {"name": "Second"})])
    assert (rows.get(**KEY) or {})["name"] == "First"
    rows.delete(**KEY)
    assert refused(client, [store.user_action(USER, {"name": "Third"})])
    assert rows.get(**KEY) is None


def test_a_user_who_was_removed_is_not_brought_back_by_a_reset_mail(
    store: AccountStore, rows: Table
) -> None:
    assert not store.set_reset(USER["id"], LINK)
    assert rows.get(**KEY) is None
    put_user(rows)
    assert store.set_reset(USER["id"], LINK)
    assert (rows.get(**KEY) or {})["reset"] == LINK


def confirm(store: AccountStore, link: MailedLink = LINK, now: int = NOW, **changes: Any) -> bool:
    return store.confirm_sign_up(link, user(**changes), ORGANIZATION, ADDRESS, now)


def test_a_sign_up_is_confirmed_with_its_newest_link_until_the_second_in_which_that_expires(
    store: AccountStore, rows: Table
) -> None:
    assert not confirm(store)  # no sign-up waits
    store.keep_sign_up(USER["email"], ADDRESS, NOW + 1000)
    assert not confirm(store)  # its mail is not written
    assert store.set_sign_up_link(ADDRESS, LINK, NOW + 1000)
    newer: MailedLink = {"token_hash": "newer", "expires_at": NOW + 100}
    assert store.set_sign_up_link(ADDRESS, newer, NOW + 1000)
    assert not confirm(store)
    assert not confirm(store, newer, NOW + 100)
    assert everything(rows) == []
    assert confirm(store, newer, NOW + 99)
    assert not confirm(store, newer, NOW + 99)


def test_a_confirmation_takes_neither_an_address_nor_an_id_that_is_taken(
    store: AccountStore, rows: Table
) -> None:
    for key in (
        {"pk": f"EMAIL#{ADDRESS}", "sk": "EMAIL"},
        KEY,
        organization_key(ORG),
        member_key(ORG, USER["id"]),
    ):
        rows.put({**key, "user_id": "usr_another"})
        store.keep_sign_up(USER["email"], ADDRESS, NOW + 1000)
        store.set_sign_up_link(ADDRESS, LINK, NOW + 1000)
        before = everything(rows)
        assert not confirm(store)
        assert everything(rows) == before
        rows.delete(**key)
        assert confirm(store)
        for item in everything(rows):
            rows.delete(item["pk"], item["sk"])


def test_a_sign_up_that_was_confirmed_is_not_brought_back_by_its_next_mail(
    store: AccountStore, rows: Table
) -> None:
    assert not store.set_sign_up_link(ADDRESS, LINK, NOW + 1000)
    assert store.get_sign_up(ADDRESS, NOW) is None


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.delete(**invitation_key(ORG, INVITED["id"])),
        lambda rows: rows.put({**invitation_key(ORG, INVITED["id"]), "token_hash": "newer"}),
        lambda rows: rows.delete(**organization_key(ORG)),
        lambda rows: rows.put({**member_key(ORG, INVITED["invited_by"]), "role": "developer"}),
        lambda rows: rows.delete(**member_key(ORG, INVITED["invited_by"])),
        lambda rows: rows.put({**KEY, "id": USER["id"]}),
        lambda rows: rows.put({**member_key(ORG, USER["id"]), "role": "viewer"}),
        lambda rows: rows.put({"pk": f"EMAIL#{ADDRESS}", "sk": "EMAIL", "user_id": "usr_another"}),
    ],
    ids=[
        "withdrawn",
        "sent again",
        "no organization",
        "sender without authority",
        "sender gone",
        "user exists",
        "member exists",
        "address taken",
    ],
)
@pytest.mark.parametrize("role", ["developer", "owner"])
def test_an_invitation_that_changed_since_it_was_read_makes_no_member(
    store: AccountStore, rows: Table, change: Callable[[Table], None], role: Role
) -> None:
    invited = {**INVITED, "role": role}

    def put() -> None:
        rows.put({**organization_key(ORG), "id": ORG, "owners": 1})
        rows.put({**member_key(ORG, INVITED["invited_by"]), "role": "owner"})
        rows.put({**invitation_key(ORG, INVITED["id"]), **invited})

    put()
    change(rows)
    before = everything(rows)
    accept = partial(store.accept_invitation, cast("Invitation", invited), USER, ADDRESS, ["owner"])
    assert not accept()
    assert everything(rows) == before
    for item in everything(rows):
        rows.delete(item["pk"], item["sk"])
    put()
    assert accept()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: put_user(rows, rev=2),
        lambda rows: rows.put({**member_key(ORG, USER["id"]), "role": "admin", "joined_at": NOW}),
        lambda rows: rows.put({**organization_key(ORG), "id": ORG, "owners": 1}),
        lambda rows: put_account(rows, "owner", "usr_another"),
        lambda rows: rows.delete(**member_key(ORG, USER["id"])),
        lambda rows: rows.delete(**KEY),
    ],
    ids=["login", "role", "last owner", "address of another", "no member", "no user"],
)
def test_a_member_who_changed_since_they_were_read_is_not_removed(
    store: AccountStore, rows: Table, client: Any, change: Callable[[Table], None]
) -> None:
    put_account(rows, "owner")
    removal = store.removal_actions(member(role="owner"), USER, ADDRESS)
    change(rows)
    before = everything(rows)
    assert refused(client, removal)
    assert everything(rows) == before
    put_account(rows, "owner")
    assert not refused(client, removal)
    assert [item["sk"] for item in everything(rows)] == ["ORG"]
