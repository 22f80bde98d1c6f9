"""Signing up and confirming the address."""

from __future__ import annotations

import re
import time

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.limits.rate_limits import POLICIES
from tests.support import aws
from tests.support.accounts import (
    NEW_PASSWORD,
    accept,
    calls,
    confirm,
    forgot,
    invite,
    log_in,
    lost_acknowledgement,
    meanwhile,
    resend,
    spend,
)
from tests.support.api import PASSWORD, Account
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
    assert for_free.count("SendMessage") == 1


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(
    "spelling", ["dev@example.com", "DEV@Example.COM", " dev@example.com.", "Dev@example.com"]
)
def test_a_taken_address_in_any_spelling_makes_no_second_account(
    product: Product, spelling: str
) -> None:
    product.account(EMAIL)
    before = product.dump_of("AccountsTable")
    assert product.register(spelling).status == 202
    assert "already" in product.mails()[-1].subject.lower()
    assert "#token=" not in str(product.mails()[-1].body)
    after = product.dump_of("AccountsTable")
    assert [item for item in after if item["sk"] != "SIGNUP"] == before
    assert log_in(product, EMAIL).status == 200


@pytest.mark.promise("email-unique")
def test_addresses_that_differ_in_their_tags_are_different_mailboxes(product: Product) -> None:
    addresses = [EMAIL, "dev+one@example.com", "dev+two@example.com"]
    accounts = [product.account(address) for address in addresses]
    assert len({account.org_id for account in accounts}) == 3
    assert len({account.user_id for account in accounts}) == 3


@pytest.mark.promise("verified-first")
@pytest.mark.parametrize("field", ["password", "name", "organization_name"])
def test_a_sign_up_can_give_nothing_but_an_address(product: Product, field: str) -> None:
    refused = product.register(EMAIL, **{field: STRANGERS})
    assert (refused.status, refused.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in refused.json["errors"]] == [f"body.{field}"]


@pytest.mark.promise("verified-first")
def test_before_the_confirmation_there_is_an_address_and_a_link_and_no_account(
    product: Product,
) -> None:
    product.register(EMAIL)
    product.mails()
    (waiting,) = product.items("AccountsTable")
    assert waiting.keys() == {"pk", "sk", "email", "expires_at", "link"}
    assert waiting["link"].keys() == {"token_hash", "expires_at"}


@pytest.mark.promise("verified-first")
def test_an_account_has_the_names_and_the_password_of_its_confirmation(product: Product) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    names = {"name": "Vera", "organization_name": "Vera & Co"}
    answer = confirm(product, token, NEW_PASSWORD, **names)
    assert (answer.status, answer.json) == (200, {"status": "verified"})
    login = log_in(product, EMAIL, NEW_PASSWORD)
    assert login.json["user"]["name"] == "Vera"
    assert login.json["user"]["email_verified"] is True
    assert login.json["organization"]["name"] == "Vera & Co"
    assert log_in(product, EMAIL).status == 401


@pytest.mark.promise("verified-first")
def test_a_strangers_sign_ups_that_use_the_mail_budget_up_gain_nothing(product: Product) -> None:
    """The victim's own sign-up is capped then, and she opens a mail that the stranger caused."""
    for _ in range(POLICIES["mail-per-address"].burst):
        product.register(EMAIL, ip="203.0.113.66")
        product.mails()
    mailed = len(product.mails())
    product.register(EMAIL)
    assert len(product.mails()) == mailed
    assert confirm(product, product.newest_token()).status == 200
    assert log_in(product, EMAIL, STRANGERS, ip="203.0.113.66").status == 401
    assert log_in(product, EMAIL).status == 200
    (user,) = [item for item in product.items("AccountsTable") if item["sk"] == "USER"]
    assert user["name"] == "Dev Eloper"


@pytest.mark.promise("verified-first")
def test_a_password_that_is_forgotten_before_there_is_an_account_installs_none(
    product: Product,
) -> None:
    """The victim did not sign up, so she requests a new password: she chooses it herself."""
    product.register(EMAIL, ip="203.0.113.66")
    product.mails()
    forgot(product, EMAIL)
    assert confirm(product, product.newest_token()).status == 200
    assert log_in(product, EMAIL, STRANGERS, ip="203.0.113.66").status == 401
    assert log_in(product, EMAIL).status == 200


@pytest.mark.promise("verified-first")
def test_a_stranger_who_signs_up_after_the_owner_leaves_no_name_in_her_account(
    product: Product,
) -> None:
    product.register(EMAIL)
    product.mails()
    product.register(EMAIL, ip="203.0.113.66")
    assert confirm(product, product.newest_token()).status == 200
    login = log_in(product, EMAIL)
    assert login.json["user"]["name"] == "Dev Eloper"
    assert login.json["organization"]["name"] == "Solstice Coffee"


def test_the_first_mails_link_is_dead_once_there_is_a_second(product: Product) -> None:
    product.register(EMAIL)
    older = product.newest_token()
    product.register(EMAIL)
    newer = product.newest_token()
    assert confirm(product, older).status == 400
    assert confirm(product, newer).status == 200


def test_a_sign_up_whose_mail_is_not_sent_leaves_the_earlier_link_good(product: Product) -> None:
    """Or a stranger could kill links without a mail that replaces them."""
    product.register(EMAIL)
    token = product.newest_token()
    spend(product, "mail-per-address", address_hash(EMAIL))
    product.register(EMAIL)
    assert len(product.mails()) == 1
    assert confirm(product, token).status == 200


