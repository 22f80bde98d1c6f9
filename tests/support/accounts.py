"""What people do with their accounts, for the tests of sign-ups, logins, passwords and codes."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bcrypt
import pyotp
import pytest

from imagelayer.identity.second_factor import STEP_SECONDS
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.table import StoreUnavailable
from tests.support import aws
from tests.support.api import PASSWORD, Account, Answer
from tests.support.product import Product

HOME = "198.51.100.7"  # where `product.account` logs in from
ELSEWHERE = "203.0.113.9"
NEW_PASSWORD = "seven quiet herons by the weir"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15"


def log_in(
    product: Product,
    email: str,
    password: str = PASSWORD,
    *,
    ip: str = HOME,
    agent: str = "",
    **codes: str,
) -> Answer:
    """Log in; `codes` are those of the second factor."""
    body = {"email": email, "password": password, **codes}
    return product.call("POST", "/v1/auth/login", body=body, ip=ip, headers={"user-agent": agent})


def cookie_of(answer: Answer) -> str:
    """The refresh cookie of a login or refresh, as the browser sends it back."""
    assert answer.status == 200, answer.text
    return answer.cookies[0].partition(";")[0]


def expires_cookie(answer: Answer) -> bool:
    """Whether an answer makes the browser forget the refresh cookie."""
    return [cookie.partition("; Path")[0] for cookie in answer.cookies] == [
        "__Host-il_refresh=; Max-Age=0"
    ]


def account_of(email: str, answer: Answer) -> Account:
    """Who a login's answer logs in."""
    return Account(
        email,
        answer.json["access_token"],
        cookie_of(answer),
        answer.json["organization"]["id"],
        answer.json["user"]["id"],
    )


def refresh(product: Product, cookie: str, *, ip: str = HOME, agent: str = "") -> Answer:
    """Trade a refresh cookie."""
    headers = {"user-agent": agent}
    return product.call("POST", "/v1/auth/refresh", cookies=[cookie], ip=ip, headers=headers)


def is_logged_in(product: Product, token: str) -> bool:
    """Whether an access token is still good."""
    answer = product.call("GET", "/v1/auth/me", headers={"authorization": f"Bearer {token}"})
    assert answer.status in (200, 401), answer.text
    return answer.status == 200


def confirm(product: Product, token: str, password: str = PASSWORD, **changes: str) -> Answer:
    """Create the account of a sign-up with the token of its mail."""
    return product.confirm(token, password=password, **changes)


def resend(product: Product, email: str, *, ip: str = HOME) -> Answer:
    """Ask for another verification mail."""
    return product.call("POST", "/v1/auth/verify-email/resend", body={"email": email}, ip=ip)


def forgot(product: Product, email: str, *, ip: str = HOME) -> Answer:
    """Ask for a reset mail."""
    return product.call("POST", "/v1/auth/password/forgot", body={"email": email}, ip=ip)


def reset(product: Product, token: str, password: str = NEW_PASSWORD, *, ip: str = HOME) -> Answer:
    """Set a new password with a mailed token."""
    body = {"token": token, "password": password}
    return product.call("POST", "/v1/auth/password/reset", body=body, ip=ip)


def change(
    product: Product, account: Account, current: str = PASSWORD, new: str = NEW_PASSWORD
) -> Answer:
    """Change one's own password."""
    body = {"current_password": current, "password": new}
    path = "/v1/auth/password/change"
    return product.call("POST", path, headers=account.headers, body=body)


def invite(product: Product, account: Account, email: str, role: str = "developer") -> str:
    """Invite someone; returns the token of the mail."""
    body = {"email": email, "role": role}
    path = "/v1/organization/invitations"
    answer = product.call("POST", path, headers=account.headers, body=body)
    assert answer.status == 201, answer.text
    return product.newest_token()


def accept(
    product: Product, token: str, password: str = PASSWORD, name: str = "Fri Endly"
) -> Answer:
    """Accept an invitation."""
    body = {"token": token, "name": name, "password": password}
    return product.call("POST", "/v1/auth/invitations/accept", body=body)


def join(product: Product, account: Account, email: str, role: str = "developer") -> Account:
    """Invite someone who accepts and logs in."""
    assert accept(product, invite(product, account, email, role)).status == 200
    return account_of(email, log_in(product, email))


def user_of(product: Product, user_id: str) -> dict[str, Any]:
    """A user's record."""
    users = [item for item in product.items("AccountsTable") if item["sk"] == "USER"]
    (found,) = [user for user in users if user["id"] == user_id]
    return found


def sessions_of(product: Product, user_id: str) -> list[dict[str, Any]]:
    """The records of a user's sessions, the oldest first."""
    items = [item for item in product.dump_of("SessionsTable") if item["pk"] == f"USER#{user_id}"]
    return [item for item in items if item["sk"].startswith("SES#")]


def spend(product: Product, policy_name: str, subject: str) -> None:
    """Use one limit of a subject up, as someone else just did."""
    policy = POLICIES[policy_name]
    tat = int(time.time() * 1000) + policy.burst * policy.interval_ms + 10_000
    attribute = f"tat_{policy_name.replace('-', '_')}"
    key = {"pk": f"LIMIT#{policy_name}#{subject}", "sk": "TAT"}
    product.edit("CountersTable", key, **{attribute: tat})


