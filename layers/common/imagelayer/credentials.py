"""Turns an Authorization header into a Principal, metering the call in the same write."""

from __future__ import annotations

from dataclasses import dataclass

from imagelayer import api_keys
from imagelayer.endpoints import Endpoint
from imagelayer.errors import Problem
from imagelayer.principals import Origin, Principal
from imagelayer.rate_limits import POLICIES, Admission
from imagelayer.security_events import SecurityLog
from imagelayer.stores.counters import CounterStore, GuardFailed
from imagelayer.stores.keys import KeyStore
from imagelayer.stores.sessions import SessionStore

MAX_CREDENTIAL_LENGTH = 2048


@dataclass(frozen=True)
class Credentials:
    """Both kinds of credential: API keys and dashboard access tokens."""

    keys: KeyStore
    sessions: SessionStore
    counters: CounterStore
    security: SecurityLog
    issuer: str

    def identify(
        self, authorization: str | None, endpoint: Endpoint, origin: Origin, now: float
    ) -> tuple[Principal, Admission]:
        """Authenticate and meter. Raises Problem 401 or 403, Limited, or StoreUnavailable."""
        scheme, _, credential = (authorization or "").partition(" ")
        try:
            if scheme.lower() != "bearer" or not credential:
                raise Refused("missing")
            if len(credential) > MAX_CREDENTIAL_LENGTH:
                raise Refused("too long")
            if credential.startswith("il_"):
                principal, admission = self._key(credential, endpoint, now)
            else:
                principal, admission = self._access_token(credential, endpoint, now)
        except Refused as refused:
            # Guessing is metered per address, on top of what the endpoint allows.
            self.counters.admit(origin.ip, POLICIES["bad-credential"], int(now * 1000))
            self.security.record("auth.credential_refused", "denied", origin, reason=refused.reason)
            raise Problem(
                "unauthenticated",
                "Send a valid API key or access token as a Bearer.",
                reason=refused.reason,
            ) from None
        if endpoint.auth not in ("user_or_key", principal.kind):
            self.security.record(
                "authz.denied",
                "denied",
                origin,
                org_id=principal.org_id,
                actor=principal.actor,
                reason=f"{endpoint.auth} only",
            )
            needed = "an API key" if endpoint.auth == "key" else "a dashboard login"
            raise Problem("insufficient_scope", f"This needs {needed}.")
        return principal, admission

    def _key(self, secret: str, endpoint: Endpoint, now: float) -> tuple[Principal, Admission]:
        if not api_keys.is_well_formed(secret):
            raise Refused("malformed key")
        secret_hash = api_keys.hash_secret(secret)
        try:
            item, admission = self.keys.admit(secret_hash, endpoint.policy, now)
        except GuardFailed as failure:
            raise Refused("expired key" if failure.item else "unknown key") from None
        return (
            Principal(
                kind="key",
                org_id=item["org_id"],
                actor=item["key_id"],
                scopes=frozenset(item["scopes"]),
                mode=item["mode"],
                secret_hash=secret_hash,
            ),
            admission,
        )

    def _access_token(
        self, token: str, endpoint: Endpoint, now: float
    ) -> tuple[Principal, Admission]:
        from imagelayer import tokens

        try:
            claims = tokens.verify_access(
                token, self.sessions.public_key, issuer=self.issuer, now=now
            )
        except tokens.TokenRefused as refusal:
            raise Refused(refusal.reason) from None
        try:
            item, admission = self.sessions.admit(claims.session_id, endpoint.policy, now)
        except GuardFailed:
            raise Refused("ended session") from None
        if item["user_id"] != claims.user_id:
            raise Refused("session of another user")
        return (
            Principal(
                kind="user",
                org_id=item["org_id"],
                actor=item["user_id"],
                scopes=frozenset(),
                role=item["role"],
                session_id=claims.session_id,
            ),
            admission,
        )


class Refused(Exception):
    """A credential that is not accepted; `reason` is for the log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
