"""Each mail that is asked for is written when it is sent, and goes to whom it concerns."""

from __future__ import annotations

import html
import json
import re
import time

import pytest

from imagelayer.mail.worker import TO_USER
from tests.support import accounts, aws, mail_triggers, organizations, sent_mail
from tests.support.api import PASSWORD, Account
from tests.support.mail_triggers import CAUSES, FRIEND
from tests.support.product import Product

BASE = aws.PARAMETERS["BaseUrl"]
EVERY_CAUSE = pytest.mark.parametrize("cause", CAUSES)


def test_every_kind_of_mail_has_a_cause_here() -> None:
    others = {"sign_up", "verification", "reset", "invitation", "quota"}
    keys = {"key_created", "key_rotated", "key_leaked"}
    assert {kind for _, kind, *_ in CAUSES.values()} == TO_USER | others | keys


@EVERY_CAUSE
def test_what_happens_requests_one_mail_and_it_goes_out(
    product: Product, owner: Account, cause: str
) -> None:
    happen, kind, to, subject, page = CAUSES[cause]
    happen(product, owner)
    assert [message["kind"] for message in product.asked_mails()] == [kind]
    sent = sent_mail.watch(product)
    product.deliver_mail()
    (letter,) = sent
    assert (letter.to, letter.subject) == (to, subject)
    assert letter.sender == aws.PARAMETERS["MailFrom"]
    assert letter.configuration_set == product.names["MailConfiguration"]
    assert letter.link.partition("#")[0] == (f"{BASE}{page}" if page else "")
    assert product.asked_mails() == []


@EVERY_CAUSE
def test_both_forms_carry_the_one_link_and_nothing_that_loads(
    product: Product, owner: Account, cause: str
) -> None:
    sent = sent_mail.watch(product)
    CAUSES[cause][0](product, owner)
    product.deliver_mail()
    letter = sent[-1]
    in_html = {html.unescape(each) for each in re.findall(r"https?://[^\s\"<>]+", letter.html)}
    assert {each.rstrip(".") for each in in_html} == ({letter.link} if letter.link else set())
    assert letter.subject.isascii()
    assert not re.search(r"<[a-z/!]|&[a-z#]", letter.text)
    assert not re.search(r"<(img|script|link|iframe)\b", letter.html)


@pytest.mark.promise("keys-hashed")
@EVERY_CAUSE
def test_a_message_names_ids_and_hashes_and_holds_neither_token_nor_address(
    product: Product, owner: Account, cause: str
) -> None:
    sent = sent_mail.watch(product)
    CAUSES[cause][0](product, owner)
    messages = json.dumps(product.asked_mails())
    product.deliver_mail()
    letter = sent[-1]
    for place in (messages, product.output.getvalue(), product.dump()):
        if letter.token:
            assert letter.token.rpartition(".")[2] not in place
    assert "@" not in messages
    for place in (messages, product.output.getvalue()):
        assert letter.to not in place
        assert PASSWORD not in place


def test_a_mailed_link_does_what_it_says(product: Product, owner: Account) -> None:
    sent = sent_mail.watch(product)
    product.register(FRIEND)
    product.deliver_mail()
    assert accounts.confirm(product, sent[-1].token).status == 200
    accounts.forgot(product, FRIEND)
    product.deliver_mail()
    assert accounts.reset(product, sent[-1].token).status == 204
    organizations.invite(product, owner, "another@example.com")
    product.deliver_mail()
    assert accounts.accept(product, sent[-1].token).status == 200


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "origin", "referer"])
def test_links_are_built_from_the_configuration_whatever_a_request_says(
    product: Product, owner: Account, header: str
) -> None:
    sent = sent_mail.watch(product)
    product.call(
        "POST",
        "/v1/auth/password/forgot",
        body={"email": owner.email},
        headers={header: "https://evil.example"},
    )
    product.deliver_mail()
    (letter,) = sent
    assert letter.link.startswith(f"{BASE}/reset-password#token=")
    assert "evil.example" not in letter.text + letter.html


