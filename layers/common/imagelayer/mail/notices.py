"""Notices over their budget, which wait to be gathered into one mail.

    NOTICES#<user_id>   <kind>#<message id>   kind, at, about, expires_at: a notice that waits
    NOTICES#<shard>     <user_id>#<kind>      user_id, kind, due_at, rev, expires_at

The second kind of item says when a user's notices of one kind are mailed. `rev` grows with each
notice: the mail that gathers them deletes the item only if none came after the ones it read.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypedDict, cast

from imagelayer.mail.requests import MailRequest
from imagelayer.platform.table import (
    ConditionFailed,
    Table,
    sweep_shard,
    transact,
)

KEPT_SECONDS = 30 * 86_400
# How long a mail that gathers notices may take before another run of the sweep tries again.
LEASE_SECONDS = 300
# Of one mail; the rest follows in the next one.
MOST_IN_ONE_MAIL = 500
_TRANSACTION_ACTIONS = 100  # TransactWriteItems, DynamoDB API reference


class WaitingNotices(TypedDict):
    """When a user's waiting notices of one kind are mailed."""

    pk: str
    sk: str
    user_id: str
    kind: str
    due_at: int
    rev: int


class NoticeStore:
    """Stores notices that are over their budget until they are mailed together."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table

    def is_waiting(self, user_id: str, kind: str) -> bool:
        """Whether notices of this kind wait for a user."""
        return self._table.get(**_waiting_key(user_id, kind)) is not None

    def has(self, user_id: str, request: MailRequest) -> bool:
        """Whether this very notice waits."""
        return self._table.get(**_notice_key(user_id, request.kind, request.id)) is not None

    def keep(self, user_id: str, request: MailRequest, due_at: int, now: int) -> None:
        """Let a notice wait; a repeated call changes nothing but `rev`.

        The notice is written first. A mail that gathers notices reads `rev` first and the notices
        after it, so it either includes this one or finds that `rev` has grown and stays due.
        """
        expires_at = now + KEPT_SECONDS
        self._table.put(
            {
                **_notice_key(user_id, request.kind, request.id),
                "kind": request.kind,
                "at": request.at,
                "about": dict(request.about),
                "expires_at": expires_at,
            }
        )
        self._table.update(
            **_waiting_key(user_id, request.kind),
            expression="SET #due_at = if_not_exists(#due_at, :due_at), #user_id = :user_id, "
            "#kind = :kind, #rev = if_not_exists(#rev, :none) + :one, #expires_at = :expires_at",
            due_at=due_at,
            user_id=user_id,
            kind=request.kind,
            none=0,
            one=1,
            expires_at=expires_at,
        )

    def list_due(self, shard: int, now: int) -> list[WaitingNotices]:
        """What is due of one shard."""
        found = cast("list[WaitingNotices]", self._table.query(f"NOTICES#{shard}"))
        return [each for each in found if each["due_at"] <= now]

    def lease(self, waiting: WaitingNotices, now: int) -> WaitingNotices | None:
        """Take on a mail that is due; None when another run was first.

        `due_at` is the moment that was read: of two runs that read the same the second finds it
        moved. A run that dies is followed by another after LEASE_SECONDS.
        """
        try:
            leased = self._table.update(
                waiting["pk"],
                waiting["sk"],
                "SET #due_at = :until",
                condition="#due_at = :seen",
                until=now + LEASE_SECONDS,
                seen=waiting["due_at"],
            )
        except ConditionFailed:
            return None
        return cast("WaitingNotices", leased)

    def postpone(self, waiting: WaitingNotices, due_at: int) -> None:
        """Try again at `due_at`. Only the run with the lease calls it. If the notices were mailed
        or have expired in between, there is nothing to try again, and none is brought back."""
        with suppress(ConditionFailed):
            self._table.update(
                waiting["pk"],
                waiting["sk"],
                "SET #due_at = :due_at",
                condition="attribute_exists(#pk)",
                due_at=due_at,
            )

    def list_notices(self, waiting: WaitingNotices) -> list[MailRequest]:
        """The stored notices, oldest first, up to MOST_IN_ONE_MAIL."""
        found = self._table.query(
            f"NOTICES#{waiting['user_id']}",
            prefix=f"{waiting['kind']}#",
            limit=MOST_IN_ONE_MAIL,
        )
        notices = [
            MailRequest(
                each["kind"],
                each["about"],
                each["sk"].rpartition("#")[2],
                first=False,
                at=each["at"],
            )
            for each in found
        ]
        return sorted(notices, key=lambda each: each.at)

    def forget(self, waiting: WaitingNotices, notices: Sequence[MailRequest]) -> None:
        """Delete notices that were mailed, and the item that says when, unless more have come.

        `rev` is the one that was read before the notices were: a notice that came since has raised
        it, and what is left is due again when the lease ends.
        """
        for start in range(0, len(notices), _TRANSACTION_ACTIONS):
            transact(
                self._client,
                [
                    self._table.delete_action(
                        **_notice_key(waiting["user_id"], waiting["kind"], each.id)
                    )
                    for each in notices[start : start + _TRANSACTION_ACTIONS]
                ],
            )
        if len(notices) < MOST_IN_ONE_MAIL:
            try:
                self._table.delete(
                    waiting["pk"], waiting["sk"], condition="#rev = :seen", seen=waiting["rev"]
                )
            except ConditionFailed:
                return


def _notice_key(user_id: str, kind: str, message_id: str) -> dict[str, str]:
    return {"pk": f"NOTICES#{user_id}", "sk": f"{kind}#{message_id}"}


def _waiting_key(user_id: str, kind: str) -> dict[str, str]:
    return {"pk": f"NOTICES#{sweep_shard(user_id)}", "sk": f"{user_id}#{kind}"}
