"""API keys: their form, their life, and what is kept of them.

A key is `il_live_`, `il_test_` or `il_pub_`, 32 random base62 characters (190 bits) and 6 that are
the CRC-32 of those 32 in base62: GitHub's token form with two characters more. A mistyped or
made-up key is refused by arithmetic, before any read. What is stored is the SHA-256 of the whole
key, its prefix and its last four characters; 190 random bits need no slow hash (ASVS 5.0 6.5.2 asks
for one below 112 bits).

An `il_pub_` key is not a secret: it may stand in a page, where it names the widget that carries an
end user's session token, and opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagelayer.access.end_user_store import EndUserSessionStore
from imagelayer.access.key_store import MAX_KEYS, KeyStore, TooManyKeys
from imagelayer.access.scopes import KeyKind
from imagelayer.audit.security_log import SecurityLog
from imagelayer.platform.errors import FieldError, Problem, invalid, not_found
from imagelayer.platform.idempotency import Created, IdempotencyRecord, Ids
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Mode, Origin, Principal
from imagelayer.platform.table import Item, TransactionRefused
from imagelayer.platform.times import parse_rfc3339, rfc3339

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"(il_(?:live|test|pub)_)([0-9A-Za-z]{{{_RANDOM_LENGTH}}})([0-9A-Za-z]{{6}})")
PUBLISHABLE = "il_pub_"
MAX_LIFETIME_SECONDS = 10 * 366 * 86_400
# IPv6 callers count per /64 (`http.client_address`), so no longer prefix can be told apart.
LONGEST_IPV6_PREFIX = 64


def checksum(random_part: str) -> str:
    """CRC-32 of the random characters in base62, left-padded with `0` to six."""
    number = zlib.crc32(random_part.encode())
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECKSUM_LENGTH, "0")


def new_secret(kind: KeyKind, mode: Mode, draw: Callable[[int], int] = secrets.randbelow) -> str:
    """A fresh key. `draw(n)` gives a number below `n`; the only place where the key exists in full
    is the answer it is shown in."""
    random_part = "".join(_BASE62[draw(62)] for _ in range(_RANDOM_LENGTH))
    prefix = PUBLISHABLE if kind == "publishable" else f"il_{mode}_"
    return f"{prefix}{random_part}{checksum(random_part)}"


def drawn_from(server_secret: bytes, nonce: str, idempotency_key: str) -> Callable[[int], int]:
    """Draws that can be made again from three things together: a secret of ours, a random nonce
    that is kept for a day, and the caller's own key, which is not kept.

    So a caller whose answer was lost gets the same API key again, and nothing at rest holds it.
    HMAC-SHA-256 in counter mode; values that would make some digits likelier are passed over.
    """

    def numbers() -> Any:
        counter = 0
        while True:
            message = f"{nonce}\x00{counter}\x00{idempotency_key}".encode()
            yield from hmac.digest(server_secret, message, "sha256")
            counter += 1

    stream = numbers()

    def draw(below: int) -> int:
        for number in stream:
            if number < 256 - 256 % below:
                return int(number % below)
        raise AssertionError("the stream does not end")

    return draw


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
    derivation: Callable[[], bytes]

    def create(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        name: str,
        scopes: Sequence[str],
        mode: Mode,
        kind: KeyKind = "secret",
        expires_at: str | None = None,
        allowed_cidrs: Sequence[str] = (),
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Make a key and return it with its secret. Raises Problem 409 or 422."""
        _check_scopes(kind, scopes)
        key_id = new_id("key", now)
        key: Item = {
            "id": key_id,
            "org_id": principal.org_id,
            "name": name,
            "kind": kind,
            "scopes": sorted(set(scopes)),
            "mode": mode,
            "enabled": True,
            "allowed_cidrs": _networks(allowed_cidrs),
            "created_at": int(now),
            "created_by": principal.actor,
            "valid_until": _expiry(expires_at, now),
        }
        secret, record = self._draw(kind, mode, idempotency, key_id=key_id)
        key |= _shown(secret)
        try:
            earlier = self.store.create(key, hash_secret(secret), record)
        except TooManyKeys:
            raise Problem(
                "key_limit_reached", f"An organization can have {MAX_KEYS} keys. Revoke one first."
            ) from None
        if earlier is not None:
            return self._replay(principal.org_id, idempotency, earlier, now)
        self._record("key.created", principal, origin, key_id)
        self._tell("key_created", key, origin, now)
        return Created({**view(key), "key": secret})

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

    def change(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        key_id: str,
        fields: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Rename, disable, enable, or say from where a key may be used; what it may do and until
        when is fixed. Raises Problem 404, 409 or 422.

        A disabled key keeps its secrets and is refused from the next request. The end users'
        sessions it minted end with it, because they rest on it, and stay ended.
        """
        changes = dict(fields)
        if "allowed_cidrs" in changes:
            changes["allowed_cidrs"] = _networks(changes["allowed_cidrs"])
        key = self._need(principal.org_id, key_id)
        if not changes:
            return view(key)
        if not self.store.change(key, changes):
            raise Problem("conflict", "The key was changed by another request. Try again.")
        if changes.get("enabled") is False:
            # As in `revoke`: first the key, then what it minted; a repeated call finishes this.
            self.end_users.end_of_key(principal.org_id, key_id, int(now))
        self._record("key.changed", principal, origin, f"{key_id} {', '.join(sorted(changes))}")
        return view({**key, **changes})

    def rotate(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        key_id: str,
        *,
        grace_seconds: int,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """Give the key a new secret; scopes, mode, limits and expiry stay, and the grace never
        outlives the old expiry. Raises Problem 404, or 409 when another change came first."""
        if principal.kind == "key" and principal.actor != key_id:
            raise not_found("key")  # a key may rotate itself and no other
        key = self._need(principal.org_id, key_id)
        earlier = self.store.idempotency.find(idempotency)
        if earlier is not None:
            return self._replay(principal.org_id, idempotency, earlier, now)
        if principal.kind == "key" and principal.secret_hash != key["current_secret"]:
            # A secret in its grace is on its way out, perhaps because it leaked: it may still
            # work, but not put itself in the place of its successor.
            raise Problem("conflict", "Only the key's current secret can rotate it.")
        if key["valid_until"] and key["valid_until"] <= now:
            raise Problem("conflict", "The key has expired. Create a new one.")
        ends = int(now) + grace_seconds
        if key["valid_until"]:
            ends = min(ends, key["valid_until"])
        ids = {"key_id": key_id, "ends": ends, "graceless": ends <= now}
        secret, record = self._draw(key["kind"], key["mode"], idempotency, **ids)
        try:
            earlier = self.store.rotate(
                key,
                hash_secret(secret),
                _shown(secret),
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
            self.end_users.end_of_key(principal.org_id, key_id, int(now))
        self._record("key.rotated", principal, origin, key_id)
        new = {**key, **_shown(secret)}
        self._tell("key_rotated", new, origin, now)
        return Created({**view(new), "key": secret, "previous_expires_at": rfc3339(ends)})

    def revoke(self, principal: Principal, origin: Origin, now: float, key_id: str) -> None:
        """End the key, every secret it still has, and the end users' sessions it minted, at once.

        Raises Problem 404 or 409. The key goes first: a session that is being minted finds it gone
        (`end_users.mint`). A repeated call finds no key and still looks for sessions, so one that
        died half way is finished.
        """
        key = self.store.get(principal.org_id, key_id) if is_id("key", key_id) else None
        if key is not None and not self.store.revoke(key):
            raise Problem("conflict", "The key was changed by another request. Try again.")
        if is_id("key", key_id):
            self.end_users.end_of_key(principal.org_id, key_id, int(now))
        if key is None:
            raise not_found("key")
        self._record("key.revoked", principal, origin, key_id)

    def _draw(
        self, kind: KeyKind, mode: Mode, idempotency: IdempotencyRecord | None, **ids: Any
    ) -> tuple[str, IdempotencyRecord | None]:
        """A new secret; for a request with an idempotency key, one that can be drawn again."""
        if idempotency is None:
            return new_secret(kind, mode), None
        nonce = secrets.token_hex(32)
        draw = drawn_from(self.derivation(), nonce, idempotency.secret)
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
        draw = drawn_from(self.derivation(), ids["nonce"], idempotency.secret)
        secret = new_secret(key["kind"], key["mode"], draw)
        if not hmac.compare_digest(hash_secret(secret), key["current_secret"]):
            raise Problem("conflict", "The key has been rotated since.")
        body = {**view(key), "key": secret}
        if ids.get("graceless"):
            # What the new secret has minted since stays.
            self.end_users.end_of_key(org_id, key["id"], int(now), until=ids["ends"])
        if "ends" in ids:
            body["previous_expires_at"] = rfc3339(ids["ends"])
        return Created(body, replayed=True)

    def _record(self, event: str, principal: Principal, origin: Origin, reason: str) -> None:
        self.security.record(
            event,
            "success",
            origin,
            org_id=principal.org_id,
            actor=principal.actor,
            reason=reason,
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
        "kind": key["kind"],
        "prefix": key["prefix"],
        "last_four": key["last_four"],
        "scopes": key["scopes"],
        "mode": key["mode"],
        "enabled": key["enabled"],
        "allowed_cidrs": key.get("allowed_cidrs") or [],
        "created_at": rfc3339(key["created_at"]),
        "expires_at": rfc3339(valid_until) if valid_until else None,
        "last_used_at": rfc3339(last_used_at) if last_used_at else None,
    }


def _shown(secret: str) -> dict[str, str]:
    return {"prefix": secret[: secret.rindex("_") + 5], "last_four": secret[-4:]}


def allows(terms: Mapping[str, Any], ip: str) -> bool:
    """Whether a key with these terms may be used from an address (IPv6: from a /64)."""
    cidrs = terms.get("cidrs")
    if not cidrs:
        return True
    try:
        caller = ipaddress.ip_network(ip)
    except ValueError:  # not an address: in no network
        return False
    # Mixed families are never inside each other, which `subnet_of` says by raising.
    networks = (ipaddress.ip_network(cidr) for cidr in cidrs)
    return any(
        caller.version == network.version and caller.subnet_of(network)  # type: ignore[arg-type]
        for network in networks
    )


def _networks(cidrs: Sequence[str]) -> list[str]:
    """Networks in their canonical form; a bare address is its own network. Raises Problem 422."""
    found, errors = [], []
    for number, text in enumerate(cidrs):
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError:
            errors.append(FieldError(f"body.allowed_cidrs.{number}", "is not a network in CIDR"))
            continue
        if network.version == 6 and network.prefixlen > LONGEST_IPV6_PREFIX:
            errors.append(
                FieldError(f"body.allowed_cidrs.{number}", "must be a /64 or larger for IPv6")
            )
        found.append(str(network))
    if errors:
        raise Problem(
            "validation_failed", f"{errors[0].location}: {errors[0].message}", errors=errors
        )
    return sorted(set(found))


def _check_scopes(kind: KeyKind, scopes: Sequence[str]) -> None:
    if kind == "secret" and not scopes:
        raise invalid("body.scopes", "a secret key needs at least one scope")
    if kind == "publishable" and scopes:
        raise invalid("body.scopes", "a publishable key has no scopes")


def _expiry(expires_at: str | None, now: float) -> int:
    """Seconds since the epoch, 0 for never."""
    if expires_at is None:
        return 0
    moment = parse_rfc3339(expires_at)
    if moment is None or not now < moment <= now + MAX_LIFETIME_SECONDS:
        raise invalid("body.expires_at", "must be an RFC 3339 time within the next ten years")
    return int(moment)
