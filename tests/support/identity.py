"""Identity's use cases over stores in memory, for its unit tests."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.passwords import Peppers, hash_password
from imagelayer.identity.records import (
    DashboardSession,
    Invitation,
    MailedLink,
    Member,
    Organization,
    Place,
    SignUp,
    User,
)
from imagelayer.identity.user_changes import UserChanges
from imagelayer.limits.rate_limits import Limited, Policy
from imagelayer.platform.idempotency import IdempotencyRecord
from imagelayer.platform.ids import new_id
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin, Principal, Role
from imagelayer.platform.table import StoreUnavailable, TransactionRefused

NOW = 1_800_000_000
ORIGIN = Origin("198.51.100.7", "req-1", "Firefox")
PASSWORD = "correct horse battery staple"
PEPPERS = Peppers.of("a pepper of the tests")
COST = 4  # bcrypt's lowest

Act = Callable[[], None]


class Limits:
    """Limits that note what is counted, by name and by subject, and admit all but `used_up`."""

    def __init__(self) -> None:
        self.counted: list[str] = []
        self.subjects: list[str] = []
        self.reset: list[str] = []
        self.used_up: set[str] = set()
        self.bound: dict[str, str] = {}

    def admit(self, subject: str, policy: Policy, now_ms: int) -> None:
        self.counted.append(policy.name)
        self.subjects.append(subject)
        if policy.name in self.used_up:
            raise Limited(policy, 1000)

    record_attempt = admit

    def reset_attempts(self, subject: str, policy: Policy) -> None:
        self.reset.append(policy.name)

    def bind(self, kind: str, name: str, value: str, *, expires_at: int, now: int) -> bool:
        return self.bound.setdefault(name, value) == value

    def take(self, kind: str, subject: str, day: str, *, limit: int, expires_at: int) -> bool:
        self.counted.append(kind)
        return self.counted.count(kind) <= limit


@dataclass
class Stores:
    """The stores of accounts, organizations and sessions in memory, as one: each method decides as
    the conditional write of its namesake does. `down` names methods that do not answer."""

    users: dict[str, User] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    organizations: dict[str, Organization] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    sessions: dict[str, DashboardSession] = field(default_factory=dict)
    reservations: dict[str, str] = field(default_factory=dict)
    sign_ups: dict[str, SignUp] = field(default_factory=dict)
    made: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by idempotency key
    places: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    # Happen before the next commits: what other requests did first.
    first: list[Act] = field(default_factory=list)

    def commit(self, actions: Sequence[Act]) -> None:
        if self.first:
            self.first.pop(0)()
        before = copy.deepcopy(self.__dict__)
        try:
            for act in actions:
                act()
        except TransactionRefused:
            self.__dict__ |= before
            raise

    # Accounts

    def get_user(self, user_id: str) -> User | None:
        return copy.deepcopy(self.users.get(user_id))

    def get_user_by_address(self, address: str) -> User | None:
        return self.get_user(self.reservations.get(address, ""))

    def user_action(self, user: User, sets: Mapping[str, Any], removes: Sequence[str] = ()) -> Act:
        def act() -> None:
            kept = cast("Any", self.users.get(user["id"]))
            refuse(kept is None or kept["rev"] != user["rev"])
            kept |= {**sets, "rev": kept["rev"] + 1}
            for name in removes:
                kept.pop(name, None)

        return act

    def removal_actions(self, member: Member, user: User, address: str) -> list[Act]:
        def act() -> None:
            kept = self.users.get(user["id"])
            refuse(kept is None or kept["rev"] != user["rev"])
            refuse(self.members[user["id"]]["role"] != member["role"])
            if member["role"] == "owner":
                refuse(self.organizations[member["org_id"]]["owners"] <= 1)
                self.organizations[member["org_id"]]["owners"] -= 1
            del self.users[user["id"]], self.members[user["id"]], self.reservations[address]

        return [act]

    def forget_places(self, user_id: str) -> None:
        self._answer("forget_places")
        self.places.clear()

    def get_place(self, user_id: str, place_id: str, now: int) -> Place | None:
        expires_at = self.places.get(place_id, 0)
        return {"expires_at": expires_at} if expires_at > now else None

    def remember_place(self, user_id: str, place_id: str, expires_at: int) -> None:
        self.places[place_id] = expires_at

    def get_sign_up(self, address: str, now: int) -> SignUp | None:
        found = self.sign_ups.get(address)
        return found if found and found["expires_at"] > now else None

    def keep_sign_up(self, email: str, address: str, expires_at: int) -> None:
        self.sign_ups[address] = {"email": email, "expires_at": expires_at}

    def confirm_sign_up(
        self, link: MailedLink, user: User, organization: Organization, address: str, now: int
    ) -> bool:
        if self.first:
            self.first.pop(0)()
        kept = self.sign_ups.get(address, cast("SignUp", {})).get("link")
        if kept != link or kept["expires_at"] <= now or address in self.reservations:
            return False
        del self.sign_ups[address]
        self.organizations[organization["id"]] = organization
        self._create(user, address, "owner")
        return True

    def accept_invitation(
        self, invitation: Invitation, user: User, address: str, managers: Sequence[Role]
    ) -> bool:
        if self.first:
            self.first.pop(0)()
        kept = self.invitations.get(invitation["id"])
        sender = self.get_role(invitation["org_id"], invitation["invited_by"])
        if kept != invitation or sender not in managers or address in self.reservations:
            return False
        del self.invitations[invitation["id"]]
        self._create(user, address, invitation["role"])
        return True

    def _create(self, user: User, address: str, role: Role) -> None:
        self.reservations[address] = user["id"]
        self.users[user["id"]] = user
        self.members[user["id"]] = {
            "org_id": user["org_id"],
            "user_id": user["id"],
            "role": role,
            "joined_at": user["created_at"],
        }

    def acknowledge_code(self, user_id: str) -> None:
        self._answer("acknowledge_code")
        self.users[user_id]["totp"]["unacknowledged"] = ""

    def acknowledge(self, user_id: str, attribute: str) -> None:
        self._answer("acknowledge")
        cast("dict[str, Any]", self.users[user_id]).pop(attribute, None)

    def acknowledge_enrolment(self, user_id: str) -> None:
        self._answer("acknowledge_enrolment")
        self.users[user_id]["totp"].pop("enrolled_by", None)

    # Organizations

    def get_organization(self, org_id: str) -> Organization | None:
        return copy.deepcopy(self.organizations.get(org_id))

    def update_organization(self, org_id: str, fields: Mapping[str, Any]) -> Organization | None:
        kept = cast("Any", self.organizations.get(org_id))
        if kept is not None:
            kept |= fields
        return cast("Organization | None", kept)

    def get_member(self, org_id: str, user_id: str) -> Member | None:
        found = self.members.get(user_id)
        return copy.deepcopy(found) if found and found["org_id"] == org_id else None

    def get_role(self, org_id: str, user_id: str) -> Role | None:
        found = self.get_member(org_id, user_id)
        return found["role"] if found else None

    def list_members(
        self, org_id: str, *, limit: int | None = None, after: str | None = None
    ) -> list[Member]:
        return [each for each in self.members.values() if each["org_id"] == org_id][:limit]

    def role_check(self, org_id: str, user_id: str, roles: Sequence[Role]) -> Act:
        return lambda: refuse(self.get_role(org_id, user_id) not in roles)

    def role_actions(self, member: Member, role: Role) -> list[Act]:
        def act() -> None:
            refuse(self.members[member["user_id"]]["role"] != member["role"])
            owners = self.organizations[member["org_id"]]["owners"]
            owners += (role == "owner") - (member["role"] == "owner")
            refuse(owners < 1)
            self.organizations[member["org_id"]]["owners"] = owners
            self.members[member["user_id"]]["role"] = role

        return [act]

    def factor_optional_check(self, org_id: str) -> Act:
        return lambda: refuse(
            bool(self.organizations[org_id].get("owners_need_second_factor", False))
        )

    def create_invitation(
        self, invitation: Invitation, record: IdempotencyRecord | None = None
    ) -> Mapping[str, Any] | None:
        if record is not None:
            if record.hash in self.made:
                return self.made[record.hash]
            self.made[record.hash] = record.ids
        self.invitations[invitation["id"]] = invitation
        return None

    def get_invitation(self, org_id: str, invitation_id: str, now: int) -> Invitation | None:
        found = self.invitations.get(invitation_id)
        return found if found and found["org_id"] == org_id and found["expires_at"] > now else None

    def list_invitations(self, org_id: str, *, limit: int, after: str | None) -> list[Invitation]:
        return list(self.invitations.values())[:limit]

    def withdraw_invitation(self, org_id: str, invitation_id: str) -> bool:
        return self.invitations.pop(invitation_id, None) is not None

    def withdraw_invitations_of(
        self, org_id: str, user_id: str, withdrawn: Callable[[Invitation], bool]
    ) -> int:
        self._answer("withdraw_invitations_of")
        chosen = [
            each["id"]
            for each in self.invitations.values()
            if each["invited_by"] == user_id and withdrawn(each)
        ]
        for each in chosen:
            del self.invitations[each]
        return len(chosen)

    # Sessions

    def list_sessions(self, user_id: str) -> list[DashboardSession]:
        return [each for each in self.sessions.values() if each["user_id"] == user_id]

    def get_session(self, user_id: str, session_id: str) -> DashboardSession | None:
        found = self.sessions.get(session_id)
        return copy.deepcopy(found) if found and found["user_id"] == user_id else None

    def create_session_action(self, session: DashboardSession) -> Act:
        return lambda: self.sessions.update({session["id"]: session})

    def end_session(self, user_id: str, session_id: str) -> None:
        self.sessions.pop(session_id, None)

    def end_session_action(self, user_id: str, session_id: str) -> Act:
        return lambda: self.end_session(user_id, session_id)

    def enrolled_action(self, user_id: str, session_id: str) -> Act:
        def act() -> None:
            refuse(session_id not in self.sessions)
            self.sessions[session_id].pop("must_enrol", None)

        return act

    def _answer(self, method: str) -> None:
        if method in self.down:
            raise StoreUnavailable(method, "down")


class World:
    """One organization with its owner, and what the use cases are built from."""

    def __init__(self) -> None:
        self.stores = Stores()
        self.limits = Limits()
        self.events: list[Mapping[str, Any]] = []
        self.mails: list[Mapping[str, Any]] = []
        self.pauses: list[float] = []
        self.org_id = new_id("org", NOW)
        self.stores.organizations[self.org_id] = {
            "id": self.org_id,
            "name": "Solstice Coffee",
            "created_at": NOW - 500,
            "owners": 0,
        }
        self._owner_id = self.join("owner@example.com", "owner")["id"]

    @property
    def owner(self) -> User:
        """The owner as they are now."""
        return self.stores.users[self._owner_id]

    def join(self, email: str, role: Role = "developer", **more: Any) -> User:
        """A member with one session; returns the user."""
        user: User = {
            "id": new_id("usr", NOW),
            "org_id": self.org_id,
            "email": email,
            "name": email.partition("@")[0],
            "created_at": NOW - 100,
            "rev": 0,
            "verified_at": NOW - 100,
            "password_hash": hash_password(PASSWORD, PEPPERS, cost=COST),
        }
        self.stores.users[user["id"]] = cast("User", {**user, **more})
        self.stores.reservations[address_hash(email)] = user["id"]
        self.stores.members[user["id"]] = {
            "org_id": self.org_id,
            "user_id": user["id"],
            "role": role,
            "joined_at": NOW - 100,
        }
        self.stores.organizations[self.org_id]["owners"] += role == "owner"
        self.open_session(user)
        return self.stores.users[user["id"]]

    def open_session(self, user: User, **more: Any) -> DashboardSession:
        """Another session of a user."""
        session: DashboardSession = {
            "id": new_id("ses", NOW),
            "user_id": user["id"],
            "org_id": user["org_id"],
            "role": self.stores.members[user["id"]]["role"],
            "family_hash": "",
            "refresh_hash": "",
            "chain_key": "a chain key",
            "client": "Firefox",
            "ip": ORIGIN.ip,
            "created_at": NOW,
            "refreshed_at": NOW,
            "idle_until": NOW + 1000,
            "expires_at": NOW + 1000,
        }
        kept = cast("DashboardSession", {**session, **more})
        self.stores.sessions[session["id"]] = kept
        return kept

    def principal(self, user: User, **more: Any) -> Principal:
        """A user as a caller, in their oldest session."""
        session = self.stores.list_sessions(user["id"])[0]
        about = {
            "role": self.stores.members[user["id"]]["role"],
            "session_id": session["id"],
            **more,
        }
        return Principal("user", user["org_id"], user["id"], frozenset(), **about)

    @property
    def log(self) -> SecurityLog:
        """The security log; its events are in `events`."""
        return SecurityLog(self.events.append)

    @property
    def outbox(self) -> Outbox:
        """The requests for mail; they are in `mails`."""
        return Outbox(cast("Any", self), lambda _: None)

    def send(self, mail: Mapping[str, Any]) -> None:
        """Take a request for mail."""
        self.mails.append(mail)

    @property
    def user_changes(self) -> UserChanges:
        """Changes of users."""
        stores = cast("Any", self.stores)
        return UserChanges(stores, stores, self.pauses.append)

    def told(self, event: str) -> list[tuple[str, str]]:
        """Outcome and reason of each security event of a name."""
        return [(each["outcome"], each["reason"]) for each in self.events if each["event"] == event]


def refuse(when: bool) -> None:
    """Raise what a transaction raises whose condition does not hold."""
    if when:
        raise TransactionRefused([True], [None])
