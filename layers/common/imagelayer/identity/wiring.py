"""Builds what identity is made of."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.identity.email_policy import DomainLists
    from imagelayer.identity.login import Login
    from imagelayer.identity.members import Members
    from imagelayer.identity.password_changes import PasswordChanges
    from imagelayer.identity.passwords import PepperSource
    from imagelayer.identity.reauthentication import Reauthentication
    from imagelayer.identity.registration import Registration
    from imagelayer.identity.second_factor import SecondFactor, Verifier
    from imagelayer.identity.secret_rotation import Rotation
    from imagelayer.identity.session_store import SessionStore
    from imagelayer.identity.sessions import Sessions
    from imagelayer.identity.store import AccountStore
    from imagelayer.identity.tokens import SigningKey


class IdentityWiring(Part):
    """People and organizations: sign-up, login, second factor, members."""

    @cached_property
    def account_store(self) -> AccountStore:
        from imagelayer.identity.store import AccountStore

        return AccountStore(self.platform.client("dynamodb"), self.platform.table("ACCOUNTS_TABLE"))

    @cached_property
    def session_store(self) -> SessionStore:
        from imagelayer.identity.session_store import SessionStore
        from imagelayer.limits.wiring import LimitsWiring

        return SessionStore(self.platform.table("SESSIONS_TABLE"), self.part(LimitsWiring).tats)

    @cached_property
    def _domains(self) -> DomainLists:
        from imagelayer.identity.email_policy import DomainLists

        return DomainLists.read(
            self.platform.settings.environment.get("ALLOWED_EMAIL_DOMAINS", ""),
            self.platform.settings.environment.get("DENIED_EMAIL_DOMAINS", ""),
        )

    @property
    def _bcrypt_cost(self) -> int:
        return self.platform.settings.number("BCRYPT_COST", 12)

    @cached_property
    def registration(self) -> Registration:
        """Sign-up, confirmation, invitations that are accepted."""
        import urllib3

        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.registration import Registration
        from imagelayer.identity.turnstile import Turnstile
        from imagelayer.limits.wiring import LimitsWiring

        turnstile = Turnstile(
            http=urllib3.PoolManager(),
            url=self.platform.settings.turnstile_url,
            secret=lambda: self.platform.secrets.read(
                self.platform.settings.need("TURNSTILE_SECRET_ID")
            )["secret"],
            hostnames=[
                name.strip()
                for name in self.platform.settings.need("TURNSTILE_HOSTNAMES").split(",")
            ],
            action="register",
            allow_test_secrets=self.platform.settings.is_local,
            alarm=lambda: self.platform.count("CaptchaMisconfigured"),
        )
        return Registration(
            accounts=self.account_store,
            counters=self.part(LimitsWiring).counters,
            outbox=self.platform.outbox,
            turnstile=turnstile,
            security=self.part(AuditWiring).security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
            daily_cap=self.platform.settings.number("REGISTRATIONS_PER_IP_PER_DAY", 10),
            domains=self._domains,
        )

    @cached_property
    def sessions(self) -> Sessions:
        """Sessions that end together with what they rest on."""
        from imagelayer.identity.sessions import Sessions

        return Sessions(self.account_store, self.session_store)

    @cached_property
    def _reauthentication(self) -> Reauthentication:
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.reauthentication import Reauthentication
        from imagelayer.limits.wiring import LimitsWiring

        return Reauthentication(
            self.account_store,
            self.part(LimitsWiring).counters,
            self.part(AuditWiring).security,
            self._peppers,
            self._bcrypt_cost,
        )

    @cached_property
    def _verifier(self) -> Verifier:
        from imagelayer.identity.second_factor import Verifier
        from imagelayer.limits.wiring import LimitsWiring

        return Verifier(self.part(LimitsWiring).counters, self._peppers)

    @cached_property
    def login(self) -> Login:
        """Logins and their sessions."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.login import Login
        from imagelayer.limits.wiring import LimitsWiring

        return Login(
            accounts=self.account_store,
            sessions=self.session_store,
            ended=self.sessions,
            counters=self.part(LimitsWiring).counters,
            verifier=self._verifier,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            peppers=self._peppers,
            signing_key=self.signing_key,
            bcrypt_cost=self._bcrypt_cost,
            issuer=self.platform.settings.base_url,
        )

    @cached_property
    def password_changes(self) -> PasswordChanges:
        """New passwords."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.password_changes import PasswordChanges

        return PasswordChanges(
            accounts=self.account_store,
            sessions=self.sessions,
            passwords=self._reauthentication,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
        )

    @cached_property
    def second_factor(self) -> SecondFactor:
        """The second factor, set up and taken down."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.second_factor import SecondFactor

        return SecondFactor(
            accounts=self.account_store,
            sessions=self.sessions,
            passwords=self._reauthentication,
            verifier=self._verifier,
            security=self.part(AuditWiring).security,
            outbox=self.platform.outbox,
            peppers=self._peppers,
        )

    @cached_property
    def members(self) -> Members:
        """The organization and who belongs to it."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.members import Members
        from imagelayer.limits.wiring import LimitsWiring

        return Members(
            accounts=self.account_store,
            sessions=self.sessions,
            events=self.part(AuditWiring).event_store,
            counters=self.part(LimitsWiring).counters,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            domains=self._domains,
        )

    @cached_property
    def signing_rotation(self) -> Rotation:
        """New signing keys."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.secret_rotation import signing_rotation

        return signing_rotation(
            self.platform.secrets, self.session_store, self.part(AuditWiring).security
        )

    @cached_property
    def pepper_rotation(self) -> Rotation:
        """New peppers."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.secret_rotation import pepper_rotation

        return pepper_rotation(self.platform.secrets, self.part(AuditWiring).security)

    @cached_property
    def _peppers(self) -> PepperSource:
        from imagelayer.identity.passwords import Peppers
        from imagelayer.platform.key_ring import StoredKeyRing

        return StoredKeyRing(
            Peppers, self.platform.secrets, self.platform.settings.need("PEPPER_SECRET_ID")
        )

    def signing_key(self) -> SigningKey:
        from imagelayer.identity.tokens import signing_key

        return signing_key(
            self.platform.secrets.read(self.platform.settings.need("SIGNING_SECRET_ID"))["seed"]
        )