@pytest.mark.promise("verified-first")
def test_of_two_confirmations_with_one_link_the_first_one_counts(product: Product) -> None:
    """Both read the link before either consumes it."""
    product.register(EMAIL)
    token = product.newest_token()
    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(accounts, "get_sign_up", lambda: confirm(product, token, NEW_PASSWORD)) as met:
        second = confirm(product, token)
    assert [each.status for each in met] == [200]
    assert (second.status, second.json["code"]) == (400, "invalid_token")
    assert log_in(product, EMAIL, NEW_PASSWORD).status == 200
    assert log_in(product, EMAIL).status == 401
    assert len([item for item in product.items("AccountsTable") if item["sk"] == "USER"]) == 1


def test_a_link_that_a_newer_mail_replaces_during_the_confirmation_is_dead(
    product: Product,
) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    accounts = product.part("registration", IdentityWiring).account_store

    def send_another() -> str:
        resend(product, EMAIL)
        return product.newest_token()

    with meanwhile(accounts, "get_sign_up", send_another) as met:
        assert confirm(product, token).status == 400
    assert not [item for item in product.items("AccountsTable") if item["sk"] == "USER"]
    assert confirm(product, met[0]).status == 200


@pytest.mark.promise("email-unique")
def test_an_address_that_joined_an_organization_during_the_confirmation_makes_no_second_account(
    product: Product, owner: Account
) -> None:
    product.register("friend@example.com")
    token = product.newest_token()
    invitation = invite(product, owner, "friend@example.com")
    accounts = product.part("registration", IdentityWiring).account_store
    with meanwhile(accounts, "get_sign_up", lambda: accept(product, invitation)) as met:
        refused = confirm(product, token)
    assert [each.status for each in met] == [200]
    assert (refused.status, refused.json["code"]) == (400, "invalid_token")
    login = log_in(product, "friend@example.com")
    assert login.json["organization"]["id"] == owner.org_id


def test_a_mail_that_is_written_during_the_confirmation_brings_no_sign_up_back(
    product: Product,
) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    accounts = product.part("mail", IdentityWiring).account_store
    resend(product, EMAIL)
    with meanwhile(accounts, "get_sign_up", lambda: confirm(product, token)) as met:
        mails = product.mails()
    assert [each.status for each in met] == [200]
    assert len(mails) == 1
    assert not [item for item in product.items("AccountsTable") if item["sk"] == "SIGNUP"]


def test_a_link_that_was_sent_again_replaces_the_first(product: Product) -> None:
    product.register(EMAIL)
    first = product.newest_token()
    assert resend(product, EMAIL).status == 202
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
        resend(product, email, ip=f"198.51.100.{n}")
        for n, email in enumerate([EMAIL, "waiting@example.com", "nobody@example.com"])
    ]
    assert len({(answer.status, answer.text) for answer in answers}) == 1
    assert len(product.mails()) == sent + 1


@pytest.mark.promise("auth-logged")
def test_sign_up_and_confirmation_are_logged_with_who_and_from_where(product: Product) -> None:
    account = product.account(EMAIL)
    for event, who in (
        ("auth.register", ("", "")),
        ("auth.verify_email", (account.org_id, account.user_id)),
    ):
        (line,) = product.security_events(event)
        assert (line["outcome"], line["ip"]) == ("success", "198.51.100.7")
        assert (line["org_id"], line["actor"]) == who


def test_a_link_that_is_past_its_day_is_dead(product: Product) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    sign_up = product.item("AccountsTable", "SIGNUP")
    assert abs(sign_up["link"]["expires_at"] - time.time() - 24 * 3600) < 600
    expired = {**sign_up["link"], "expires_at": int(time.time())}
    product.edit("AccountsTable", sign_up, link=expired)
    assert confirm(product, token).status == 400
    assert log_in(product, EMAIL).status == 401


def test_a_sign_up_that_is_past_its_two_days_is_dead_with_its_link(product: Product) -> None:
    """Whether or not DynamoDB has deleted it yet."""
    product.register(EMAIL)
    token = product.newest_token()
    sign_up = product.item("AccountsTable", "SIGNUP")
    product.edit("AccountsTable", sign_up, expires_at=int(time.time()))
    assert confirm(product, token).status == 400
    resend(product, EMAIL)
    assert len(product.mails()) == 1


def test_a_confirmation_whose_answer_was_lost_is_answered_again_and_then_never(
    product: Product,
) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    with lost_acknowledgement(product, "registration"):
        assert confirm(product, token).status == 200
    before = product.counts()
    assert confirm(product, token, NEW_PASSWORD).status == 400  # another call
    again = confirm(product, token)
    assert (again.status, again.json) == (200, {"status": "verified"})
    assert confirm(product, token).status == 400
    assert product.counts()["AccountsTable"] == before["AccountsTable"]
    assert log_in(product, EMAIL).status == 200
    assert log_in(product, EMAIL, NEW_PASSWORD).status == 401


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


def test_a_sign_up_waits_two_days_from_its_newest_mail(product: Product) -> None:
    for ask in (product.register, lambda email: resend(product, email)):
        ask(EMAIL)
        product.mails()
        waiting = product.item("AccountsTable", "SIGNUP")
        assert abs(waiting["expires_at"] - time.time() - 2 * 86_400) < 600
        product.edit("AccountsTable", waiting, expires_at=int(time.time()) + 60)


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
    assert confirm(product, product.newest_token()).status == 200
    assert log_in(product, EMAIL).status == 200
