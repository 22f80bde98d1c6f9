"""Owners are notified when 80 and when 100 percent of the month's credits are used: each once, and
never at the expense of the work."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from imagelayer.platform.times import utc_month
from tests.support import accounts, sent_mail
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.product import Product


def ask(product: Product, owner: Account, n: int = 1, **body: Any) -> Answer:
    """Ask for images, a credit each."""
    sent = {"prompt": "waves", "size": "256x256", "n": n, **body}
    return product.call("POST", "/v1/generations", headers=owner.headers, body=sent)


def make(product: Product, owner: Account, n: int) -> None:
    """Use credits up, at most four with one job."""
    for left in range(n, 0, -4):
        assert ask(product, owner, min(4, left)).status == 202
    product.work_queue()


def asked(product: Product) -> list[int]:
    """The percentages that mails were asked for."""
    return [each["percent"] for each in product.asked_mails() if each["kind"] == "quota"]


@pytest.fixture
def owner(product: Product) -> Account:
    """An owner whose organization has ten credits a month."""
    product.parameters["MONTHLY_CREDITS"] = "10"
    return product.account("dev@example.com")


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(
    ("used", "percents"),
    [(0, []), (7, []), (8, [80]), (9, [80]), (10, [80, 100])],
)
def test_what_is_used_is_reported_at_80_and_at_100_percent_and_not_before(
    product: Product, owner: Account, used: int, percents: list[int]
) -> None:
    make(product, owner, used)
    assert asked(product) == percents


@pytest.mark.promise("quota-org", "security-logged")
def test_each_is_reported_once_however_the_credits_are_used_up(
    product: Product, owner: Account
) -> None:
    seen = []
    for _ in range(10):
        make(product, owner, 1)
        seen.append(asked(product))
    assert seen == [[]] * 7 + [[80]] * 2 + [[80, 100]]
    alerts = product.security_events("quota.alert")
    assert [(each["org_id"], each["reason"]) for each in alerts] == [
        (owner.org_id, "80 percent"),
        (owner.org_id, "100 percent"),
    ]
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert [letter.subject for letter in sent] == [
        "80 percent of this month's ImageLayer credits are used",
        "100 percent of this month's ImageLayer credits are used",
    ]
    month = utc_month(time.time())
    assert f"80 percent of the 10 credits of {month} are used." in sent[0].flowing
    assert f"The 10 credits of {month} are used up" in sent[1].flowing


def test_every_owner_is_notified_and_no_one_else(product: Product, owner: Account) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    accounts.join(product, owner, "admin@example.com", "admin")
    product.deliver_mail()
    make(product, owner, 8)
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert sorted(letter.to for letter in sent) == [owner.email, "other-owner@example.com"]


def test_what_is_only_held_is_not_used_yet(product: Product, owner: Account) -> None:
    for _ in range(2):
        assert ask(product, owner, 4).status == 202
    assert asked(product) == []
    product.work_queue()
    assert asked(product) == [80]


def test_what_failed_is_not_used(product: Product, owner: Account) -> None:
    brand = product.brand_with_logo(owner)
    for _ in range(2):
        assert ask(product, owner, 4, brand_id=brand["id"]).status == 202
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()
    assert product.item("CreditsTable", "BALANCE#")["used"] == 0
    assert asked(product) == []


def test_test_images_use_nothing(product: Product, owner: Account) -> None:
    key = product.key(owner, *ALL_SCOPES, mode="test")
    for _ in range(3):
        body = {"prompt": "waves", "size": "256x256", "n": 4}
        product.call("POST", "/v1/generations", headers=bearer(key), body=body)
    product.work_queue()
    assert asked(product) == []


def test_another_organization_is_notified_of_its_own(
    product: Product, owner: Account, stranger: Account
) -> None:
    make(product, owner, 8)
    make(product, stranger, 4)
    messages = [each for each in product.asked_mails() if each["kind"] == "quota"]
    assert [each["org_id"] for each in messages] == [owner.org_id]


@pytest.mark.promise("quota-org")
def test_a_caller_refused_for_want_of_credits_has_the_owners_notified_once(
    product: Product, owner: Account
) -> None:
    make(product, owner, 7)
    for _ in range(3):
        assert ask(product, owner, 4).status == 402
    assert asked(product) == [100]
    make(product, owner, 3)
    assert asked(product) == [100, 80]
    assert ask(product, owner).status == 402
    assert asked(product) == [100, 80]


def test_a_mail_that_cannot_be_asked_for_fails_no_job_and_is_made_up_for_by_the_next(
    product: Product, owner: Account
) -> None:
    for _ in range(2):
        assert ask(product, owner, 4).status == 202
    queue = product.platform("generation_worker").client("sqs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "send_message", refuse)
        product.work_queue()
    jobs = [item for item in product.items("GenerationsTable") if item["sk"].startswith("GEN#")]
    assert [job["status"] for job in jobs] == ["succeeded"] * 2
    assert product.item("CreditsTable", "BALANCE#")["used"] == 8
    assert asked(product) == []
    assert any("MailNotAskedFor" in line for line in product.logs())
    make(product, owner, 1)
    assert asked(product) == [80]


def test_a_refusal_stays_one_when_the_owners_cannot_be_notified(
    product: Product, owner: Account
) -> None:
    make(product, owner, 7)
    queue = product.platform("generation").client("sqs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "send_message", refuse)
        answer = ask(product, owner, 4)
    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert asked(product) == []
    assert ask(product, owner, 4).status == 402
    assert asked(product) == [100]


def refuse(**_: object) -> None:
    """A queue that does not answer."""
    raise EndpointConnectionError(endpoint_url="https://unreachable.invalid")


def test_a_job_that_is_delivered_again_tells_nothing_again(
    product: Product, owner: Account
) -> None:
    make(product, owner, 7)
    job_id = ask(product, owner).json["id"]
    body = f'{{"org_id": "{owner.org_id}", "generation_id": "{job_id}"}}'
    for _ in range(3):
        record = {"messageId": "m-1", "body": body}
        assert product.invoke("generation_worker", {"Records": [record]}) == {
            "batchItemFailures": []
        }
    assert asked(product) == [80]


def test_a_worker_that_died_between_charge_and_telling_is_made_up_for(
    product: Product, owner: Account
) -> None:
    """The balance is looked at after every charge, and the mark is set after the asking."""
    make(product, owner, 8)
    balance = product.item("CreditsTable", "BALANCE#")
    product.deliver_mail()
    del balance["alerted_80"]
    product.edit("CreditsTable", balance)
    make(product, owner, 1)
    assert asked(product) == [80]
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert sent == []  # asked for twice, sent once
