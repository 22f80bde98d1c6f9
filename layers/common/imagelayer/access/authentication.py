"""Who is calling, and whether they may: an Authorization header becomes a Principal.

One write authenticates the credential and meters the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import replace
from typing import TYPE_CHECKING, cast

from imagelayer.access import key_secrets
from imagelayer.access.authorization import denial
from imagelayer.access.bearer import CredentialRefused, credential
from imagelayer.access.end_user_session_store import EndUserSessionStore
from imagelayer.access.key_networks import allows
from imagelayer.access.key_store import KeyStore, is_unaltered, is_valid
from imagelayer.access.permissions import ROLE_SCOPES
from imagelayer.api.route import Route
from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.limits.counters import CounterStore, GuardFailed
from imagelayer.limits.rate_limits import POLICIES, Admission, Policy
from imagelayer.platform.errors import Problem
from imagelayer.platform.frozen import field, frozen
from imagelayer.platform.principals import EndUser, Origin, Principal
from imagelayer.platform.recent import Recent

if TYPE_CHECKING:
    from imagelayer.access.records import KeySecret
    from imagelayer.identity.tokens import EndUserClaims

# A widget sends its publishable key beside the end user's session token.
PUBLISHABLE_HEADER = "x-imagelayer-key"
# One text whatever is wrong with it: another would tell that a stranger's key exists.
WRONG_PUBLISHABLE = f"{PUBLISHABLE_HEADER} is not a valid publishable key of this organization."
# RFC 6750 §3: no error code when the request carried no credential.
NO_CREDENTIAL = 'Bearer realm="imagelayer"'
# How often an address past its limit of refused credentials may still have one looked up that is
# unknown to this process: a flood costs next to nothing, and keeps no neighbor out for good.
LOOKUP_MS = 1000
REMEMBERED_ADDRESSES = 4096


@frozen
class Authenticator:
    """All kinds of credential: API keys, dashboard access tokens, end users' session tokens."""

    keys: KeyStore
    sessions: SessionStore
    signing_keys: SigningKeyStore
    end_user_sessions: EndUserSessionStore
    counters: CounterStore
    security: SecurityLog
    issuer: str
    # When this process last looked up something unknown for an address past its limit.
    lookups_ms: Recent[tuple[str, str], int] = field(
        default_factory=lambda: Recent(REMEMBERED_ADDRESSES)
    )

    def check(
        self, headers: Mapping[str, str], route: Route, origin: Origin, now: float
    ) -> tuple[Principal, Admission]:
        """Authenticate, meter and authorize a call.

        Raises Problem 401 or 403, with the fields of the limits that counted the call, Limited, or
        StoreUnavailable.
        """
        principal, admission = self._identify(headers, route, origin, now)
        denied = denial(principal, route)
        if denied is not None:
            self.security.by(principal, origin).record(
                "authz.denied", "denied", reason=denied.reason
            )
            raise denied.problem.carrying(admission.headers())
        return principal, admission

    def _identify(
        self, headers: Mapping[str, str], route: Route, origin: Origin, now: float
    ) -> tuple[Principal, Admission]:
        counted: dict[str, str] = {}
        try:
            sent = credential(headers)
            if sent.startswith("il_"):
                return self._key(sent, route, origin, now)
            return self._token(sent, headers, route, origin, now)
        except CredentialRefused as refused:
            # Guessing is metered per address, on top of the route's own limit.
            if refused.absent:
                counted["WWW-Authenticate"] = NO_CREDENTIAL
            else:
                counted |= self._count_refused(origin, now).headers()
            self.security.record("auth.credential_refused", "denied", origin, reason=refused.reason)
            raise Problem(
                "unauthenticated", refused.detail, reason=refused.reason, headers=counted
            ) from None

    def _count_refused(self, origin: Origin, now: float) -> Admission:
        """Count a credential that was refused against its address. Raises Limited."""
        return self.counters.admit(origin.ip, POLICIES["bad-credential"], int(now * 1000))

    def _key(
        self, secret: str, route: Route, origin: Origin, now: float
    ) -> tuple[Principal, Admission]:
        secret_hash = key_secrets.hash_secret(secret)
        item, admission = self._admit(secret_hash, route.policy, origin, now)
        return (
            Principal(
                kind="key",
                org_id=item["org_id"],
                actor=item["key_id"],
                scopes=frozenset(item["scopes"]),
                mode=item["mode"],
                secret_hash=secret_hash,
                valid_until=item["valid_until"],
                default_brand_id=item.get("terms", {}).get("brand"),
            ),
            admission,
        )

    def _admit(
        self, secret_hash: str, policy: Policy, origin: Origin, now: float
    ) -> tuple[KeySecret, Admission]:
        """Meter a call of a secret. Raises CredentialRefused, or Problem 403 for its address."""
        if not self.keys.knows(secret_hash):
            self._slow_down("key", origin, now)
        try:
            return self.keys.admit(secret_hash, policy, now, lambda terms: allows(terms, origin.ip))
        except GuardFailed as failure:
            item = cast("KeySecret | None", failure.item)
        if item is None:
            raise CredentialRefused("unknown key")
        if not is_unaltered(item):
            raise CredentialRefused("altered key")
        if item.get("disabled"):
            raise CredentialRefused("disabled key")
        if not is_valid(item, int(now)):
            raise CredentialRefused("expired key")
        # Counted per address, like a wrong key: it must not use up the owner's limit.
        counted = self._count_refused(origin, now).headers()
        self.security.record(
            "authz.address_denied",
            "denied",
            origin,
            org_id=item["org_id"],
            actor=item["key_id"],
        )
        raise Problem(
            "address_not_allowed", "This key may not be used from this address.", headers=counted
        )

    def _slow_down(self, what: str, origin: Origin, now: float) -> None:
        """Keep an address that is past its limit of refused credentials from looking up more.

        It is asked before the look-up and from memory, so that a flood of made-up credentials makes
        no calls. Credentials that this process knows are not affected. Raises Limited.
        """
        now_ms = int(now * 1000)
        limited = self.counters.remembered_denial(origin.ip, POLICIES["bad-credential"], now_ms)
        if limited is None:
            return
        if now_ms - self.lookups_ms.get((what, origin.ip), 0) < LOOKUP_MS:
            raise limited
        self.lookups_ms.keep((what, origin.ip), now_ms)

    def _check_publishable(self, key: str, org_id: str, origin: Origin, now: float) -> None:
        """x-imagelayer-key must be a valid publishable key of the same organization."""
        try:
            if not (key.startswith(key_secrets.PUBLISHABLE) and key_secrets.is_well_formed(key)):
                raise CredentialRefused("malformed publishable key")
            item, _ = self._admit(
                key_secrets.hash_secret(key), POLICIES["publishable-key"], origin, now
            )
            if item["org_id"] != org_id:
                raise CredentialRefused("foreign publishable key")
        except CredentialRefused as refused:
            raise CredentialRefused(refused.reason, WRONG_PUBLISHABLE) from None

    def _token(
        self,
        token: str,
        headers: Mapping[str, str],
        route: Route,
        origin: Origin,
        now: float,
    ) -> tuple[Principal, Admission]:
        """The type that a token claims chooses its verification, which then checks the claim."""
        from imagelayer.identity import tokens

        def public_key(kid: str) -> Mapping[str, str] | None:
            if not self.signing_keys.knows(kid):
                self._slow_down("signing key", origin, now)
            return self.signing_keys.public_key(kid)

        try:
            if tokens.token_type(token) == tokens.END_USER_TYPE:
                claims = tokens.verify_end_user(token, public_key, issuer=self.issuer, now=now)
                return self._end_user(claims, headers, route, origin, now)
            access = tokens.verify_access(token, public_key, issuer=self.issuer, now=now)
        except tokens.TokenRefused as refusal:
            raise CredentialRefused(refusal.reason) from None
        try:
            item, admission = self.sessions.admit(
                access.user_id, access.session_id, route.policy, now
            )
        except GuardFailed:
            raise CredentialRefused("ended session") from None
        return (
            Principal(
                kind="user",
                org_id=item["org_id"],
                actor=item["user_id"],
                scopes=ROLE_SCOPES.get(item["role"], frozenset()),
                role=item["role"],
                session_id=access.session_id,
                must_enrol=bool(item.get("must_enrol")),
            ),
            admission,
        )

    def _end_user(
        self,
        claims: EndUserClaims,
        headers: Mapping[str, str],
        route: Route,
        origin: Origin,
        now: float,
    ) -> tuple[Principal, Admission]:
        from imagelayer.access.end_user_sessions import is_allowed_origin

        end_user = EndUser(claims.end_user_id, claims.session_id, claims.expires_at)
        try:
            item, admission = self.end_user_sessions.admit(
                claims.org_id, end_user, route.policy, now
            )
        except GuardFailed:
            raise CredentialRefused("ended session") from None
        presented_origin = headers.get("origin")
        if not is_allowed_origin(item, presented_origin):
            self.security.record(
                "authz.origin_denied",
                "denied",
                origin,
                org_id=item["org_id"],
                actor=item["id"],
                reason="another origin" if presented_origin else "no origin",
            )
            raise Problem(
                "origin_not_allowed",
                "This session may not be used from this origin.",
                headers=admission.headers(),
            )
        if PUBLISHABLE_HEADER in headers:
            self._check_publishable(headers[PUBLISHABLE_HEADER], item["org_id"], origin, now)
        return (
            Principal(
                kind="end_user",
                org_id=item["org_id"],
                actor=item["id"],
                scopes=frozenset(item["scopes"]),
                mode=item["mode"],
                end_user=replace(
                    end_user, max_generations=item.get("max_generations"), key_id=item["key_id"]
                ),
            ),
            admission,
        )
