"""Dashboard sessions and public signing keys.

SES#<session_id>   SES      user_id, org_id, role, family_hash, refresh_hash, expires_at, tat_*
JWKS               <kid>    jwk
"""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.rate_limits import Admission, Policy
from imagelayer.stores.counters import Meter, TatMemory
from imagelayer.stores.table import ConditionFailed, Item, Table


class SessionStore:
    """Sessions; an ended one is deleted, and its access tokens fail on their next use."""

    def __init__(self, table: Table, memory: TatMemory) -> None:
        self._table = table
        self._meter = Meter(table, memory)
        self._public_keys: dict[str, Mapping[str, str]] = {}

    def admit(self, session_id: str, policy: Policy, now: float) -> tuple[Item, Admission]:
        """Check that the session lives, and meter one call of it, in one write.

        Raises GuardFailed, Limited or StoreUnavailable.
        """
        return self._meter.admit(
            f"SES#{session_id}",
            "SES",
            policy,
            int(now * 1000),
            guard="attribute_exists(#pk) AND #expires_at > :now",
            now=int(now),
        )

    def create(self, session: Item) -> None:
        """Write a new session. Its id is fresh, so a repeated write writes the same again."""
        self._table.put({"pk": f"SES#{session['id']}", "sk": "SES", **session})

    def rotate_refresh(
        self, session_id: str, presented: str, replacement: str, now: float, idle_until: int
    ) -> Item:
        """Trade the refresh hash `presented` for `replacement`.

        Raises ConditionFailed with what stands there. Of two callers with the same token the
        first swaps the hash and the second's condition fails: it holds a spent token. A retry of
        our own after a lost answer finds its replacement in place and is not mistaken for theft.
        """
        try:
            return self._table.update(
                f"SES#{session_id}",
                "SES",
                "SET #refresh_hash = :replacement, #idle_until = :idle",
                condition="#refresh_hash = :presented AND #expires_at > :now "
                "AND #idle_until > :now",
                presented=presented,
                replacement=replacement,
                now=int(now),
                idle=idle_until,
            )
        except ConditionFailed as failure:
            if failure.item and failure.item.get("refresh_hash") == replacement:
                return failure.item
            raise

    def get(self, session_id: str) -> Item | None:
        """A session, or None."""
        return self._table.get(f"SES#{session_id}", "SES")

    def end(self, session_id: str) -> None:
        """Delete a session; one that is gone already is fine."""
        self._table.delete(f"SES#{session_id}", "SES")

    def publish_key(self, jwk: Mapping[str, str]) -> None:
        """Make a public key known; writing the same one again changes nothing."""
        if jwk["kid"] not in self._public_keys:
            self._table.put({"pk": "JWKS", "sk": jwk["kid"], "jwk": dict(jwk)})
            self._public_keys[jwk["kid"]] = jwk

    def public_key(self, kid: str) -> Mapping[str, str] | None:
        """The public key named `kid`; kept once found, because a kid is its key's thumbprint."""
        if kid not in self._public_keys:
            item = self._table.get("JWKS", kid)
            if item is None:
                return None
            self._public_keys[kid] = item["jwk"]
        return self._public_keys[kid]

    def public_keys(self) -> list[Mapping[str, str]]:
        """All public keys."""
        return [item["jwk"] for item in self._table.query("JWKS")]
