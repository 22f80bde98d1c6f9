"""Mail that bounced for good, or that someone complained of, is the last that its address gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.platform.table import StoreUnavailable
from tests.support import accounts, sent_mail
from tests.support.api import Account
from tests.support.product import Product

# SES says `eventType` when a configuration set publishes events, and `notificationType` when an
# identity notifies.
EVERY_SHAPE = pytest.mark.parametrize("shape", ["eventType", "notificationType"])
MAIL = {
    "timestamp": "2026-09-21T10:12:00.000Z",
    "source": "no-reply@imagelayer.example",
    "messageId": "EXAMPLE7c191be45",
    "destination": ["dev@example.com"],
}


def bounce(*addresses: str, kind: str = "Permanent", shape: str = "eventType") -> dict[str, Any]:
    """SES's report of a bounce."""
    recipients = [
        {"emailAddress": address, "action": "failed", "status": "5.1.1"} for address in addresses
    ]
    return {
        shape: "Bounce",
        "mail": MAIL,
        "bounce": {
            "bounceType": kind,
            "bounceSubType": "General",
            "bouncedRecipients": recipients,
            "timestamp": "2026-09-21T10:12:02.000Z",
        },
    }


def complaint(*addresses: str, shape: str = "eventType") -> dict[str, Any]:
    """SES's report of a complaint."""
    return {
        shape: "Complaint",
        "mail": MAIL,
        "complaint": {
            "complainedRecipients": [{"emailAddress": address} for address in addresses],
            "complaintFeedbackType": "abuse",
        },
    }


def receive(product: Product, *notices: dict[str, Any]) -> None:
    """SNS delivers notices."""
    records = [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(each)}} for each in notices]
    product.invoke("mail_feedback", {"Records": records})


def suppressed(product: Product) -> dict[str, str]:
    """Address hash -> why mail to it was stopped."""
    return {
        item["pk"].removeprefix("SUPPRESSED#"): item["reason"]
        for item in product.items("AccountsTable")
        if item["sk"] == "SUPPRESSED"
    }


@pytest.mark.promise("security-logged")
@EVERY_SHAPE
@pytest.mark.parametrize(("notice", "reason"), [(bounce, "bounce"), (complaint, "complaint")])
def test_mail_to_an_address_stops_with_a_permanent_bounce_or_a_complaint(
    product: Product, owner: Account, notice: Any, reason: str, shape: str
) -> None:
    receive(product, notice(owner.email, shape=shape))
    assert suppressed(product) == {address_hash(owner.email): reason}
    (line,) = product.security_events("mail.suppressed")
    assert (line["outcome"], line["org_id"], line["actor"], line["reason"]) == (
        "success",
        owner.org_id,
        owner.user_id,
        reason,
    )
    sent = sent_mail.watch(product)
    accounts.forgot(product, owner.email)
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert sent == []


@EVERY_SHAPE
@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_a_bounce_that_may_pass_stops_nothing(
    product: Product, owner: Account, kind: str, shape: str
) -> None:
    receive(product, bounce(owner.email, kind=kind, shape=shape))
    assert suppressed(product) == {}
    assert product.security_events("mail.suppressed") == []
    sent = sent_mail.watch(product)
    accounts.forgot(product, owner.email)
    product.deliver_mail()
    assert [letter.to for letter in sent] == [owner.email]


@pytest.mark.parametrize(
    "written",
    [
        "dev@example.com",
        "Dev@Example.COM",
        "DEV@EXAMPLE.COM",
        "Dev Eloper <dev@example.com>",
        '"Eloper, Dev" <Dev@Example.com>',
        "<dev@example.com>",
        " dev@example.com ",
        "dev@example.com.",
    ],
)
def test_an_address_is_known_again_however_it_is_written(
    product: Product, owner: Account, written: str
) -> None:
    for notice in (bounce(written), complaint(written)):
        receive(product, notice)
        assert set(suppressed(product)) == {address_hash(owner.email)}


def test_of_several_addresses_each_is_stopped_and_no_other(
    product: Product, owner: Account
) -> None:
    receive(product, bounce("a@example.com", "B <b@example.com>"), complaint("c@example.com"))
    assert suppressed(product) == {
        address_hash("a@example.com"): "bounce",
        address_hash("b@example.com"): "bounce",
        address_hash("c@example.com"): "complaint",
    }
    sent = sent_mail.watch(product)
    accounts.forgot(product, owner.email)
    product.deliver_mail()
    assert len(sent) == 1


def test_a_notice_that_comes_again_changes_nothing(product: Product, owner: Account) -> None:
    receive(product, bounce(owner.email))
    first = suppressed(product)
    for _ in range(2):
        receive(product, bounce(owner.email))
    assert suppressed(product) == first
    assert len([i for i in product.items("AccountsTable") if i["sk"] == "SUPPRESSED"]) == 1


def test_an_answer_does_not_tell_whether_mail_to_an_address_has_stopped(
    product: Product, owner: Account
) -> None:
    receive(product, bounce("refused@example.com", "unwanted@example.com"))
    for call in (
        product.register,
        lambda email: accounts.forgot(product, email),
        lambda email: accounts.resend(product, email),
    ):
        stopped, open_ = call("refused@example.com"), call("another@example.com")
        assert (stopped.status, stopped.text) == (open_.status, open_.text)
        assert stopped.status == 202
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert {letter.to for letter in sent} == {"another@example.com"}


@pytest.mark.promise("security-logged")
def test_neither_record_nor_log_holds_the_address(product: Product, owner: Account) -> None:
    receive(product, bounce("Grace Hopper <grace.hopper@example.com>"))
    items = [item for item in product.items("AccountsTable") if item["sk"] == "SUPPRESSED"]
    assert [set(item) for item in items] == [{"pk", "sk", "reason", "at"}]
    for place in (str(items), product.output.getvalue(), str(product.items("EventsTable"))):
        assert "hopper" not in place.lower()
    (line,) = product.security_events("mail.suppressed")
    assert (line["org_id"], line["actor"]) == ("", "")


@pytest.mark.parametrize(
    "notice",
    [
        {"eventType": "Delivery", "delivery": {}},
        {"eventType": "Send", "send": {}},
        {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "You have …"},
        {},
        {"eventType": "Bounce", "bounce": {"bounceType": "Permanent", "bouncedRecipients": []}},
    ],
)
def test_what_names_no_user_stops_nothing(
    product: Product, owner: Account, notice: dict[str, Any]
) -> None:
    receive(product, notice)
    assert suppressed(product) == {}


def test_a_notice_that_could_not_be_kept_is_delivered_again(
    product: Product, owner: Account
) -> None:
    """SNS repeats what a function did not finish, so it must not seem finished."""
    with product.broken("dynamodb", "PutItem"), pytest.raises(StoreUnavailable):
        receive(product, bounce(owner.email))
    assert suppressed(product) == {}
    receive(product, bounce(owner.email))
    assert set(suppressed(product)) == {address_hash(owner.email)}


def test_what_was_stopped_is_counted(product: Product, owner: Account) -> None:
    receive(product, bounce(owner.email), bounce("x@example.com", kind="Transient"))
    counted = [line for line in product.logs() if "MailSuppressed" in line]
    assert len(counted) == 1
