"""Every kind of address that a webhook must not reach, in every form it can be written in."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.webhooks.targets import TargetRefused, is_public, may_reach, parse
from tests.support.webhook_targets import ADDRESSES, URLS


@pytest.mark.parametrize(("kind", "address"), ADDRESSES)
def test_an_address_that_not_everybody_reaches_is_refused(kind: str, address: str) -> None:
    assert not is_public(address)
    assert not may_reach(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:220:1::1"])
def test_a_public_address_is_reached(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(("kind", "address"), ADDRESSES)
def test_in_the_local_stage_only_this_machine_is_reached_besides(kind: str, address: str) -> None:
    assert may_reach(address, loopback=True) == (kind == "loopback")


@given(st.ip_addresses(v=4))
def test_no_address_of_a_private_network_is_public(address: ipaddress.IPv4Address) -> None:
    """Python's own table says the same of every IPv4 address, however it is embedded in IPv6."""
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))
    for carrier in ("::ffff:", "::", "64:ff9b::", "::ffff:0:"):
        assert not is_public(f"{carrier}{address}")
    assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))))


@pytest.mark.parametrize("kind", URLS)
def test_a_url_is_refused_that_has(kind: str) -> None:
    with pytest.raises(TargetRefused):
        parse(URLS[kind])


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://Hooks.Example.com/a?b=c", "hooks.example.com", 443, "/a?b=c",
         "hooks.example.com"),
        ("https://hooks.example.com:8443/", "hooks.example.com", 8443, "/",
         "hooks.example.com:8443"),
        ("https://hooks.example.com./x", "hooks.example.com", 443, "/x", "hooks.example.com"),
        ("https://xn--hoks-6qa.example/", "xn--hoks-6qa.example", 443, "/",
         "xn--hoks-6qa.example"),
        ("https://8.8.8.8/", "8.8.8.8", 443, "/", "8.8.8.8"),
        ("https://[2606:2800:220:1::1]:8443/x", "2606:2800:220:1::1", 8443, "/x",
         "[2606:2800:220:1::1]:8443"),
    ],
)  # fmt: skip
def test_a_public_url_is_taken_apart(
    url: str, host: str, port: int, path: str, authority: str
) -> None:
    target = parse(url)
    assert (target.tls, target.host, target.port, target.path) == (True, host, port, path)
    assert target.authority == authority


def test_in_the_local_stage_this_machine_is_reached_by_plain_http_and_nothing_else_is() -> None:
    for url in ("http://127.0.0.1:8080/x", "http://localhost:80/", "http://[::1]:9/"):
        assert not parse(url, loopback=True).tls
        with pytest.raises(TargetRefused):
            parse(url)
    for url in ("http://hooks.example.com/", "http://10.0.0.1/", "https://192.168.0.1/"):
        with pytest.raises(TargetRefused):
            parse(url, loopback=True)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://example.com/a b", "must not contain blanks or control characters"),
        ("https://example.com/\u00a0", "must not contain blanks or control characters"),
        ("https://example.com/\n", "must not contain blanks or control characters"),
        ("https://b\u00fccher.example/", "must be ASCII; write an international host name as xn--"),
        ("https://example.com/\u00fc", "must be ASCII; write an international host name as xn--"),
        ("https://example.com\\x", "must not contain a backslash"),
        ("https://example.com/" + "x" * 2048, "must have at most 2048 characters"),
    ],
)
def test_what_a_url_must_not_hold_is_named(url: str, message: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        parse(url)
    assert str(refused.value).startswith(message)
