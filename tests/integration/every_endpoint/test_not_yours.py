"""A foreign id looks exactly like a missing one, on API and dashboard paths alike."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.ids import new_id
from tests.integration.every_endpoint.cases import FOR_KEYS, PREFIXES, WITH_ID, request
from tests.support.images import logo
from tests.support.product import ALL_SCOPES, Account, Product, bearer


def everything(product: Product, owner: Account) -> dict[str, str]:
    """One of each thing that has an id, by the name it has in paths."""
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    product.deliver_upload(upload)
    body = {"prompt": "waves", "size": "256x256"}
    job = product.call("POST", "/v1/generations", headers=owner.headers, body=body).json
    product.work_queue()
    return {
        "key_id": product.key(owner, *ALL_SCOPES)["id"],
        "brand_id": brand["id"],
        "upload_id": upload["id"],
        "generation_id": job["id"],
        "asset_id": product.item("GenerationsTable", "AST#")["id"],
    }


def state(product: Product) -> Any:
    """What a stranger must not be able to change: everything but meters and last uses."""
    kept = [
        {name: value for name, value in item.items() if not name.startswith(("tat_", "last_used"))}
        for table in ("KeysTable", "BrandsTable", "GenerationsTable", "CreditsTable")
        for item in product.dump_of(table)
    ]
    return kept, product.objects("MediaBucket"), product.objects("BrandBucket")


@pytest.mark.promise("org-scoped", "brand-isolated")
def test_foreign_ids_are_missing_ids_byte_for_byte(
    product: Product, owner: Account, stranger: Account
) -> None:
    ids = everything(product, owner)
    strangers_key = product.key(stranger, *ALL_SCOPES)
    callers = {"dashboard": stranger.headers, "key": bearer(strangers_key)}
    before = state(product)
    compared = 0
    for name, headers in callers.items():
        for route in WITH_ID:
            if name == "key" and route not in FOR_KEYS:
                continue
            method, foreign, parts = request(route, ids)
            _, missing, _ = request(route)
            answers = [
                product.call(method, path, headers=headers, request_id="req-same", **parts)
                for path in (foreign, missing)
            ]
            assert [each.status for each in answers] == [404, 404], route
            assert answers[0].text == answers[1].text
            assert answers[0].headers == answers[1].headers
            compared += 1
    assert compared == len(WITH_ID) + len([route for route in WITH_ID if route in FOR_KEYS])
    assert state(product) == before


@pytest.mark.promise("org-scoped")
def test_the_owner_reaches_every_one_of_them(product: Product, owner: Account) -> None:
    """Otherwise the test above would prove nothing."""
    ids = everything(product, owner)
    for route in WITH_ID:
        if not route.startswith("DELETE"):
            method, path, parts = request(route, ids)
            answer = product.call(method, path, headers=owner.headers, **parts)
            assert answer.status < 400, route


@pytest.mark.promise("org-scoped")
def test_lists_show_only_ones_own(product: Product, owner: Account, stranger: Account) -> None:
    everything(product, owner)
    for path in ("/v1/keys", "/v1/brands", "/v1/generations"):
        assert product.call("GET", path, headers=owner.headers).json["data"] != []
        assert product.call("GET", path, headers=stranger.headers).json["data"] == []


@pytest.mark.promise("org-scoped")
def test_a_foreign_cursor_shows_nothing_foreign(
    product: Product, owner: Account, stranger: Account
) -> None:
    ids = everything(product, owner)
    for path, name in (
        ("/v1/keys", "key_id"),
        ("/v1/brands", "brand_id"),
        ("/v1/generations", "generation_id"),
    ):
        for cursor in (ids[name], new_id(PREFIXES[name], 1.0), new_id(PREFIXES[name], 4e9)):
            query = {"cursor": cursor}
            answer = product.call("GET", path, headers=stranger.headers, query=query)
            assert (answer.status, answer.json["data"]) == (200, [])


@pytest.mark.promise("brand-isolated")
def test_a_foreign_brand_shapes_no_image(
    product: Product, owner: Account, stranger: Account
) -> None:
    brand = product.brand(owner)
    answers = [
        product.call(
            "POST",
            "/v1/generations",
            headers=stranger.headers,
            body={"prompt": "x", "brand_id": brand_id},
            request_id="req-same",
        )
        for brand_id in (brand["id"], new_id("brd", 1_800_000_000))
    ]
    assert [each.status for each in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert product.items("GenerationsTable") == []


@pytest.mark.parametrize("shape", ["nonsense", "%2e%2e", "BRAND%23x", "brd_", "x" * 300])
def test_what_is_no_id_at_all_is_missing_too(product: Product, owner: Account, shape: str) -> None:
    for route in WITH_ID:
        method, path, parts = request(route, dict.fromkeys(PREFIXES, shape))
        assert product.call(method, path, headers=owner.headers, **parts).status == 404, route


@pytest.mark.promise("org-scoped")
def test_an_id_of_another_kind_is_missing_too(product: Product, owner: Account) -> None:
    ids = everything(product, owner)
    for route in WITH_ID:
        for other in ids.values():
            mixed = {name: other for name in PREFIXES if ids[name] != other}
            method, path, parts = request(route, mixed)
            if other in path:
                answer = product.call(method, path, headers=owner.headers, **parts)
                assert answer.status == 404, (route, other)
