"""Encrypts what must be read again, such as the secret an authenticator shares with us.

AES-256-GCM under a key derived from the pepper with HKDF (RFC 5869), so that a copy of the table
reveals nothing. The purpose of a text and its owner are authenticated with it: a sealed text that
is moved to another user's record does not open.
"""

from __future__ import annotations

import base64
from secrets import token_bytes
from typing import TYPE_CHECKING

from imagelayer.identity.passwords import Peppers

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12  # NIST SP 800-38D §8.2.2: random nonces of 96 bits


class Unreadable(Exception):
    """The text was not sealed by us for this purpose and owner, or its pepper is gone."""


def seal(text: str, purpose: str, owner: str, peppers: Peppers) -> str:
    """`<pepper id>.<base64 of nonce and ciphertext>`."""
    nonce = token_bytes(NONCE_BYTES)
    sealed = nonce + _cipher(peppers.keys[peppers.current], purpose).encrypt(
        nonce, text.encode(), owner.encode()
    )
    return f"{peppers.current}.{base64.b64encode(sealed).decode()}"


def unseal(sealed: str, purpose: str, owner: str, peppers: Peppers) -> str:
    """The text again. Raises Unreadable."""
    from cryptography.exceptions import InvalidTag

    pepper_id, _, encoded = sealed.partition(".")
    pepper = peppers.keys.get(pepper_id)
    if pepper is None:
        raise Unreadable
    try:
        data = base64.b64decode(encoded, validate=True)
        plain = _cipher(pepper, purpose).decrypt(
            data[:NONCE_BYTES], data[NONCE_BYTES:], owner.encode()
        )
    except (InvalidTag, ValueError):  # ValueError: not base64, or too short for a nonce
        raise Unreadable from None
    return plain.decode()


def pepper_of_sealed(sealed: str) -> str:
    """The id of the pepper that a sealed text names."""
    return sealed.partition(".")[0]


def _cipher(pepper: bytes, purpose: str) -> AESGCM:
    # Slow to import, and only accounts with a second factor need it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"imagelayer/seal/v1\x00" + purpose.encode()
    return AESGCM(HKDF(SHA256(), length=32, salt=None, info=info).derive(pepper))
