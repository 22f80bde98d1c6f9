"""Who is calling, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Origin:
    """Where a request came from: the address that counts, and the id that names it in the logs."""

    ip: str
    request_id: str


@dataclass(frozen=True)
class Principal:
    """An authenticated caller. Everything it touches is inside `org_id`."""

    kind: Literal["key", "user"]
    org_id: str
    actor: str  # the key's id or the user's id
    scopes: frozenset[str]
    role: str = ""  # of a user; keys have scopes instead
    mode: Literal["live", "test"] = "live"
    session_id: str = ""
    secret_hash: str = ""
