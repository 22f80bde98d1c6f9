"""Writes and sends the mails that requests put into the outbox; `mail_outbox` says why they do not
send mail themselves.

A request is delivered at least once and may be late. Everything it needs is read afresh: a link is
made when its mail is, an invitation that was withdrawn sends nothing, and a mail to an address that
has bounced or complained is withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from imagelayer.audit.security_log import SecurityLog
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.link_tokens import (
    INVITATION_DAYS,
    RESET_MINUTES,
    SIGN_UP_SECONDS,
    VERIFICATION_HOURS,
    LinkToken,
)
from imagelayer.identity.organization_store import OrganizationStore
from imagelayer.identity.records import MailedLink, SignUp, User
from imagelayer.identity.roles import may_manage
from imagelayer.identity.store import AccountStore
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES, Limited, seconds
from imagelayer.mail import letters
from imagelayer.mail.letters import Mail, Occasion, key_label
from imagelayer.mail.mailer import Mailer
from imagelayer.mail.notices import NoticeStore, WaitingNotices
from imagelayer.mail.requests import MailRequest
from imagelayer.mail.suppressions import SuppressionStore
from imagelayer.platform.frozen import frozen
from imagelayer.platform.sweeping import sweep_due

NOTICE_SECONDS = 70 * 86_400  # longer than the month that a notice is about
# Mails that notify a user about their own account. They and those about keys have a budget for each
# user and kind, which no one else's acts and no other kind touch. One over its budget is not
# dropped: it waits and is gathered into one mail with others. Without a budget are a leaked key,
# which GitHub reports, and credits, which are mailed twice a month.
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
ABOUT_KEYS = frozenset({"key_created", "key_rotated"})
GATHERED = TO_USER | ABOUT_KEYS


@frozen
class DueMail:
    """A mail that is due: for whom, against which limits, and how to write it.

    `write` makes the link and with it the mail, or returns None when there is nothing to send any
    more. It runs only once the limits let the mail pass, because a new link invalidates the last.
    """

    to: str
    account: str  # the user, organization or waiting address it counts against
    write: Callable[[], Mail | None]
    org_id: str = ""
    from_stranger: bool = False  # whether a caller who is not logged in can cause it


@frozen
class MailWorker:
    """The use case of one request."""

    accounts: AccountStore
    organizations: OrganizationStore
    suppressions: SuppressionStore
    counters: CounterStore
    notices: NoticeStore
    mailer: Mailer
    security: SecurityLog
    base_url: str
    warn: Callable[[str], None]

    def work(self, request: MailRequest, now: float) -> str:
        """Send what is due and return the outcome. Whatever is raised, the message is delivered
        again."""
        outcomes = [self._deliver(request, due, now) for due in self._due(request, now)]
        return next(
            (each for each in outcomes if each != "sent"), "sent" if outcomes else "nothing"
        )

    def _deliver(self, request: MailRequest, due: DueMail, now: float) -> str:
        address = address_hash(due.to)
        if self.suppressions.is_suppressed(address):
            self._note("mail.withheld", request, due)
            return "withheld"
        if request.kind in GATHERED and self._must_wait(request, due.account, now):
            self._note("mail.gathered", request, due)
            return "gathered"
        if (
            due.from_stranger
            and request.first
            and not self._within_limits(request, due, address, now)
        ):
            self._note("mail.capped", request, due)
            return "capped"
        mail = due.write()
        if mail is not None:
            self.mailer.send(mail)
        return "sent" if mail is not None else "nothing"

    def _within_limits(self, request: MailRequest, due: DueMail, address: str, now: float) -> bool:
        """Count a mail that someone who is not logged in can cause, or that goes to someone who has
        no account. A repeated delivery was counted the first time."""
        subjects = {
            "mail-per-address": address,
            "mail-per-ip": request.origin.ip or "unknown",
            "mail-per-account": due.account,
        }
        try:
            for policy, subject in subjects.items():
                self.counters.admit(subject, POLICIES[policy], int(now * 1000))
        except Limited:
            return False
        return True

    def _must_wait(self, request: MailRequest, user_id: str, now: float) -> bool:
        """Keep a notice that is over the budget of its user and kind, and return True.

        While others wait it joins them, so that the mail which gathers them finds its budget. A
        repeated delivery was counted the first time, or waits already.
        """
        due_at = int(now)
        if not request.first:
            if not self.notices.has(user_id, request):
                return False
        elif not self.notices.is_waiting(user_id, request.kind):
            try:
                self._spend(user_id, request.kind, now)
            except Limited as limited:
                due_at += seconds(limited.retry_ms)
            else:
                return False
        self.notices.keep(user_id, request, due_at, int(now))
        return True

    def _spend(self, user_id: str, kind: str, now: float) -> None:
        """Count a notice of one user and kind. Raises Limited."""
        self.counters.admit(f"{user_id}#{kind}", POLICIES["mail-notice"], int(now * 1000))

    def sweep(self, now: float) -> dict[str, int]:
        """Mail the notices whose time has come; returns counts by outcome."""
        return sweep_due(
            self.notices.list_due,
            self._send_waiting,
            now,
            outcomes=("sent", "withheld", "dropped"),
            warn=self.warn,
        )

    def _send_waiting(self, due: WaitingNotices, now: int) -> str | None:
        waiting = self.notices.lease(due, now)
        if waiting is None:
            return None
        kind, notices = waiting["kind"], self.notices.list_notices(waiting)
        user = self.accounts.get_user(waiting["user_id"])
        if user is None or not notices or not self._may_read(user, kind):
            self.notices.forget(waiting, notices)
            return "dropped"
        if self.suppressions.is_suppressed(address_hash(user["email"])):
            self.security.record(
                "mail.withheld", "denied", org_id=user["org_id"], actor=user["id"], reason=kind
            )
            self.notices.forget(waiting, notices)
            return "withheld"
        try:
            self._spend(user["id"], kind, now)
        except Limited as limited:
            self.notices.postpone(waiting, now + seconds(limited.retry_ms))
            return None
        mail = letters.gathered(
            user["email"],
            name=user["name"],
            base_url=self.base_url,
            kind=kind,
            reports=[_report(each) for each in notices],
        )
        self.mailer.send(mail)
        # Last: a run that dies before it mails them again, rather than never.
        self.notices.forget(waiting, notices)
        return "sent"

    def _may_read(self, user: User, kind: str) -> bool:
        """Whether notices of a kind are for a user: those about keys are for owners."""
        if kind not in ABOUT_KEYS:
            return True
        return self.organizations.get_role(user["org_id"], user["id"]) == "owner"

    def _due(self, request: MailRequest, now: float) -> Iterable[DueMail]:
        about = request.about
        match request.kind:
            case "sign_up":
                return self._sign_up(request, str(about["address"]), now)
            case "verification" | "owner_invitation":
                return self._verification(request, str(about["address"]), now)
            case "reset":
                return self._reset(request, str(about["address"]), now)
            case "invitation":
                return self._invitation(request, now)
            case "quota":
                return self._quota(request, now)
            case "key_created" | "key_rotated" | "key_leaked":
                return self._key(request)
            case kind if kind in TO_USER:
                return self._to_user(request)
        raise ValueError("an unknown kind of mail")

    def _sign_up(self, request: MailRequest, address: str, now: float) -> Iterable[DueMail]:
        user = self.accounts.get_user_by_address(address)
        if user is None:
            return self._confirmation(request, address, now)
        self.security.record(
            "auth.register_existing",
            "success",
            request.origin,
            org_id=user["org_id"],
            actor=user["id"],
        )
        to, name = user["email"], user["name"]
        return [
            DueMail(
                to,
                user["id"],
                lambda: letters.already_registered(to, name=name, base_url=self.base_url),
                org_id=user["org_id"],
                from_stranger=True,
            )
        ]

    def _verification(self, request: MailRequest, address: str, now: float) -> Iterable[DueMail]:
        """Another link for a sign-up, or the first for one that the operator made; nothing for an
        address that has an account."""
        user = self.accounts.get_user_by_address(address)
        return [] if user else self._confirmation(request, address, now)

    def _reset(self, request: MailRequest, address: str, now: float) -> Iterable[DueMail]:
        """A link that sets a new password, or, for a sign-up, another link that confirms it."""
        user = self.accounts.get_user_by_address(address)
        if user is None:
            return self._confirmation(request, address, now)
        return [
            DueMail(
                user["email"],
                user["id"],
                lambda: self._new_reset(user, now),
                org_id=user["org_id"],
                from_stranger=True,
            )
        ]

    def _confirmation(self, request: MailRequest, address: str, now: float) -> Iterator[DueMail]:
        sign_up = self.accounts.get_sign_up(address, int(now))
        if sign_up is not None:
            yield DueMail(
                sign_up["email"],
                address,
                lambda: self._new_confirmation(request, sign_up, address, now),
                from_stranger=request.kind != "owner_invitation",
            )

    def _new_confirmation(
        self, request: MailRequest, sign_up: SignUp, address: str, now: float
    ) -> Mail | None:
        """Replace the link of a sign-up, and write the mail with the new one; None when the
        sign-up was confirmed since."""
        link = LinkToken.new(f"email_{address}")
        kept: MailedLink = {
            "token_hash": link.hash,
            "expires_at": int(now) + VERIFICATION_HOURS * 3600,
        }
        if not self.accounts.set_sign_up_link(address, kept, int(now) + SIGN_UP_SECONDS):
            return None
        self.security.record("auth.verification_sent", "success", request.origin)
        if request.kind == "owner_invitation":
            return letters.owner_invitation(
                sign_up["email"],
                organization=str(request.about["organization_name"]),
                base_url=self.base_url,
                token=link.text,
                hours=VERIFICATION_HOURS,
            )
        return letters.verification(
            sign_up["email"],
            base_url=self.base_url,
            token=link.text,
            hours=VERIFICATION_HOURS,
        )

    def _new_reset(self, user: User, now: float) -> Mail | None:
        link = LinkToken.new(user["id"])
        reset: MailedLink = {
            "token_hash": link.hash,
            "expires_at": int(now) + RESET_MINUTES * 60,
        }
        if not self.accounts.set_reset(user["id"], reset):
            return None
        return letters.password_reset(
            user["email"],
            name=user["name"],
            base_url=self.base_url,
            token=link.text,
            minutes=RESET_MINUTES,
        )

    def _invitation(self, request: MailRequest, now: float) -> Iterator[DueMail]:
        org_id, invitation_id = str(request.about["org_id"]), str(request.about["invitation_id"])
        invitation = self.organizations.get_invitation(org_id, invitation_id, int(now))
        if invitation is None:
            return
        sender = self.organizations.get_role(org_id, invitation["invited_by"])
        if sender is None or not may_manage(sender, invitation["role"]):
            return  # its link could not be used
        inviter = self.accounts.get_user(invitation["invited_by"])
        organization = self.organizations.get_organization(org_id)

        def write() -> Mail | None:
            link = LinkToken.new(org_id, invitation_id)
            if not self.organizations.set_invitation_token(invitation, link.hash):
                return None
            return letters.invitation(
                invitation["email"],
                inviter=inviter["name"] if inviter else "",
                organization=organization["name"] if organization else "",
                role=invitation["role"],
                base_url=self.base_url,
                token=link.text,
                days=INVITATION_DAYS,
            )

        yield DueMail(invitation["email"], org_id, write, org_id=org_id, from_stranger=True)

    def _to_user(self, request: MailRequest) -> Iterator[DueMail]:
        user = self.accounts.get_user(str(request.about["user_id"]))
        if user is None:
            return
        parts: dict[str, Any] = {
            "name": user["name"],
            "base_url": self.base_url,
            "occasion": request.occasion,
        }

        def write() -> Mail:
            match request.kind:
                case "new_place":
                    return letters.new_place(user["email"], **parts)
                case "password_changed":
                    return letters.password_changed(user["email"], **parts)
                case "recovery_code_used" | "recovery_codes_renewed":
                    left = request.about.get("left")
                    return letters.recovery_codes_changed(user["email"], left=left, **parts)
            enabled = request.kind == "totp_enabled"
            return letters.totp_changed(user["email"], enabled=enabled, **parts)

        yield DueMail(user["email"], user["id"], write, org_id=user["org_id"])

    def _key(self, request: MailRequest) -> Iterator[DueMail]:
        about = request.about
        for owner in self._owners(str(about["org_id"])):

            def write(owner: User = owner) -> Mail:
                if request.kind == "key_leaked":
                    return letters.key_leaked(
                        owner["email"],
                        name=owner["name"],
                        key_name=str(about["name"]),
                        key_hint=str(about["hint"]),
                        place=str(about["place"]),
                    )
                return letters.key_changed(
                    owner["email"],
                    name=owner["name"],
                    base_url=self.base_url,
                    occasion=request.occasion,
                    key_name=str(about["name"]),
                    key_hint=str(about["hint"]),
                    rotated=request.kind == "key_rotated",
                )

            yield DueMail(owner["email"], owner["id"], write, org_id=owner["org_id"])

    def _quota(self, request: MailRequest, now: float) -> Iterator[DueMail]:
        about = request.about
        org_id, month, percent = str(about["org_id"]), str(about["month"]), int(about["percent"])
        for owner in self._owners(org_id):
            key = f"quota#{month}#{percent}#{owner['id']}"
            if not self.organizations.reserve_notice(
                org_id, key, request.id, int(now) + NOTICE_SECONDS
            ):
                continue

            def write(owner: User = owner) -> Mail:
                return letters.quota(
                    owner["email"],
                    name=owner["name"],
                    percent=percent,
                    month=month,
                    allowance=int(about["allowance"]),
                )

            yield DueMail(owner["email"], org_id, write, org_id=org_id)

    def _owners(self, org_id: str) -> Iterator[User]:
        for member in self.organizations.list_members(org_id):
            if member["role"] == "owner":
                user = self.accounts.get_user(member["user_id"])
                if user is not None:
                    yield user

    def _note(self, event: str, request: MailRequest, due: DueMail) -> None:
        self.security.record(
            event,
            "denied",
            request.origin,
            org_id=due.org_id,
            # Of a sign-up without an account the log has no more than that: no address, no hash.
            actor=due.account if due.org_id else "",
            reason=request.kind,
        )


def _report(notice: MailRequest) -> tuple[str, Occasion]:
    """What a notice is about, where that is a key, and when and from where it happened."""
    if notice.kind not in ABOUT_KEYS:
        return "", notice.occasion
    return key_label(str(notice.about["name"]), str(notice.about["hint"])), notice.occasion
