"""Shapes of the API: identity."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from imagelayer.api.schemas import Answer, Email, Name, Request, Timestamp, Url

Password = Annotated[
    str, Meta(min_length=1, max_length=512, extra_json_schema={"format": "password"})
]

Token = Annotated[str, Meta(min_length=20, max_length=200)]

Role = Literal["owner", "admin", "developer", "viewer"]


class RegisterRequest(Request):
    """Sign an organization and its owner up."""

    email: Email
    password: Password
    name: Name
    organization_name: Name
    turnstile_token: Annotated[str, Meta(min_length=1, max_length=2048)]


class RegisterAnswer(Answer):
    """Always the same, whether or not the address was taken; the mail differs."""

    status: Literal["verification_sent"] = "verification_sent"


class VerifyEmailRequest(Request):
    """The token of a verification link."""

    token: Token


class VerifyEmailAnswer(Answer):
    """The address is verified.

    `password_token` is only there when the address was signed up more than once with different
    passwords: none of them counts then, and the token sets a new one at
    `POST /v1/auth/password/reset`.
    """

    status: Literal["verified"] = "verified"
    password_token: str | None = None


class ResendRequest(Request):
    """Ask for another verification mail."""

    email: Email


RecoveryCode = Annotated[str, Meta(min_length=25, max_length=40)]

TotpCode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)", examples=["123456"])]


class LoginRequest(Request):
    """Password login. With a second factor: its code, or one of the recovery codes."""

    email: Email
    password: Password
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None


class ForgotPasswordRequest(Request):
    """Ask for a mail with a link that sets a new password."""

    email: Email


class ForgotPasswordAnswer(Answer):
    """Always the same, whether or not the address has an account."""

    status: Literal["reset_sent"] = "reset_sent"


class ResetPasswordRequest(Request):
    """The token of a reset link and the new password."""

    token: Token
    password: Password


class ChangePasswordRequest(Request):
    """Replace the password of the one who is logged in."""

    current_password: Password
    password: Password


class AcceptInvitationRequest(Request):
    """The token of an invitation, and who accepts it."""

    token: Token
    name: Name
    password: Password


class AcceptInvitationAnswer(Answer):
    """The account exists and its address is verified; log in next."""

    status: Literal["joined"] = "joined"


class User(Answer):
    """A person."""

    id: str
    email: str
    name: str
    email_verified: bool
    two_factor_enabled: bool
    created_at: Timestamp


class Organization(Answer):
    """A tenant."""

    id: str
    name: str
    created_at: Timestamp


class LoginAnswer(Answer):
    """An access token; the refresh token travels in an HttpOnly cookie only."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: User
    organization: Organization
    # The organization asks for a second factor: until it is set up, only that is possible.
    second_factor_required: bool


class MeAnswer(Answer):
    """Who the access token belongs to."""

    user: User
    organization: Organization
    role: Role


class Session(Answer):
    """A dashboard session of the one who asks."""

    id: str
    current: bool
    client: str
    ip: str
    created_at: Timestamp
    refreshed_at: Timestamp
    expires_at: Timestamp


class SessionList(Answer):
    """All sessions, the newest first. There are never more than a page of them."""

    data: list[Session]
    next_cursor: None


class PasswordRequest(Request):
    """The password once more, before something that weighs."""

    password: Password


class TotpRequest(Request):
    """A code of the authenticator that is being set up."""

    totp_code: TotpCode


class PasswordAndTotpRequest(Request):
    """Both factors once more: the authenticator's code, or a recovery code in its place."""

    password: Password
    totp_code: TotpCode | None = None
    recovery_code: RecoveryCode | None = None


class TotpEnrolment(Answer):
    """What an authenticator needs (RFC 6238: SHA-1, six digits, 30 seconds), shown this once."""

    secret: str
    otpauth_uri: Url
    qr_svg: str
    expires_at: Timestamp


class RecoveryCodes(Answer):
    """Each stands in for the second factor once. Shown this once."""

    recovery_codes: list[str]


class OrganizationDetails(Organization):
    """A tenant with its settings."""

    owners_need_second_factor: bool


class UpdateOrganizationRequest(Request):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    owners_need_second_factor: bool | UnsetType = UNSET


class Member(Answer):
    """Somebody who belongs to the organization; `id` is the user's."""

    id: str
    email: str
    name: str
    role: Role
    two_factor_enabled: bool
    joined_at: Timestamp


class MemberList(Answer):
    """A page of members."""

    data: list[Member]
    next_cursor: str | None


class ChangeRoleRequest(Request):
    """Another role for a member."""

    role: Role


class CreateInvitationRequest(Request):
    """Invite somebody by mail."""

    email: Email
    role: Role


class Invitation(Answer):
    """An invitation that waits for its answer."""

    id: str
    email: str
    role: Role
    invited_by: str
    created_at: Timestamp
    expires_at: Timestamp


class InvitationList(Answer):
    """A page of invitations."""

    data: list[Invitation]
    next_cursor: str | None
