"""A local stand-in for GitHub's secret scanning: its list of keys, and reports signed by one."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class SecretScanner:
    """One key, made at start unless it is given."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._pem = (
            self._key.public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
        self._identifier = hashlib.sha256(self._pem.encode()).hexdigest()

    def public_keys(self) -> dict[str, Any]:
        """The document of https://api.github.com/meta/public_keys/secret_scanning."""
        key = {"key_identifier": self._identifier, "key": self._pem, "is_current": True}
        return {"public_keys": [key]}

    def sign(self, body: bytes) -> dict[str, str]:
        """The headers that a report with this body comes with."""
        signature = self._key.sign(body, ec.ECDSA(SHA256()))
        return {
            "Github-Public-Key-Identifier": self._identifier,
            "Github-Public-Key-Signature": base64.b64encode(signature).decode(),
        }
