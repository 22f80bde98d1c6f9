"""The networks that a key may be used from."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from imagelayer.platform.errors import FieldError, Problem

# IPv6 callers count per /64 (`http.client_address`), so longer prefixes cannot be distinguished.
LONGEST_IPV6_PREFIX = 64
FORM = "must be a network such as 203.0.113.0/24, with no bits set after its prefix"


def allows(terms: Mapping[str, Any], ip: str) -> bool:
    """Whether a key with these terms may be used from an address (IPv6: from a /64)."""
    cidrs = terms.get("cidrs")
    if not cidrs:
        return True
    try:
        caller = ipaddress.ip_network(ip)
    except ValueError:  # not an address: in no network
        return False
    # Mixed families are never inside each other, which `subnet_of` says by raising.
    networks = (ipaddress.ip_network(cidr) for cidr in cidrs)
    return any(
        caller.version == network.version and caller.subnet_of(network)  # type: ignore[arg-type]
        for network in networks
    )


def canonical_networks(cidrs: Sequence[str]) -> list[str]:
    """Networks in their canonical form; a bare address is its own network. Raises Problem 422."""
    found, errors = [], []
    for number, text in enumerate(cidrs):
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError:
            errors.append(FieldError(f"body.allowed_cidrs.{number}", FORM))
            continue
        if network.version == 6 and network.prefixlen > LONGEST_IPV6_PREFIX:
            errors.append(
                FieldError(f"body.allowed_cidrs.{number}", "must be a /64 or larger for IPv6")
            )
        found.append(str(network))
    if errors:
        raise Problem(
            "validation_failed", f"{errors[0].location}: {errors[0].message}", errors=errors
        )
    return sorted(set(found))
