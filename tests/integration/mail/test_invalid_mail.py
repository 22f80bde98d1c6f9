"""Messages that cannot be worked off: they come again, and hold up no one else's mail."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support import accounts, mail_triggers, sent_mail
from tests.support.api import Account
from tests.support.product import Product

BROKEN: dict[str, dict[str, Any] | str] = {
    "no json": "{nope",
    "a list": "[]",
    "nothing": "{}",
    "no time": {"kind": "new_place", "user_id": "usr_x"},
    "a time that is none": {"kind": "new_place", "user_id": "usr_x", "at": "soon"},
    "an unknown kind": {"kind": "greeting", "at": 1, "user_id": "usr_x"},
    "no kind": {"at": 1, "user_id": "usr_x"},
    "a kind that is none": {"kind": ["sign_up"], "at": 1},
    "no sign-up": {"kind": "sign_up", "at": 1},
    "no address": {"kind": "reset", "at": 1},
    "no organization": {"kind": "invitation", "at": 1, "invitation_id": "inv_x"},
    "no user": {"kind": "password_changed", "at": 1},
    "no percentage": {"kind": "quota", "at": 1, "org_id": "org_x", "month": "2026-11"},
}


def good(owner: Account) -> dict[str, Any]:
    """A message that is as it should be."""
    return {"kind": "password_changed", "at": int(time.time()), "user_id": owner.user_id}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_message_that_is_none_comes_again_and_the_others_of_its_batch_go_out(
    product: Product, owner: Account, broken: str
) -> None:
    sent = sent_mail.watch(product)
    failed = mail_triggers.deliver(
        product,
        mail_triggers.record(good(owner), "m-1"),
        mail_triggers.record(BROKEN[broken], "m-2"),
        mail_triggers.record(good(owner), "m-3"),
    )
    assert failed == ["m-2"]
    assert [letter.to for letter in sent] == [owner.email] * 2


def test_what_is_said_about_a_failure_is_its_kind_and_no_word_of_the_message(
    product: Product, owner: Account
) -> None:
    message = {"kind": "ada@example.com", "at": 1, "user_id": "grace@example.com"}
    assert mail_triggers.deliver(product, mail_triggers.record(message)) == ["m-1"]
    assert mail_triggers.deliver(product, mail_triggers.record("ada@example.com")) == ["m-1"]
    failures = [line for line in product.logs() if line.get("message") == "a mail was not sent"]
    assert [line["cause"] for line in failures] == ["ValueError", "JSONDecodeError"]
    assert "example.com" not in product.output.getvalue()
    assert "Traceback" not in product.output.getvalue()


@pytest.mark.parametrize("service", ["sesv2", "dynamodb"])
def test_while_a_service_is_down_nothing_is_lost(
    product: Product, owner: Account, service: str
) -> None:
    accounts.forgot(product, owner.email)
    (message,) = product.asked_mails()
    with product.broken(service):
        assert mail_triggers.deliver(product, mail_triggers.record(message)) == ["m-1"]
    sent = sent_mail.watch(product)
    assert mail_triggers.deliver(product, mail_triggers.record(message, received=2)) == []
    assert accounts.reset(product, sent[-1].token).status == 204


def test_ids_that_are_none_find_no_one(product: Product, owner: Account) -> None:
    sent = sent_mail.watch(product)
    for about in (
        {"kind": "new_place", "user_id": "usr_nobody"},
        {"kind": "new_place", "user_id": ""},
        {"kind": "sign_up", "address": "0" * 64},
        {"kind": "reset", "address": "0" * 64},
        {"kind": "verification", "address": owner.email},
        {"kind": "invitation", "org_id": owner.org_id, "invitation_id": "x"},
        {"kind": "key_created", "org_id": "org_x", "name": "k", "hint": "h"},
    ):
        assert mail_triggers.deliver(product, mail_triggers.record({"at": 1, **about})) == []
    assert sent == []
    assert set(mail_triggers.outcomes(product)[-7:]) == {"MailNothing"}
