"""Reading an image's record and getting a short signed link."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.principals import Principal
from tests.support.api import Account
from tests.support.product import Product


def make(product: Product, owner: Account) -> dict[str, Any]:
    body = {"prompt": "waves", "size": "256x256"}
    product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    product.work_queue()
    return product.item("GenerationsTable", "AST#")


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def signed_until(url: str) -> int:
    """When a SigV4 link dies, from its own signature."""
    parameters = query(url)
    signed = datetime.strptime(parameters["X-Amz-Date"] + "+0000", "%Y%m%dT%H%M%SZ%z")
    return int(signed.timestamp()) + int(parameters["X-Amz-Expires"])


@pytest.mark.promise("assets-signed")
def test_a_link_is_signed_with_sigv4_for_five_minutes(product: Product, owner: Account) -> None:
    asset = make(product, owner)
    answer = product.call("GET", f"/v1/assets/{asset['id']}", headers=owner.headers)
    assert answer.status == 200
    parameters = query(answer.json["url"])
    assert parameters["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert parameters["X-Amz-Expires"] == "300"
    assert parameters["response-content-type"] == "image/png"
    assert parameters["response-content-disposition"] == f'inline; filename="{asset["id"]}.png"'
    status, data = product.fetch(answer.json["url"])
    assert (status, len(data)) == (200, answer.json["size_bytes"])


@pytest.mark.promise("assets-signed")
def test_the_content_route_redirects_to_a_link_and_keeps_no_copy(
    product: Product, owner: Account
) -> None:
    asset = make(product, owner)
    answer = product.call("GET", f"/v1/assets/{asset['id']}/content", headers=owner.headers)
    assert (answer.status, answer.text) == (302, "")
    assert "X-Amz-Signature" in answer.headers["location"]
    assert answer.headers["cache-control"] == "no-store"
    assert product.fetch(answer.headers["location"])[1].startswith(b"\x89PNG")


@pytest.mark.promise("media-72h", "assets-signed")
@pytest.mark.parametrize("left", [0.4, 1, 1.6, 7.5, 299, 299.9, 300, 301, 100_000])
def test_a_link_never_outlives_its_image(product: Product, owner: Account, left: float) -> None:
    asset = make(product, owner)
    principal = Principal("user", owner.org_id, owner.user_id, frozenset())
    now = time.time()
    # The signature's date is the real clock's, so the image's end is moved instead of the time.
    product.edit("GenerationsTable", asset, expires_at=int(now + left) + 1)
    expires_at = int(now + left) + 1
    assets = product.part("asset_delivery", GenerationsWiring).assets
    seen = assets.get_asset(principal, asset["id"], now)
    assert signed_until(seen["url"]) <= expires_at + 1  # the signing second may just have turned
    assert int(query(seen["url"])["X-Amz-Expires"]) <= min(300, expires_at - int(now))
    assert seen["url_expires_at"] <= seen["expires_at"]


@pytest.mark.promise("media-72h")
def test_an_image_is_gone_for_readers_the_moment_it_expires(
    product: Product, owner: Account
) -> None:
    asset = make(product, owner)
    product.edit("GenerationsTable", asset, expires_at=int(time.time()))
    for path in (f"/v1/assets/{asset['id']}", f"/v1/assets/{asset['id']}/content"):
        answer = product.call("GET", path, headers=owner.headers)
        assert (answer.status, answer.json["code"]) == (410, "expired")
        assert "location" not in answer.headers
        assert "X-Amz" not in answer.text


@pytest.mark.promise("media-72h")
def test_a_job_that_has_expired_is_gone_for_readers_and_lists(
    product: Product, owner: Account
) -> None:
    asset = make(product, owner)
    job = product.item("GenerationsTable", "GEN#")
    product.edit("GenerationsTable", job, expires_at=int(time.time()))
    path = f"/v1/generations/{asset['generation_id']}"
    assert product.call("GET", path, headers=owner.headers).status == 404
    listed = product.call("GET", "/v1/generations", headers=owner.headers)
    assert listed.json["data"] == []


@pytest.mark.promise("assets-signed")
def test_no_answer_tells_where_media_lie_without_a_signature(
    product: Product, owner: Account
) -> None:
    asset = make(product, owner)
    answer = product.call("GET", f"/v1/assets/{asset['id']}", headers=owner.headers)
    unsigned = answer.text.replace(answer.json["url"], "")
    assert asset["object_key"] not in unsigned
    assert product.names["MediaBucket"] not in unsigned
