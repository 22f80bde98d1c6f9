"""Who is calling, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from imagelayer.platform.frozen import frozen

type Mode = Literal["live", "test"]
type Role = Literal["owner", "admin", "developer", "viewer"]


@frozen
class Origin:
    """Where a request came from: the address that counts, the id that names it in the logs, and
    the client in words (`http.user_agent`), which is for people and never decides alone."""

    ip: str
    request_id: str
    client: str = ""


@frozen
class Principal:
    """An authenticated caller. Everything it touches is inside `org_id`."""

    kind: Literal["key", "user", "end_user"]
    org_id: str
    actor: str  # the id of the key, of the user, or of the end user's session
    scopes: frozenset[str]
    role: str = ""  # of a user; keys and end users have scopes instead
    mode: Mode = "live"
    session_id: str = ""
    secret_hash: str = ""
    valid_until: int = 0  # of a key's secret, in seconds since the epoch; 0 for no end
    # Of a key: the brand of its images where a request names none.
    default_brand_id: str | None = None
    # A user who must first set a second factor up; nothing else is open to them.
    must_enrol: bool = False
    end_user: EndUser | None = None

    def sees(self, record: Mapping[str, Any]) -> bool:
        """Whether a job or image of the caller's organization is the caller's to see.

        Members see all. A key, and a session that it minted, sees what is of its own mode: a test
        key on a laptop neither reads nor deletes live images. An end user sees what was made for
        that end user alone. To them the rest is missing.
        """
        if self.kind != "user" and record.get("mode") != self.mode:
            return False
        return self.end_user is None or record.get("end_user_id") == self.end_user.id


@frozen
class EndUser:
    """The customer's own user behind a session token, and the session's terms."""

    id: str
    session_id: str
    session_ends: int  # seconds since the epoch
    max_generations: int | None = None
    key_id: str = ""  # the key that minted the session
