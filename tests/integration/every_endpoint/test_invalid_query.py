"""Query parameters that a route does not know are refused before anything is done."""

from __future__ import annotations

import pytest

from imagelayer.routes import ROUTES
from tests.support.api import Account
from tests.support.endpoint_requests import credentials, request
from tests.support.product import Product

STRICT = sorted(key for key, route in ROUTES.items() if not route.takes_any_query)


@pytest.mark.parametrize("route", [each for each in STRICT if not ROUTES[each].signed])
def test_an_unknown_parameter_is_refused_and_changes_nothing(
    product: Product, owner: Account, route: str
) -> None:
    method, path, parts = request(route)
    sent = {**parts, "headers": {**parts.get("headers", {}), **credentials(product, owner, route)}}
    before = product.counts()
    answer = product.call(method, path, **sent, query={"Limit": "1"})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["location"] == "query.Limit"
    assert product.counts() == before


@pytest.mark.parametrize("path", ["/v1/models", "/v1/health", "/openapi.json", "/security"])
def test_what_others_link_to_or_lengthen_is_answered(
    product: Product, owner: Account, path: str
) -> None:
    answer = product.call("GET", path, headers=owner.headers, query={"api-version": "1"})
    assert answer.status == 200
