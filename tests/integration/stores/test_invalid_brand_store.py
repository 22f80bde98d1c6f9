"""A brand that was deleted stays deleted, and an upload is decided once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.brands.records import LogoRecord
from imagelayer.brands.store import BrandStore, TooManyBrands
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


def test_a_brand_is_not_overwritten_by_another_of_its_id(store: BrandStore, rows: Table) -> None:
    before = rows.query(f"ORG#{ORG}")
    with pytest.raises(TooManyBrands):  # it cannot be: ids are random
        store.create_brand(brand(name="Another"))
    assert rows.query(f"ORG#{ORG}") == before


def test_an_upload_that_went_with_its_brand_is_not_brought_back(
    store: BrandStore, rows: Table
) -> None:
    store.expire_upload(upload(), upload()["id"], NOW)
    (stored,) = rows.query(f"ORG#{ORG}", prefix="UPLOAD#")
    assert stored["expires_at"] == NOW
    store.delete_upload(upload())
    store.expire_upload(upload(), upload()["id"], NOW)
    assert rows.query(f"ORG#{ORG}", prefix="UPLOAD#") == []


def test_of_two_files_that_arrive_at_once_one_is_refused_whether_or_not_a_logo_was_there(
    store: BrandStore, rows: Table
) -> None:
    uploads = [upload(id=f"upl_{number:026}") for number in range(2, 6)]
    for each in uploads:
        store.create_upload(each)
    for early, late in (uploads[:2], uploads[2:]):
        logos = (store.get_brand(ORG, BRAND) or brand())["logos"]
        replaced = (
            {"replaced": {"upload_id": logos["logo"]["upload_id"], "key": "logo"}} if logos else {}
        )
        assert store.accept_upload(early, cast("LogoRecord", {**logo(early), **replaced}), NOW)
        before = rows.query(f"ORG#{ORG}")
        assert not store.accept_upload(late, cast("LogoRecord", {**logo(late), **replaced}), NOW)
        assert rows.query(f"ORG#{ORG}") == before