def test_a_mail_tells_when_and_from_where_in_words_of_ours(
    product: Product, owner: Account
) -> None:
    sent = sent_mail.watch(product)
    agent = "Mozilla/5.0 Firefox/140.0 (X11; Linux) <b>https://evil.example</b>"
    accounts.log_in(product, owner.email, ip=accounts.ELSEWHERE, agent=agent)
    product.deliver_mail()
    (letter,) = sent
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert f"UTC, Firefox on Linux, from {accounts.ELSEWHERE}" in letter.flowing
    assert re.search(rf"{today} \d\d:\d\d UTC", letter.flowing)
    assert "evil.example" not in letter.text + letter.html


@pytest.mark.parametrize("kind", ["key_created", "key_rotated"])
def test_mails_about_keys_go_to_every_owner_and_to_no_one_else(
    product: Product, owner: Account, stranger: Account, kind: str
) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    for role in ("admin", "developer", "viewer"):
        accounts.join(product, owner, f"{role}@example.com", role)
    product.deliver_mail()
    sent = sent_mail.watch(product)
    key = product.key(owner, "assets:read")
    if kind == "key_rotated":
        product.deliver_mail()
        sent.clear()
        path = f"/v1/keys/{key['id']}/rotate"
        rotated = product.call("POST", path, headers=owner.headers, body={}).json
        key = rotated
    product.deliver_mail()
    assert {letter.to for letter in sent} == {owner.email, "other-owner@example.com"}
    assert len(sent) == 2
    for letter in sent:
        assert f"il_live_{key['key'][8:12]}…{key['last_four']}" in letter.flowing
        assert key["key"] not in letter.text + letter.html
        assert key["key"][12:-4] not in letter.text + letter.html


def test_who_was_invited_and_has_not_come_gets_no_mail(product: Product, owner: Account) -> None:
    organizations.invite(product, owner, FRIEND, "owner")
    product.deliver_mail()
    sent = sent_mail.watch(product)
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert [letter.to for letter in sent] == [owner.email]


@pytest.mark.parametrize("kind", sorted(TO_USER))
def test_mails_about_an_account_go_to_its_holder_alone(
    product: Product, owner: Account, kind: str
) -> None:
    friend = accounts.join(product, owner, FRIEND, "admin")
    product.deliver_mail()
    sent = sent_mail.watch(product)
    message = {"kind": kind, "at": int(time.time()), "user_id": friend.user_id}
    assert mail_triggers.deliver(product, mail_triggers.record(message)) == []
    assert [letter.to for letter in sent] == [FRIEND]


def quota(owner: Account, percent: int = 80, month: str = "2026-11") -> dict[str, object]:
    return {
        "kind": "quota",
        "at": int(time.time()),
        "org_id": owner.org_id,
        "month": month,
        "percent": percent,
        "allowance": 1000,
    }


def test_the_mail_about_credits_goes_out_once_per_owner_and_month_however_often_it_is_asked_for(
    product: Product, owner: Account
) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    sent = sent_mail.watch(product)
    for number in range(3):
        mail_triggers.deliver(product, mail_triggers.record(quota(owner), f"m-{number}"))
    assert sorted(letter.to for letter in sent) == [owner.email, "other-owner@example.com"]
    sent.clear()
    mail_triggers.deliver(product, mail_triggers.record(quota(owner, percent=100), "m-4"))
    mail_triggers.deliver(product, mail_triggers.record(quota(owner, month="2026-12"), "m-5"))
    assert len(sent) == 4


def test_the_mail_about_credits_is_made_up_for_when_its_sending_failed(
    product: Product, owner: Account
) -> None:
    """The reservation is the message's, and its second delivery keeps it."""
    sent = sent_mail.watch(product)
    with product.broken("sesv2"):
        assert mail_triggers.deliver(product, mail_triggers.record(quota(owner), "m-1")) == ["m-1"]
    sent.clear()
    assert mail_triggers.deliver(product, mail_triggers.record(quota(owner), "m-2")) == []
    assert sent == []
    assert (
        mail_triggers.deliver(product, mail_triggers.record(quota(owner), "m-1", received=2)) == []
    )
    assert [letter.to for letter in sent] == [owner.email]


def test_a_new_owner_is_notified_of_what_was_reached_when_it_is_asked_for_again(
    product: Product, owner: Account
) -> None:
    mail_triggers.deliver(product, mail_triggers.record(quota(owner), "m-1"))
    accounts.join(product, owner, "other-owner@example.com", "owner")
    sent = sent_mail.watch(product)
    mail_triggers.deliver(product, mail_triggers.record(quota(owner), "m-2"))
    assert [letter.to for letter in sent] == ["other-owner@example.com"]


