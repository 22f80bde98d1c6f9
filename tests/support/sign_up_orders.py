"""Orders of what a stranger and the owner of a mailbox can do with her address, for the property
that no password she did not choose ever opens a session.

An order is a list of the names in `STEPS`. A `Stage` is where it is played: on the rules with
stores in memory, or on the local cloud.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import DomainLists, address_hash
from imagelayer.identity.login import Login
from imagelayer.identity.password_changes import PasswordChanges
from imagelayer.identity.passwords import Peppers, hash_password
from imagelayer.identity.records import DashboardSession, MailedLink, Organization, SignUp, User
from imagelayer.identity.registration import Registration
from imagelayer.identity.user_changes import UserChanges
from imagelayer.limits.rate_limits import Limited, Policy
from imagelayer.mail.letters import Mail
from imagelayer.mail.requests import MailRequest
from imagelayer.mail.worker import MailWorker
from imagelayer.platform.errors import Problem
from imagelayer.platform.mail_outbox import Outbox
from imagelayer.platform.principals import Origin
from imagelayer.platform.table import TransactionRefused

HIS = "nine brass gears in his drawer"
HERS = "a quiet harbour at dawn"
HER_NEXT = "seven copper kettles whistling"
COST = 4  # bcrypt's lowest


class Stage(Protocol):
    """Where an order is played: the calls of a stranger and of the mailbox's owner, and what may
    happen to her mail. Each call returns its status."""

    email: str

    def sign_up(self, who: str) -> int: ...
    def resend(self, who: str) -> int: ...
    def forgot(self, who: str) -> int: ...
    def confirm(self, token: str, password: str, name: str) -> int: ...
    def reset(self, token: str, password: str) -> int: ...
    def log_in(self, who: str, password: str) -> int: ...
    def names(self) -> tuple[str, str] | None:
        """The names of the address's user and organization, or None without an account."""

    def mailbox(self) -> list[tuple[str, str]]:
        """The links that arrived, in order: the page and the token."""

    def use_budget_up(self) -> None: ...
    def suppress(self) -> None: ...
    def lose_mail(self) -> None:
        """Lose what is mailed from now until `find_mail`."""

    def find_mail(self) -> None: ...


@dataclass
class Play:
    """One order on one stage, with what the owner has chosen so far."""

    stage: Stage
    chosen: str = ""

    def step(self, name: str) -> None:
        """Do one step, and check that the stranger is not in."""
        STEPS[name](self)
        assert not self.stranger_is_in(), f"the stranger logged in after {name}"

    def stranger_is_in(self) -> bool:
        """Whether the account has his name, or, once there is one, his password opens it."""
        names = self.stage.names()
        return names is not None and (
            names != ("Vera", "Solstice") or self.stage.log_in("stranger", HIS) == 200
        )

    def end(self) -> bool:
        """What must hold in the end; returns whether the owner has an account."""
        assert self.stage.log_in("stranger", HIS) != 200
        assert (self.stage.names() is not None) == bool(self.chosen)
        if self.chosen:
            assert self.stage.log_in("owner", self.chosen) == 200
        return bool(self.chosen)

    def open_link(self, index: int) -> None:
        """The owner opens one of her links and chooses a password on its page."""
        links = self.stage.mailbox()
        if not links:
            return
        page, token = links[index]
        password = HER_NEXT if self.chosen else HERS
        if page == "verify-email":
            done = self.stage.confirm(token, password, "Vera") == 200
        else:
            done = self.stage.reset(token, password) == 204
        if done:
            self.chosen = password

    def guess(self) -> None:
        """The stranger tries links that he can make up: he knows the address, not the secret."""
        for secret in (secrets.token_urlsafe(32), ""):
            token = f"{address_hash(self.stage.email)}.{secret}"
            assert self.stage.confirm(token, HIS, "Mallory") == 400
            assert self.stage.reset(f"{'0' * 26}.{secret}", HIS) == 400


