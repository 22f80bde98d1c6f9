"""A caller that is ready to wait gets the finished job with one request."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from tests.support import end_users
from tests.support.api import Account, Answer, session_bearer
from tests.support.generations import cancel, create, job, read
from tests.support.ledger import held
from tests.support.model_stubs import SEED, Model, employ, while_waiting
from tests.support.product import Product


def ask(product: Product, headers: dict[str, str], prefer: str, **body: Any) -> Answer:
    """Ask for images and say how long one is ready to wait."""
    return create(product, {**headers, "prefer": prefer}, **body)


def poll(product: Product, headers: dict[str, str], generation_id: str, wait: str) -> Answer:
    """Read a job once it is done or the wait is over."""
    path = f"/v1/generations/{generation_id}"
    return product.call("GET", path, headers=headers, query={"wait": wait})


@pytest.mark.parametrize(
    "prefer",
    ["wait=5", 'wait="5"', 'wait=" 5 "', "respond-async, wait=5", "WAIT = 5", "wait=5; note=x",
     "wait=5.5", "wait=5, wait=9", 'note="a, wait=9", wait=5', "handling=lenient ,\twait=5"],
)  # fmt: skip
def test_a_job_that_finishes_in_time_is_answered_whole(
    product: Product, owner: Account, prefer: str
) -> None:
    answer = ask(product, owner.headers, prefer)
    assert (answer.status, answer.json["status"]) == (200, "succeeded")
    assert answer.headers["preference-applied"] == "wait=5"
    assert answer.headers["location"] == f"/v1/generations/{answer.json['id']}"
    assert product.fetch(answer.json["assets"][0]["url"])[0] == 200
    assert answer.json == read(product, owner.headers, answer.json["id"]) | {
        "assets": answer.json["assets"]
    }
    assert product._waited < 5


def test_a_job_that_does_not_finish_in_time_is_202_when_the_wait_is_over(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    answer = ask(product, owner.headers, "wait=3")
    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "wait=3"
    assert 2.5 < product._waited <= 3


@pytest.mark.parametrize(
    "prefer",
    ["wait=26", "wait=300", "wait=9999", "wait=99999", f"wait={'9' * 5000}", "wait=0099.9"],
)
def test_no_one_waits_longer_than_the_gateway_lets_a_request_live(
    product: Product, owner: Account, prefer: str
) -> None:
    product.works_while_waiting = False
    answer = ask(product, owner.headers, prefer)
    assert (answer.status, answer.headers["preference-applied"]) == (202, "wait=25")
    assert 24 < product._waited <= 25


@pytest.mark.parametrize(
    "prefer",
    ["", "wait", "wait=", "wait=0", "wait=x", "wait=-1", "x-wait=5", "wait=1e3",
     "respond-async", "wait=5s", "wait =", "wait=٣", 'note="wait=5"', "wait=x, wait=5"],
)  # fmt: skip
def test_a_preference_that_cannot_be_read_is_none(
    product: Product, owner: Account, prefer: str
) -> None:
    """RFC 7240: a server ignores what it does not understand."""
    answer = ask(product, owner.headers, prefer)
    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert "preference-applied" not in answer.headers
    assert product._waited == 0


def test_a_job_that_fails_is_done_too(product: Product, owner: Account) -> None:
    employ(product, Model({0: "content_filtered"}))
    answer = ask(product, owner.headers, "wait=5", seed=SEED)
    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert answer.json["error"]["code"] == "content_filtered"
    assert held(product) == (0, 0)


def test_a_repeated_request_waits_for_the_job_that_is_there(
    product: Product, owner: Account
) -> None:
    first = create(product, owner.headers, "order-1")
    headers = {**owner.headers, "prefer": "wait=5"}
    again = create(product, headers, "order-1")
    assert (again.status, again.json["status"]) == (200, "succeeded")
    assert again.json["id"] == first.json["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert held(product) == (1, 0)


def test_a_poll_sees_a_job_finish(product: Product, owner: Account) -> None:
    made = create(product, owner.headers).json["id"]
    answer = poll(product, owner.headers, made, "20")
    assert (answer.status, answer.json["status"]) == (200, "succeeded")
    assert 0 < product._waited < 20
    before = product._waited
    assert poll(product, owner.headers, made, "20").json["status"] == "succeeded"
    assert product._waited == before  # what is done is not waited for


def test_a_poll_ends_with_its_wait(product: Product, owner: Account) -> None:
    product.works_while_waiting = False
    made = create(product, owner.headers).json["id"]
    assert poll(product, owner.headers, made, "0").json["status"] == "queued"
    assert product._waited == 0
    assert poll(product, owner.headers, made, "25").json["status"] == "queued"
    assert 24 < product._waited <= 25


def test_who_waits_reads_less_and_less_often(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = while_waiting(product, monkeypatch, lambda: None)
    ask(product, owner.headers, "wait=25")
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses[0] <= 0.2  # the built-in model is done by then
    assert len(pauses) < 32


def test_who_waits_sees_a_cancel(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers).json["id"]
    while_waiting(product, monkeypatch, lambda: cancel(product, owner.headers, made))
    assert poll(product, owner.headers, made, "20").json["status"] == "canceled"


def test_who_waits_for_what_is_deleted_in_between_learns_that_it_is_missing(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers).json["id"]
    path = f"/v1/generations/{made}"
    while_waiting(product, monkeypatch, lambda: product.call("DELETE", path, headers=owner.headers))
    answer = poll(product, owner.headers, made, "20")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_progress_is_shown_image_by_image(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers, n=3).json["id"]
    assert read(product, owner.headers, made)["progress"] == {"completed": 0, "total": 3}
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    put, seen = worker.media.put, []

    def put_and_look(*about: object, **more: object) -> None:
        seen.append(read(product, owner.headers, made)["progress"]["completed"])
        put(*about, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(worker.media, "put", put_and_look)
    product.work_queue()
    assert seen == [0, 1, 2]
    assert read(product, owner.headers, made)["progress"] == {"completed": 3, "total": 3}


def test_an_end_user_waits_for_their_own(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    made = end_users.generate(product, session).json["id"]
    answer = poll(product, session_bearer(session), made, "20")
    assert answer.json["status"] == "succeeded"


def test_a_job_that_has_ended_with_its_72_hours_is_not_waited_for(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    product.edit("GenerationsTable", job(product, made), expires_at=int(time.time()) - 1)
    assert poll(product, owner.headers, made, "20").status == 404
    assert product._waited == 0
