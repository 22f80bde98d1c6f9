"""Visitors of the local cloud, each from an address of its own."""

from __future__ import annotations

import itertools
import secrets

from dev.local_cloud import LocalCloud
from tests.support.api_clients import Visitor

_RUN = secrets.token_hex(3)
_ADDRESSES = itertools.count(2)
_NAMES = itertools.count()  # counted at once: some tests meet people on several threads
ALL: list[Visitor] = []


def new_address() -> str:
    """Another loopback address: another client to the per-address limits."""
    number = next(_ADDRESSES)
    return f"127.{1 + secrets.randbelow(250)}.{number // 250 % 250}.{2 + number % 250}"


def new_visitor(cloud: LocalCloud) -> Visitor:
    """Someone who was never here before."""
    address = new_address()
    email = f"v{next(_NAMES)}-{_RUN}@example.com"
    visitor = Visitor(cloud.base_url, cloud.mail, address, email)
    ALL.append(visitor)
    return visitor


def close_all() -> None:
    """Close the connections of everyone who was ever here."""
    for visitor in ALL:
        visitor.http.close()


def new_owner(cloud: LocalCloud) -> Visitor:
    """Signed up, verified, logged in, with a brand and a key."""
    visitor = new_visitor(cloud).sign_up()
    visitor.make_brand()
    visitor.make_key()
    return visitor