STEPS: Mapping[str, Callable[[Play], object]] = {
    "stranger signs up": lambda play: play.stage.sign_up("stranger"),
    "owner signs up": lambda play: play.stage.sign_up("owner"),
    "stranger resends": lambda play: play.stage.resend("stranger"),
    "owner resends": lambda play: play.stage.resend("owner"),
    "stranger forgot": lambda play: play.stage.forgot("stranger"),
    "owner forgot": lambda play: play.stage.forgot("owner"),
    "budget is used up": lambda play: play.stage.use_budget_up(),
    "address is suppressed": lambda play: play.stage.suppress(),
    "mail is lost": lambda play: play.stage.lose_mail(),
    "mail arrives": lambda play: play.stage.find_mail(),
    "owner opens the newest link": lambda play: play.open_link(-1),
    "owner opens the oldest link": lambda play: play.open_link(0),
    "stranger guesses links": Play.guess,
    "stranger logs in": lambda play: play.stage.log_in("stranger", HIS),
    "owner logs in": lambda play: play.stage.log_in("owner", HERS),
}


LENGTH = 8
# What leads to an account is drawn more often than what prevents one.
WEIGHTED_STEPS = [
    *sorted(STEPS),
    "stranger signs up",
    "owner signs up",
    "owner forgot",
    *3 * ["owner opens the newest link"],
]
# The two attacks on a version that installed the password of a sign-up.
BUDGET = [
    "stranger signs up",
    "budget is used up",
    "owner signs up",
    "owner opens the newest link",
    "stranger logs in",
]
FORGOT = ["stranger signs up", "owner forgot", "owner opens the newest link", "stranger logs in"]


def play(stage: Stage, order: Sequence[str]) -> bool:
    """Play an order; returns whether the owner has an account in the end.

    Raises AssertionError when a password that she did not choose opens a session, or her own does
    not.
    """
    played = Play(stage)
    for name in order:
        played.step(name)
    return played.end()


@dataclass
class Accounts:
    """The accounts' store in memory: each method decides as the conditional write of its namesake
    does."""

    sign_ups: dict[str, SignUp] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    reservations: dict[str, str] = field(default_factory=dict)
    organizations: dict[str, Organization] = field(default_factory=dict)

    def keep_sign_up(self, email: str, address: str, expires_at: int) -> None:
        kept = self.sign_ups.setdefault(address, {"email": email, "expires_at": expires_at})
        kept |= {"email": email, "expires_at": expires_at}

    def get_sign_up(self, address: str, now: int) -> SignUp | None:
        found = self.sign_ups.get(address)
        return found.copy() if found and found["expires_at"] > now else None

    def set_sign_up_link(self, address: str, link: MailedLink, expires_at: int) -> bool:
        if address not in self.sign_ups:
            return False
        self.sign_ups[address] |= {"link": link, "expires_at": expires_at}
        return True

    def confirm_sign_up(
        self, link: MailedLink, user: User, organization: Organization, address: str, now: int
    ) -> bool:
        kept = self.sign_ups.get(address, cast("SignUp", {})).get("link")
        if kept is None or kept["token_hash"] != link["token_hash"] or kept["expires_at"] <= now:
            return False
        if address in self.reservations:
            return False
        del self.sign_ups[address]
        self.reservations[address] = user["id"]
        self.users[user["id"]] = user
        self.organizations[organization["id"]] = organization
        return True

    def get_user(self, user_id: str) -> User | None:
        found = self.users.get(user_id)
        return found.copy() if found else None

    def get_user_by_address(self, address: str) -> User | None:
        return self.get_user(self.reservations.get(address, ""))

    def set_reset(self, user_id: str, reset: MailedLink) -> bool:
        if user_id not in self.users:
            return False
        self.users[user_id]["reset"] = reset
        return True

    def acknowledge(self, user_id: str, attribute: str) -> None:
        cast("dict[str, Any]", self.users[user_id]).pop(attribute, None)

    def get_place(self, user_id: str, place_id: str, now: int) -> None:
        return None

    def remember_place(self, user_id: str, place_id: str, expires_at: int) -> None:
        return None

    def user_action(
        self, user: User, sets: Mapping[str, Any], removes: Sequence[str] = ()
    ) -> Callable[[], None]:
        def act() -> None:
            kept = cast("dict[str, Any]", self.users[user["id"]])
            if kept["rev"] != user["rev"]:
                raise TransactionRefused([True], [None])
            kept |= {**sets, "rev": user["rev"] + 1}
            for name in removes:
                kept.pop(name, None)

        return act

    def commit(self, actions: Sequence[Callable[[], None]]) -> None:
        for act in actions:
            act()

    def get_role(self, org_id: str, user_id: str) -> str:
        return "owner"

    def get_organization(self, org_id: str) -> Organization | None:
        return self.organizations.get(org_id)


