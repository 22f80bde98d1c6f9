"""Changes of a user's credentials, role or sessions: each is one transaction on the user as they
were read, and the sessions it ends go in the same one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.store import AccountStore
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import frozen
from imagelayer.platform.table import Action, StoreUnavailable, TransactionRefused

if TYPE_CHECKING:
    from imagelayer.identity.records import User

# Each refusal means that another change of the same user went through; they are few.
ATTEMPTS = 8

# What a change does with the user as they were read: attributes to set, attributes to remove, and
# further actions of the same transaction.
Change = tuple[Mapping[str, Any], Sequence[str], Sequence[Action]]


@frozen
class UserChanges:
    """Changes a user and ends sessions, all or nothing."""

    accounts: AccountStore
    sessions: SessionStore
    sleep: Callable[[float], None] = time.sleep

    def change(
        self,
        user_id: str,
        decide: Callable[[User], Change],
        *,
        keep: str | None = None,
        end: bool = True,
    ) -> User:
        """Change a user, and end their sessions but `keep`, all or nothing.

        `decide` is called again, with the user as they are then, each time another change came
        first. It raises Problem when the change is no longer right. Returns the user it was
        decided on. Raises StoreUnavailable when other changes keep coming first.

        The sessions are read after the user: one that is created in between has raised the user's
        `rev`, and this is refused and starts over, so none is missed.
        """
        for attempt in range(ATTEMPTS):
            user = self.accounts.get_user(user_id)
            if user is None:
                raise Problem("unauthenticated", "Please log in again.")
            sets, removes, actions = decide(user)
            endings = self.end_actions(user_id, keep=keep) if end else []
            try:
                self.accounts.commit(
                    [self.accounts.user_action(user, sets, removes), *actions, *endings]
                )
            except TransactionRefused:
                self.back_off(attempt)
                continue
            return user
        raise StoreUnavailable("transact_write_items", "the user is too contended")

    def end_all_sessions(self, user_id: str) -> None:
        """End all sessions of a user. A login that is under way starts over and is let in after
        it, as one that came a moment later would be."""
        self.change(user_id, lambda _user: ({}, (), ()))

    def end_actions(self, user_id: str, *, keep: str | None = None) -> list[Action]:
        """The ends of a user's sessions but `keep`, for a transaction."""
        return [
            self.sessions.end_session_action(user_id, each["id"])
            for each in self.sessions.list_sessions(user_id)
            if each["id"] != keep
        ]

    def back_off(self, attempt: int) -> None:
        """Wait a random time, longer with each attempt, after a refused transaction."""
        self.sleep(secrets.randbelow(20 * 2**attempt) / 1000)
