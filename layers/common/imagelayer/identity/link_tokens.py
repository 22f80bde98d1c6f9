"""The tokens of mailed links: `<whose>.<256 random bits>`, kept as SHA-256, compared in full.

256 bits need no slow hash (ASVS 5.0 6.5.2 requires one below 112 bits).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from imagelayer.platform.frozen import field, frozen

SECRET_BYTES = 32
# How long a link of each kind works.
VERIFICATION_HOURS = 24
# How long a sign-up awaits its confirmation after its newest mail: longer than the mail's link
# works, and than the queue keeps a message.
SIGN_UP_SECONDS = 2 * 86_400
RESET_MINUTES = 60
INVITATION_DAYS = 7


@frozen
class LinkToken:
    """A token's owner, in one or more id bodies, and its secret."""

    owner: tuple[str, ...]
    secret: str = field(repr=False)

    @classmethod
    def new(cls, *owner: str) -> LinkToken:
        """A fresh token for what the ids name, such as `usr_…`."""
        return cls(owner, secrets.token_urlsafe(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str, *prefixes: str) -> LinkToken | None:
        """Read a token whose ids have those prefixes; the ids' form is for the caller to check."""
        bodies = text.split(".")
        if len(bodies) != len(prefixes) + 1:
            return None
        owner = tuple(
            f"{prefix}_{body}" for prefix, body in zip(prefixes, bodies[:-1], strict=True)
        )
        return cls(owner, bodies[-1])

    @property
    def text(self) -> str:
        """What the link contains."""
        return ".".join([*(each.partition("_")[2] for each in self.owner), self.secret])

    @property
    def hash(self) -> str:
        """What is stored."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def is_kept_as(self, kept: object) -> bool:
        """Whether this is the token that was stored, in constant time."""
        return isinstance(kept, str) and hmac.compare_digest(self.hash, kept)
