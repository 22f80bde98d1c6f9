"""Signatures of webhooks (Standard Webhooks 1.0) and the secrets that make them.

An endpoint's secret is drawn from a root key of ours, the endpoint and the secret's version, so it
can be shown, sign, and be shown again without being stored anywhere (docs/decisions/0024).
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from imagelayer.platform.key_ring import KeyRing, KeyRingSource

PREFIX = "whsec_"
_PURPOSE = b"imagelayer/webhook-secret/v1"


class UnknownRoot(Exception):
    """The root key that a secret was drawn from is not at hand."""


class RootKeys(KeyRing):
    """The root keys that secrets are drawn from; a webhook's record names its own."""

    label = b"webhook root"

    def secret(self, org_id: str, webhook_id: str, drawn: Mapping[str, Any]) -> str:
        """`whsec_` and 32 bytes in base64, for `drawn`: `{root, version}`. Raises UnknownRoot."""
        root = self.keys.get(drawn["root"])
        if root is None:
            raise UnknownRoot
        named = [org_id.encode(), webhook_id.encode(), str(drawn["version"]).encode()]
        digest = hmac.digest(root, b"\x00".join([_PURPOSE, *named]), "sha256")
        return PREFIX + base64.b64encode(digest).decode()


RootKeySource = KeyRingSource[RootKeys]


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: `v1,` and HMAC-SHA-256 in base64 over
    `<id>.<timestamp>.<body>`, once for each secret, with spaces between them.

    Raises ValueError for a secret of another form.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_hmac(secret, signed)}" for secret in secrets)


def _hmac(secret: str, signed: bytes) -> str:
    if not secret.startswith(PREFIX):
        raise ValueError("not a webhook secret")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