class Sessions:
    """The dashboard sessions in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, DashboardSession] = {}

    def list_sessions(self, user_id: str) -> list[DashboardSession]:
        return [each for each in self.kept.values() if each["user_id"] == user_id]

    def create_session_action(self, session: DashboardSession) -> Callable[[], None]:
        return lambda: self.kept.update({session["id"]: session})

    def end_session_action(self, user_id: str, session_id: str) -> Callable[[], None]:
        return lambda: self.kept.pop(session_id, None) and None


class Counters:
    """Limits that admit everything, but for mail to addresses whose budget is used up."""

    budget_used_up = False

    def admit(self, subject: str, policy: Policy, now_ms: int) -> None:
        if self.budget_used_up:
            raise Limited(policy, 1000)

    def record_attempt(self, subject: str, policy: Policy, now_ms: int) -> None:
        return None

    def reset_attempts(self, subject: str, policy: Policy) -> None:
        return None

    def take(self, *about: object, **more: object) -> bool:
        return True


class Notices:
    """Notices, none of which wait."""

    def is_waiting(self, user_id: str, kind: str) -> bool:
        return False

    def keep(self, *about: object) -> None:
        return None


class Captcha:
    """A captcha that is always solved."""

    def verify(self, token: str, ip: str) -> None:
        return None

    def is_reusable(self, token: str) -> bool:
        return True


class Rules:
    """The stage of the rules: the product's use cases over stores in memory."""

    def __init__(self, accounts: Accounts | None = None) -> None:
        self.email = "vera@example.com"
        self.accounts = cast("Any", accounts or Accounts())
        self.counters = cast("Any", Counters())
        self.suppressed = False
        self.arrives = True
        self.links: list[tuple[str, str]] = []
        shared: dict[str, Any] = {
            "accounts": self.accounts,
            "organizations": self.accounts,
            "outbox": Outbox(cast("Any", self), lambda _: None),
            "security": SecurityLog(lambda _: None),
            "peppers": lambda _="": PEPPERS,
            "bcrypt_cost": COST,
        }
        stage = cast("Any", self)
        sessions = cast("Any", Sessions())
        changes = UserChanges(self.accounts, sessions, lambda _: None)
        self.registration = Registration(
            **shared,
            counters=self.counters,
            turnstile=cast("Any", Captcha()),
            daily_cap=10,
            domains=DomainLists(),
        )
        self.login = Login(
            **shared,
            sessions=sessions,
            user_changes=changes,
            access_tokens=stage,
            counters=self.counters,
            verifier=cast("Any", None),
            end_replaced=lambda _origin, _token: None,
        )
        self.passwords = PasswordChanges(
            **shared, user_changes=changes, reauthentication=cast("Any", None)
        )
        self.worker = MailWorker(
            accounts=self.accounts,
            organizations=self.accounts,
            suppressions=stage,
            counters=self.counters,
            notices=cast("Any", Notices()),
            mailer=stage,
            security=shared["security"],
            base_url="https://imagelayer.example",
            warn=lambda _: None,
        )

    def sign_up(self, who: str) -> int:
        return self._status(
            202,
            lambda: self.registration.register(
                ORIGINS[who], time.time(), email=self.email, turnstile_token="x"
            ),
        )

    def resend(self, who: str) -> int:
        return self._status(
            202,
            lambda: self.registration.resend_verification(ORIGINS[who], time.time(), self.email),
        )

    def forgot(self, who: str) -> int:
        return self._status(
            202, lambda: self.passwords.forgot_password(ORIGINS[who], time.time(), self.email)
        )

    def confirm(self, token: str, password: str, name: str) -> int:
        return self._status(
            200,
            lambda: self.registration.verify_email(
                ORIGINS["owner"],
                time.time(),
                token=token,
                name=name,
                organization_name="Solstice",
                password=password,
            ),
        )

    def reset(self, token: str, password: str) -> int:
        return self._status(
            204,
            lambda: self.passwords.reset_password(
                ORIGINS["owner"], time.time(), token=token, password=password
            ),
        )

    def log_in(self, who: str, password: str) -> int:
        return self._status(
            200,
            lambda: self.login.login(
                ORIGINS[who], time.time(), email=self.email, password=password
            ),
        )

    def names(self) -> tuple[str, str] | None:
        user = self.accounts.get_user_by_address(address_hash(self.email))
        return user and (user["name"], self.accounts.organizations[user["org_id"]]["name"])

    def mailbox(self) -> list[tuple[str, str]]:
        return self.links

    def use_budget_up(self) -> None:
        self.counters.budget_used_up = True

    def suppress(self) -> None:
        self.suppressed = True

    def lose_mail(self) -> None:
        self.arrives = False

    def find_mail(self) -> None:
        self.arrives = True
        self.counters.budget_used_up = False

    def _status(self, success: int, act: Callable[[], object]) -> int:
        try:
            act()
        except Problem as problem:
            return problem.status
        return success

    def send(self, sent: Any) -> None:
        """The queue, which is worked off at once; and the mailer that the worker sends with."""
        if isinstance(sent, Mail):
            if self.arrives:
                self.links += re.findall(r"/([a-z-]+)#token=(\S+)", sent.text)
            return
        request = MailRequest(sent["kind"], sent, "m-1", first=True, at=sent["at"])
        self.worker.work(request, time.time())

    def is_suppressed(self, _address: str) -> bool:
        """The list of addresses that get no mail."""
        return self.suppressed

    def issue(self, *_about: object) -> dict[str, Any]:
        """The access tokens, which matter to no password."""
        return {}


