"""A signing key that was retired stays retired, and one that is gone does not come back."""

from __future__ import annotations

import pytest

from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.platform.table import Table
from tests.integration.stores.conftest import Tables
from tests.support.accounts import meanwhile
from tests.support.records import NOW

JWK = {"kid": "first", "kty": "OKP"}


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("SigningKeysTable")


def process(rows: Table) -> SigningKeyStore:
    """The keys as another process sees them."""
    return SigningKeyStore(rows, lambda: NOW)


def test_a_key_that_was_retired_is_not_published_again(rows: Table) -> None:
    process(rows).publish_key(JWK, version="v-1")
    process(rows).retire_keys(but="v-2", expires_at=NOW + 100)
    process(rows).publish_key(JWK, version="v-1")
    (stored,) = rows.query("JWKS")
    assert stored["expires_at"] == NOW + 100
    process(rows).retire_keys(but="v-2", expires_at=NOW + 200)
    (stored,) = rows.query("JWKS")
    assert stored["expires_at"] == NOW + 100


def test_a_key_that_is_gone_is_not_brought_back_by_its_retirement(rows: Table) -> None:
    process(rows).publish_key(JWK, version="v-1")
    process(rows).publish_key(JWK | {"kid": "second"}, version="v-1")
    with meanwhile(rows, "query", lambda: rows.delete("JWKS", "first")):
        process(rows).retire_keys(but="v-2", expires_at=NOW + 100)
    (left,) = rows.query("JWKS")
    assert (left["sk"], left["expires_at"]) == ("second", NOW + 100)
    rows.delete("JWKS", "second")
    assert process(rows).public_keys() == []
