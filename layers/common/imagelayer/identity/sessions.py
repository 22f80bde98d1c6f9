"""What every change of somebody's credentials, role or sessions has in common: it is one
transaction on the user as they were read, and the sessions it ends go in the same one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.store import AccountStore
from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Principal
from imagelayer.platform.table import Action, Item, StoreUnavailable, TransactionRefused
from imagelayer.platform.times import rfc3339

# More than anybody needs, and few enough to end in one transaction of 100 actions.
MAX_SESSIONS = 40
# Each refusal means that another change of the same user went through; they are few.
ATTEMPTS = 8

# What a change does with the user as they were read: attributes to set, attributes to remove, and
# further actions of the same transaction.
Change = tuple[Mapping[str, Any], Sequence[str], Sequence[Action]]


@dataclass(frozen=True)
class Sessions:
    """A user's dashboard sessions, listed and ended."""

    accounts: AccountStore
    store: SessionStore
    sleep: Callable[[float], None] = time.sleep

    def change(
        self,
        user_id: str,
        decide: Callable[[Item], Change],
        *,
        keep: str | None = None,
        end: bool = True,
    ) -> Item:
        """Change a user, and end their sessions but `keep`, all or nothing.

        `decide` is asked again, with the user as they are then, each time another change came
        first. It raises Problem when the change is no longer right. Returns the user it was
        decided on.

        The sessions are read after the user: one that is created in between has raised the user's
        `rev`, and this is refused and starts over, so none is missed.
        """
        for attempt in range(ATTEMPTS):
            user = self.accounts.user(user_id)
            if user is None:
                raise Problem("unauthenticated", "Please log in again.")
            sets, removes, actions = decide(user)
            ended = self.store.of_user(user_id) if end else []
            endings = [self.store.end_action(each) for each in ended if each["id"] != keep]
            try:
                self.accounts.commit(
                    [self.accounts.user_action(user, sets, removes), *actions, *endings]
                )
            except TransactionRefused:
                self.sleep(secrets.randbelow(20 * 2**attempt) / 1000)
                continue
            return user
        raise StoreUnavailable("transact_write_items", "the user is too contended")

    def list_own(self, principal: Principal, now: float) -> list[dict[str, Any]]:
        """The caller's living sessions, the newest first."""
        living = [each for each in self.store.of_user(principal.actor) if is_alive(each, now)]
        return [
            {
                "id": each["id"],
                "current": each["id"] == principal.session_id,
                "client": each["client"],
                "ip": each["ip"],
                "created_at": rfc3339(each["created_at"]),
                "refreshed_at": rfc3339(each["refreshed_at"]),
                "expires_at": rfc3339(min(each["expires_at"], each["idle_until"])),
            }
            for each in reversed(living)
        ]

    def end_own(self, principal: Principal, session_id: str) -> bool:
        """End one of the caller's sessions; False when it is none of theirs."""
        if self.store.get(principal.actor, session_id) is None:
            return False
        self.store.end(principal.actor, session_id)
        return True

    def end_everywhere(self, user_id: str) -> None:
        """End all sessions of a user. A login that is under way starts over and is let in after
        it, as one that came a moment later would be."""
        self.change(user_id, lambda _user: ({}, (), ()))


def is_alive(session: Mapping[str, Any], now: float) -> bool:
    """Whether neither lifetime of a session has run out."""
    return bool(min(session["expires_at"], session["idle_until"]) > now)
