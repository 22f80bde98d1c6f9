"""Refresh tokens: their text, their parts, and how one follows from another.

The successor of a refresh token is not drawn but derived: HMAC of the token under a key on the
session's record. Two tabs that trade the same token within a few seconds, or a client whose answer
was lost, get the same successor, and still nothing that was handed out is stored. The record alone
derives nothing, and neither does a token alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from copy import replace

from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.ids import is_id


@frozen
class RefreshToken:
    """The session, the secret that all its tokens share (its family), and this token's own."""

    user_id: str
    session_id: str
    family: str = field(repr=False)
    secret: str = field(repr=False)

    @classmethod
    def new(cls, user_id: str, session_id: str) -> RefreshToken:
        """The first token of a session."""
        return cls(user_id, session_id, secrets.token_urlsafe(16), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> RefreshToken | None:
        """Read a token; None for text that is not one."""
        parts = text.split(".")
        if len(parts) != 3:
            return None
        user, _, session = parts[0].partition("-")
        token = cls(f"usr_{user}", f"ses_{session}", parts[1], parts[2])
        ids = is_id("usr", token.user_id) and is_id("ses", token.session_id)
        return token if ids and token.family and token.secret else None

    @property
    def text(self) -> str:
        """What the client keeps."""
        user, session = self.user_id.removeprefix("usr_"), self.session_id.removeprefix("ses_")
        return f"{user}-{session}.{self.family}.{self.secret}"

    @property
    def hash(self) -> str:
        """What the session's record keeps of its current token."""
        return _sha256(self.secret)

    @property
    def family_hash(self) -> str:
        """What the session's record keeps of the family."""
        return _sha256(self.family)

    def is_of_family(self, family_hash: str) -> bool:
        """Whether the token belongs to the session with this family, in constant time."""
        return hmac.compare_digest(self.family_hash, family_hash)

    def successor(self, chain_key: str) -> RefreshToken:
        """The token that this one is traded for."""
        digest = hmac.new(chain_key.encode(), self.secret.encode(), hashlib.sha256).digest()
        return replace(self, secret=base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def _sha256(text: str) -> str:
    """Hex SHA-256; the secrets have 128 random bits or more and need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()
