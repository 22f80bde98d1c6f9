"""Writes and sends the mails that requests ask for; see `outbox` for why they do not themselves.

A message is delivered at least once and may be late. Everything it needs is read afresh: a link is
made when its mail is, an invitation that was withdrawn in between sends nothing, and a mail to an
address that has bounced or complained is withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.link_tokens import RESET_MINUTES, VERIFICATION_HOURS, LinkToken
from imagelayer.identity.members import INVITATION_SECONDS
from imagelayer.identity.store import AccountStore, SuppressionStore
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES, Limited
from imagelayer.mail import letters as mails
from imagelayer.mail.letters import Mail, Occasion
from imagelayer.mail.mailer import Mailer
from imagelayer.platform.principals import Origin
from imagelayer.platform.table import Item, StoreUnavailable
from imagelayer.platform.times import rfc3339

NOTICE_SECONDS = 70 * 86_400  # longer than the month that a notice is about
ATTEMPTS = 5
# Mails that tell a user of something about their own account.
TO_USER = frozenset(
    {
        "new_place",
        "password_changed",
        "totp_enabled",
        "totp_disabled",
        "recovery_code_used",
        "recovery_codes_renewed",
    }
)


@dataclass(frozen=True)
class Letter:
    """A mail that is due: for whom, against which limits, and how to write it.

    `write` makes the link and with it the mail; None when there is nothing to say any more. It
    runs only once the limits let the mail pass, because a new link puts an end to the last one.
    """

    to: str
    account: str  # the user or organization it counts against
    write: Callable[[], Mail | None]
    org_id: str = ""
    from_stranger: bool = False  # whether someone who is not logged in can cause it
    done: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Message:
    """What a request asked for."""

    kind: str
    about: Mapping[str, Any]
    id: str
    first: bool  # not a delivery that comes again
    at: int

    @property
    def origin(self) -> Origin:
        """Where the request came from."""
        about = self.about
        return Origin(
            str(about.get("ip", "")), str(about.get("request_id", "")), str(about.get("client", ""))
        )

    @property
    def occasion(self) -> Occasion:
        """The same, in words."""
        at = rfc3339(self.at).replace("T", " ").removesuffix(":00Z")[:16] + " UTC"
        return Occasion(at, self.origin.client, self.origin.ip)


@dataclass(frozen=True)
class MailWorker:
    """The use case of one queue message."""

    accounts: AccountStore
    suppressions: SuppressionStore
    counters: CounterStore
    mailer: Mailer
    security: SecurityLog
    base_url: str

    def work(self, message: Message, now: float) -> str:
        """Send what is due; returns the outcome. Anything raised means: deliver it again."""
        outcomes = [self._deliver(message, letter, now) for letter in self._letters(message, now)]
        return next(
            (each for each in outcomes if each != "sent"), "sent" if outcomes else "nothing"
        )

    def _deliver(self, message: Message, letter: Letter, now: float) -> str:
        address = address_hash(letter.to)
        if self.suppressions.is_suppressed(address):
            self._note("mail.withheld", message, letter)
            letter.done()
            return "withheld"
        if message.first and not self._within_limits(message, letter, address, now):
            self._note("mail.capped", message, letter)
            letter.done()
            return "capped"
        mail = letter.write()
        if mail is not None:
            self.mailer.send(mail)
        letter.done()
        return "sent" if mail is not None else "nothing"

    def _within_limits(self, message: Message, letter: Letter, address: str, now: float) -> bool:
        """Count one mail against the account, and where a stranger may be behind it against the
        address and the client as well. A mail that comes up again was counted the first time."""
        subjects = {"mail-per-account": letter.account}
        if letter.from_stranger:
            subjects = {
                "mail-per-address": address,
                "mail-per-ip": message.origin.ip or "unknown",
                **subjects,
            }
        try:
            for policy, subject in subjects.items():
                self.counters.admit(subject, POLICIES[policy], int(now * 1000))
        except Limited:
            return False
        return True

    def _letters(self, message: Message, now: float) -> Iterable[Letter]:
        about = message.about
        match message.kind:
            case "sign_up":
                return self._sign_up(message, str(about["sign_up"]), now)
            case "verification":
                return self._verification(message, self._holder(about), now)
            case "reset":
                return self._reset(message, self._holder(about), now)
            case "invitation":
                return self._invitation(message, now)
            case "quota":
                return self._quota(message, now)
            case "key_created" | "key_rotated" | "key_leaked":
                return self._key(message)
            case kind if kind in TO_USER:
                return self._to_user(message)
        raise ValueError("an unknown kind of mail")

    def _holder(self, about: Mapping[str, Any]) -> Item | None:
        return self.accounts.by_address(str(about["address"]))

    def _sign_up(self, message: Message, sign_up_id: str, now: float) -> Iterator[Letter]:
        sign_up = self.accounts.sign_up(sign_up_id, int(now))
        user = self.accounts.by_address(address_hash(sign_up["email"])) if sign_up else None
        if sign_up is None or user is None:
            return
        to, name = user["email"], user["name"]

        def write() -> Mail | None:
            if not user.get("verified_at"):
                mail = self._confirm(message, user["id"], _waiting(sign_up), now)
                if mail is not None:
                    return mail
            return mails.already_registered(to, name=name, base_url=self.base_url)

        yield Letter(
            to,
            user["id"],
            write,
            org_id=user["org_id"],
            from_stranger=True,
            done=lambda: self.accounts.drop_sign_up(sign_up_id),
        )

    def _verification(self, message: Message, user: Item | None, now: float) -> Iterator[Letter]:
        """Another link for a sign-up that waits, with everything else as it was."""
        if user is None or user.get("verified_at") or not _is_waiting(user, now):
            return
        pending = user["pending"]
        yield Letter(
            user["email"],
            user["id"],
            lambda: self._confirm(message, user["id"], pending, now),
            org_id=user["org_id"],
            from_stranger=True,
        )

    def _reset(self, message: Message, user: Item | None, now: float) -> Iterable[Letter]:
        if user is None or not user.get("verified_at"):
            return self._verification(message, user, now)
        return [
            Letter(
                user["email"],
                user["id"],
                lambda: self._new_reset(user, now),
                org_id=user["org_id"],
                from_stranger=True,
            )
        ]

    def _new_reset(self, user: Item, now: float) -> Mail | None:
        link = LinkToken.new(user["id"])
        expiry = {"token_hash": link.hash, "expires_at": int(now) + RESET_MINUTES * 60}
        if not self.accounts.set_reset(user["id"], expiry):
            return None
        return mails.password_reset(
            user["email"],
            name=user["name"],
            base_url=self.base_url,
            token=link.text,
            minutes=RESET_MINUTES,
        )

    def _confirm(
        self, message: Message, user_id: str, waiting: Mapping[str, Any], now: float
    ) -> Mail | None:
        """Let a sign-up wait under a new link, and write its mail; None for a verified user.

        Whoever confirms gets the account, and with it the password of the sign-up that waits. When
        another one with another password waits already, no one can tell whose is the mailbox's
        owner's: then neither counts (`contested`), and who confirms chooses a new one.
        """
        for _ in range(ATTEMPTS):
            user = self.accounts.user(user_id)
            if user is None or user.get("verified_at"):
                return None
            seen = user.get("pending")
            link = LinkToken.new(user_id)
            pending = {
                **waiting,
                "token_hash": link.hash,
                "expires_at": int(now) + VERIFICATION_HOURS * 3600,
                "contested": _is_contested(seen, waiting, now),
            }
            if self.accounts.set_pending(user_id, pending, seen):
                self.security.record(
                    "auth.verification_sent",
                    "success",
                    message.origin,
                    org_id=user["org_id"],
                    actor=user_id,
                    reason="contested" if pending["contested"] else "",
                )
                return mails.verification(
                    user["email"],
                    name=pending["name"],
                    base_url=self.base_url,
                    token=link.text,
                    hours=VERIFICATION_HOURS,
                )
        raise StoreUnavailable("update_item", "the sign-up is too contended")

    def _invitation(self, message: Message, now: float) -> Iterator[Letter]:
        org_id, invitation_id = str(message.about["org_id"]), str(message.about["invitation_id"])
        invitation = self.accounts.invitation(org_id, invitation_id, int(now))
        if invitation is None:
            return
        inviter = self.accounts.user(invitation["invited_by"]) or {}
        organization = self.accounts.organization(org_id) or {}

        def write() -> Mail | None:
            link = LinkToken.new(org_id, invitation_id)
            if not self.accounts.set_invitation_token(invitation, link.hash):
                return None
            return mails.invitation(
                invitation["email"],
                inviter=inviter.get("name", ""),
                organization=organization.get("name", ""),
                role=invitation["role"],
                base_url=self.base_url,
                token=link.text,
                days=INVITATION_SECONDS // 86_400,
            )

        yield Letter(invitation["email"], org_id, write, org_id=org_id, from_stranger=True)

    def _to_user(self, message: Message) -> Iterator[Letter]:
        user = self.accounts.user(str(message.about["user_id"]))
        if user is None:
            return
        parts = {"name": user["name"], "base_url": self.base_url, "occasion": message.occasion}

        def write() -> Mail:
            match message.kind:
                case "new_place":
                    return mails.new_place(user["email"], **parts)
                case "password_changed":
                    return mails.password_changed(user["email"], **parts)
                case "recovery_code_used" | "recovery_codes_renewed":
                    left = message.about.get("left")
                    return mails.recovery_codes_changed(user["email"], left=left, **parts)
            enabled = message.kind == "totp_enabled"
            return mails.totp_changed(user["email"], enabled=enabled, **parts)

        yield Letter(user["email"], user["id"], write, org_id=user["org_id"])

    def _key(self, message: Message) -> Iterator[Letter]:
        about = message.about
        for owner in self._owners(str(about["org_id"])):

            def write(owner: Item = owner) -> Mail:
                if message.kind == "key_leaked":
                    return mails.key_leaked(
                        owner["email"],
                        name=owner["name"],
                        key_name=str(about["name"]),
                        key_hint=str(about["hint"]),
                        place=str(about["place"]),
                    )
                return mails.key_changed(
                    owner["email"],
                    name=owner["name"],
                    base_url=self.base_url,
                    occasion=message.occasion,
                    key_name=str(about["name"]),
                    key_hint=str(about["hint"]),
                    rotated=message.kind == "key_rotated",
                )

            yield Letter(owner["email"], owner["id"], write, org_id=owner["org_id"])

    def _quota(self, message: Message, now: float) -> Iterator[Letter]:
        about = message.about
        org_id, month, percent = str(about["org_id"]), str(about["month"]), int(about["percent"])
        for owner in self._owners(org_id):
            key = f"quota#{month}#{percent}#{owner['id']}"
            if not self.accounts.claim_notice(org_id, key, message.id, int(now) + NOTICE_SECONDS):
                continue

            def write(owner: Item = owner) -> Mail:
                return mails.quota(
                    owner["email"],
                    name=owner["name"],
                    percent=percent,
                    month=month,
                    allowance=int(about["allowance"]),
                )

            yield Letter(owner["email"], org_id, write, org_id=org_id)

    def _owners(self, org_id: str) -> Iterator[Item]:
        for member in self.accounts.members(org_id):
            if member["role"] == "owner":
                user = self.accounts.user(member["sk"].removeprefix("MEMBER#"))
                if user is not None and user.get("verified_at"):
                    yield user

    def _note(self, event: str, message: Message, letter: Letter) -> None:
        self.security.record(
            event,
            "denied",
            message.origin,
            org_id=letter.org_id,
            actor=letter.account,
            reason=message.kind,
        )


def _waiting(sign_up: Item) -> dict[str, Any]:
    return {name: sign_up[name] for name in ("name", "organization_name", "password_hash")}


def _is_waiting(user: Item, now: float) -> bool:
    return bool(user.get("pending") and user["pending"]["expires_at"] > now)


def _is_contested(seen: Item | None, waiting: Mapping[str, Any], now: float) -> bool:
    if not seen or seen["expires_at"] <= now:
        return False
    return bool(seen["contested"] or seen["password_hash"] != waiting["password_hash"])


def read_message(record: Mapping[str, Any], body: Mapping[str, Any]) -> Message:
    """A queue record as a message. Raises ValueError for anything else."""
    kind, at = body.get("kind"), body.get("at")
    if not isinstance(kind, str) or not isinstance(at, int):
        raise ValueError("not a mail message")
    received = int((record.get("attributes") or {}).get("ApproximateReceiveCount", 1))
    return Message(kind, body, str(record["messageId"]), received <= 1, at)
