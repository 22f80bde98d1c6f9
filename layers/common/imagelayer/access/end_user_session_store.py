"""Sessions of the customers' own users.

EUS#<org_id>#<hour>   <end user hash>#<eus id>   end_user_id, key_id, scopes, mode, allowed_origins,
                                                 max_generations, generations, expires_at, tat_*

The hour is that of `expires_at`. No session lasts longer than an hour, so the unexpired ones of an
organization are in two partitions, where they are found by end user, by key, or all at once,
without an index that could lag behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.identity.session_store import unexpired
from imagelayer.limits.counters import Meter, TatMemory
from imagelayer.limits.rate_limits import Admission, Policy
from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.principals import EndUser
from imagelayer.platform.table import Action, Table

if TYPE_CHECKING:
    from imagelayer.access.records import EndUserSession

MAX_SECONDS = 3600
CLOCK_SKEW_SECONDS = 60


class EndUserSessionStore:
    """End users' sessions; an ended one is deleted and its token fails on its next use."""

    def __init__(self, client: Any, table: Table, memory: TatMemory) -> None:
        self._table = table
        self._meter = Meter(table, memory)
        self._idempotency = IdempotencyStore(client, table)

    def create_session(
        self, session: EndUserSession, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write a new session. Its id is fresh, so a repeated write writes the same again.

        Returns the ids an earlier request with the same idempotency key created, else None.
        """
        pk, sk = _key_of(session)
        return self._idempotency.create({"pk": pk, "sk": sk, **session}, record)

    def get_session(
        self, org_id: str, end_user_id: str, session_id: str, expires_at: int
    ) -> EndUserSession | None:
        """A session, or None."""
        found = self._table.get(*key(org_id, end_user_id, session_id, expires_at))
        return cast("EndUserSession | None", found)

    def admit(
        self, org_id: str, end_user: EndUser, policy: Policy, now: float
    ) -> tuple[EndUserSession, Admission]:
        """Check that the session is there and has not expired, and meter one call, in one write.

        As `SessionStore.admit` does.

        Raises GuardFailed, Limited or StoreUnavailable.
        """
        pk, sk = key(org_id, end_user.id, end_user.session_id, end_user.session_ends)
        item, admission = self._meter.admit(
            pk, sk, policy, int(now * 1000), guard=unexpired(int(now))
        )
        return cast("EndUserSession", item), admission

    def count_generation_action(self, org_id: str, end_user: EndUser) -> Action:
        """Count one generation against the session's cap, inside the transaction that accepts it.

        Of racing requests exactly as many fit as the cap says: each transaction's condition sees
        what the ones before it wrote. It also refuses once the session is revoked.
        """
        return self._table.update_action(
            *key(org_id, end_user.id, end_user.session_id, end_user.session_ends),
            "SET #generations = #generations + :one",
            condition="attribute_exists(#pk) AND #generations < #max_generations",
            one=1,
        )

    def end_session(self, session: EndUserSession) -> None:
        """Delete one session."""
        self._table.delete(*_key_of(session))

    def end_sessions_of_end_user(self, org_id: str, end_user_id: str, now: int) -> int:
        """End the unexpired sessions of one end user; returns how many."""
        return self._end(org_id, now, prefix=f"{hash_of(end_user_id)}#")

    def end_sessions_of_key(
        self, org_id: str, key_id: str, now: int, until: int | None = None
    ) -> int:
        """End the unexpired sessions that one key minted, `until` a moment; returns how many."""

        def matches(session: EndUserSession) -> bool:
            in_time = until is None or session["created_at"] <= until
            return session["key_id"] == key_id and in_time

        return self._end(org_id, now, matches=matches)

    def end_all_sessions(self, org_id: str, now: int) -> int:
        """End all unexpired sessions of an organization; returns how many."""
        return self._end(org_id, now)

    def _end(
        self,
        org_id: str,
        now: int,
        *,
        prefix: str = "",
        matches: Callable[[EndUserSession], bool] = lambda _session: True,
    ) -> int:
        """Each is deleted on its own; the next call finishes one that died half way."""
        ended = 0
        for partition in _partitions(org_id, now):
            for item in self._table.query(partition, prefix=prefix):
                if matches(cast("EndUserSession", item)):
                    self._table.delete(item["pk"], item["sk"])
                    ended += item["expires_at"] > now
        return ended


def key(org_id: str, end_user_id: str, session_id: str, expires_at: int) -> tuple[str, str]:
    """Where a session is kept; its token has all of it."""
    return _partition(org_id, expires_at), f"{hash_of(end_user_id)}#{session_id}"


def _key_of(session: EndUserSession) -> tuple[str, str]:
    return key(session["org_id"], session["end_user_id"], session["id"], session["expires_at"])


def _partition(org_id: str, expires_at: int) -> str:
    return f"EUS#{org_id}#{expires_at // MAX_SECONDS}"


def _partitions(org_id: str, now: int) -> Sequence[str]:
    """Where unexpired sessions are, including those of a machine whose clock is a little ahead."""
    ends = (now, now + MAX_SECONDS, now + MAX_SECONDS + CLOCK_SKEW_SECONDS)
    return list(dict.fromkeys(_partition(org_id, end) for end in ends))


def hash_of(end_user_id: str) -> str:
    """What names an end user in keys: their ids may be long, or say who they are."""
    return hashlib.sha256(end_user_id.encode()).hexdigest()[:32]
