"""Builds the objects of the identity domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.identity.access_tokens import AccessTokens
    from imagelayer.identity.email_policy import DomainLists
    from imagelayer.identity.invitations import Invitations
    from imagelayer.identity.login import Login
    from imagelayer.identity.members import Members
    from imagelayer.identity.organization_store import OrganizationStore
    from imagelayer.identity.owners import Owners
    from imagelayer.identity.password_changes import PasswordChanges
    from imagelayer.identity.passwords import PepperSource
    from imagelayer.identity.reauthentication import Reauthentication
    from imagelayer.identity.registration import Registration
    from imagelayer.identity.second_factor import SecondFactor, Verifier
    from imagelayer.identity.secret_rotation import Rotation
    from imagelayer.identity.session_store import SessionStore
    from imagelayer.identity.sessions import Sessions
    from imagelayer.identity.signing_keys import SigningKeyStore
    from imagelayer.identity.store import AccountStore
    from imagelayer.identity.tokens import SigningKey
    from imagelayer.identity.user_changes import UserChanges


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
    def organization_store(self) -> OrganizationStore:
        from imagelayer.identity.organization_store import OrganizationStore

        return OrganizationStore(
            self.platform.client("dynamodb"), self.platform.table("ACCOUNTS_TABLE")
        )

    @cached_property
    def signing_keys(self) -> SigningKeyStore:
        from imagelayer.identity.signing_keys import SigningKeyStore

        return SigningKeyStore(self.platform.table("SIGNING_KEYS_TABLE"), self.platform.clock)

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
        """Sign-up, confirmation, acceptance of invitations."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.registration import Registration
        from imagelayer.identity.turnstile import Turnstile
        from imagelayer.limits.wiring import LimitsWiring

        turnstile = Turnstile(
            http=self.platform.http,
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
            organizations=self.organization_store,
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
    def _user_changes(self) -> UserChanges:
        from imagelayer.identity.user_changes import UserChanges

        return UserChanges(self.account_store, self.session_store)

    @cached_property
    def _access_tokens(self) -> AccessTokens:
        from imagelayer.identity.access_tokens import AccessTokens

        return AccessTokens(
            self.organization_store,
            self.signing_keys,
            self.signing_key,
            self.platform.settings.base_url,
        )

    @cached_property
    def sessions(self) -> Sessions:
        """Dashboard sessions after their login."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.sessions import Sessions

        return Sessions(
            accounts=self.account_store,
            sessions=self.session_store,
            user_changes=self._user_changes,
            access_tokens=self._access_tokens,
            security=self.part(AuditWiring).security,
        )

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
        """Logins."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.login import Login
        from imagelayer.limits.wiring import LimitsWiring

        return Login(
            accounts=self.account_store,
            organizations=self.organization_store,
            sessions=self.session_store,
            user_changes=self._user_changes,
            access_tokens=self._access_tokens,
            counters=self.part(LimitsWiring).counters,
            verifier=self._verifier,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
            end_replaced=self.sessions.end_replaced,
        )

    @cached_property
    def password_changes(self) -> PasswordChanges:
        """New passwords."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.password_changes import PasswordChanges

        return PasswordChanges(
            accounts=self.account_store,
            organizations=self.organization_store,
            user_changes=self._user_changes,
            reauthentication=self._reauthentication,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            peppers=self._peppers,
            bcrypt_cost=self._bcrypt_cost,
        )

    @cached_property
    def second_factor(self) -> SecondFactor:
        """The second factor: set up, renewed, removed."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.second_factor import SecondFactor

        return SecondFactor(
            accounts=self.account_store,
            organizations=self.organization_store,
            sessions=self.session_store,
            user_changes=self._user_changes,
            reauthentication=self._reauthentication,
            verifier=self._verifier,
            security=self.part(AuditWiring).security,
            outbox=self.platform.outbox,
            peppers=self._peppers,
        )

    @cached_property
    def members(self) -> Members:
        """The organization and its members."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.members import Members

        return Members(
            accounts=self.account_store,
            organizations=self.organization_store,
            user_changes=self._user_changes,
            security=self.part(AuditWiring).security,
        )

    @cached_property
    def invitations(self) -> Invitations:
        """Invitations into the organization."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.invitations import Invitations
        from imagelayer.limits.wiring import LimitsWiring

        return Invitations(
            organizations=self.organization_store,
            counters=self.part(LimitsWiring).counters,
            outbox=self.platform.outbox,
            security=self.part(AuditWiring).security,
            domains=self._domains,
        )

    @cached_property
    def owners(self) -> Owners:
        """Sign-ups that the operator makes."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.identity.owners import Owners

        return Owners(
            accounts=self.account_store,
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
            self.platform.secrets, self.signing_keys, self.part(AuditWiring).security
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
