"""What is handed to the mail function: which mail, about whom, never an address or a secret.

A request never sends mail itself. The message names a sign-up, a user, an organization or the hash
of an address; the mail function finds the rest, makes the token, and sends. So a request takes the
same time whether or not an address has an account, and a mail service that is down delays mail and
refuses no one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Origin
from imagelayer.platform.queue import Queue
from imagelayer.platform.table import StoreUnavailable


@frozen
class Outbox:
    """The request side of mail."""

    queue: Queue
    lost: Callable[[str], None]

    def ask(self, kind: str, origin: Origin | None, now: float, **about: Any) -> None:
        """Ask for a mail that the flow cannot do without. Raises StoreUnavailable."""
        self.queue.send(
            {
                "kind": kind,
                "at": int(now),
                "ip": origin.ip if origin else "",
                "client": origin.client if origin else "",
                "request_id": origin.request_id if origin else "",
                **about,
            }
        )

    def notify(self, kind: str, origin: Origin | None, now: float, **about: Any) -> None:
        """Ask for a mail that reports something that has happened and cannot be undone: when the
        queue does not answer, that is counted, and the event is not undone."""
        try:
            self.ask(kind, origin, now, **about)
        except StoreUnavailable as fault:
            self.lost(f"a {kind} mail was not asked for: {fault.reason}")
