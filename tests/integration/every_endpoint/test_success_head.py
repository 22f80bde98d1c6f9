"""HEAD is GET without the body: the same status, headers, credential and limit."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.endpoint_requests import WITH_CREDENTIALS, request
from tests.support.product import Product

GETS = [route for route in ROUTES if route.startswith("GET ")]
# They differ from one request to the next.
OF_ITS_OWN = {"x-request-id", "ratelimit", "retry-after"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Product, Account, dict[str, str]]]:
    """One product for the whole table: none of these requests changes it."""
    with Product() as product:
        owner = product.account("dev@example.com")
        yield product, owner, bearer(product.key(owner, *ALL_SCOPES))


@pytest.mark.parametrize("route", GETS)
def test_head_is_answered_as_get_without_the_body(
    served: tuple[Product, Account, dict[str, str]], route: str
) -> None:
    product, owner, key = served
    headers = {"none": {}, "key": key}.get(ROUTES[route].auth, owner.headers)
    _, path, parts = request(route)
    got = product.call("GET", path, headers=headers, **parts)
    head = product.call("HEAD", path, headers=headers, **parts)
    assert head.status == got.status
    assert head.text == ""
    lengths = {"content-length": str(len(got.text.encode()))} if got.text else {}
    expected = {**got.headers, **lengths}
    assert head.headers.keys() == expected.keys()
    for name in expected.keys() - OF_ITS_OWN:
        assert head.headers[name] == expected[name], name


@pytest.mark.parametrize("route", [route for route in GETS if route in WITH_CREDENTIALS])
def test_head_requires_the_credential_that_get_requires(
    served: tuple[Product, Account, dict[str, str]], route: str
) -> None:
    product, *_ = served
    _, path, parts = request(route)
    refused = product.call("HEAD", path, **parts)
    assert (refused.status, refused.text) == (401, "")
    assert refused.headers["www-authenticate"] == 'Bearer realm="imagelayer"'


def test_head_and_get_use_one_limit(product: Product, owner: Account) -> None:
    policy = ROUTES["GET /v1/health"].policy
    product.exhaust(policy, "203.0.113.5", owner)
    assert product.call("HEAD", "/v1/health", ip="203.0.113.5").status == 429


def test_head_of_an_image_leads_to_it(product: Product, owner: Account) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES))
    body = {"prompt": "waves", "size": "256x256"}
    job = product.call("POST", "/v1/generations", headers=key, body=body).json
    product.work_queue()
    done = product.call("GET", f"/v1/generations/{job['id']}", headers=key).json
    path = f"/v1/assets/{done['assets'][0]['id']}/content"
    got, head = product.call("GET", path, headers=key), product.call("HEAD", path, headers=key)
    assert (head.status, head.text) == (302, "")
    links = [urlsplit(answer.headers["location"]) for answer in (got, head)]
    assert links[0].path == links[1].path
    # Each is signed for the method that follows it.
    assert (
        parse_qs(links[0].query)["X-Amz-Signature"] != parse_qs(links[1].query)["X-Amz-Signature"]
    )
