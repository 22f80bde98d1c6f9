"""Signing up and confirming the address."""

from __future__ import annotations

import re
import time

import pytest

from tests.support import aws
from tests.support.accounts import (
    NEW_PASSWORD,
    calls,
    confirm,
    forgot,
    log_in,
    lost_acknowledgement,
    reset,
)
from tests.support.api import PASSWORD
from tests.support.product import Product

EMAIL = "dev@example.com"
STRANGERS = "the strangers own password"


def test_a_sign_up_sends_a_mail_whose_link_opens_the_account(product: Product) -> None:
    answer = product.register(EMAIL)
    assert (answer.status, answer.json) == (202, {"status": "verification_sent"})
    (mail,) = product.mails()
    assert mail.destinations["ToAddresses"] == [EMAIL]
    assert confirm(product, product.newest_token()).status == 200
    assert log_in(product, EMAIL).status == 200


def test_one_account_has_one_owner_one_organization_and_one_reservation(product: Product) -> None:
    product.register(EMAIL)
    assert confirm(product, product.newest_token()).status == 200
    items = product.items("AccountsTable")
    assert sorted(re.split(r"[#_]", item["sk"])[0] for item in items) == [
        "EMAIL", "MEMBER", "ORG", "USER",
    ]  # fmt: skip
    (member,) = [item for item in items if item["sk"].startswith("MEMBER")]
    assert member["role"] == "owner"


@pytest.mark.promise("passwords-bcrypt")
def test_the_password_is_kept_as_bcrypt_and_nothing_else(product: Product) -> None:
    product.account(EMAIL)
    assert PASSWORD not in product.dump()
    user = product.item("AccountsTable", "USER")
    assert re.fullmatch(r"[0-9a-f]{8}\$2b\$\d\d\$.{53}", user["password_hash"])
    assert "pending" not in user


