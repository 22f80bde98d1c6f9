"""What no route serves: the one shape, the right status, and a limit of its own."""

from __future__ import annotations

import pytest

from imagelayer.http.app import SECURITY_HEADERS
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.errors import CATALOGUE
from tests.support.api import Account, Answer
from tests.support.product import Product

POLICY = POLICIES["unrouted"]
ORIGIN = {"origin": "https://shop.example"}


def assert_shape(answer: Answer, code: str) -> None:
    """One shape, whatever was asked."""
    assert answer.status == CATALOGUE[code][0]
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert answer.json["code"] == answer.json["error"]["code"] == code
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert (
        SECURITY_HEADERS.items()
        <= {name: answer.headers.get(name.lower()) for name in SECURITY_HEADERS}.items()
    )
    assert answer.headers["ratelimit-policy"] == POLICY.header
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "path", ["/v1/nope", "/nope", "/", "/v1/chat/completions", "/v1/models/", "/images/edits"]
)
def test_an_unknown_path_is_404_with_every_method(product: Product, method: str, path: str) -> None:
    answer = product.call(method, path, headers=ORIGIN)
    assert_shape(answer, "route_not_found")
    assert "allow" not in answer.headers
    assert path == "/" or path not in answer.text.replace("/v1/images/edits", "")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/brands", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/auth/login", "OPTIONS, POST"),
        ("DELETE", "/v1/health", "GET, HEAD, OPTIONS"),
        ("POST", "/v1/images/jobs/gen_1", "GET, HEAD, OPTIONS"),
        ("BREW", "/security", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_known_path_with_another_method_is_405_and_says_which_it_takes(
    product: Product, method: str, path: str, allow: str
) -> None:
    answer = product.call(method, path)
    assert_shape(answer, "method_not_allowed")
    assert answer.headers["allow"] == allow
    assert allow in answer.json["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        ORIGIN,
        {**ORIGIN, "access-control-request-method": "GET"},
        {"origin": "http://front.invalid", "access-control-request-method": "POST"},
    ],
)
def test_options_of_a_known_path_lists_its_methods_and_opens_it_to_no_origin(
    product: Product, headers: dict[str, str]
) -> None:
    answer = product.call("OPTIONS", "/v1/models", headers=headers)
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(("path", "status"), [("/v1/nope", 404), ("/v1/auth/login", 405)])
def test_a_refused_head_has_no_body(product: Product, path: str, status: int) -> None:
    answer = product.call("HEAD", path)
    assert (answer.status, answer.text) == (status, "")
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.promise("limits-fail-closed")
def test_a_flood_of_unknown_paths_is_limited_and_leaves_real_routes_alone(
    product: Product, owner: Account
) -> None:
    product.exhaust(POLICY, "203.0.113.5", owner)
    here = {"ip": "203.0.113.5"}
    for method, path in (("GET", "/v1/nope"), ("PUT", "/v1/brands"), ("OPTIONS", "/v1/models")):
        refused = product.call(method, path, **here)
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
    assert product.call("GET", "/v1/health", **here).status == 200
    assert product.call("GET", "/v1/brands", headers=owner.headers, **here).status == 200
    assert product.call("GET", "/v1/nope", ip="203.0.113.6").status == 404


@pytest.mark.promise("limits-fail-closed")
def test_when_the_limiter_cannot_answer_an_unknown_path_is_refused_too(product: Product) -> None:
    with product.broken("dynamodb", "UpdateItem"):
        answer = product.call("GET", "/v1/nope")
    assert (answer.status, answer.json["code"]) == (503, "limiter_unavailable")


def test_what_a_caller_causes_is_in_the_log_alone_and_what_we_cause_is_a_metric_too(
    product: Product,
) -> None:
    def metrics() -> list[str]:
        found = [line["_aws"]["CloudWatchMetrics"] for line in product.logs() if "_aws" in line]
        return [str(metric["Metrics"][0]["Name"]) for (metric,) in found]

    assert product.call("GET", "/v1/nope").status == 404
    assert metrics() == []
    with product.broken("dynamodb", "UpdateItem"):
        assert product.call("GET", "/v1/nope").status == 503
    assert metrics() == ["LimiterUnavailable", "Refused503"]
