"""API keys: their form, their life, and what is kept of them.

A secret is `il_live_` or `il_test_`, 32 random base62 characters (190 bits) and 6 characters that
are the CRC-32 of those 32 in base62: GitHub's token form with two characters more. A mistyped or
made-up key is refused by arithmetic, before any read. What is stored is the SHA-256 of the whole
secret, its prefix and its last four characters; 190 random bits need no slow hash
(ASVS 5.0 6.5.2 asks for one below 112 bits).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from imagelayer.errors import Problem, invalid, not_found
from imagelayer.ids import is_id, new_id
from imagelayer.outbox import Outbox
from imagelayer.principals import Origin, Principal
from imagelayer.security_events import SecurityLog
from imagelayer.stores.end_user_sessions import EndUserSessionStore
from imagelayer.stores.keys import KeyStore
from imagelayer.times import parse_rfc3339, rfc3339

Mode = Literal["live", "test"]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"(il_(?:live|test)_)([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{6}})")
MAX_LIFETIME_SECONDS = 10 * 366 * 86_400


def checksum(random_part: str) -> str:
    """CRC-32 of the random characters in base62, left-padded with `0` to six."""
    number = zlib.crc32(random_part.encode())
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECKSUM_LENGTH, "0")


def new_secret(mode: Mode) -> str:
    """A fresh secret; the only place where it exists in full is the answer it is shown in."""
    random_part = "".join(secrets.choice(_BASE62) for _ in range(_RANDOM_LENGTH))
    return f"il_{mode}_{random_part}{checksum(random_part)}"


def is_well_formed(secret: str) -> bool:
    """Whether the form and the checksum are right."""
    match = _SHAPE.fullmatch(secret)
    return match is not None and checksum(match[2]) == match[3]


def hash_secret(secret: str) -> str:
    """Hex SHA-256 of the whole secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class ApiKeys:
    """The use cases of keys."""

    store: KeyStore
    end_users: EndUserSessionStore
    outbox: Outbox
    security: SecurityLog

    def create(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        name: str,
        scopes: Sequence[str],
        mode: Mode,
        expires_at: str | None,
    ) -> dict[str, Any]:
        """Make a key and return it with its secret. Raises Problem 422."""
        valid_until = _expiry(expires_at, now)
        secret = new_secret(mode)
        key: dict[str, Any] = {
            "id": new_id("key", now),
            "org_id": principal.org_id,
            "name": name,
            "scopes": sorted(set(scopes)),
            "mode": mode,
            "created_at": int(now),
            "created_by": principal.actor,
            "valid_until": valid_until,
            **_shown(secret),
        }
        self.store.create(key, hash_secret(secret))
        self.security.record(
            "key.created",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=key["id"],
        )
        self._tell("key_created", key, origin, now)
        return {**view(key), "key": secret}

    def get(self, principal: Principal, key_id: str) -> dict[str, Any]:
        """One key of the caller's organization. Raises Problem 404."""
        return view(self._need(principal.org_id, key_id))

    def own(self, principal: Principal) -> dict[str, Any]:
        """The key that is calling."""
        return self.get(principal, principal.actor)

    def page(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of keys, oldest first, and the id to go on from."""
        keys = self.store.page(principal.org_id, limit=limit + 1, after=after)
        page = keys[:limit]
        return [view(key) for key in page], page[-1]["id"] if len(keys) > limit else None

    def rotate(
        self, principal: Principal, origin: Origin, now: float, key_id: str, *, grace_seconds: int
    ) -> dict[str, Any]:
        """Give the key a new secret; scopes, mode and expiry stay, and the grace never outlives
        the old expiry. Raises Problem 404, or 409 when another rotation came first."""
        if principal.kind == "key" and principal.actor != key_id:
            raise not_found("key")  # a key may rotate itself and no other
        key = self._need(principal.org_id, key_id)
        if principal.kind == "key" and principal.secret_hash != key["current_secret"]:
            # A secret in its grace is on its way out, perhaps because it leaked: it may still
            # work, but not put itself in the place of its successor.
            raise Problem("conflict", "Only the key's current secret can rotate it.")
        if key["valid_until"] and key["valid_until"] <= now:
            raise Problem("conflict", "The key has expired; create a new one.")
        secret = new_secret(key["mode"])
        ends = int(now) + grace_seconds
        if key["valid_until"]:
            ends = min(ends, key["valid_until"])
        if not self.store.rotate(
            key, hash_secret(secret), _shown(secret), previous_ends=ends, now=int(now)
        ):
            raise Problem("conflict", "The key was rotated or revoked by another request.")
        if ends <= now:
            # Without a grace the old secret may have leaked, and with it what it minted.
            self.end_users.end_of_key(principal.org_id, key_id, int(now))
        self.security.record(
            "key.rotated",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=key_id,
        )
        rotated = {**key, **_shown(secret), "last_used_at": None}
        self._tell("key_rotated", rotated, origin, now)
        return {**view(rotated), "key": secret, "previous_expires_at": rfc3339(ends)}

    def revoke(self, principal: Principal, origin: Origin, now: float, key_id: str) -> None:
        """End the key, every secret it still has, and the end users' sessions it minted, at once.

        Raises Problem 404 or 409. The key goes first: a session that is being minted finds it gone
        (`end_users.mint`). A repeated call finds no key and still looks for sessions, so one that
        died half way is finished.
        """
        key = self.store.get(principal.org_id, key_id) if is_id("key", key_id) else None
        if key is not None and not self.store.revoke(key):
            raise Problem("conflict", "The key was changed by another request; try again.")
        if is_id("key", key_id):
            self.end_users.end_of_key(principal.org_id, key_id, int(now))
        if key is None:
            raise not_found("key")
        self.security.record(
            "key.revoked",
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=key_id,
        )

    def _tell(self, kind: str, key: dict[str, Any], origin: Origin, now: float) -> None:
        self.outbox.notify(
            kind,
            origin,
            now,
            org_id=key["org_id"],
            name=key["name"],
            hint=f"{key['prefix']}…{key['last_four']}",
        )

    def _need(self, org_id: str, key_id: str) -> dict[str, Any]:
        key = self.store.get(org_id, key_id) if is_id("key", key_id) else None
        if key is None:
            raise not_found("key")
        return key


def view(key: dict[str, Any]) -> dict[str, Any]:
    """What the API shows of a key."""
    valid_until = key.get("valid_until")
    last_used_at = key.get("last_used_at")
    return {
        "id": key["id"],
        "name": key["name"],
        "prefix": key["prefix"],
        "last_four": key["last_four"],
        "scopes": key["scopes"],
        "mode": key["mode"],
        "created_at": rfc3339(key["created_at"]),
        "expires_at": rfc3339(valid_until) if valid_until else None,
        "last_used_at": rfc3339(last_used_at) if last_used_at else None,
    }


def _shown(secret: str) -> dict[str, str]:
    return {"prefix": secret[:12], "last_four": secret[-4:]}


def _expiry(expires_at: str | None, now: float) -> int:
    """Seconds since the epoch, 0 for never."""
    if expires_at is None:
        return 0
    moment = parse_rfc3339(expires_at)
    if moment is None or not now < moment <= now + MAX_LIFETIME_SECONDS:
        raise invalid("body.expires_at", "must be an RFC 3339 time within the next ten years")
    return int(moment)
