"""Messages that no one could work off are shown to the operator, with how their jobs came out."""

from __future__ import annotations

import json
import time

import pytest
from moto.sqs.models import sqs_backends

from imagelayer.platform.ids import new_id
from tests.support import aws
from tests.support.api import Account
from tests.support.generations import create, job
from tests.support.ledger import held
from tests.support.product import Product


def bury(product: Product, text: str) -> None:
    """A message that was delivered too often."""
    queue = product.names["GenerationDeadLetters"]
    aws.client("sqs").send_message(QueueUrl=queue, MessageBody=text)


def show(product: Product) -> list[dict[str, object]]:
    """What the operator sees."""
    return list(product.invoke("administration", {"action": "dead_letters"})["data"])


def lying(product: Product) -> int:
    """How many lie there."""
    name = product.names["GenerationDeadLetters"].rpartition("/")[2]
    return len(sqs_backends[aws.ACCOUNT][aws.REGION].queues[name]._messages)


def test_a_dead_letter_is_shown_with_the_state_of_its_job_and_stays(
    product: Product, owner: Account
) -> None:
    before = time.time()
    made = create(product, owner.headers).json["id"]
    bury(product, json.dumps({"org_id": owner.org_id, "generation_id": made}))
    (letter,) = show(product)
    assert letter["org_id"] == owner.org_id
    assert letter["generation_id"] == made
    assert (letter["status"], letter["error"]) == ("queued", None)
    assert str(letter["sent_at"])[:4] == time.strftime("%Y", time.gmtime(before))
    assert lying(product) == 1
    assert "warm waves" not in json.dumps(letter)  # the prompt


@pytest.mark.promise("quota-org")
def test_the_job_of_a_dead_letter_is_refunded_by_the_sweep_and_shown_so(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    bury(product, json.dumps({"org_id": owner.org_id, "generation_id": made}))
    stored = job(product, made)
    product.edit(
        "GenerationsTable", stored, requeues=6, sweep_at=int(time.time()) - 1, status="running"
    )
    assert product.invoke("cleanup", {})["released"] == 1
    assert held(product) == (0, 0)
    (letter,) = show(product)
    assert letter["status"] == "failed"
    assert letter["error"] == {
        "code": "timed_out",
        "message": "The generation did not finish in time.",
    }


def test_letters_of_no_job_are_shown_for_what_they_are(product: Product, owner: Account) -> None:
    gone = {"org_id": owner.org_id, "generation_id": new_id("gen", 1_800_000_000)}
    for text in ("not json", "[]", '{"org_id": "x"}', json.dumps(gone)):
        bury(product, text)
    letters = show(product)
    assert len(letters) == 4
    assert {letter["status"] for letter in letters} == {None}
    known = [letter["generation_id"] for letter in letters if letter["generation_id"]]
    assert known == [gone["generation_id"]]


def test_every_letter_is_shown_once(product: Product, owner: Account) -> None:
    for _ in range(23):
        bury(product, "{}")
    letters = show(product)
    assert len({letter["message_id"] for letter in letters}) == len(letters) == 23


def test_no_letters_are_none(product: Product, owner: Account) -> None:
    assert show(product) == []
