"""API keys: created, read, changed, rotated and revoked."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.key_networks import canonical_networks
from imagelayer.access.key_secrets import drawn_from, hash_secret, new_secret, shown
from imagelayer.access.key_store import MAX_KEYS, KeyStore, TooManyKeys
from imagelayer.access.scopes import KeyKind, Scope
from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.errors import Problem, invalid, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord, Ids
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.pages import cut
from imagelayer.platform.principals import Mode, Origin, Principal
from imagelayer.platform.table import TransactionRefused
from imagelayer.platform.times import RFC3339_FORM, parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from imagelayer.access.records import ApiKey, NewApiKey

MAX_LIFETIME_SECONDS = 10 * 366 * 86_400


@frozen
class ApiKeys:
    """The use cases of keys."""

    store: KeyStore
    end_user_sessions: EndUserSessionStore
    outbox: Outbox
    security: SecurityLog
    derivation: Callable[[], bytes]

    def create_key(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        name: str,
        scopes: Sequence[Scope],
        mode: Mode,
        kind: KeyKind = "secret",
        expires_at: str | None = None,
        allowed_cidrs: Sequence[str] = (),
        default_brand_id: str | None = None,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Make a key and return it with its secret. Raises Problem 409 or 422."""
        _check_scopes(kind, scopes)
        _check_brand(kind, default_brand_id)
        key_id = new_id("key", now)
        secret, record = self._draw(kind, mode, idempotency, key_id=key_id)
        parts = shown(secret)
        key: NewApiKey = {
            "id": key_id,
            "org_id": principal.org_id,
            "name": name,
            "kind": kind,
            "scopes": sorted(set(scopes)),
            "mode": mode,
            "enabled": True,
            "allowed_cidrs": canonical_networks(allowed_cidrs),
            "default_brand_id": default_brand_id,
            "created_at": int(now),
            "created_by": principal.actor,
            "valid_until": _expiry(expires_at, now),
            "prefix": parts["prefix"],
            "last_four": parts["last_four"],
        }
        try:
            earlier = self.store.create_key(key, hash_secret(secret), record)
        except TooManyKeys:
            raise Problem(
                "key_limit_reached", f"An organization can have {MAX_KEYS} keys. Revoke one first."
            ) from None
        if earlier is not None:
            return self._replay(principal.org_id, idempotency, earlier, now)
        self.security.by(principal, origin).record("key.created", reason=key_id)
        self._notify("key_created", key, origin, now)
        return Created({**view(key), "key": secret})

    def get_key(self, principal: Principal, key_id: str) -> dict[str, Any]:
        """One key of the caller's organization. Raises Problem 404."""
        return view(self._need(principal.org_id, key_id))

    def get_own_key(self, principal: Principal) -> dict[str, Any]:
        """The key that is calling."""
        return self.get_key(principal, principal.actor)

    def list_keys(
        self, principal: Principal, *, limit: int, after: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of keys, oldest first, and the cursor of the next."""
        found = self.store.list_keys(principal.org_id, limit=limit + 1, after=after)
        keys, cursor = cut(found, limit)
        return [view(key) for key in keys], cursor

    def update_key(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        key_id: str,
        fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Rename, disable or enable a key, or set the networks it may be used from or its default
        brand; its scopes and expiry are fixed. Raises Problem 404, 409 or 422.

        A disabled key keeps its secrets and is refused from the next request on. The end users'
        sessions it minted end with it and stay ended.
        """
        changes = dict(fields)
        if "allowed_cidrs" in changes:
            changes["allowed_cidrs"] = canonical_networks(changes["allowed_cidrs"])
        key = self._need(principal.org_id, key_id)
        if not changes:
            return view(key)
        _check_brand(key["kind"], changes.get("default_brand_id"))
        if not self.store.update_key(key, changes):
            raise Problem("conflict", "The key was changed by another request. Try again.")
        if changes.get("enabled") is False:
            # As in `revoke_key`: first the key, then what it minted; a repeated call finishes this.
            self.end_user_sessions.end_sessions_of_key(principal.org_id, key_id, int(now))
        reason = f"{key_id} {', '.join(sorted(changes))}"
        self.security.by(principal, origin).record("key.changed", reason=reason)
        return view(cast("ApiKey", {**key, **changes}))

    def rotate_key(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        key_id: str,
        *,
        grace_seconds: int,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Give the key a new secret; scopes, mode, limits and expiry stay, and the grace period
        never outlasts the old expiry. Raises Problem 404, or 409 when another change came first."""
        if principal.kind == "key" and principal.actor != key_id:
            raise not_found("key")  # a key may rotate itself and no other
        key = self._need(principal.org_id, key_id)
        earlier = self.store.find_earlier(idempotency)
        if earlier is not None:
            return self._replay(principal.org_id, idempotency, earlier, now)
        if principal.kind == "key" and principal.secret_hash != key["current_secret"]:
            # A secret in its grace period may have leaked: it still works, but must not replace
            # its successor.
            raise Problem("conflict", "Only the key's current secret can rotate it.")
        if key["valid_until"] and key["valid_until"] <= now:
            raise Problem("conflict", "The key has expired. Create a new one.")
        ends = int(now) + grace_seconds
        if key["valid_until"]:
            ends = min(ends, key["valid_until"])
        ids = {"key_id": key_id, "ends": ends, "graceless": ends <= now}
        secret, record = self._draw(key["kind"], key["mode"], idempotency, **ids)
        try:
            earlier = self.store.rotate_key(
                key,
                hash_secret(secret),
                {**shown(secret), "rotated_by": principal.actor},
                previous_ends=ends,
                now=int(now),
                record=record,
            )
        except TransactionRefused:
            raise Problem(
                "conflict", "The key was changed or revoked by another request."
            ) from None
        if earlier is not None:
            return self._replay(principal.org_id, idempotency, earlier, now)
        if ends <= now:
            # Without a grace the old secret may have leaked, and with it what it minted.
            self.end_user_sessions.end_sessions_of_key(principal.org_id, key_id, int(now))
        self.security.by(principal, origin).record("key.rotated", reason=key_id)
        new = cast("ApiKey", {**key, **shown(secret)})
        self._notify("key_rotated", new, origin, now)
        return Created({**view(new), "key": secret, "previous_expires_at": rfc3339(ends)})

    def revoke_key(self, principal: Principal, origin: Origin, now: float, key_id: str) -> None:
        """End the key, every secret it still has, and the end users' sessions it minted, at once.

        Raises Problem 404 or 409. The key goes first: a session that is being minted finds it gone
        (`end_user_sessions`). A repeated call finds no key and still looks for sessions, so it
        finishes a call that died half way.
        """
        key = self.store.get_key(principal.org_id, key_id) if is_id("key", key_id) else None
        if key is not None and not self.store.revoke_key(key):
            raise Problem("conflict", "The key was changed by another request. Try again.")
        if is_id("key", key_id):
            self.end_user_sessions.end_sessions_of_key(principal.org_id, key_id, int(now))
        if key is None:
            raise not_found("key")
        self.security.by(principal, origin).record("key.revoked", reason=key_id)

    def _draw(
        self, kind: KeyKind, mode: Mode, idempotency: IdempotencyRecord | None, **ids: Any
    ) -> tuple[str, IdempotencyRecord | None]:
        """A new secret; for a request with an idempotency key, one that can be drawn again."""
        if idempotency is None:
            return new_secret(kind, mode), None
        nonce = secrets.token_hex(32)
        draw = drawn_from(self.derivation(), nonce, idempotency.key)
        return new_secret(kind, mode, draw), idempotency.creating(**ids, nonce=nonce)

    def _replay(
        self, org_id: str, idempotency: IdempotencyRecord | None, ids: Ids, now: float
    ) -> Created:
        """Answer a repeated request with the same secret, as long as it is the key's current one.

        Raises Problem 404 or 409. A rotation that died half way is finished.
        """
        if idempotency is None:
            raise LookupError("a replay without an idempotency key")
        key = self._need(org_id, ids["key_id"])
        draw = drawn_from(self.derivation(), ids["nonce"], idempotency.key)
        secret = new_secret(key["kind"], key["mode"], draw)
        if not hmac.compare_digest(hash_secret(secret), key["current_secret"]):
            raise Problem("conflict", "The key has been rotated since.")
        body = {**view(key), "key": secret}
        if ids.get("graceless"):
            # What the new secret has minted since stays.
            self.end_user_sessions.end_sessions_of_key(
                org_id, key["id"], int(now), until=ids["ends"]
            )
        if "ends" in ids:
            body["previous_expires_at"] = rfc3339(ids["ends"])
        return Created(body, replayed=True)

    def _notify(self, kind: str, key: NewApiKey, origin: Origin, now: float) -> None:
        self.outbox.notify(
            kind,
            origin,
            now,
            org_id=key["org_id"],
            name=key["name"],
            hint=f"{key['prefix']}…{key['last_four']}",
        )

    def _need(self, org_id: str, key_id: str) -> ApiKey:
        key = self.store.get_key(org_id, key_id) if is_id("key", key_id) else None
        if key is None:
            raise not_found("key")
        return key


def view(key: NewApiKey) -> dict[str, Any]:
    """What the API shows of a key."""
    valid_until = key.get("valid_until")
    last_used_at = key.get("last_used_at")
    return {
        "id": key["id"],
        "name": key["name"],
        "kind": key["kind"],
        "prefix": key["prefix"],
        "last_four": key["last_four"],
        "scopes": key["scopes"],
        "mode": key["mode"],
        "enabled": key["enabled"],
        "allowed_cidrs": key.get("allowed_cidrs") or [],
        "default_brand_id": key.get("default_brand_id"),
        "created_at": rfc3339(key["created_at"]),
        "created_by": key["created_by"],
        "expires_at": rfc3339(valid_until) if valid_until else None,
        "last_used_at": rfc3339(last_used_at) if last_used_at else None,
    }


def _check_scopes(kind: KeyKind, scopes: Sequence[str]) -> None:
    if kind == "secret" and not scopes:
        raise invalid("body.scopes", "a secret key needs at least one scope")
    if kind == "publishable" and scopes:
        raise invalid("body.scopes", "a publishable key has no scopes")


def _check_brand(kind: KeyKind, brand_id: str | None) -> None:
    if kind == "publishable" and brand_id is not None:
        raise invalid("body.default_brand_id", "a publishable key makes no images")


def _expiry(expires_at: str | None, now: float) -> int:
    """Seconds since the epoch, 0 for never."""
    if expires_at is None:
        return 0
    moment = parse_rfc3339(expires_at)
    if moment is None:
        raise invalid("body.expires_at", RFC3339_FORM)
    if moment <= now:
        raise invalid("body.expires_at", "must be in the future")
    if moment > now + MAX_LIFETIME_SECONDS:
        raise invalid("body.expires_at", "must be at most ten years from now")
    return int(moment)
