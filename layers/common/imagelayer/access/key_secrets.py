"""The secret of an API key: its form, and what is kept of it.

It is `il_live_`, `il_test_` or `il_pub_`, 32 random base62 characters (190 bits) and 6 that are
the CRC-32 of those 32 in base62: GitHub's token form with two characters more. A mistyped or
made-up key is refused by arithmetic, before any read. What is stored is the SHA-256 of the whole
secret, its prefix and its last four characters; 190 random bits need no slow hash (ASVS 5.0 6.5.2
requires one below 112 bits).

An `il_pub_` key is not secret: it may be part of a page, where it names the widget that carries an
end user's session token, and opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagelayer.access.scopes import KeyKind
from imagelayer.platform.principals import Mode

if TYPE_CHECKING:
    from imagelayer.access.records import ShownSecret

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"(il_(?:live|test|pub)_)([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{6}})")
PUBLISHABLE = "il_pub_"
_PREFIXES = ("il_live_", "il_test_", PUBLISHABLE)


def checksum(random_part: str) -> str:
    """CRC-32 of the random characters in base62, left-padded with `0` to six."""
    number = zlib.crc32(random_part.encode())
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECKSUM_LENGTH, "0")


def new_secret(kind: KeyKind, mode: Mode, draw: Callable[[int], int] = secrets.randbelow) -> str:
    """A fresh secret. `draw(n)` returns a number below `n`. In full it exists only in the answer
    that shows it."""
    random_part = "".join(_BASE62[draw(62)] for _ in range(_RANDOM_LENGTH))
    prefix = PUBLISHABLE if kind == "publishable" else f"il_{mode}_"
    return f"{prefix}{random_part}{checksum(random_part)}"


def drawn_from(server_secret: bytes, nonce: str, idempotency_key: str) -> Callable[[int], int]:
    """Draws that can be repeated from three things together: a secret of ours, a random nonce
    that is kept for a day, and the caller's idempotency key, which is not kept.

    So a caller whose answer was lost gets the same API key again, and nothing at rest holds it.
    HMAC-SHA-256 in counter mode; values that would make some digits likelier are skipped.
    """

    def numbers() -> Any:
        counter = 0
        while True:
            message = f"{nonce}\x00{counter}\x00{idempotency_key}".encode()
            yield from hmac.digest(server_secret, message, "sha256")
            counter += 1

    stream = numbers()

    def draw(below: int) -> int:
        for number in stream:
            if number < 256 - 256 % below:
                return int(number % below)
        raise AssertionError("the stream does not end")

    return draw


def is_well_formed(secret: str) -> bool:
    """Whether the form and the checksum are right."""
    match = _SHAPE.fullmatch(secret)
    return match is not None and checksum(match[2]) == match[3]


def form_fault(secret: str) -> str:
    """What is wrong with the form of a key, or nothing.

    It is arithmetic on what was sent and tells nothing about which keys exist.
    """
    prefix = next((each for each in _PREFIXES if secret.startswith(each)), "")
    length = len(prefix) + _RANDOM_LENGTH + _CHECKSUM_LENGTH
    if not prefix:
        return "An API key begins with il_live_ or il_test_."
    if len(secret) != length:
        longer = "is incomplete" if len(secret) < length else "has something after its end"
        return f"The key {longer}: a key has {length} characters."
    if not is_well_formed(secret):
        return "The key was mistyped: its last characters do not match the others."
    return ""


def hash_secret(secret: str) -> str:
    """Hex SHA-256 of the whole secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def shown(secret: str) -> ShownSecret:
    """The parts of a secret that are kept readable."""
    return {"prefix": secret[: secret.rindex("_") + 5], "last_four": secret[-4:]}
