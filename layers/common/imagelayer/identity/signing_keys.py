"""Public signing keys, published before their first token and retired after their last.

JWKS   <kid>   jwk, version, expires_at once it is retired

All tokens are verified with them. They have a table of their own, which only the functions that
mint tokens and the rotation may write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from imagelayer.platform.recent import Recent
from imagelayer.platform.table import ConditionFailed, Item, Table

# A warm process looks again this often whether a signing key has been retired.
KEEP_KEYS_SECONDS = 300
# There are two at a time, the current one and the last one.
REMEMBERED_KEYS = 16


class SigningKeyStore:
    """Public keys by their `kid`."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._published: set[str] = set()
        self._kept: Recent[str, tuple[float, Item]] = Recent(REMEMBERED_KEYS)

    def publish_key(self, jwk: Mapping[str, str], *, version: str | None = None) -> None:
        """Publish a public key; a key that is known already stays as it is, because one that was
        retired must not come back. `version` names the secret's version that the key belongs to."""
        if jwk["kid"] in self._published:
            return
        with suppress(ConditionFailed):
            self._table.put(
                {"pk": "JWKS", "sk": jwk["kid"], "jwk": dict(jwk), "version": version},
                condition="attribute_not_exists(#pk)",
            )
        self._published.add(jwk["kid"])

    def retire_keys(self, *, but: str, expires_at: int) -> None:
        """Stop trusting every key but that of the version `but` from `expires_at` on; an earlier
        end stays. A key that is deleted in between is not brought back, and the others are retired
        all the same."""
        for item in self._table.query("JWKS"):
            if item.get("version") == but or "expires_at" in item:
                continue
            with suppress(ConditionFailed):
                self._table.update(
                    "JWKS",
                    item["sk"],
                    "SET #expires_at = if_not_exists(#expires_at, :expires_at)",
                    condition="attribute_exists(#pk)",
                    expires_at=expires_at,
                )

    def knows(self, kid: str) -> bool:
        """Whether this process has read a key of that name."""
        return kid in self._kept

    def public_key(self, kid: str) -> Mapping[str, str] | None:
        """The public key named `kid` while it is trusted. A kid is its key's thumbprint, so what
        was read is kept for a few minutes; its end is compared each time. A kid comes from a token
        that is not verified yet, so one without a key is not kept."""
        now = self._clock()
        read_at, item = self._kept.get(kid, (0.0, {}))
        if not item or now - read_at > KEEP_KEYS_SECONDS:
            item = self._table.get("JWKS", kid) or {}
            if item:
                self._kept.keep(kid, (now, item))
            else:
                self._kept.drop(kid)
        return item["jwk"] if item and _is_trusted(item, now) else None

    def public_keys(self) -> list[Mapping[str, str]]:
        """All public keys that are trusted."""
        now = self._clock()
        return [item["jwk"] for item in self._table.query("JWKS") if _is_trusted(item, now)]


def _is_trusted(item: Item, now: float) -> bool:
    return bool(item.get("expires_at", now + 1) > now)
