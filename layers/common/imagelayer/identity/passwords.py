"""Passwords: their rules, and the only form in which they are stored.

bcrypt stops at 72 bytes and bcrypt 5 raises past them, so what is hashed is a keyed digest:
base64(HMAC-SHA-256(pepper, NFC(password))), 44 bytes without NULs (OWASP Password Storage cheat
sheet on pre-hashing). Stored as `<pepper id>$2b$12$…`. Nothing is truncated or folded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources
from secrets import token_bytes

import bcrypt

from imagelayer.platform.key_ring import KeyRing, KeyRingSource

MIN_LENGTH = 15  # NIST SP 800-63B-4 §3.1.1.2, password as the single factor
MAX_LENGTH = 128
MIN_SCORE = 4  # zxcvbn: "very unguessable", at least 10^10 guesses
ESTIMATED_LENGTH = 72  # the estimate's time grows fast with length; the rest only adds strength
PRODUCT_WORDS = ("imagelayer", "image", "layer")


def broken_rule(password: str, context: Iterable[str]) -> str | None:
    """The rule a new password breaks, in words for its owner, or None.

    Lengths count code points after NFC. There are no composition rules (ASVS 5.0 6.2.5). The most
    common passwords are refused by a list (6.2.4); other common words, sequences, repetitions and
    the words of `context` (address, names, our own) are refused by how soon zxcvbn's attacker, who
    tries those first, would guess it (6.2.11).
    """
    normal = unicodedata.normalize("NFC", password)
    if len(normal) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(normal) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    if common_digest(normal) in _common_passwords():
        return "is among the most common passwords"
    from zxcvbn import zxcvbn  # its word lists are large and only new passwords need them

    estimate = zxcvbn(
        normal[:ESTIMATED_LENGTH],
        user_inputs=[*PRODUCT_WORDS, *(word.casefold() for word in context)],
        max_length=ESTIMATED_LENGTH,
    )
    if estimate["score"] < MIN_SCORE:
        return "is too easy to guess; use more words, or less common ones"
    return None


def context_words(address: str, *names: str) -> list[str]:
    """What an attacker would try first for this person: the address and its parts, each word of the
    names, and each name written as one word."""
    local, _, domain = address.partition("@")
    words = [word for name in names for word in (*name.split(), "".join(name.split()))]
    return [address, local, domain, *words]


def common_digest(password: str) -> bytes:
    """What the list of common passwords holds of a password; case is ignored."""
    return hashlib.sha256(password.casefold().encode("utf-8", "surrogatepass")).digest()[:8]


@cache
def _common_passwords() -> frozenset[bytes]:
    """The kept list (`dev/common_passwords.py`), loaded when a first password is chosen."""
    data = (resources.files("imagelayer") / "static" / "common-passwords.bin").read_bytes()
    return frozenset(data[at : at + 8] for at in range(0, len(data), 8))


class Peppers(KeyRing):
    """The secret keys of the digest; a stored hash names the one it was made with."""

    label = b"pepper"


PepperSource = KeyRingSource[Peppers]


def pepper_of(stored: str | None) -> str:
    """The id of the pepper that a stored hash names; empty without one."""
    return (stored or "").partition("$")[0]


def hash_password(
    password: str, peppers: Peppers, *, cost: int, random: Callable[[int], bytes] = token_bytes
) -> str:
    """The stored form; `cost` is bcrypt's log2 rounds (12 in production)."""
    salt = f"$2b${cost:02}${_bcrypt_base64(random(16))}".encode()
    digest = _digest(password, peppers.keys[peppers.current])
    return peppers.current + bcrypt.hashpw(digest, salt).decode()


def is_outdated(stored: str, peppers: Peppers, *, cost: int) -> bool:
    """Whether the next login should renew a hash: it has an old pepper or a lower cost."""
    pepper_id, _, rest = stored.partition("$")
    return pepper_id != peppers.current or int(rest.split("$")[1]) < cost


def verify_password(password: str, stored: str | None, peppers: Peppers, *, cost: int) -> bool:
    """Whether `password` is the stored one.

    Without a stored hash (no such account), or without its pepper, the same work is done with a
    throw-away salt, so that the time shows nothing.
    """
    pepper_id, _, rest = (stored or "").partition("$")
    pepper = peppers.keys.get(pepper_id)
    if pepper is None:
        bcrypt.hashpw(_digest(password, b"no account"), bcrypt.gensalt(cost))
        return False
    return bcrypt.checkpw(_digest(password, pepper), f"${rest}".encode())


def _bcrypt_base64(salt: bytes) -> str:
    """bcrypt's own alphabet and order of base64, without padding."""
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bcrypts = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    encoded = base64.b64encode(salt).translate(bytes.maketrans(standard, bcrypts))
    return encoded.rstrip(b"=").decode()


def _digest(password: str, pepper: bytes) -> bytes:
    normal = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.new(pepper, normal, hashlib.sha256).digest())
