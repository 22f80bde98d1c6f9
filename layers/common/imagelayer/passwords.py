"""Passwords: their rules, and the only form in which they are kept.

bcrypt stops at 72 bytes and bcrypt 5 raises past them, so what is hashed is a keyed digest:
base64(HMAC-SHA-256(pepper, NFC(password))), 44 bytes without NULs (OWASP Password Storage cheat
sheet on pre-hashing). Stored as `<pepper id>$2b$12$…`. Nothing is truncated or folded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import bcrypt

MIN_LENGTH = 15  # NIST SP 800-63B-4 §3.1.1.2, password as the single factor
MAX_LENGTH = 128
MIN_SCORE = 3  # zxcvbn: "safely unguessable", at least 10^8 guesses
ESTIMATED_LENGTH = 72  # the estimate's time grows fast with length; the rest only adds strength
PRODUCT_WORDS = ("imagelayer", "image", "layer")


def broken_rule(password: str, context: Iterable[str]) -> str | None:
    """The rule a new password breaks, in words for its owner, or None.

    Lengths count code points after NFC. There are no composition rules (ASVS 5.0 6.2.5); common
    passwords, sequences, repetitions and the words of `context` (address, names, our own) are
    refused by how soon zxcvbn's attacker, who tries those first, would guess it (6.2.4, 6.2.11).
    """
    normal = unicodedata.normalize("NFC", password)
    if len(normal) < MIN_LENGTH:
        return f"must have at least {MIN_LENGTH} characters"
    if len(normal) > MAX_LENGTH:
        return f"must have at most {MAX_LENGTH} characters"
    from zxcvbn import zxcvbn  # its word lists are large and only new passwords need them

    estimate = zxcvbn(
        normal[:ESTIMATED_LENGTH],
        user_inputs=[*PRODUCT_WORDS, *(word.casefold() for word in context)],
        max_length=ESTIMATED_LENGTH,
    )
    if estimate["score"] < MIN_SCORE:
        return "is too easy to guess; use more or less common words"
    return None


@dataclass(frozen=True)
class Peppers:
    """Secret keys of the digest by id; new hashes use `current`, old ones name theirs."""

    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, *secrets: str) -> Peppers:
        """Peppers from their texts, the current one first. Ids are fingerprints, not secrets."""
        keys = {
            hashlib.sha256(b"pepper id\x00" + text.encode()).hexdigest()[:8]: text.encode()
            for text in secrets
        }
        return cls(next(iter(keys)), keys)


def hash_password(password: str, peppers: Peppers, *, cost: int) -> str:
    """The stored form; `cost` is bcrypt's log2 rounds (12 in production)."""
    digest = _digest(password, peppers.keys[peppers.current])
    return peppers.current + bcrypt.hashpw(digest, bcrypt.gensalt(cost)).decode()


def verify_password(password: str, stored: str | None, peppers: Peppers, *, cost: int) -> bool:
    """Whether `password` is the stored one.

    Without a stored hash (no such account), or without its pepper, the same work is done against
    a throw-away salt, so that the time does not tell.
    """
    pepper_id, _, rest = (stored or "").partition("$")
    pepper = peppers.keys.get(pepper_id)
    if pepper is None:
        bcrypt.hashpw(_digest(password, b"no account"), bcrypt.gensalt(cost))
        return False
    return bcrypt.checkpw(_digest(password, pepper), f"${rest}".encode())


def _digest(password: str, pepper: bytes) -> bytes:
    normal = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return base64.b64encode(hmac.new(pepper, normal, hashlib.sha256).digest())
