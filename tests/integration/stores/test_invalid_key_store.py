"""A key changes only as it was read, and a secret that is gone does not come back."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.access.key_store import MAX_KEYS, KeyStore, TooManyKeys, state_hash
from imagelayer.access.records import ApiKey
from imagelayer.limits.counters import GuardFailed, TatMemory
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.table import StoreUnavailable, Table, TransactionRefused
from tests.integration.stores.conftest import Tables
from tests.support.accounts import meanwhile
from tests.support.records import NOW, ORG, api_key

LIMIT = POLICIES["key-read"]
KEY = api_key()["id"]
LIMITS = {"key-read": {"quota": 3, "window": 60, "burst": 2}}


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("KeysTable")


@pytest.fixture
def store(client: Any, rows: Table) -> KeyStore:
    return KeyStore(client, rows, TatMemory())


@pytest.fixture
def seen(store: KeyStore) -> ApiKey:
    """A key with one secret, as it was read."""
    store.create_key(api_key(), "first")
    found = store.get_key(ORG, KEY)
    assert found is not None
    return found


def other(number: int) -> Any:
    return api_key(id=f"key_{number:026}")


@pytest.mark.parametrize(
    ("key", "secret"), [(api_key(), "second"), (other(2), "first")], ids=["key", "secret"]
)
def test_neither_a_key_nor_a_secret_is_overwritten_by_another_of_its_name(
    store: KeyStore, rows: Table, seen: ApiKey, key: Any, secret: str
) -> None:
    with pytest.raises(StoreUnavailable):  # neither can be: both are random
        store.create_key(key, secret)
    assert store.get_key(ORG, KEY) == seen
    assert store.owner_of("first") == (ORG, KEY)
    assert rows.get(f"ORG#{ORG}", "KEYS") == {"pk": f"ORG#{ORG}", "sk": "KEYS", "count": 1}


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_key_that_is_made_while_limits_are_set_has_them_whichever_change_it_is(
    store: KeyStore, rows: Table, before: int
) -> None:
    for _ in range(before):
        store.set_limits(ORG, {})
    with meanwhile(rows, "get", lambda: store.set_limits(ORG, LIMITS)):
        store.create_key(api_key(), "first")
    made = store.get_key(ORG, KEY)
    assert made is not None
    assert made["limits"] == LIMITS
    assert (rows.get("SECRET#first", "SECRET") or {})["terms"] == {"limits": LIMITS}


def test_the_last_key_that_fits_is_made_once(store: KeyStore, rows: Table) -> None:
    """Another takes the place after the count was read."""
    store.create_key(api_key(), "first")
    counter = rows.get(f"ORG#{ORG}", "KEYS") or {}
    rows.put({**counter, "count": MAX_KEYS - 1})
    with (
        meanwhile(rows, "get", lambda: store.create_key(other(2), "second")),
        pytest.raises(TooManyKeys),
    ):
        store.create_key(other(3), "third")
    assert (rows.get(f"ORG#{ORG}", "KEYS") or {})["count"] == MAX_KEYS
    assert store.owner_of("third") is None


def test_a_key_that_changed_or_was_revoked_is_not_changed_as_it_was_read(
    store: KeyStore, rows: Table, seen: ApiKey
) -> None:
    for revoked in (False, True):
        assert revoke(store) if revoked else store.update_key(seen, {"name": "n"})
        before = [rows.query(f"ORG#{ORG}"), rows.query("SECRET#first")]
        assert not store.update_key(seen, {"enabled": False})
        assert not store.revoke_key(seen)
        with pytest.raises(TransactionRefused):
            store.rotate_key(
                seen, "second", {"prefix": "p", "last_four": "4"}, previous_ends=NOW + 9, now=NOW
            )
        assert [rows.query(f"ORG#{ORG}"), rows.query("SECRET#first")] == before
        assert store.owner_of("second") is None


def revoke(store: KeyStore) -> bool:
    """Revoke the key as it is now."""
    key = store.get_key(ORG, KEY)
    return key is not None and store.revoke_key(key)


def test_a_secret_that_is_gone_is_not_brought_back_by_a_change_of_its_key(
    store: KeyStore, rows: Table, seen: ApiKey
) -> None:
    rows.delete("SECRET#first", "SECRET")
    assert not store.update_key(seen, {"enabled": False})
    with pytest.raises(TransactionRefused):
        store.rotate_key(
            seen, "second", {"prefix": "p", "last_four": "4"}, previous_ends=NOW + 9, now=NOW
        )
    assert rows.query("SECRET#first") == []


def admits(store: KeyStore, now: int = NOW) -> bool:
    try:
        store.admit("first", LIMIT, now)
    except GuardFailed:
        return False
    return True


def put_secret(rows: Table, **changes: Any) -> None:
    """The secret as those who manage keys would have left it."""
    secret = {**(rows.get("SECRET#first", "SECRET") or {}), **changes}
    disabled = bool(secret.get("disabled"))
    hashed = state_hash(secret["valid_until"], disabled=disabled, terms=secret.get("terms"))
    rows.put({**secret, "state_hash": hashed})


@pytest.mark.parametrize(
    ("changes", "now", "admitted"),
    [
        ({}, NOW, True),
        ({"valid_until": NOW + 10}, NOW + 9, True),
        ({"valid_until": NOW + 10}, NOW + 10, False),
        ({"disabled": True}, NOW, False),
        ({"disabled": True, "valid_until": NOW + 10}, NOW + 9, False),
    ],
)
def test_a_secret_admits_while_it_is_enabled_and_until_the_second_in_which_it_expires(
    store: KeyStore, rows: Table, seen: ApiKey, changes: Any, now: int, admitted: bool
) -> None:
    put_secret(rows, **changes)
    before = rows.get("SECRET#first", "SECRET")
    assert admits(store, now) is admitted
    after = rows.get("SECRET#first", "SECRET") or {}
    if admitted:
        assert after["last_used_at"] == now
    else:  # and nothing was counted
        assert after == before


def test_a_secret_that_was_revoked_is_not_brought_back_by_a_call(
    store: KeyStore, rows: Table, seen: ApiKey
) -> None:
    assert store.revoke_key(seen)
    assert not admits(store)
    assert rows.query("SECRET#first") == []


@pytest.mark.promise("limits-fail-closed")
def test_a_call_is_checked_under_the_terms_that_are_in_force(
    store: KeyStore, rows: Table, seen: ApiKey
) -> None:
    """A warm process knows others: first none, then the first, then the second."""
    assert admits(store)
    for quota in (3, 5):
        limits = {"key-read": {"quota": quota, "window": 60, "burst": 2}}
        other_process = KeyStore(store._client, rows, TatMemory())
        other_process.set_limits(ORG, limits)
        _, admission = store.admit("first", LIMIT, NOW + 1000 * quota)
        assert admission.policy.quota == quota
    other_process = KeyStore(store._client, rows, TatMemory())
    other_process.set_limits(ORG, {})
    _, admission = store.admit("first", LIMIT, NOW + 9000)
    assert admission.policy == LIMIT
