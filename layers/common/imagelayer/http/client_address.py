"""Which address counts for per-address limits.

Through the edge: CloudFront's viewer address, believed only with the edge's secret. Without an
edge: the gateway's own view of the connection. `X-Forwarded-For` is never read, because its left
end is whatever the client wrote there.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Any

from imagelayer.platform.errors import Problem


def client_address(event: Mapping[str, Any], edge_secret_sha256: str) -> str:
    """The caller's IPv4 address or IPv6 /64. Raises Problem 403 for a request that bypassed the
    edge."""
    headers: Mapping[str, str] = event.get("headers") or {}
    if not edge_secret_sha256:
        return canonical(str(event["requestContext"]["http"]["sourceIp"]))
    presented = hashlib.sha256(headers.get("x-edge-secret", "").encode()).hexdigest()
    if not hmac.compare_digest(presented, edge_secret_sha256):
        raise Problem("edge_required", "Send requests to the published address.")
    # `198.51.100.10:46532`, and the same with an IPv6 address: the port is after the last colon.
    return canonical(headers.get("cloudfront-viewer-address", "").rpartition(":")[0].strip("[]"))


def canonical(address: str) -> str:
    """IPv4 as it is, IPv6 as its /64, because one subscriber owns a whole /64 (RFC 6177).

    Anything that is not an address counts together as one caller.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
