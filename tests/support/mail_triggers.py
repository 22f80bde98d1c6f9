"""What requests each kind of mail, for the tests of what is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support import accounts, leak_reports, organizations
from tests.support.api import Account
from tests.support.product import Product

FRIEND = "friend@example.com"


def _rotate(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    product.deliver_mail()
    path = f"/v1/keys/{key['id']}/rotate"
    assert product.call("POST", path, headers=owner.headers, body={}).status == 201


def _resend_to_newcomer(product: Product, _: Account) -> None:
    product.register(FRIEND)
    product.deliver_mail()
    accounts.resend(product, FRIEND)


def _reset_of_newcomer(product: Product, _: Account) -> None:
    product.register(FRIEND)
    product.deliver_mail()
    accounts.forgot(product, FRIEND)


def _disable(product: Product, owner: Account) -> None:
    app = accounts.enrol(product, owner)
    product.deliver_mail()
    assert accounts.disable(product, owner, app.fresh_code()).status == 204


def _use_recovery_code(product: Product, owner: Account) -> None:
    app = accounts.enrol(product, owner)
    product.deliver_mail()
    code, *_ = app.recovery_codes
    assert accounts.log_in(product, owner.email, recovery_code=code).status == 200


def _renew_recovery_codes(product: Product, owner: Account) -> None:
    app = accounts.enrol(product, owner)
    product.deliver_mail()
    assert accounts.renew_codes(product, owner, app.fresh_code()).status == 200


def _report_a_key(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    product.deliver_mail()
    assert leak_reports.labels(leak_reports.report(product, key["key"], url="")) == [
        "true_positive"
    ]


def _use_credits_up(product: Product, owner: Account) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    body = {"prompt": "waves", "size": "256x256", "n": 2}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=body).status == 402


# What happens -> the kind of message that requests the mail, whom it goes to, what it is called,
# and the page it leads to.
CAUSES: dict[str, tuple[Callable[[Product, Account], object], str, str, str, str]] = {
    "signing up": (
        lambda product, _: product.register(FRIEND),
        "sign_up",
        FRIEND,
        "Confirm your email address for ImageLayer",
        "/verify-email",
    ),
    "signing up again": (
        lambda product, owner: product.register(owner.email),
        "sign_up",
        "dev@example.com",
        "You already have an ImageLayer account",
        "/reset-password",
    ),
    "asking for it again": (
        _resend_to_newcomer,
        "verification",
        FRIEND,
        "Confirm your email address for ImageLayer",
        "/verify-email",
    ),
    "forgetting a password": (
        lambda product, owner: accounts.forgot(product, owner.email),
        "reset",
        "dev@example.com",
        "Set a new password for ImageLayer",
        "/reset-password",
    ),
    "forgetting a password before it counts": (
        _reset_of_newcomer,
        "reset",
        FRIEND,
        "Confirm your email address for ImageLayer",
        "/verify-email",
    ),
    "inviting": (
        lambda product, owner: organizations.invite(product, owner, FRIEND),
        "invitation",
        FRIEND,
        "You are invited to ImageLayer",
        "/accept-invitation",
    ),
    "logging in elsewhere": (
        lambda product, owner: accounts.log_in(product, owner.email, ip=accounts.ELSEWHERE),
        "new_place",
        "dev@example.com",
        "New login to your ImageLayer account",
        "/reset-password",
    ),
    "changing a password": (
        accounts.change,
        "password_changed",
        "dev@example.com",
        "Your ImageLayer password was changed",
        "/reset-password",
    ),
    "setting a second factor up": (
        accounts.enrol,
        "totp_enabled",
        "dev@example.com",
        "A second factor was set up for your ImageLayer account",
        "/reset-password",
    ),
    "removing a second factor": (
        _disable,
        "totp_disabled",
        "dev@example.com",
        "A second factor was removed from your ImageLayer account",
        "/reset-password",
    ),
    "using a recovery code": (
        _use_recovery_code,
        "recovery_code_used",
        "dev@example.com",
        "A recovery code of your ImageLayer account was used",
        "/reset-password",
    ),
    "renewing recovery codes": (
        _renew_recovery_codes,
        "recovery_codes_renewed",
        "dev@example.com",
        "Your ImageLayer recovery codes were replaced",
        "/reset-password",
    ),
    "creating a key": (
        lambda product, owner: product.key(owner, "assets:read"),
        "key_created",
        "dev@example.com",
        "An API key was created in ImageLayer",
        "/reset-password",
    ),
    "rotating a key": (
        _rotate,
        "key_rotated",
        "dev@example.com",
        "An API key was rotated in ImageLayer",
        "/reset-password",
    ),
    "a key found in public": (
        _report_a_key,
        "key_leaked",
        "dev@example.com",
        "An ImageLayer API key was found in public and revoked",
        "",
    ),
    "using all credits": (
        _use_credits_up,
        "quota",
        "dev@example.com",
        "100 percent of this month's ImageLayer credits are used",
        "",
    ),
}


def record(
    message: dict[str, Any] | str, message_id: str = "m-1", *, received: int = 1
) -> dict[str, Any]:
    """A queue record as the mail function gets it."""
    body = message if isinstance(message, str) else json.dumps(message)
    attributes = {"ApproximateReceiveCount": str(received)}
    return {"messageId": message_id, "body": body, "attributes": attributes}


def deliver(product: Product, *records: dict[str, Any]) -> list[str]:
    """Hand records to the mail function; returns those that come again."""
    result = product.invoke("mail", {"Records": list(records)})
    return [each["itemIdentifier"] for each in result["batchItemFailures"]]


def counted(product: Product) -> dict[str, int]:
    """The limits of mail as they stand."""
    return {
        item["pk"]: value
        for item in product.items("CountersTable")
        if item["pk"].startswith("LIMIT#mail-")
        for name, value in item.items()
        if name.startswith("tat_")
    }


def outcomes(product: Product) -> list[str]:
    """The outcome of each message, from the metrics: `MailSent` …"""
    metrics = [line["_aws"]["CloudWatchMetrics"] for line in product.logs() if "_aws" in line]
    names = [str(metric["Metrics"][0]["Name"]) for (metric,) in metrics]
    return [name for name in names if name.startswith("Mail")]
