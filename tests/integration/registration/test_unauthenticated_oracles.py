"""No two calls in a row tell a caller who reads no mail whether an address has an account."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import calls
from tests.support.api import CAPTCHA, PASSWORD, Account
from tests.support.oracles import (
    ACTIONS,
    GUESS,
    PAIRS,
    STATES,
    OracleMatrix,
    Seen,
    Target,
    invite,
    tells,
)
from tests.support.product import Product

ROUTES = {
    "register": ("registration", "/v1/auth/register"),
    "resend": ("registration", "/v1/auth/verify-email/resend"),
    "forgot": ("password", "/v1/auth/password/forgot"),
    "login": ("login", "/v1/auth/login"),
    "accept": ("registration", "/v1/auth/invitations/accept"),
}


class Caller:
    """Makes the calls, each from an address of its own, so that no limit of an address is met."""

    def __init__(self, product: Product, inviting: Account) -> None:
        self.product = product
        self.inviting = inviting
        self.numbers = itertools.count(1)
        self.organizations = product.part("registration", IdentityWiring).organization_store
        for action in ACTIONS:  # secrets are read by the first call of a process
            self.ask(action, self.prepare("free"))

    def prepare(self, state: str) -> Target:
        """A new address in that state, with an invitation."""
        email = f"{state}-{next(self.numbers)}@example.com"
        if state != "free":
            assert self.product.register(email, ip=self.ip()).status == 202
            token = self.product.newest_token()
            if state == "taken":
                assert self.product.confirm(token, ip=self.ip()).status == 200
        owner = self.inviting
        return Target(email, invite(self.organizations, owner.org_id, owner.user_id, email))

    def ask(self, action: str, target: Target, *, token: str = "") -> Seen:
        """One call, with an invitation's token that was made up unless it is given."""
        function, path = ROUTES[action]
        body: dict[str, Any] = {
            "register": {"email": target.email, "turnstile_token": CAPTCHA},
            "login": {"email": target.email, "password": GUESS},
            "accept": {"token": token or target.guessed, "name": "Mallory", "password": PASSWORD},
        }.get(action, {"email": target.email})
        with calls(self.product, function) as made:
            answer = self.product.call("POST", path, body=body, ip=self.ip())
        return Seen.of(answer.status, answer.text, made)

    def ip(self) -> str:
        number = next(self.numbers)
        return f"203.{number // 250}.113.{number % 250}"


@pytest.mark.promise("email-unique")
def test_no_two_calls_in_a_row_tell_whether_an_address_has_an_account(
    product: Product, owner: Account
) -> None:
    caller = Caller(product, owner)
    matrix = OracleMatrix(caller.prepare, caller.ask, product.mails)
    for pair in PAIRS:
        matrix.fill(pair)
    print(f"\n{matrix}")
    assert len(matrix.rows) == len(ACTIONS) ** 2
    for pair, row in matrix.rows.items():
        assert row["taken"] == row["free"] == row["unconfirmed"], pair
    statuses = {
        action: {seen[0].status for (first, _), row in matrix.rows.items() if first == action
                 for seen in row.values()}
        for action in ACTIONS
    }  # fmt: skip
    assert statuses == {
        "register": {202}, "resend": {202}, "forgot": {202}, "login": {401}, "accept": {400},
    }  # fmt: skip


def test_only_the_token_of_an_invitations_mail_tells_and_only_of_an_account(
    product: Product, owner: Account
) -> None:
    """The control: the matrix sees the one difference that there is, to who reads the mailbox."""
    caller = Caller(product, owner)
    seen = {}
    for state in STATES:
        target = caller.prepare(state)
        seen[state] = [caller.ask("accept", target, token=target.invitation.text)]
    assert tells(seen)
    assert seen["free"] == seen["unconfirmed"]
    assert seen["free"][0].status == 200
    assert seen["taken"][0].status == 409
    assert "address_taken" in seen["taken"][0].body
