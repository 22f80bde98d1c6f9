"""Where webhooks may go: https to public addresses, and nowhere else.

The creator of a webhook chooses what our network connects to, so every part of that choice is
checked: the URL when the webhook is created, and the addresses its name resolves to each time
something is sent (OWASP SSRF prevention cheat sheet). The connection then goes to the address that
was checked, so a name that resolves differently a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

from imagelayer.platform.frozen import frozen

MAX_URL = 2048
# Ports below 1024 belong to services other than webhook receivers.
FIRST_HIGH_PORT = 1024
_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Addresses that carry an IPv4 address inside, which is where a gateway would take them:
# IPv4-compatible, -mapped and -translated, NAT64 (RFC 6052, 8215), Teredo, 6to4. And site-local
# ones (RFC 3879), which some networks still use.
_CARRIERS = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "fec0::/10",
    )
)


class TargetRefused(Exception):
    """The URL is not one that webhooks may go to; the text says which rule it breaks."""


@frozen
class Target:
    """A URL in the parts that a request needs. `host` is ASCII and has no brackets."""

    tls: bool
    host: str
    port: int
    path: str  # with its query

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _PORTS["https" if self.tls else "http"]
        return host if self.port == usual else f"{host}:{self.port}"


def parse(url: str, *, loopback: bool = False) -> Target:
    """The target of a URL. Raises TargetRefused.

    `loopback` lets plain http reach this machine itself, for the local stage.
    """
    _check_characters(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise TargetRefused("must be a URL") from None
    host = (parts.hostname or "").lower().removesuffix(".")
    local = loopback and (host == "localhost" or _is_loopback(host))
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise TargetRefused("must start with https://")
    if "@" in parts.netloc or "#" in url:
        raise TargetRefused("must have neither a user name nor a fragment")
    port = _PORTS[parts.scheme] if port is None else port
    if port < FIRST_HIGH_PORT and port != _PORTS["https"] and not local:
        raise TargetRefused(f"must use port 443, or one from {FIRST_HIGH_PORT}")
    if not local:
        _check_host(host)
    return Target(parts.scheme == "https", host, port, _path(parts))


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL:
        raise TargetRefused(f"must have at most {MAX_URL} characters")
    if any(each.isspace() or not each.isprintable() for each in url):
        raise TargetRefused("must not contain blanks or control characters; write a blank as %20")
    if not url.isascii():
        raise TargetRefused(
            "must be ASCII; write an international host name as xn--…, and percent-encode the rest"
        )
    if "\\" in url:
        raise TargetRefused("must not contain a backslash")


def is_public(address: str) -> bool:
    """Whether an address is public; webhooks reach no others."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # not an address, or one with an IPv6 zone of this host
        return False
    return _is_public(found)


def may_reach(address: str, *, loopback: bool = False) -> bool:
    """Whether a webhook may be sent to an address."""
    return is_public(address) or (loopback and _is_loopback(address))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (
        address.scope_id or any(address in network for network in _CARRIERS)
    ):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _check_host(host: str) -> None:
    """Names are distinguished from addresses as a browser does: one that ends in a number is an
    address, in whatever old form (WHATWG URL, "ends in a number")."""
    if ":" in host:
        if not is_public(host):
            raise TargetRefused("must not name a private address")
        return
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        if not is_public(host):
            raise TargetRefused(
                "must not name a private address, nor an address in an unusual form"
            )
        return
    if len(labels) < 2 or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise TargetRefused("must name a public host")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _path(parts: SplitResult) -> str:
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
