"""Shapes of what identity answers.

Apart from `schemas`, because only the API description reads them: a request builds none of them.
"""

from __future__ import annotations

from typing import Literal

from imagelayer.api.schemas import Answer, Timestamp, Url
from imagelayer.platform.principals import Mode, Role


class RegisterAnswer(Answer):
    """Always the same, whether or not the address has an account; the mail differs."""

    status: Literal["verification_sent"] = "verification_sent"
    """Always `verification_sent`."""


class VerifyEmailAnswer(Answer):
    """The account exists and its address is verified; log in next."""

    status: Literal["verified"] = "verified"
    """Always `verified`."""


class ForgotPasswordAnswer(Answer):
    """Always the same, whether or not the address has an account."""

    status: Literal["reset_sent"] = "reset_sent"
    """Always `reset_sent`."""


class AcceptInvitationAnswer(Answer):
    """The account exists and its address is verified; log in next."""

    status: Literal["joined"] = "joined"
    """Always `joined`."""


class User(Answer):
    """A person."""

    id: str
    email: str
    name: str
    email_verified: bool
    """Whether the address is verified. Always true: an account is created by verifying it."""
    two_factor_enabled: bool
    """Whether logging in requires a second factor."""
    created_at: Timestamp


class Organization(Answer):
    """An organization."""

    id: str
    name: str
    created_at: Timestamp


class LoginAnswer(Answer):
    """An access token; the refresh token travels in an HttpOnly cookie only."""

    access_token: str
    """Send it as `Authorization: Bearer`."""
    token_type: Literal["Bearer"]
    """How to send it."""
    expires_in: int
    """Seconds until the access token expires."""
    user: User
    organization: Organization
    second_factor_required: bool
    """The organization requires a second factor: until it is set up, only that is possible."""


class MeAnswer(Answer):
    """The user the access token belongs to."""

    user: User
    organization: Organization
    role: Role
    """What the member can do; docs/permissions.md."""


class DashboardSession(Answer):
    """One of your dashboard sessions."""

    id: str
    current: bool
    """Whether this is the session making the request."""
    client: str
    """The browser and system, as its user agent gives them."""
    ip: str
    """The address it was last refreshed from."""
    created_at: Timestamp
    refreshed_at: Timestamp
    """When it was last used to get an access token."""
    expires_at: Timestamp


class DashboardSessionList(Answer):
    """All sessions, newest first. They always fit on one page."""

    data: list[DashboardSession]
    """All of the user's sessions, newest first."""
    next_cursor: str | None
    """Always null."""


class TotpEnrolment(Answer):
    """What an authenticator needs (RFC 6238: SHA-1, six digits, 30 seconds); shown once."""

    secret: str
    """To type in, base32."""
    otpauth_uri: Url
    """For an authenticator on this device."""
    qr_svg: str
    """The same as a QR code, an SVG document; show it as an image."""
    expires_at: Timestamp


class RecoveryCodeSet(Answer):
    """Each code replaces the second factor once. Shown once."""

    recovery_codes: list[str]
    """Ten codes; each works once."""


class OrganizationDetails(Organization):
    """An organization with its settings."""

    owners_need_second_factor: bool
    """Whether owners must have a second factor."""


class Member(Answer):
    """A member of the organization; `id` is the user's."""

    id: str
    email: str
    name: str
    role: Role
    """What the member can do; docs/permissions.md."""
    two_factor_enabled: bool
    """Whether logging in requires a second factor."""
    joined_at: Timestamp
    """When the member joined."""


class RemainingKey(Answer):
    """An API key that a removed member created, or was shown when rotating it."""

    id: str
    name: str
    mode: Mode
    enabled: bool
    """Whether it works."""


class RemainingWebhook(Answer):
    """A webhook endpoint that a removed member created, or one of their keys."""

    id: str
    description: str
    """Your own note."""
    enabled: bool
    """Whether it receives events."""


class RemovedMember(Answer):
    """What a removed member leaves behind that goes on working. Rotate or revoke what they should
    not know the secret of."""

    id: str
    """The member who was removed."""
    keys: list[RemainingKey]
    """The API keys that they created or rotated last."""
    webhooks: list[RemainingWebhook]
    """The webhook endpoints that they, or those keys, created."""


class MemberList(Answer):
    """A page of members."""

    data: list[Member]
    next_cursor: str | None


class Invitation(Answer):
    """A pending invitation."""

    id: str
    email: str
    role: Role
    """The role the invited person gets."""
    invited_by: str
    """The member who sent it."""
    created_at: Timestamp
    expires_at: Timestamp


class InvitationList(Answer):
    """A page of invitations."""

    data: list[Invitation]
    next_cursor: str | None