@pytest.mark.promise("keys-hashed")
def test_a_verification_token_is_kept_hashed(product: Product) -> None:
    product.register(EMAIL)
    secret = product.newest_token().partition(".")[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in product.dump()


@pytest.mark.promise("email-unique")
def test_the_answer_does_not_tell_a_taken_address_from_a_free_one(product: Product) -> None:
    product.account(EMAIL)
    taken, free = product.register(EMAIL), product.register("free@example.com")
    assert (taken.status, taken.text) == (free.status, free.text)
    assert set(taken.headers) == set(free.headers)


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize("address", [EMAIL, "waiting@example.com"], ids=["verified", "waiting"])
def test_the_same_work_is_done_for_a_taken_address_as_for_a_free_one(
    product: Product, address: str
) -> None:
    """Or the time would tell what the answer does not."""
    product.account(EMAIL)
    product.register("waiting@example.com")
    product.mails()
    with calls(product, "registration") as for_free:
        product.register("free@example.com")
    with calls(product, "registration") as for_taken:
        product.register(address)
    assert for_taken == for_free
    assert (for_free.count("SendMessage"), for_free.count("bcrypt 4")) == (1, 1)


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(
    "spelling", ["dev@example.com", "DEV@Example.COM", " dev@example.com.", "Dev@example.com"]
)
def test_a_taken_address_in_any_spelling_makes_no_second_account(
    product: Product, spelling: str
) -> None:
    product.account(EMAIL)
    before = product.dump_of("AccountsTable")
    assert product.register(spelling, password=STRANGERS).status == 202
    assert "already" in product.mails()[-1].subject.lower()
    assert "#token=" not in str(product.mails()[-1].body)
    assert product.dump_of("AccountsTable") == before
    assert log_in(product, EMAIL, STRANGERS).status == 401
    assert log_in(product, EMAIL).status == 200


@pytest.mark.promise("email-unique")
def test_addresses_that_differ_in_their_tags_are_different_mailboxes(product: Product) -> None:
    addresses = [EMAIL, "dev+one@example.com", "dev+two@example.com"]
    accounts = [product.account(address) for address in addresses]
    assert len({account.org_id for account in accounts}) == 3
    assert len({account.user_id for account in accounts}) == 3


@pytest.mark.parametrize("mailed_between", [True, False])
def test_of_two_sign_ups_with_different_passwords_neither_password_counts(
    product: Product, mailed_between: bool
) -> None:
    """The reader of the mailbox chooses; a stranger who signed up with it, before or after its
    owner did, gains nothing."""
    product.register(EMAIL, password=STRANGERS)
    if mailed_between:
        product.mails()
    product.register(EMAIL)
    confirmed = confirm(product, product.newest_token())
    assert (confirmed.status, confirmed.json["status"]) == (200, "verified")
    assert log_in(product, EMAIL, STRANGERS).status == 401
    assert log_in(product, EMAIL).status == 401
    assert product.items("SessionsTable") == []
    assert reset(product, confirmed.json["password_token"]).status == 204
    assert log_in(product, EMAIL, NEW_PASSWORD).status == 200
    assert log_in(product, EMAIL, STRANGERS).status == 401
    assert log_in(product, EMAIL).status == 401


def test_the_first_mails_link_is_dead_once_there_is_a_second(product: Product) -> None:
    product.register(EMAIL, password=STRANGERS, name="Stranger")
    strangers_token = product.newest_token()
    product.register(EMAIL, name="Dev")
    own_token = product.newest_token()
    assert confirm(product, strangers_token).status == 400
    assert confirm(product, own_token).status == 200
    assert product.item("AccountsTable", "USER")["name"] == "Dev"


def test_the_token_that_sets_a_contested_password_works_once(product: Product) -> None:
    product.register(EMAIL, password=STRANGERS)
    product.register(EMAIL)
    token = confirm(product, product.newest_token()).json["password_token"]
    assert token.partition(".")[2] not in product.dump()
    assert reset(product, token).status == 204
    assert reset(product, token, "yet another long phrase here").status == 400


def test_the_same_sign_up_twice_keeps_its_password(product: Product) -> None:
    """A client that got no answer sends its sign-up again."""
    product.register(EMAIL)
    product.mails()
    product.register(EMAIL)
    confirmed = confirm(product, product.newest_token())
    assert confirmed.json == {"status": "verified", "password_token": None}
    assert log_in(product, EMAIL).status == 200


@pytest.mark.parametrize("third", [PASSWORD, STRANGERS], ids=["the owner's", "the stranger's"])
def test_a_third_sign_up_does_not_settle_what_two_contest(product: Product, third: str) -> None:
    for password in (PASSWORD, STRANGERS, third):
        product.register(EMAIL, password=password)
        product.mails()
    assert confirm(product, product.newest_token()).json["password_token"] is not None
    assert log_in(product, EMAIL, third).status == 401


def test_a_link_that_is_sent_again_does_not_settle_it_either(product: Product) -> None:
    for password in (STRANGERS, PASSWORD):
        product.register(EMAIL, password=password)
    product.mails()
    product.call("POST", "/v1/auth/verify-email/resend", body={"email": EMAIL})
    assert confirm(product, product.newest_token()).json["password_token"] is not None
    assert log_in(product, EMAIL).status == 401


def test_a_sign_up_that_ran_out_contests_nothing(product: Product) -> None:
    product.register(EMAIL, password=STRANGERS)
    product.mails()
    user = product.item("AccountsTable", "USER")
    expired = {**user["pending"], "expires_at": int(time.time())}
    product.edit("AccountsTable", user, pending=expired)
    product.register(EMAIL)
    assert confirm(product, product.newest_token()).json["password_token"] is None
    assert log_in(product, EMAIL).status == 200
    assert log_in(product, EMAIL, STRANGERS).status == 401


def test_the_names_of_the_sign_up_that_was_confirmed_are_the_ones_that_count(
    product: Product,
) -> None:
    product.register(EMAIL, name="Stranger", organization_name="Strangers United")
    product.mails()
    product.register(EMAIL, name="Dev", organization_name="Solstice Coffee")
    assert confirm(product, product.newest_token()).status == 200
    login = log_in(product, EMAIL)
    assert login.json["user"]["name"] == "Dev"
    assert login.json["organization"]["name"] == "Solstice Coffee"


def test_a_link_that_was_sent_again_replaces_the_first(product: Product) -> None:
    product.register(EMAIL)
    first = product.newest_token()
    resent = product.call("POST", "/v1/auth/verify-email/resend", body={"email": EMAIL})
    assert resent.status == 202
    second = product.newest_token()
    assert first != second
    assert confirm(product, first).status == 400
    assert confirm(product, second).status == 200
    assert log_in(product, EMAIL).status == 200


def test_asking_again_tells_nothing_about_an_address(product: Product) -> None:
    product.account(EMAIL)
    product.register("waiting@example.com")
    sent = len(product.mails())
    answers = [
        product.call(
            "POST", "/v1/auth/verify-email/resend", body={"email": email}, ip=f"198.51.100.{n}"
        )
        for n, email in enumerate([EMAIL, "waiting@example.com", "nobody@example.com"])
    ]
    assert len({(answer.status, answer.text) for answer in answers}) == 1
    assert len(product.mails()) == sent + 1


@pytest.mark.promise("auth-logged")
def test_sign_up_and_confirmation_are_logged_with_who_and_from_where(product: Product) -> None:
    account = product.account(EMAIL)
    for event in ("auth.register", "auth.verify_email"):
        (line,) = product.security_events(event)
        assert (line["outcome"], line["org_id"], line["actor"], line["ip"]) == (
            "success",
            account.org_id,
            account.user_id,
            "198.51.100.7",
        )


def test_a_link_that_is_past_its_day_is_dead(product: Product) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    user = product.item("AccountsTable", "USER")
    assert abs(user["pending"]["expires_at"] - time.time() - 24 * 3600) < 60
    expired = {**user["pending"], "expires_at": int(time.time())}
    product.edit("AccountsTable", user, pending=expired)
    assert confirm(product, token).status == 400
    assert log_in(product, EMAIL).status == 403


@pytest.mark.parametrize("contested", [False, True])
def test_a_confirmation_whose_answer_was_lost_is_answered_again_and_then_never(
    product: Product, contested: bool
) -> None:
    if contested:
        product.register(EMAIL, password=STRANGERS)
        product.mails()
    product.register(EMAIL)
    token = product.newest_token()
    with lost_acknowledgement(product, "registration"):
        first = confirm(product, token)
    again = confirm(product, token)
    for answer in (first, again):
        assert (answer.status, answer.json["status"]) == (200, "verified")
        assert (answer.json["password_token"] is not None) == contested
    assert confirm(product, token).status == 400
    if contested:
        assert reset(product, again.json["password_token"]).status == 204
        assert log_in(product, EMAIL, NEW_PASSWORD).status == 200
    else:
        assert log_in(product, EMAIL).status == 200


@pytest.mark.promise("keys-hashed")
def test_what_waits_for_the_mail_function_names_no_address_and_holds_no_secret(
    product: Product,
) -> None:
    product.register(EMAIL)
    forgot(product, EMAIL)
    waiting = aws.client("sqs").receive_message(
        QueueUrl=product.names["MailQueue"], MaxNumberOfMessages=10
    )["Messages"]
    assert len(waiting) == 2
    for message in waiting:
        for secret in (EMAIL, "example.com", PASSWORD, "$2b$", "Dev Eloper"):
            assert secret not in message["Body"]


def test_a_sign_up_waits_no_longer_than_its_mail(product: Product) -> None:
    product.register(EMAIL)
    waiting = product.item("AccountsTable", "SIGNUP")
    assert abs(waiting["expires_at"] - time.time() - 2 * 86_400) < 60
    product.mails()
    assert not [item for item in product.items("AccountsTable") if item["sk"] == "SIGNUP"]


def test_when_mail_cannot_be_sent_a_sign_up_is_taken_and_its_mail_comes_later(
    product: Product,
) -> None:
    queue = product.names["MailQueue"]
    with product.broken("sesv2"):
        assert product.register(EMAIL).status == 202
        (message,) = aws.client("sqs").receive_message(
            QueueUrl=queue, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"]
        )["Messages"]
        record = {
            "messageId": message["MessageId"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        failed = product.invoke("mail", {"Records": [record]})["batchItemFailures"]
    assert failed == [{"itemIdentifier": message["MessageId"]}]
    assert len(product.mails()) == 1
    assert confirm(product, product.newest_token()).status == 200
    assert log_in(product, EMAIL).status == 200


def test_when_the_queue_does_not_answer_the_same_sign_up_again_is_as_good(
    product: Product,
) -> None:
    with product.broken("sqs"):
        refused = product.register(EMAIL)
        assert (refused.status, refused.json["code"]) == (503, "dependency_unavailable")
    assert product.register(EMAIL).status == 202
    assert confirm(product, product.newest_token()).json["password_token"] is None
    assert log_in(product, EMAIL).status == 200
