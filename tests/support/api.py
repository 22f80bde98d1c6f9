"""Requests as clients send them, the answers, and the accounts that send them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

CAPTCHA = "XXXX.DUMMY.TOKEN.XXXX"
PASSWORD = "correct horse battery staple"
ALL_SCOPES = (
    "assets:read",
    "brands:read",
    "brands:write",
    "generations:read",
    "generations:write",
    "keys:rotate",
    "sessions:write",
    "usage:read",
    "webhooks:read",
    "webhooks:write",
)


def bearer(key: dict[str, Any]) -> dict[str, str]:
    """What a client sends with a created key."""
    return {"authorization": f"Bearer {key['key']}"}


def session_bearer(session: dict[str, Any]) -> dict[str, str]:
    """What an end user's browser sends with a minted session."""
    return {"authorization": f"Bearer {session['session_token']}"}


@dataclass(frozen=True)
class Answer:
    """A parsed response."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass
class Account:
    """A verified, logged-in owner."""

    email: str
    token: str
    cookie: str
    org_id: str
    user_id: str

    @property
    def headers(self) -> dict[str, str]:
        """What a dashboard sends."""
        return {"authorization": f"Bearer {self.token}"}
