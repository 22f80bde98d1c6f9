"""A mail that gathers notices is sent by one run and leaves what came after it was read."""

from __future__ import annotations

import pytest

from imagelayer.mail.notices import LEASE_SECONDS, NoticeStore, WaitingNotices
from imagelayer.mail.requests import MailRequest
from imagelayer.platform.table import Table, sweep_shard
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, user

USER = user()["id"]
SHARD = int(sweep_shard(USER))


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("AccountsTable")


@pytest.fixture
def store(client: object, rows: Table) -> NoticeStore:
    return NoticeStore(client, rows)


def keep(store: NoticeStore, message_id: str) -> None:
    request = MailRequest("password_changed", {}, message_id, first=False, at=NOW)
    store.keep(USER, request, due_at=NOW, now=NOW)


def due(store: NoticeStore, now: int = NOW) -> list[WaitingNotices]:
    return store.list_due(SHARD, now)


def test_of_two_runs_that_find_the_same_mail_due_one_sends_it(store: NoticeStore) -> None:
    keep(store, "m-1")
    (seen,) = due(store)
    assert store.lease(seen, NOW) is not None
    assert store.lease(seen, NOW) is None
    assert due(store) == []
    (later,) = due(store, NOW + LEASE_SECONDS)
    assert store.lease(later, NOW + LEASE_SECONDS) is not None


def test_a_notice_that_comes_while_the_mail_is_sent_stays_due(store: NoticeStore) -> None:
    keep(store, "m-1")
    (seen,) = due(store)
    notices = store.list_notices(seen)
    keep(store, "m-2")
    store.forget(seen, notices)
    (left,) = due(store)
    assert [each.id for each in store.list_notices(left)] == ["m-2"]
    store.forget(left, store.list_notices(left))
    assert due(store) == []


def test_what_was_mailed_is_not_brought_back_by_a_later_attempt(store: NoticeStore) -> None:
    keep(store, "m-1")
    (seen,) = due(store)
    store.forget(seen, store.list_notices(seen))
    assert store.lease(seen, NOW) is None
    store.postpone(seen, NOW)
    assert due(store) == []