def restart(product: Product, *functions: str, **parameters: str) -> None:
    """Start functions anew, as a deployment with other parameters does."""
    product.parameters.update(parameters)
    for function in functions:
        product._platforms.pop(function, None)


def rotate_pepper(product: Product, *heard: str) -> None:
    """A new pepper, with the old ones kept for the hashes that name them.

    Warm processes go on with what they have read; those of the named functions, or else all, have
    heard of it, as every process has after five minutes.
    """
    manager, secret_id = aws.client("secretsmanager"), product.names["PepperSecret"]
    old = json.loads(manager.get_secret_value(SecretId=secret_id)["SecretString"])
    new = {
        "current": secrets.token_urlsafe(48),
        "previous": [old["current"], *old.get("previous", [])],
    }
    manager.put_secret_value(SecretId=secret_id, SecretString=json.dumps(new))
    for function, wiring in product._platforms.items():
        if not heard or function in heard:
            wiring.secrets._kept.clear()


@contextlib.contextmanager
def lost_acknowledgement(product: Product, function: str) -> Iterator[None]:
    """Calls of a function die after they did their work and before they said so."""

    def fail(*_: object) -> None:
        raise StoreUnavailable("update_item", "lost")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("acknowledge", "acknowledge_code", "acknowledge_enrolment"):
            patch.setattr(product.part(function, IdentityWiring).account_store, name, fail)
        yield


@contextlib.contextmanager
def meanwhile(target: object, reading: str, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """`act` happens right after the first call of a reading method, and before its reader goes on.

    Yields what it came to.
    """
    read = getattr(target, reading)
    came_to: list[Any] = []
    begun: list[bool] = []

    def read_and_act(*about: object) -> object:
        found = read(*about)
        if not begun:
            begun.append(True)
            came_to.append(act())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, reading, read_and_act)
        yield came_to


@contextlib.contextmanager
def calls(product: Product, function: str) -> Iterator[list[str]]:
    """What takes a function's time within it: its AWS calls by name and its bcrypts by their cost,
    in order."""
    made: list[str] = []

    def note(model: Any, **_: object) -> None:
        made.append(model.name)

    def slow(work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(password: bytes, salt_or_hash: bytes) -> Any:
            made.append(f"bcrypt {int(salt_or_hash.split(b'$')[2])}")
            return work(password, salt_or_hash)

        return noted

    services = ("dynamodb", "sqs", "secretsmanager")
    clients = [product.platform(function).client(service).meta.events for service in services]
    for events in clients:
        events.register("before-call", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("hashpw", "checkpw"):
                patch.setattr(bcrypt, name, slow(getattr(bcrypt, name)))
            yield made
    finally:
        for events in clients:
            events.unregister("before-call", note)


@dataclass
class Authenticator:
    """An app that was set up as someone's second factor."""

    product: Product
    user_id: str
    secret: str
    recovery_codes: list[str]

    def code(self, at: float | None = None) -> str:
        """The code that the app shows."""
        return pyotp.TOTP(self.secret).at(int(time.time() if at is None else at))

    def fresh_code(self) -> str:
        """A code that was not used, as if those that were belonged to yesterday."""
        user = user_of(self.product, self.user_id)
        last_step = user["totp"]["last_step"] - 86_400 // STEP_SECONDS
        self.product.edit("AccountsTable", user, totp={**user["totp"], "last_step": last_step})
        return self.code()

    def wrong_code(self) -> str:
        """A code that no clock near ours shows."""
        now = int(time.time())
        near = {self.code(now + steps * STEP_SECONDS) for steps in range(-3, 4)}
        return next(code for code in (str(digit) * 6 for digit in range(10)) if code not in near)


def start_enrolment(product: Product, account: Account, password: str = PASSWORD) -> Answer:
    """Ask for the secret of a second factor."""
    body = {"password": password}
    return product.call("POST", "/v1/auth/totp", headers=account.headers, body=body)


def confirm_enrolment(product: Product, account: Account, code: str) -> Answer:
    """Show that the authenticator has the secret."""
    body = {"totp_code": code}
    return product.call("POST", "/v1/auth/totp/confirm", headers=account.headers, body=body)


def enrol(product: Product, account: Account, at: float | None = None) -> Authenticator:
    """Set a second factor up, with the code of now or of another time."""
    started = start_enrolment(product, account)
    assert started.status == 201, started.text
    app = Authenticator(product, account.user_id, started.json["secret"], [])
    confirmed = confirm_enrolment(product, account, app.code(at))
    assert confirmed.status == 200, confirmed.text
    app.recovery_codes = list(confirmed.json["recovery_codes"])
    return app


def disable(product: Product, account: Account, code: str, password: str = PASSWORD) -> Answer:
    """Remove the second factor."""
    body = {"password": password, "totp_code": code}
    return product.call("POST", "/v1/auth/totp/disable", headers=account.headers, body=body)


def renew_codes(product: Product, account: Account, code: str, password: str = PASSWORD) -> Answer:
    """Replace the recovery codes."""
    body = {"password": password, "totp_code": code}
    path = "/v1/auth/totp/recovery-codes"
    return product.call("POST", path, headers=account.headers, body=body)
