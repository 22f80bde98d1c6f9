"""Every kind of address that a webhook must not reach, in every form it can be written in."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.webhooks.targets import MAX_URL, TargetRefused, is_public, may_reach, parse

NOT_PUBLIC = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104 - nothing is bound
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0"],
    "instance metadata": ["169.254.169.254", "fd00:ec2::254"],
    "container credentials": ["169.254.170.2", "169.254.170.23"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "4000::1"],
    "protocol assignments": ["192.0.0.8", "2001:2::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"],
    "benchmarking": ["198.18.0.1", "198.19.255.255"],
    "IPv4-mapped": ["::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"],
    "IPv4-compatible": ["::10.0.0.1", "::7f00:1"],
    "IPv4-translated": ["::ffff:0:10.0.0.1"],
    "NAT64": ["64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
    "6to4": ["2002:a00:1::", "2002:7f00:1::1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "site-local": ["fec0::1"],
    "no address": ["", "localhost", "1.2.3", "0x7f000001", "2130706433", "127.1", "1.2.3.4/32"],
}
EVERY = [(kind, address) for kind, addresses in NOT_PUBLIC.items() for address in addresses]


@pytest.mark.parametrize(("kind", "address"), EVERY)
def test_an_address_that_not_everybody_reaches_is_refused(kind: str, address: str) -> None:
    assert not is_public(address)
    assert not may_reach(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:2800:220:1::1"])
def test_a_public_address_is_reached(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(("kind", "address"), EVERY)
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


REFUSED = {
    "http": "http://hooks.example.com/",
    "another scheme": "ftp://hooks.example.com/",
    "no scheme": "hooks.example.com/x",
    "a file": "file:///etc/passwd",
    "no host": "https:///x",
    "a user": "https://user@hooks.example.com/",
    "a user and a password": "https://user:secret@hooks.example.com/",
    "a host that looks like a user": "https://hooks.example.com@127.0.0.1/",
    "an empty user": "https://@hooks.example.com/",
    "a fragment": "https://hooks.example.com/#x",
    "a low port": "https://hooks.example.com:22/",
    "port 80": "https://hooks.example.com:80/",
    "port 0": "https://hooks.example.com:0/",
    "no port at all": "https://hooks.example.com:port/",
    "a port too high": "https://hooks.example.com:65536/",
    "localhost": "https://localhost/",
    "a name without a dot": "https://metadata/",
    "loopback": "https://127.0.0.1/",
    "loopback with a dot behind it": "https://127.0.0.1./",
    "IPv6 loopback": "https://[::1]/",
    "mapped loopback": "https://[::ffff:127.0.0.1]/",
    "an IPv6 zone": "https://[fe80::1%25eth0]/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "a decimal address": "https://2130706433/",
    "a hexadecimal address": "https://0x7f000001/",
    "an octal address": "https://0177.0.0.1/",
    "a short address": "https://127.1/",
    "a mixed address": "https://1.2.3.0x10/",
    "a public address in an unusual form": "https://134744072/",
    "unclosed brackets": "https://[::1/",
    "a space": "https://hooks.example.com/a b",
    "a line break": "https://hooks.example.com/a\r\nX-Injected: 1",
    "a tab": "https://hooks.example\t.com/",
    "a backslash": "https://hooks.example.com\\@127.0.0.1/",
    "a percent in the host": "https://%31%32%37.0.0.1/",
    "letters that are not ASCII": "https://hooks.exämple.com/",
    "full-width digits": "https://\uff11\uff12\uff17.0.0.1/",
    "an empty label": "https://hooks..example.com/",
    "a label too long": f"https://{'a' * 64}.example.com/",
    "a URL too long": f"https://hooks.example.com/{'a' * MAX_URL}",
    "an underscore of a wildcard": "https://*.example.com/",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_url_is_refused_that_has(kind: str) -> None:
    with pytest.raises(TargetRefused):
        parse(REFUSED[kind])


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
