"""Builds the objects of the access domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.access.api_keys import ApiKeys
    from imagelayer.access.authentication import Authenticator
    from imagelayer.access.end_user_session_store import EndUserSessionStore
    from imagelayer.access.end_user_sessions import EndUserSessions
    from imagelayer.access.key_store import KeyStore
    from imagelayer.access.leaked_keys import LeakedKeys
    from imagelayer.access.offboarding import Offboarding


class AccessWiring(Part):
    """Who may call: API keys, sessions of end users, authentication."""

    @cached_property
    def end_user_session_store(self) -> EndUserSessionStore:
        from imagelayer.access.end_user_session_store import EndUserSessionStore
        from imagelayer.limits.wiring import LimitsWiring

        return EndUserSessionStore(
            self.platform.client("dynamodb"),
            self.platform.table("SESSIONS_TABLE"),
            self.part(LimitsWiring).tats,
        )

    @cached_property
    def key_store(self) -> KeyStore:
        from imagelayer.access.key_store import KeyStore
        from imagelayer.limits.wiring import LimitsWiring

        return KeyStore(
            self.platform.client("dynamodb"),
            self.platform.table("KEYS_TABLE"),
            self.part(LimitsWiring).tats,
        )

    @cached_property
    def authenticator(self) -> Authenticator:
        """Who calls."""
        from imagelayer.access.authentication import Authenticator
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.wiring import IdentityWiring
        from imagelayer.limits.wiring import LimitsWiring

        return Authenticator(
            self.key_store,
            self.part(IdentityWiring).session_store,
            self.part(IdentityWiring).signing_keys,
            self.end_user_session_store,
            self.part(LimitsWiring).counters,
            self.part(AuditWiring).security,
            self.platform.settings.base_url,
        )

    @cached_property
    def end_user_sessions(self) -> EndUserSessions:
        """Sessions of the customers' own users."""
        from imagelayer.access.end_user_sessions import EndUserSessions
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.wiring import IdentityWiring

        return EndUserSessions(
            store=self.end_user_session_store,
            keys=self.key_store,
            signing_keys=self.part(IdentityWiring).signing_keys,
            security=self.part(AuditWiring).security,
            signing_key=self.part(IdentityWiring).signing_key,
            issuer=self.platform.settings.base_url,
        )

    @cached_property
    def api_keys(self) -> ApiKeys:
        """The life of API keys."""
        from imagelayer.access.api_keys import ApiKeys
        from imagelayer.audit.wiring import AuditWiring

        return ApiKeys(
            self.key_store,
            self.end_user_session_store,
            self.platform.outbox,
            self.part(AuditWiring).security,
            self._derivation_key,
        )

    def _derivation_key(self) -> bytes:
        secret: str = self.platform.secrets.read(
            self.platform.settings.need("DERIVATION_SECRET_ID")
        )["key"]
        return secret.encode()

    @cached_property
    def offboarding(self) -> Offboarding:
        """Departures of members."""
        from imagelayer.access.offboarding import Offboarding
        from imagelayer.identity.wiring import IdentityWiring
        from imagelayer.webhooks.wiring import WebhooksWiring

        return Offboarding(
            self.part(IdentityWiring).members.remove_member,
            self.key_store,
            self.part(WebhooksWiring).webhook_store,
        )

    @cached_property
    def leaked_keys(self) -> LeakedKeys:
        """Keys found in public."""
        from imagelayer.access.leaked_keys import LeakedKeys
        from imagelayer.access.secret_scanning import ScannerKeys
        from imagelayer.audit.wiring import AuditWiring

        scanner = ScannerKeys(
            self.platform.http, self.platform.settings.secret_scanning_url, self.platform.clock
        )
        return LeakedKeys(
            self.key_store,
            self.end_user_session_store,
            self.platform.outbox,
            self.part(AuditWiring).security,
            scanner.find,
        )