def test_a_mail_that_could_not_be_sent_comes_again_and_is_counted_once(
    product: Product, owner: Account
) -> None:
    product.register(FRIEND)
    (message,) = product.asked_mails()
    before = mail_triggers.counted(product)
    with product.broken("sesv2"):
        assert mail_triggers.deliver(product, mail_triggers.record(message)) == ["m-1"]
    once = mail_triggers.counted(product)
    assert once != before
    sent = sent_mail.watch(product)
    for received in (2, 3):
        again = mail_triggers.record(message, received=received)
        assert mail_triggers.deliver(product, again) == []
    assert mail_triggers.counted(product) == once
    # A message that comes again sends again, and the newest link is the one that works.
    assert [letter.to for letter in sent] == [FRIEND, FRIEND]
    assert accounts.confirm(product, sent[0].token).status == 400
    assert accounts.confirm(product, sent[1].token).status == 200
    (line, *_) = [line for line in product.logs() if line.get("message") == "a mail was not sent"]
    assert line["cause"] == "StoreUnavailable"


@EVERY_CAUSE
def test_a_mail_that_comes_again_is_never_counted_again(
    product: Product, owner: Account, cause: str
) -> None:
    CAUSES[cause][0](product, owner)
    (message,) = product.asked_mails()
    mail_triggers.deliver(product, mail_triggers.record(message, "m-1"))
    once = mail_triggers.counted(product)
    mail_triggers.deliver(product, mail_triggers.record(message, "m-1", received=2))
    assert mail_triggers.counted(product) == once


def test_of_two_links_for_the_same_thing_the_newer_one_is_good(
    product: Product, owner: Account
) -> None:
    sent = sent_mail.watch(product)
    for _ in range(2):
        accounts.forgot(product, owner.email)
    product.deliver_mail()
    older, newer = (letter.token for letter in sent)
    assert accounts.reset(product, older).status == 400
    assert accounts.reset(product, newer).status == 204


def test_an_invitation_that_was_withdrawn_in_between_sends_nothing(
    product: Product, owner: Account
) -> None:
    invitation = organizations.invite(product, owner, FRIEND).json
    organizations.withdraw(product, owner, invitation["id"])
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert (sent, mail_triggers.outcomes(product)[-1]) == ([], "MailNothing")


def test_an_invitation_that_ran_out_in_between_sends_nothing(
    product: Product, owner: Account
) -> None:
    organizations.invite(product, owner, FRIEND)
    item = product.item("AccountsTable", "INVITE#")
    product.edit("AccountsTable", item, expires_at=int(time.time()) - 1)
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert (sent, mail_triggers.outcomes(product)[-1]) == ([], "MailNothing")


@pytest.mark.parametrize(
    "kind", ["new_place", "password_changed", "totp_enabled", "key_created", "quota"]
)
def test_who_is_gone_in_between_gets_no_mail(product: Product, owner: Account, kind: str) -> None:
    friend = accounts.join(product, owner, FRIEND, "owner")
    product.deliver_mail()
    assert organizations.remove(product, owner, friend.user_id).status == 200
    sent = sent_mail.watch(product)
    about = {"user_id": friend.user_id, "name": "k", "hint": "il_live_abcd…wxyz"}
    mail_triggers.deliver(product, mail_triggers.record({**quota(owner), "kind": kind, **about}))
    assert FRIEND not in [letter.to for letter in sent]


def test_a_verification_that_is_asked_for_after_the_address_was_verified_sends_nothing(
    product: Product, owner: Account
) -> None:
    before = product.dump_of("AccountsTable")
    accounts.resend(product, owner.email)
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert sent == []
    assert product.dump_of("AccountsTable") == before


def test_a_sign_up_that_was_kept_too_long_sends_nothing(product: Product, owner: Account) -> None:
    product.register(FRIEND)
    item = product.item("AccountsTable", "SIGNUP")
    product.edit("AccountsTable", item, expires_at=int(time.time()) - 1)
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert sent == []
    assert "link" not in product.item("AccountsTable", "SIGNUP")
