"""The networks that a user is known at, and the form in which we store them."""

from __future__ import annotations

import hashlib
import ipaddress

PLACE_SECONDS = 90 * 86_400  # how long a place is known after a login from there


def network(ip: str) -> str:
    """The network that counts as one place: an IPv4 /24 or an IPv6 /48 (RFC 6177: one site)."""
    try:
        address = ipaddress.ip_interface(ip).ip
    except ValueError:
        return "unknown"
    bits = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{bits}", strict=False))


def place_id(user_id: str, ip: str) -> str:
    """What is stored of a place: enough to recognize it, too little to read it."""
    return hashlib.sha256(f"{user_id}\x00{network(ip)}".encode()).hexdigest()[:32]
