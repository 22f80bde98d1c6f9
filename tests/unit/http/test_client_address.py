"""Which address a call counts for: never one that the caller may choose."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from imagelayer.http.client_address import canonical, client_address
from imagelayer.platform.errors import Problem

SECRET = "edge-secret-of-the-distribution"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def event(source: str = "198.51.100.7", **headers: str) -> dict[str, Any]:
    return {
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {"http": {"sourceIp": source}},
    }


def test_without_an_edge_the_gateways_view_of_the_connection_counts() -> None:
    assert client_address(event(), "") == "198.51.100.7"


@pytest.mark.promise("ip-daily-limit")
@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_for": "203.0.113.9"},
        {"x_forwarded_for": "203.0.113.9, 198.51.100.7"},
        {"forwarded": "for=203.0.113.9"},
        {"x_real_ip": "203.0.113.9"},
        {"true_client_ip": "203.0.113.9"},
        {"cf_connecting_ip": "203.0.113.9"},
        {"cloudfront_viewer_address": "203.0.113.9:1234"},
        {"cloudfront_viewer_address": "203.0.113.9:1234", "x_edge_secret": SECRET},
    ],
)
def test_without_an_edge_no_header_changes_the_address(headers: dict[str, str]) -> None:
    assert client_address(event(**headers), "") == "198.51.100.7"


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [
        ("203.0.113.9:46532", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6:46532", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:3:4:5:6]:46532", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("nonsense:1", "unknown"),
    ],
)
def test_through_the_edge_the_viewers_address_counts(viewer: str, expected: str) -> None:
    through = event(
        source="130.176.0.1",
        x_edge_secret=SECRET,
        cloudfront_viewer_address=viewer,
        x_forwarded_for="192.0.2.99",
    )
    assert client_address(through, DIGEST) == expected


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET.upper(), SECRET + " ", DIGEST, "é"])
def test_a_way_round_the_edge_is_refused(secret: str | None) -> None:
    headers = {"cloudfront_viewer_address": "203.0.113.9:1"}
    if secret is not None:
        headers["x_edge_secret"] = secret
    with pytest.raises(Problem) as refused:
        client_address(event(**headers), DIGEST)
    assert (refused.value.status, refused.value.code) == (403, "edge_required")
    assert SECRET not in refused.value.detail


def test_a_request_without_headers_is_refused_by_the_edge_rule_and_not_by_a_crash() -> None:
    with pytest.raises(Problem):
        client_address({"requestContext": {"http": {"sourceIp": "198.51.100.7"}}}, DIGEST)


@pytest.mark.promise("ip-daily-limit")
def test_a_subscriber_with_a_whole_ipv6_network_is_one_caller() -> None:
    assert canonical("2001:db8:1:2::1") == canonical("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert canonical("2001:db8:1:2::1") != canonical("2001:db8:1:3::1")
    assert canonical("2001:DB8:1:2::1") == "2001:db8:1:2::/64"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::1", "::/64"),
        ("", "unknown"),
        ("198.51.100.7, 203.0.113.9", "unknown"),
        ("198.51.100.07", "unknown"),
        ("2001:db8::1%eth0", "2001:db8::/64"),
        ("999.1.1.1", "unknown"),
    ],
)
def test_spellings_of_one_address_count_together(address: str, expected: str) -> None:
    assert canonical(address) == expected
