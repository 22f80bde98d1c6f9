"""The records of identity, as its stores hand them out and take them.

Times are seconds since the epoch. A record has its ids as fields; where it is kept is its store's
business.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from imagelayer.platform.principals import Role


class MailedLink(TypedDict):
    """The newest link of its kind: the one that works."""

    token_hash: str
    expires_at: int


class SignUp(TypedDict):
    """An address that awaits its confirmation. Nothing else of the sign-up is kept
    (docs/decisions/0006)."""

    email: str
    expires_at: int
    link: NotRequired[MailedLink]  # of the newest mail


class Totp(TypedDict):
    """A second factor that is set up."""

    secret: str  # sealed
    last_step: int  # the newest time step whose code was used
    recovery: dict[str, bool]  # hashes of the recovery codes that are left
    unacknowledged: NotRequired[str]  # the session that the newest code opened, until it arrived
    enrolled_by: NotRequired[str]  # the session it was set up in, until the recovery codes arrived


class TotpEnrolment(TypedDict):
    """A second factor whose first code is awaited."""

    secret: str  # sealed
    expires_at: int


class User(TypedDict):
    """A person with a confirmed address. `rev` grows with every change of credentials, role or set
    of sessions."""

    id: str
    org_id: str
    email: str
    name: str
    created_at: int
    rev: int
    verified_at: int
    password_hash: str
    last_login_at: NotRequired[int]
    reset: NotRequired[MailedLink]
    totp: NotRequired[Totp]
    totp_pending: NotRequired[TotpEnrolment]
    # Hashes of the links whose use is not acknowledged yet.
    joined_with: NotRequired[str]
    reset_with: NotRequired[str]


class AddressReservation(TypedDict):
    """Who holds an address."""

    user_id: str
    org_id: str
    created_at: int


class Place(TypedDict):
    """A network that a user is known at."""

    expires_at: int


class Organization(TypedDict):
    """A tenant. `owners` counts its owners."""

    id: str
    name: str
    created_at: int
    owners: int
    owners_need_second_factor: NotRequired[bool]


class Member(TypedDict):
    """A user's membership of an organization."""

    org_id: str
    user_id: str
    role: Role
    joined_at: int


class Invitation(TypedDict):
    """An invitation that was not accepted yet."""

    id: str
    org_id: str
    email: str
    role: Role
    invited_by: str
    created_at: int
    expires_at: int
    token_hash: NotRequired[str]  # of the newest mail's link


class DashboardSession(TypedDict):
    """A login. It ends at `expires_at`, or at `idle_until` unless it is refreshed before."""

    id: str
    user_id: str
    org_id: str
    role: Role
    family_hash: str
    refresh_hash: str
    chain_key: str
    client: str
    ip: str
    created_at: int
    refreshed_at: int
    idle_until: int
    expires_at: int
    must_enrol: NotRequired[bool]
    spent_hash: NotRequired[str]  # of the token that the last refresh spent
    traded_from: NotRequired[str]  # the network and client of the last refresh
