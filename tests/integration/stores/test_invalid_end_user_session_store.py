"""An end user's session is used while it lasts, and generates up to its cap."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.records import EndUserSession
from imagelayer.limits.counters import GuardFailed, TatMemory
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.principals import EndUser
from imagelayer.platform.table import Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG

LIMIT = POLICIES["end-user-generations"]
END_USER = EndUser("user-1", "eus_00000000000000000000000001", NOW + 100)
SESSION = cast(
    "EndUserSession",
    {
        "id": END_USER.session_id,
        "org_id": ORG,
        "end_user_id": END_USER.id,
        "max_generations": 2,
        "generations": 0,
        "expires_at": END_USER.session_ends,
    },
)


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("SessionsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> EndUserSessionStore:
    made = EndUserSessionStore(client, rows, TatMemory())
    made.create_session(SESSION)
    return made


def stored(store: EndUserSessionStore) -> EndUserSession | None:
    return store.get_session(ORG, END_USER.id, END_USER.session_id, END_USER.session_ends)


def test_a_session_admits_until_the_second_in_which_it_expires(store: EndUserSessionStore) -> None:
    store.admit(ORG, END_USER, LIMIT, END_USER.session_ends - 1)
    with pytest.raises(GuardFailed):
        store.admit(ORG, END_USER, LIMIT, END_USER.session_ends)


def test_a_session_generates_up_to_its_cap_and_nothing_once_it_was_ended(
    store: EndUserSessionStore, client: Any
) -> None:
    def count() -> None:
        transact(client, [store.count_generation_action(ORG, END_USER)])

    for _ in range(2):
        count()
    with pytest.raises(TransactionRefused):
        count()
    store.end_session(SESSION)
    with pytest.raises(TransactionRefused):
        count()
    with pytest.raises(GuardFailed):
        store.admit(ORG, END_USER, LIMIT, NOW)
    assert stored(store) is None
