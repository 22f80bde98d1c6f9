"""Dashboard sessions.

USER#<user_id>   SES#<session_id>   role, family_hash, refresh_hash, …, expires_at, tat_*
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from imagelayer.limits.counters import Guard, Meter, TatMemory
from imagelayer.limits.rate_limits import Admission, Policy
from imagelayer.platform.table import Action, Table

if TYPE_CHECKING:
    from imagelayer.identity.records import DashboardSession


class SessionStore:
    """Sessions; an ended one is deleted, and its access tokens fail on their next use."""

    def __init__(self, table: Table, memory: TatMemory) -> None:
        self._table = table
        self._meter = Meter(table, memory)

    def admit(
        self, user_id: str, session_id: str, policy: Policy, now: float
    ) -> tuple[DashboardSession, Admission]:
        """Check that the session is there and has not expired, and meter one call, in one write.

        The write's condition is that the session is there, because ending one deletes it: a call
        that races with its end either wrote first or fails. Its `expires_at` never moves, so it is
        checked on the item that the write returns.

        Raises GuardFailed, Limited or StoreUnavailable.
        """
        key = _key(user_id, session_id)
        item, admission = self._meter.admit(
            key["pk"], key["sk"], policy, int(now * 1000), guard=unexpired(int(now))
        )
        return cast("DashboardSession", item), admission

    def list_sessions(self, user_id: str) -> list[DashboardSession]:
        """A user's sessions, the oldest first; expired ones are among them."""
        return cast("list[DashboardSession]", self._table.query(f"USER#{user_id}", prefix="SES#"))

    def get_session(self, user_id: str, session_id: str) -> DashboardSession | None:
        """A session, or None."""
        return cast("DashboardSession | None", self._table.get(**_key(user_id, session_id)))

    def create_session_action(self, session: DashboardSession) -> Action:
        """Create a session, inside the transaction that checks whose it is."""
        return self._table.put_action(
            {**_key(session["user_id"], session["id"]), **session},
            condition="attribute_not_exists(#pk)",
        )

    def end_session_action(self, user_id: str, session_id: str) -> Action:
        """End a session inside a transaction; one that has ended already is not an error."""
        return self._table.delete_action(**_key(user_id, session_id))

    def enrolled_action(self, user_id: str, session_id: str) -> Action:
        """Open a session whose user has just set up a second factor."""
        return self._table.update_action(
            **_key(user_id, session_id),
            expression="REMOVE #must_enrol",
            condition="attribute_exists(#pk)",
        )

    def refresh(
        self,
        session: DashboardSession,
        presented: str,
        replacement: str,
        now: int,
        changes: Mapping[str, Any],
    ) -> None:
        """Replace the refresh hash `presented` with `replacement`, and set `changes`.

        Raises ConditionFailed with the session as it is now. Of two callers with the same token the
        first swaps the hash and the second's condition fails: it holds a spent token, and the
        session shows how long ago and from where. A retry of our own after a lost answer looks
        the same and fails here too: the caller decides on both.
        """
        settings = "".join(f", #{name} = :{name}" for name in changes)
        self._table.update(
            **_key(session["user_id"], session["id"]),
            expression="SET #refresh_hash = :replacement, #spent_hash = :presented, "
            f"#refreshed_at = :now{settings}",
            condition="#refresh_hash = :presented AND #expires_at > :now AND #idle_until > :now",
            presented=presented,
            replacement=replacement,
            now=now,
            **changes,
        )

    def end_session(self, user_id: str, session_id: str) -> None:
        """End a session; one that has ended already is not an error."""
        self._table.delete(**_key(user_id, session_id))


def unexpired(now: int) -> Guard:
    """The guard of a session: it is there, whole, and has not expired.

    The condition does not name `expires_at`: a role that may name it could prolong a session. What
    a metering role alone could have created has no organization, and is not a session.
    """
    return Guard(
        "attribute_exists(#pk)",
        lambda session: "org_id" in session and session.get("expires_at", 0) > now,
    )


def _key(user_id: str, session_id: str) -> dict[str, str]:
    return {"pk": f"USER#{user_id}", "sk": f"SES#{session_id}"}
