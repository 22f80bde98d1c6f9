"""What identity's stores read: nothing from the second in which it expires, whether or not TTL has
removed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.session_store import unexpired
from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.identity.store import AccountStore
from imagelayer.platform.table import Table

NOW = 1_800_000_000
Item = dict[str, Any]


class Shelf:
    """A table in memory; what is written to it is noted."""

    def __init__(self, *items: Item) -> None:
        self.items = {(each["pk"], each["sk"]): each for each in items}
        self.queries: list[Item] = []
        self.written: list[Item] = []

    def get(self, pk: str, sk: str) -> Item | None:
        return self.items.get((pk, sk))

    def query(self, pk: str, **about: Any) -> list[Item]:
        self.queries.append(about)
        return [each for (kept, _), each in self.items.items() if kept == pk]

    def put(self, item: Item, **_condition: Any) -> None:
        self.written.append(item)

    def update(self, pk: str, sk: str, _expression: str = "", **about: Any) -> None:
        self.written.append({"pk": pk, "sk": sk, **about})


def accounts(shelf: Shelf) -> AccountStore:
    return AccountStore(None, cast("Table", shelf))


def organizations(shelf: Shelf) -> OrganizationStore:
    return OrganizationStore(None, cast("Table", shelf))


Read = Callable[[Shelf, int], object]
READS: dict[str, tuple[Item, Read]] = {
    "a sign-up": (
        {"pk": "SIGNUP#a", "sk": "SIGNUP"},
        lambda shelf, now: accounts(shelf).get_sign_up("a", now),
    ),
    "a place": (
        {"pk": "USER#u", "sk": "PLACE#p"},
        lambda shelf, now: accounts(shelf).get_place("u", "p", now),
    ),
    "an invitation": (
        {"pk": "ORG#o", "sk": "INVITE#i"},
        lambda shelf, now: organizations(shelf).get_invitation("o", "i", now),
    ),
}


@pytest.mark.parametrize("kind", READS)
def test_what_expires_is_read_until_its_last_second(kind: str) -> None:
    key, read = READS[kind]
    shelf = Shelf({**key, "expires_at": NOW})
    assert read(shelf, NOW - 1) == {**key, "expires_at": NOW}
    assert read(shelf, NOW) is None
    assert read(shelf, NOW + 1) is None
    assert read(Shelf(), NOW) is None


@pytest.mark.parametrize(
    ("session", "holds"),
    [
        ({"org_id": "o", "expires_at": NOW + 1}, True),
        ({"org_id": "o", "expires_at": NOW}, False),
        ({"org_id": "o"}, False),
        ({"expires_at": NOW + 1}, False),
    ],
)
def test_a_session_is_one_while_it_is_whole_and_has_not_expired(session: Item, holds: bool) -> None:
    assert unexpired(NOW).holds(session) is holds


def test_a_user_is_read_by_the_reservation_of_the_address_alone() -> None:
    shelf = Shelf(
        {"pk": "EMAIL#a", "sk": "EMAIL", "user_id": "usr_1"},
        {"pk": "USER#usr_1", "sk": "USER", "name": "Vera"},
    )
    found = accounts(shelf).get_user_by_address("a")
    assert found is not None
    assert found["name"] == "Vera"
    assert accounts(shelf).get_user_by_address("b") is None


def test_a_membership_that_is_not_there_has_no_role() -> None:
    member = {"pk": "ORG#o", "sk": "MEMBER#u", "role": "admin", "joined_at": NOW}
    store = organizations(Shelf(member))
    assert store.get_member("o", "u") == {
        "org_id": "o",
        "user_id": "u",
        "role": "admin",
        "joined_at": NOW,
    }
    assert (store.get_role("o", "u"), store.get_role("o", "x")) == ("admin", None)
    assert store.get_member("o", "x") is None


def test_a_page_begins_past_the_cursor_or_at_the_start() -> None:
    shelf = Shelf()
    store = organizations(shelf)
    for after in ("x", None):
        store.list_members("o", limit=2, after=after)
        store.list_invitations("o", limit=2, after=after)
    assert [each["after"] for each in shelf.queries] == ["MEMBER#x", "INVITE#x", None, None]


def test_every_key_but_the_current_versions_is_retired_and_an_earlier_end_stays() -> None:
    shelf = Shelf(
        {"pk": "JWKS", "sk": "current", "version": "v2"},
        {"pk": "JWKS", "sk": "old", "version": "v1"},
        {"pk": "JWKS", "sk": "unnamed"},
        {"pk": "JWKS", "sk": "ending", "version": "v0", "expires_at": NOW},
    )
    store = SigningKeyStore(cast("Table", shelf), lambda: float(NOW))
    store.retire_keys(but="v2", expires_at=NOW + 60)
    assert [(each["sk"], each["expires_at"]) for each in shelf.written] == [
        ("old", NOW + 60),
        ("unnamed", NOW + 60),
    ]


def test_a_process_publishes_a_key_once() -> None:
    shelf = Shelf()
    store = SigningKeyStore(cast("Table", shelf), lambda: float(NOW))
    for kid in ("a", "a", "b"):
        store.publish_key({"kid": kid}, version="v1")
    assert [(each["sk"], each["version"]) for each in shelf.written] == [("a", "v1"), ("b", "v1")]
