"""Identifiers: a type prefix and a time-ordered body.

The body is a ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random bits in
Crockford's base 32, lower case, so that ids of one kind sort by creation. They name things; they
are never a secret.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PREFIXES = (
    "org", "usr", "ses", "inv", "eus", "key", "brd", "upl", "gen", "ast", "crg", "evt", "whk",
    "msg", "att",
)  # fmt: skip
_SHAPE = re.compile(rf"(?:{'|'.join(PREFIXES)})_[{_ALPHABET}]{{26}}")

RandomBytes = Callable[[int], bytes]


def new_id(prefix: str, now: float, random: RandomBytes = secrets.token_bytes) -> str:
    """Return `<prefix>_<26 characters>` for the time `now` (seconds since the epoch)."""
    number = (int(now * 1000) << 80) | int.from_bytes(random(10))
    body = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
    return f"{prefix}_{body}"


def pattern_of(prefix: str) -> str:
    """A regular expression that an id with that prefix matches whole."""
    return f"^{prefix}_[{_ALPHABET}]{{26}}$"


def is_id(prefix: str, value: str) -> bool:
    """Whether `value` has the shape of an id with that prefix."""
    return value.startswith(f"{prefix}_") and _SHAPE.fullmatch(value) is not None
