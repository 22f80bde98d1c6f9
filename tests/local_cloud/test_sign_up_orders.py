"""The orders of sign-ups, mails and links and the matrix of answers, on the deployed template: with
its stores, its queue, and what its functions do at the wire."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from dev.local_cloud import LocalCloud
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.records import MailedLink
from imagelayer.mail.suppressions import SuppressionStore
from imagelayer.platform.table import Table
from tests.support import cloud_accounts
from tests.support.api_clients import CAPTCHA, PASSWORD, Visitor
from tests.support.cloud_clients import new_visitor
from tests.support.oracles import (
    ACTIONS,
    GUESS,
    PAIRS,
    STATES,
    OracleMatrix,
    Row,
    Seen,
    Target,
    invite,
    tells,
)
from tests.support.sign_up_orders import BUDGET, FORGOT, LENGTH, WEIGHTED_STEPS, play

ORDERS = 24
AT_ONCE = 4
FAR_FUTURE_MS = 4_000_000_000_000


class CloudStage:
    """The local cloud as a stage. Every call comes from an address of its own, so that the limits
    of addresses end no order early."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.email = new_visitor(cloud).email
        self.address = address_hash(self.email)
        self.arrives = True
        self.mailed = 0
        self.links: list[tuple[str, str]] = []

    def sign_up(self, who: str) -> int:
        return self._mailing(self._caller().register())

    def resend(self, who: str) -> int:
        return self._post("/v1/auth/verify-email/resend")

    def forgot(self, who: str) -> int:
        return self._post("/v1/auth/password/forgot")

    def confirm(self, token: str, password: str, name: str) -> int:
        names = {"name": name, "organization_name": "Solstice"}
        return self._caller().verify(token=token, password=password, **names).status_code

    def reset(self, token: str, password: str) -> int:
        body = {"token": token, "password": password}
        return self._caller().call("POST", "/v1/auth/password/reset", json=body).status_code

    def log_in(self, who: str, password: str) -> int:
        # An order has more failures than an account is allowed at once.
        self._counters.delete(f"LIMIT#login-account#{self.address}", "TAT")
        caller = self._caller()
        caller.password = password
        return caller.log_in().status_code

    def names(self) -> tuple[str, str] | None:
        user = cloud_accounts.accounts(self.cloud).get_user_by_address(self.address)
        if user is None:
            return None
        organization = cloud_accounts.organizations(self.cloud).get_organization(user["org_id"])
        return user["name"], organization["name"] if organization else ""

    def mailbox(self) -> list[tuple[str, str]]:
        return self.links

    def use_budget_up(self) -> None:
        item = {"pk": f"LIMIT#mail-per-address#{self.address}", "sk": "TAT"}
        self._counters.put({**item, "tat_mail_per_address": FAR_FUTURE_MS})

    def suppress(self) -> None:
        table = cloud_accounts.table(self.cloud, "AccountsTable")
        SuppressionStore(table).suppress([self.address], "bounce", 1)

    def lose_mail(self) -> None:
        self.arrives = False

    def find_mail(self) -> None:
        self.arrives = True
        self._counters.delete(f"LIMIT#mail-per-address#{self.address}", "TAT")

    @property
    def _counters(self) -> Table:
        return cloud_accounts.table(self.cloud, "CountersTable")

    def _caller(self) -> Visitor:
        caller = new_visitor(self.cloud)
        caller.email = self.email
        return caller

    def _post(self, path: str) -> int:
        return self._mailing(self._caller().call("POST", path, json={"email": self.email}))

    def _mailing(self, answer: httpx.Response) -> int:
        """Wait for what the answer's request mails, and read it if it arrives."""
        assert answer.status_code == 202, answer.text
        cloud_accounts.settle(self.cloud)
        mails = self.cloud.mail(self.email)[::-1]
        new, self.mailed = mails[self.mailed :], len(mails)
        if self.arrives:
            for link in (link for mail in new for link in mail["links"] if "#token=" in link):
                page = urlsplit(link).path.removeprefix("/")
                self.links.append((page, link.partition("#token=")[2]))
        return answer.status_code


@pytest.mark.promise("verified-first")
def test_no_order_lets_in_a_password_that_the_mailboxs_owner_did_not_choose(
    cloud: LocalCloud,
) -> None:
    draw = random.Random(8)  # the same orders each time
    orders = [BUDGET, FORGOT]
    orders += [draw.choices(WEIGHTED_STEPS, k=LENGTH) for _ in range(ORDERS - len(orders))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        accounts = sum(pool.map(lambda order: play(CloudStage(cloud), order), orders))
    print(f"\n{len(orders)} orders; {accounts} end with her account")
    assert accounts > 4  # otherwise the test would prove little
    assert cloud_accounts.half_made(cloud) == []


class CloudCaller:
    """Makes the calls of the matrix, each from an address of its own."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.inviting = cloud_accounts.verified(cloud)
        for action in ACTIONS:
            self.ask(action, self.prepare("free"))

    def prepare(self, state: str) -> Target:
        """A new address in that state, with an invitation."""
        if state == "taken":
            email = cloud_accounts.verified(self.cloud).email
        else:
            email = new_visitor(self.cloud).email
        if state == "unconfirmed":
            self._wait_for_confirmation(email)
        owner = self.inviting
        organizations = cloud_accounts.organizations(self.cloud)
        return Target(email, invite(organizations, owner.org_id, owner.user_id, email))

    def _wait_for_confirmation(self, email: str) -> None:
        store, address = cloud_accounts.accounts(self.cloud), address_hash(email)
        expires_at = int(time.time()) + 600
        store.keep_sign_up(email, address, expires_at)
        link = LinkToken.new(f"email_{address}")
        kept: MailedLink = {"token_hash": link.hash, "expires_at": expires_at}
        assert store.set_sign_up_link(address, kept, expires_at)

    def ask(self, action: str, target: Target) -> Seen:
        """One call; an invitation's token is made up."""
        path, body = {
            "register": ("register", {"email": target.email, "turnstile_token": CAPTCHA}),
            "resend": ("verify-email/resend", {"email": target.email}),
            "forgot": ("password/forgot", {"email": target.email}),
            "login": ("login", {"email": target.email, "password": GUESS}),
            "accept": (
                "invitations/accept",
                {"token": target.guessed, "name": "Mallory", "password": PASSWORD},
            ),
        }[action]
        answer = new_visitor(self.cloud).call("POST", f"/v1/auth/{path}", json=body)
        made = self.cloud.calls(answer.headers["x-request-id"])
        # A process reads secrets when it starts, whatever the request is.
        names = [
            f"{each['service']} {each['operation']}"
            for each in made
            if each["service"] != "secretsmanager"
        ]
        return Seen.of(answer.status_code, answer.text, names)

    def settle(self) -> None:
        cloud_accounts.settle(self.cloud)


@pytest.mark.promise("email-unique")
def test_no_two_calls_in_a_row_tell_whether_an_address_has_an_account_at_the_wire(
    cloud: LocalCloud,
) -> None:
    caller = CloudCaller(cloud)
    matrix = OracleMatrix(caller.prepare, caller.ask, caller.settle)

    def fill(pair: tuple[str, str]) -> Row:
        return matrix.fill(pair)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(fill, PAIRS))
    print(f"\n{matrix}")
    assert len(rows) == len(ACTIONS) ** 2
    for pair, row in zip(PAIRS, rows, strict=True):
        assert not tells(row), (pair, row)
        assert all(seen.calls for state in STATES for seen in row[state])
