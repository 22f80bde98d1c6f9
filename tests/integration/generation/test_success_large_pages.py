"""Pages and waits that come out whole whatever happens around them."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.generations import service as generations
from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.table import StoreUnavailable
from tests.support.api import Account
from tests.support.generations import create
from tests.support.ledger import held
from tests.support.product import Product


def test_a_page_of_long_prompts_is_shorter_and_goes_on(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "MAX_PAGE_BYTES", 2000)
    made = [create(product, owner.headers, prompt="é" * 150).json["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        page = product.call("GET", "/v1/generations", headers=owner.headers, query=cursor).json
        assert len(page["data"]) in (1, 2)
        seen += [job["id"] for job in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == made[::-1]


def test_one_prompt_that_is_longer_than_a_page_is_shown_all_the_same(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "MAX_PAGE_BYTES", 10)
    create(product, owner.headers, prompt="longer than ten")
    page = product.call("GET", "/v1/generations", headers=owner.headers).json
    assert [job["prompt"] for job in page["data"]] == ["longer than ten"]


def test_a_fault_while_waiting_is_not_a_refusal_of_what_was_accepted(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = product.part("generation", GenerationsWiring).generation_store

    def fails(*_: Any) -> Any:
        raise StoreUnavailable("get_item", "throttled")

    monkeypatch.setattr(store, "get_generation", fails)
    headers = {**owner.headers, "prefer": "wait=5"}
    answer = create(product, headers)
    assert (answer.status, answer.json["status"]) == (202, "queued")
    monkeypatch.undo()
    assert sum(held(product)) == 1


def test_what_failed_or_was_canceled_is_shown_to_cost_nothing(
    product: Product, owner: Account
) -> None:
    brand = product.brand_with_logo(owner)
    fails = create(product, owner.headers, brand_id=brand["id"], n=2).json
    assert fails["credits"] == 2
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()
    canceled = create(product, owner.headers, n=2).json["id"]
    product.call("POST", f"/v1/generations/{canceled}/cancel", headers=owner.headers)
    for job in (fails["id"], canceled):
        shown = product.call("GET", f"/v1/generations/{job}", headers=owner.headers).json
        assert shown["credits"] == 0
