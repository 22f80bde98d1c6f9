"""A session is used only while it exists and has not ended, and its token is traded once."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.identity.session_store import SessionStore
from imagelayer.limits.counters import GuardFailed, TatMemory
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.table import ConditionFailed, Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, dashboard_session

LIMIT = POLICIES["session-read"]
SESSION = dashboard_session()
KEY = (SESSION["user_id"], SESSION["id"])


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("SessionsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> SessionStore:
    made = SessionStore(rows, TatMemory())
    transact(client, [made.create_session_action(SESSION)])
    return made


def test_a_session_is_not_overwritten_by_another_of_its_id(
    store: SessionStore, client: Any
) -> None:
    with pytest.raises(TransactionRefused):
        transact(client, [store.create_session_action(dashboard_session(role="owner"))])


def test_a_session_that_ended_is_not_brought_back(
    store: SessionStore, rows: Table, client: Any
) -> None:
    store.end_session(*KEY)
    with pytest.raises(TransactionRefused):
        transact(client, [store.enrolled_action(*KEY)])
    with pytest.raises(GuardFailed):
        store.admit(*KEY, LIMIT, NOW)
    with pytest.raises(ConditionFailed):
        store.refresh(SESSION, "first", "second", NOW, {})
    assert rows.query(f"USER#{KEY[0]}") == []


def test_a_session_admits_until_the_second_in_which_it_expires(store: SessionStore) -> None:
    store.admit(*KEY, LIMIT, SESSION["expires_at"] - 1)
    with pytest.raises(GuardFailed):
        store.admit(*KEY, LIMIT, SESSION["expires_at"])


@pytest.mark.parametrize(
    ("presented", "ends", "refused"),
    [
        ("first", {}, False),
        ("another", {}, True),
        ("first", {"expires_at": NOW + 1}, False),
        ("first", {"expires_at": NOW}, True),
        ("first", {"idle_until": NOW + 1}, False),
        ("first", {"idle_until": NOW}, True),
    ],
)
def test_a_token_is_traded_while_it_is_the_newest_of_an_unexpired_session_in_use(
    store: SessionStore, rows: Table, presented: str, ends: dict[str, int], refused: bool
) -> None:
    (stored,) = rows.query(f"USER#{KEY[0]}")
    rows.put({**stored, **ends})
    if refused:
        with pytest.raises(ConditionFailed):
            store.refresh(SESSION, presented, "second", NOW, {})
    else:
        store.refresh(SESSION, presented, "second", NOW, {})
    (stored,) = rows.query(f"USER#{KEY[0]}")
    assert stored["refresh_hash"] == ("first" if refused else "second")
