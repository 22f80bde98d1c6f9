"""The answer to a login or refresh: a fresh access token, and who it belongs to."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.signing_keys import SigningKeyStore
from imagelayer.identity.tokens import ACCESS_SECONDS, SigningKey, mint_access
from imagelayer.platform.frozen import frozen
from imagelayer.platform.times import rfc3339

if TYPE_CHECKING:
    from imagelayer.identity.records import DashboardSession, Organization, User


@frozen
class SessionTokens:
    """What a login or refresh hands out: the answer, and the refresh token with its lifetime."""

    answer: dict[str, Any]
    refresh_token: str
    lifetime_seconds: int


@frozen
class AccessTokens:
    """Issues access tokens."""

    organizations: OrganizationStore
    signing_keys: SigningKeyStore
    signing_key: Callable[[], SigningKey]
    issuer: str

    def issue(
        self,
        user: User,
        session: DashboardSession,
        now: float,
        organization: Organization | None = None,
    ) -> dict[str, Any]:
        """The answer with a fresh access token, whose public key is published before it is used.
        The organization is read unless it is given."""
        key = self.signing_key()
        self.signing_keys.publish_key(key.jwk)
        token = mint_access(
            key,
            issuer=self.issuer,
            user_id=user["id"],
            session_id=session["id"],
            token_id=secrets.token_urlsafe(16),
            now=now,
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            **self.describe(user, organization),
            "second_factor_required": bool(session.get("must_enrol")),
        }

    def describe(self, user: User, organization: Organization | None = None) -> dict[str, Any]:
        """A user and their organization, as the API shows them."""
        organization = organization or self.organizations.get_organization(user["org_id"])
        return {
            "user": {
                "id": user["id"],
                "email": user["email"],
                "name": user["name"],
                "email_verified": bool(user["verified_at"]),
                "two_factor_enabled": bool(user.get("totp")),
                "created_at": rfc3339(user["created_at"]),
            },
            "organization": {
                "id": user["org_id"],
                "name": organization["name"] if organization else "",
                "created_at": rfc3339(
                    organization["created_at"] if organization else user["created_at"]
                ),
            },
        }
