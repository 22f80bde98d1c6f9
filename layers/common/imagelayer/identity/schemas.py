"""Shapes of the API: identity."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import MISSING, Field

from imagelayer.api import text
from imagelayer.api.schemas import Answer, Email, Name, Request, Timestamp, Url, form, pasted
from imagelayer.platform.principals import Mode, Role

Password = Annotated[
    str, Field(min_length=1, max_length=512, json_schema_extra={"format": "password"})
]

Token = Annotated[str, Field(min_length=20, max_length=200), pasted(text.compact)]


class RegisterRequest(Request):
    """Sign up with an email address. Names and password come with its verification."""

    email: Email
    """The address the verification mail goes to."""
    turnstile_token: Annotated[str, Field(min_length=1, max_length=2048)]
    """The token from the Turnstile widget."""


class RegisterAnswer(Answer):
    """Always the same, whether or not the address has an account; the mail differs."""

    status: Literal["verification_sent"] = "verification_sent"
    """Always `verification_sent`."""


class VerifyEmailRequest(Request):
    """The token of a verification link, and the organization and owner to create."""

    token: Token
    """The part of the link after `#token=`."""
    name: Name
    """Your name."""
    organization_name: Name
    """The organization's name."""
    password: Password
    """15 to 128 characters; common passwords and words of the account are refused."""


class VerifyEmailAnswer(Answer):
    """The account exists and its address is verified; log in next."""

    status: Literal["verified"] = "verified"
    """Always `verified`."""


class ResendRequest(Request):
    """Request another verification mail."""

    email: Email
    """The address that signed up."""


RecoveryCode = Annotated[str, Field(min_length=25, max_length=40), pasted(text.code)]

TotpCode = Annotated[str, form(r"^[0-9]{6}$", "six digits", examples=["123456"]), pasted(text.code)]


class LoginRequest(Request):
    """Password login. With a second factor: its code, or one of the recovery codes."""

    email: Email
    """The account's address."""
    password: Password
    """The account's password."""
    totp_code: TotpCode | None = None
    """Six digits from the authenticator; spaces and dashes are ignored."""
    recovery_code: RecoveryCode | None = None
    """A recovery code, instead of the authenticator's code."""


class ForgotPasswordRequest(Request):
    """Request a mail with a link to set a new password."""

    email: Email
    """The account's address."""


class ForgotPasswordAnswer(Answer):
    """Always the same, whether or not the address has an account."""

    status: Literal["reset_sent"] = "reset_sent"
    """Always `reset_sent`."""


class ResetPasswordRequest(Request):
    """The token of a reset link and the new password."""

    token: Token
    """The part of the link after `#token=`."""
    password: Password
    """The new password."""


class ChangePasswordRequest(Request):
    """Change your password."""

    current_password: Password
    """Your current password."""
    password: Password
    """The new password."""


class AcceptInvitationRequest(Request):
    """The token of an invitation, and who accepts it."""

    token: Token
    """The part of the link after `#token=`."""
    name: Name
    """Your name."""
    password: Password
    """Your password."""


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


class PasswordRequest(Request):
    """The current password, required before a sensitive change."""

    password: Password
    """The current password."""


class TotpRequest(Request):
    """A code from the authenticator being set up."""

    totp_code: TotpCode
    """Six digits from the authenticator; spaces and dashes are ignored."""


class PasswordAndTotpRequest(Request):
    """The current password and second factor: a code of the authenticator, or a recovery code."""

    password: Password
    """The current password."""
    totp_code: TotpCode | None = None
    """Six digits from the authenticator; spaces and dashes are ignored."""
    recovery_code: RecoveryCode | None = None
    """A recovery code, instead of the authenticator's code."""


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


class UpdateOrganizationRequest(Request):
    """Fields left out stay as they are."""

    name: Name | MISSING = MISSING
    """The organization's new name."""
    owners_need_second_factor: bool | MISSING = MISSING
    """Whether owners must have a second factor; only owners may change it."""


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


class ChangeRoleRequest(Request):
    """A member's new role."""

    role: Role
    """The new role."""


class CreateInvitationRequest(Request):
    """Invite a member by email."""

    email: Email
    """The address to invite."""
    role: Role
    """The role the invited person gets."""


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