class QuickHash:
    """Stands in for bcrypt where thousands of orders are played: salted, and fast."""

    @staticmethod
    def gensalt(cost: int) -> bytes:
        return f"$2b${cost:02}${secrets.token_hex(11)}".encode()

    @staticmethod
    def hashpw(password: bytes, salt: bytes) -> bytes:
        return salt[:29] + hashlib.sha256(salt[:29] + password).hexdigest()[:31].encode()

    @classmethod
    def checkpw(cls, password: bytes, stored: bytes) -> bool:
        return cls.hashpw(password, stored) == stored


class InstallsWhatWasGiven(Accounts):
    """The control: a sign-up keeps the password of its sender, and the confirmation installs it
    unless another sign-up disagreed before. It compares when the mail is written, as a version of
    the product did."""

    given: str = ""
    disagreed: bool = False

    def confirm_sign_up(
        self, link: MailedLink, user: User, organization: Organization, address: str, now: int
    ) -> bool:
        if self.given and not self.disagreed:
            user["password_hash"] = self.given
        return super().confirm_sign_up(link, user, organization, address, now)


class WrongRules(Rules):
    """The stage of the control: the stranger's sign-ups give his password, the owner's hers."""

    def __init__(self) -> None:
        self.installing = InstallsWhatWasGiven()
        self.asking = ""
        passwords = {"stranger": HIS, "owner": HERS}
        self.given = {
            who: hash_password(each, PEPPERS, cost=COST) for who, each in passwords.items()
        }
        super().__init__(self.installing)

    def sign_up(self, who: str) -> int:
        self.asking = self.given[who]
        try:
            return super().sign_up(who)
        finally:
            self.asking = ""

    def send(self, sent: Any) -> None:
        if isinstance(sent, Mail) and self.asking:
            given = self.installing.given
            self.installing.disagreed |= given not in {"", self.asking}
            self.installing.given = given or self.asking
        super().send(sent)


PEPPERS = Peppers.of("a pepper of the tests")
ORIGINS = {"stranger": Origin("203.0.113.66", "req-1"), "owner": Origin("198.51.100.7", "req-1")}
