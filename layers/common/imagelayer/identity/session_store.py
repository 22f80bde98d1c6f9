"""Dashboard sessions and public signing keys.

USER#<user_id>   SES#<session_id>   role, family_hash, refresh_hash, …, expires_at, tat_*
JWKS             <kid>              jwk, expires_at once it is retired
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from imagelayer.limits.counters import Guard, Meter, TatMemory
from imagelayer.limits.rate_limits import Admission, Policy
from imagelayer.platform.table import Action, ConditionFailed, Item, Table

# A warm process looks again this often whether a signing key has been retired.
KEEP_KEYS_SECONDS = 300


class SessionStore:
    """Sessions; an ended one is deleted, and its access tokens fail on their next use."""

    def __init__(
        self, table: Table, memory: TatMemory, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = table
        self._meter = Meter(table, memory)
        self._clock = clock
        self._published: set[str] = set()
        self._kept: dict[str, tuple[float, Item]] = {}

    def admit(
        self, user_id: str, session_id: str, policy: Policy, now: float
    ) -> tuple[Item, Admission]:
        """Check that the session lives, and meter one call of it, in one write.

        Raises GuardFailed, Limited or StoreUnavailable.
        """
        return self._meter.admit(
            f"USER#{user_id}",
            f"SES#{session_id}",
            policy,
            int(now * 1000),
            guard=living(int(now)),
        )

    def of_user(self, user_id: str) -> list[Item]:
        """A user's sessions, the oldest first; those that ran out are among them."""
        return self._table.query(f"USER#{user_id}", prefix="SES#")

    def get(self, user_id: str, session_id: str) -> Item | None:
        """A session, or None."""
        return self._table.get(**_key(user_id, session_id))

    def create_action(self, session: Item) -> Action:
        """A new session, inside the transaction that checks who it is for."""
        return self._table.put_action(
            {**_key(session["user_id"], session["id"]), **session},
            condition="attribute_not_exists(#pk)",
        )

    def end_action(self, session: Item) -> Action:
        """The end of a session, inside a transaction; one that is gone already is fine."""
        return self._table.delete_action(session["pk"], session["sk"])

    def enrolled_action(self, user_id: str, session_id: str) -> Action:
        """Open a session whose user has just set a second factor up."""
        return self._table.update_action(
            **_key(user_id, session_id),
            expression="REMOVE #must_enrol",
            condition="attribute_exists(#pk)",
        )

    def rotate_refresh(
        self, session: Item, presented: str, replacement: str, now: int, changes: Mapping[str, Any]
    ) -> None:
        """Trade the refresh hash `presented` for `replacement`.

        Raises ConditionFailed with what stands there. Of two callers with the same token the
        first swaps the hash and the second's condition fails: it holds a spent token, and what
        stands there tells how long since and from where. A retry of our own after a lost answer
        looks just like it and is not let through here: the caller decides on both.
        """
        settings = "".join(f", #{name} = :{name}" for name in changes)
        self._table.update(
            session["pk"],
            session["sk"],
            "SET #refresh_hash = :replacement, #spent_hash = :presented, "
            f"#refreshed_at = :now{settings}",
            condition="#refresh_hash = :presented AND #expires_at > :now AND #idle_until > :now",
            presented=presented,
            replacement=replacement,
            now=now,
            **changes,
        )

    def end(self, user_id: str, session_id: str) -> None:
        """Delete a session; one that is gone already is fine."""
        self._table.delete(**_key(user_id, session_id))

    # ── Public keys ─────────────────────────────────────────────────────────────────────────────

    def publish_key(self, jwk: Mapping[str, str], **marks: Any) -> None:
        """Make a public key known before its first token. What is known already stays as it is:
        a key that was retired must not come back."""
        if jwk["kid"] in self._published:
            return
        with suppress(ConditionFailed):
            self._table.put(
                {"pk": "JWKS", "sk": jwk["kid"], "jwk": dict(jwk), **marks},
                condition="attribute_not_exists(#pk)",
            )
        self._published.add(jwk["kid"])

    def retire_keys(self, *, but: str, expires_at: int) -> None:
        """Stop trusting every key but one from then on; an earlier end stays."""
        for item in self._table.query("JWKS"):
            if item.get("version") == but or "expires_at" in item:
                continue
            self._table.update(
                "JWKS",
                item["sk"],
                "SET #expires_at = if_not_exists(#expires_at, :expires_at)",
                condition="attribute_exists(#pk)",
                expires_at=expires_at,
            )

    def public_key(self, kid: str) -> Mapping[str, str] | None:
        """The public key named `kid` while it is trusted. A kid is its key's thumbprint, so what
        was read is kept for a few minutes; its end is compared each time."""
        now = self._clock()
        read_at, item = self._kept.get(kid, (0.0, {}))
        if not item or now - read_at > KEEP_KEYS_SECONDS:
            item = self._table.get("JWKS", kid) or {}
            self._kept[kid] = (now, item)
        return item["jwk"] if item and _is_trusted(item, now) else None

    def public_keys(self) -> list[Mapping[str, str]]:
        """All public keys that are trusted."""
        now = self._clock()
        return [item["jwk"] for item in self._table.query("JWKS") if _is_trusted(item, now)]


def living(now: int) -> Guard:
    """The guard of a session: it is there, because ending one deletes it, and has not run out."""
    return Guard(
        "attribute_exists(#pk) AND #expires_at > :now",
        lambda session: bool(session["expires_at"] > now),
        {"now": now},
    )


def _is_trusted(item: Item, now: float) -> bool:
    return bool(item.get("expires_at", now + 1) > now)


def _key(user_id: str, session_id: str) -> dict[str, str]:
    return {"pk": f"USER#{user_id}", "sk": f"SES#{session_id}"}
