"""The matrix of what two calls in a row tell about an address.

Each pair of `ACTIONS` is made for an address with an account, for one without, and for one with a
sign-up that awaits its confirmation. A caller who reads no mail of theirs must see the same three
times: statuses, bodies, and the AWS calls that take the time of the answer.

Accepting an invitation takes a token that is only in the mail. So in the matrix the caller knows
that there is an invitation for the address, and its id, and makes the secret up. With the secret,
`accept` tells whether the address has an account, to the one who reads its mailbox.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.platform.ids import new_id

STATES = ("taken", "free", "unconfirmed")
ACTIONS = ("register", "resend", "forgot", "login", "accept")
PAIRS = [(first, second) for first in ACTIONS for second in ACTIONS]
GUESS = "nine brass gears in his drawer"


@dataclass(frozen=True)
class Target:
    """An address in one of the states, with the link of an invitation for it."""

    email: str
    invitation: LinkToken

    @property
    def guessed(self) -> str:
        """The invitation's token with a secret that was made up."""
        return LinkToken(self.invitation.owner, secrets.token_urlsafe(32)).text


@dataclass(frozen=True)
class Seen:
    """What a caller sees of one call: its answer, and what took its time."""

    status: int
    body: str
    calls: tuple[str, ...]

    @classmethod
    def of(cls, status: int, body: str, calls: list[str]) -> Seen:
        """Without the id of the request, which is another for each."""
        shown = json.loads(body)
        shown.pop("request_id", None)
        return cls(status, json.dumps(shown, sort_keys=True), tuple(calls))


# For a pair, what was seen of both calls, by the state of the address.
Row = Mapping[str, list[Seen]]


@dataclass
class OracleMatrix:
    """Fills the matrix and shows it. `ask` makes a call, `settle` lets the mail function work."""

    prepare: Callable[[str], Target]
    ask: Callable[[str, Target], Seen]
    settle: Callable[[], object]
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)

    def fill(self, pair: tuple[str, str]) -> Row:
        """Make a pair of calls for an address of each state."""
        row: dict[str, list[Seen]] = {}
        for state in STATES:
            target = self.prepare(state)
            row[state] = []
            for action in pair:
                row[state].append(self.ask(action, target))
                self.settle()
        self.rows[pair] = row
        return row

    def __str__(self) -> str:
        requests = [seen for row in self.rows.values() for each in row.values() for seen in each]
        calls = sum(len(seen.calls) for seen in requests)
        told = [pair for pair, row in self.rows.items() if tells(row)]
        lines = [f"{'first, then':12}" + "".join(f"{name:>22}" for name in ACTIONS)]
        for first in ACTIONS:
            cells = [self._cell(self.rows.get((first, second))) for second in ACTIONS]
            lines.append(f"{first:12}" + "".join(f"{cell:>22}" for cell in cells))
        lines.append(
            f"{len(self.rows)} pairs x {len(STATES)} states: {len(requests)} requests with "
            f"{calls} calls and hashes; {len(told)} pairs tell the states apart"
        )
        return "\n".join(lines)

    @staticmethod
    def _cell(row: Row | None) -> str:
        """Both statuses and numbers of calls, or that the states differ."""
        if row is None:
            return "-"
        if tells(row):
            return "TELLS"
        return ", ".join(f"{seen.status} ({len(seen.calls)})" for seen in row["free"])


def tells(row: Row) -> bool:
    """Whether a pair of calls tells the states apart."""
    return len({tuple(seen) for seen in row.values()}) > 1


def invite(organizations: OrganizationStore, org_id: str, owner_id: str, email: str) -> LinkToken:
    """Write an invitation whose link is known, as a mail would carry it."""
    now = time.time()
    link = LinkToken.new(org_id, new_id("inv", now))
    organizations.create_invitation(
        {
            "id": link.owner[1],
            "org_id": org_id,
            "email": email,
            "role": "viewer",
            "invited_by": owner_id,
            "token_hash": link.hash,
            "created_at": int(now),
            "expires_at": int(now) + 600,
        }
    )
    return link
