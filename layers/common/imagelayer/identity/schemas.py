"""Shapes of the API: identity."""

from __future__ import annotations

from typing import Annotated

from pydantic import MISSING, Field

from imagelayer.api import text
from imagelayer.api.schemas import Email, Name, Request, form, pasted
from imagelayer.platform.principals import Role

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


class UpdateOrganizationRequest(Request):
    """Fields left out stay as they are."""

    name: Name | MISSING = MISSING
    """The organization's new name."""
    owners_need_second_factor: bool | MISSING = MISSING
    """Whether owners must have a second factor; only owners may change it."""


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
