"""A session of an end user opens what is meant for end users, per endpoint, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, session_bearer
from tests.support.endpoint_requests import FOR_END_USERS, WITH_CREDENTIALS, request
from tests.support.product import Product


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Product, dict[str, str]]]:
    """A product and the headers of an end user who has all scopes that there are for them."""
    with Product() as product:
        owner = product.account("dev@example.com")
        yield product, session_bearer(product.session(product.key(owner, *ALL_SCOPES)))


@pytest.mark.promise("keys-scoped", "sessions-short")
@pytest.mark.parametrize("route", WITH_CREDENTIALS)
def test_an_end_user_reaches_what_is_open_to_them_and_nothing_else(
    served: tuple[Product, dict[str, str]], route: str
) -> None:
    product, headers = served
    method, path, parts = request(route)
    before = product.counts()
    answer = product.call(method, path, headers=headers, **parts)
    if ROUTES[route].end_user:
        # What they ask for in these requests is a new image, or something that is not there.
        assert answer.status in (ROUTES[route].status, 404)
    else:
        assert (answer.status, answer.json["code"]) == (403, "insufficient_scope")
        assert product.security_events("authz.denied")[-1]["reason"].endswith("only")
        assert product.counts() == before


@pytest.mark.promise("keys-scoped", "sessions-short")
def test_only_images_are_open_to_end_users() -> None:
    assert set(FOR_END_USERS) == {
        "POST /v1/generations",
        "POST /v1/generations/{generation_id}/cancel",
        "GET /v1/generations/{generation_id}",
        "GET /v1/assets/{asset_id}",
        "GET /v1/assets/{asset_id}/content",
    }
