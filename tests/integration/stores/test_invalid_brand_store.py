"""A brand that was deleted stays deleted, and an upload is decided once."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.brands.store import BrandStore
from imagelayer.platform.table import Table, TransactionRefused, transact
from tests.integration.stores.conftest import Tables
from tests.support.records import NOW, ORG, brand, logo, upload

BRAND = brand()["id"]


@pytest.fixture
def rows(table: Tables) -> Table:
    return table("BrandsTable")


@pytest.fixture
def store(client: Any, rows: Table) -> BrandStore:
    made = BrandStore(client, rows)
    made.create_brand(brand())
    made.create_upload(upload())
    return made


def test_a_brand_that_was_deleted_is_not_brought_back(store: BrandStore, rows: Table) -> None:
    assert store.delete_brand(ORG, BRAND)
    assert not store.delete_brand(ORG, BRAND)
    assert store.update_brand(ORG, BRAND, {"name": "Again"}, NOW) is None
    assert not store.accept_upload(upload(), logo(upload()), NOW)
    assert rows.query(f"ORG#{ORG}", prefix="BRAND#") == []
    assert rows.query(f"ORG#{ORG}", prefix="UPLOAD#")[0]["status"] == "pending"


def test_a_brand_that_changed_or_is_gone_refuses_what_was_decided_on_it(
    store: BrandStore, client: Any
) -> None:
    transact(client, [store.current_check(ORG, BRAND, 1)])
    store.update_brand(ORG, BRAND, {"name": "Another"}, NOW)
    for version, gone in ((1, False), (2, True)):
        if gone:
            store.delete_brand(ORG, BRAND)
        with pytest.raises(TransactionRefused):
            transact(client, [store.current_check(ORG, BRAND, version)])


def test_an_upload_whose_event_comes_twice_raises_the_version_once(
    store: BrandStore, rows: Table
) -> None:
    assert store.accept_upload(upload(), logo(upload()), NOW)
    before = rows.query(f"ORG#{ORG}")
    assert not store.accept_upload(upload(), logo(upload()), NOW + 1)
    store.reject_upload(upload(), "It is not an image.")
    assert rows.query(f"ORG#{ORG}") == before


def test_an_upload_that_was_rejected_is_not_accepted_later(store: BrandStore, rows: Table) -> None:
    store.reject_upload(upload(), "It is not an image.")
    before = rows.query(f"ORG#{ORG}")
    assert not store.accept_upload(upload(), logo(upload()), NOW)
    store.reject_upload(upload(), "It is too large.")
    assert rows.query(f"ORG#{ORG}") == before
