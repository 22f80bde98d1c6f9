"""Keys that were found in public: GitHub's secret scanning partner program reports them here.

https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program: a POST
of `[{"token", "type", "url", "source"}]`, signed with ECDSA P-256 over SHA-256 of the raw body. A
report that is not signed does nothing. A reported key is revoked in any case: the signer has seen
it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from imagelayer.access import key_secrets
from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.key_store import KeyStore
from imagelayer.access.schemas import LeakedKey, read_reports
from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin

if TYPE_CHECKING:
    from imagelayer.access.records import ApiKey

MAX_REPORTED = 100
ATTEMPTS = 8
KEY_ID_HEADER = "github-public-key-identifier"
SIGNATURE_HEADER = "github-public-key-signature"


@frozen
class LeakedKeys:
    """The use case of one report. `public_key` gives the PEM of a signer's key, or None."""

    store: KeyStore
    end_user_sessions: EndUserSessionStore
    outbox: Outbox
    security: SecurityLog
    public_key: Callable[[str], str | None]

    def report_leaked_keys(
        self, origin: Origin, now: float, headers: Mapping[str, str], body: bytes
    ) -> list[dict[str, str]]:
        """Revoke what was found and return for each whether it was ours. Raises Problem 403 or 422,
        or StoreUnavailable; sending the report again finishes one that died half way."""
        self._verify(origin, headers, body)
        return [
            {
                "token_hash": key_secrets.hash_secret(leak.token),
                "token_type": leak.type,
                "label": "true_positive" if self._revoke(origin, now, leak) else "false_positive",
            }
            for leak in _parse(body)
        ]

    def _verify(self, origin: Origin, headers: Mapping[str, str], body: bytes) -> None:
        key = self.public_key(headers.get(KEY_ID_HEADER, ""))
        if key is None or not is_signed(body, headers.get(SIGNATURE_HEADER, ""), key):
            self.security.record(
                "key.leak_reported", "denied", origin, reason="signature" if key else "unknown key"
            )
            raise Problem("signature_refused", "The report is not signed with a known key.")

    def _revoke(self, origin: Origin, now: float, leak: LeakedKey) -> bool:
        """Revoke a key if it is one of ours; returns whether it was.

        It is disabled first, so that nothing is admitted or minted any more. The secret goes last:
        a report that is sent again finds by it what is left to do.
        """
        token = leak.token
        if not key_secrets.is_well_formed(token) or token.startswith(key_secrets.PUBLISHABLE):
            return False
        owner = self.store.owner_of(key_secrets.hash_secret(token))
        if owner is None:
            return False
        org_id, key_id = owner
        key = self._until_done(
            org_id, key_id, lambda key: self.store.update_key(key, {"enabled": False})
        )
        self.end_user_sessions.end_sessions_of_key(org_id, key_id, int(now))
        if key is not None:
            self.security.record(
                "key.leaked", "success", origin, org_id=org_id, actor="scanner", reason=key_id
            )
            self.outbox.notify(
                "key_leaked",
                None,
                now,
                org_id=org_id,
                name=key["name"],
                hint=f"{key['prefix']}…{key['last_four']}",
                place=_place(leak.url),
            )
        self._until_done(org_id, key_id, self.store.revoke_key)
        return True

    def _until_done(
        self, org_id: str, key_id: str, change: Callable[[ApiKey], bool]
    ) -> ApiKey | None:
        """Change a key as it is now; returns it, or None when it is gone. Raises Problem 409."""
        for _ in range(ATTEMPTS):
            key = self.store.get_key(org_id, key_id)
            if key is None or change(key):
                return key
        raise Problem(
            "conflict", "The key is being changed by other requests. Send the report again."
        )


def is_signed(body: bytes, signature: str, public_key: str) -> bool:
    """Whether the base64 DER `signature` is one of `body` by the key in PEM."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key.encode())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, binascii.Error, ValueError):
        return False
    return True


def _parse(body: bytes) -> list[LeakedKey]:
    try:
        leaks = read_reports(body)
    except ValueError:
        raise invalid("body", "must be a list of objects with token, type and url") from None
    if not 0 < len(leaks) <= MAX_REPORTED:
        raise invalid("body", f"must contain 1 to {MAX_REPORTED} reports")
    return leaks


def _place(url: str) -> str:
    """Where it was found, for the mail; only what looks like an address of a page."""
    return url if url.startswith("https://") and len(url) <= 500 and url.isprintable() else ""


def known_keys(document: Any) -> dict[str, str]:
    """`{identifier: PEM}` of GitHub's list of keys. Raises ValueError for anything else."""
    try:
        return {str(each["key_identifier"]): str(each["key"]) for each in document["public_keys"]}
    except (KeyError, TypeError):
        raise ValueError("not a list of public keys") from None
