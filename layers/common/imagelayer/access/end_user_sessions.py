"""Session tokens for the customers' own users: minted by the customer's server, short, revocable.

The API key stays on the server. A browser gets a token for one end user, with some of the key's
scopes, for some origins, for an hour at most, and optionally for so many generations and no more.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, get_args

from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.key_store import KeyStore
from imagelayer.access.scopes import EndUserScope
from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.identity.tokens import SigningKey, mint_end_user
from imagelayer.platform.errors import FieldError, Problem, invalid, not_found
from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import Created, IdempotencyRecord
from imagelayer.platform.ids import is_id, new_id
from imagelayer.platform.principals import Origin, Principal
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.access.records import EndUserSession

END_USER_SCOPES: tuple[EndUserScope, ...] = get_args(EndUserScope.__value__)
# An origin as browsers send it (RFC 6454 §7): lower case, no path, no default port.
_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]{1,253}|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@frozen
class EndUserSessions:
    """The use cases of end users' sessions."""

    store: EndUserSessionStore
    keys: KeyStore
    signing_keys: SigningKeyStore
    security: SecurityLog
    signing_key: Callable[[], SigningKey]
    issuer: str

    def create_end_user_session(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        end_user_id: str,
        scopes: Sequence[EndUserScope] | None,
        expires_in: int,
        allowed_origins: Sequence[str],
        max_generations: int | None,
        idempotency: IdempotencyRecord | None = None,
    ) -> Created:
        """A token for one end user. Raises Problem 401, 404 or 422.

        The session is written first, and the secret that minted it is read after that. A key that
        is revoked, or rotated without a grace period, loses the secret first and has its sessions
        searched after that: either the search finds the session, or this finds the secret gone and
        takes the session back. No session outlives its key.
        """
        granted = _granted(principal, scopes)
        _check_origins(allowed_origins)
        expires_at = int(now) + expires_in
        if principal.valid_until:
            expires_at = min(expires_at, principal.valid_until)
        key = self.signing_key()
        self.signing_keys.publish_key(key.jwk)
        token_id = secrets.token_urlsafe(16)
        session: EndUserSession = {
            "id": new_id("eus", now),
            "org_id": principal.org_id,
            "key_id": principal.actor,
            "end_user_id": end_user_id,
            "scopes": granted,
            "mode": principal.mode,
            "allowed_origins": list(allowed_origins),
            "max_generations": max_generations,
            "generations": 0,
            "created_at": int(now),
            "expires_at": expires_at,
            "token_id": token_id,
        }
        record = idempotency and idempotency.creating(
            session_id=session["id"], end_user_id=end_user_id, expires_at=expires_at
        )
        earlier = self.store.create_session(session, record)
        if earlier is not None:
            found = self.store.get_session(
                principal.org_id,
                earlier["end_user_id"],
                earlier["session_id"],
                earlier["expires_at"],
            )
            if found is None or found["expires_at"] <= now:
                raise not_found("session")
            return Created(self._view(found, key), replayed=True)
        if not self.keys.is_secret_valid(principal.secret_hash, int(now)):
            self.store.end_session(session)
            raise Problem("unauthenticated", "The key was revoked.")
        self.security.by(principal, origin).record("session.minted", reason=session["id"])
        return Created(self._view(session, key))

    def _view(self, session: EndUserSession, key: SigningKey) -> dict[str, Any]:
        """A session with its token, which says the same whenever it is signed."""
        return {
            "id": session["id"],
            "session_token": mint_end_user(
                key,
                issuer=self.issuer,
                org_id=session["org_id"],
                end_user_id=session["end_user_id"],
                session_id=session["id"],
                expires_at=session["expires_at"],
                token_id=session["token_id"],
                now=session["created_at"],
            ),
            "end_user_id": session["end_user_id"],
            "scopes": session["scopes"],
            "allowed_origins": session["allowed_origins"],
            "max_generations": session.get("max_generations"),
            "expires_at": rfc3339(session["expires_at"]),
        }

    def revoke_end_user_sessions(
        self,
        principal: Principal,
        origin: Origin,
        now: float,
        *,
        end_user_id: str | None,
        key_id: str | None,
        all_sessions: bool,
    ) -> dict[str, Any]:
        """End the unexpired sessions of an end user, of a key, or of the organization.

        Raises Problem 404 or 422. The next call finishes one that died half way.
        """
        if [end_user_id is not None, key_id is not None, all_sessions].count(True) != 1:
            raise invalid("body", "must have exactly one of end_user_id, key_id and all")
        org_id = principal.org_id
        if end_user_id is not None:
            revoked = self.store.end_sessions_of_end_user(org_id, end_user_id, int(now))
            what = "end user"
        elif key_id is not None:
            if not (is_id("key", key_id) and self.keys.has_key(org_id, key_id)):
                raise not_found("key")
            revoked = self.store.end_sessions_of_key(org_id, key_id, int(now))
            what = key_id
        else:
            revoked = self.store.end_all_sessions(org_id, int(now))
            what = "all"
        log = self.security.by(principal, origin)
        log.record("session.revoked", reason=f"{what}: {revoked}")
        return {"revoked": revoked}


def is_allowed_origin(session: EndUserSession, presented: str | None) -> bool:
    """Whether a call that names `presented` as its origin may use a session.

    A session without a list may be used from anywhere. With one, a call must say where it comes
    from, which browsers always do across origins, and it must be on the list to the letter.
    """
    return not session["allowed_origins"] or presented in session["allowed_origins"]


def _granted(principal: Principal, asked: Sequence[EndUserScope] | None) -> list[EndUserScope]:
    """Scopes that the key itself has and that may be handed on."""
    may = [scope for scope in END_USER_SCOPES if scope in principal.scopes]
    if asked is None:
        if not may:
            raise invalid("body.scopes", "the key has no scope that an end user may have")
        return list(may)
    beyond = [scope for scope in asked if scope not in may]
    if beyond:
        raise Problem(
            "validation_failed",
            "body.scopes: the key does not have all of these scopes itself",
            errors=[
                FieldError(f"body.scopes.{list(asked).index(scope)}", "is not a scope of the key")
                for scope in beyond
            ],
        )
    return sorted(set(asked))


def _check_origins(origins: Sequence[str]) -> None:
    for number, each in enumerate(origins):
        if not _is_origin(each):
            raise invalid(
                f"body.allowed_origins.{number}",
                "must be an origin such as https://shop.example, without a path or the default "
                "port; http for localhost alone",
            )


def _is_origin(text: str) -> bool:
    """Whether a browser could send it; any other would never match and promise what is not so."""
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return False
    scheme, host, port = match[1], match[2], int((match[3] or ":0")[1:])
    if port == _DEFAULT_PORTS[scheme] or port > 65_535:
        return False
    return scheme == "https" or host in _LOOPBACK
