"""A client of OpenAI's waits for a slow model through redirects, with one job and one charge."""

from __future__ import annotations

import pytest

from imagelayer.openai_api.images import HOLD_SECONDS, MAX_HOPS
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import cancel
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ, while_waiting
from tests.support.openai_requests import edit, events, follow, generate, picture
from tests.support.product import Product

FOLLOWED = 20  # by the clients, before they begin anew


def done_after(product: Product, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the worker come to the job when so much time has passed."""

    def pause(paused: float) -> None:
        product._waited += paused
        if product._waited >= seconds:
            product.work_queue()

    monkeypatch.setattr(product, "_pause", pause)


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(("seconds", "hops"), [(1, 0), (30, 1), (75, 3), (170, 7)])
def test_a_slow_model_is_waited_for(
    product: Product,
    owner: Account,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    hops: int,
) -> None:
    done_after(product, monkeypatch, seconds)
    model = Model()
    employ(product, model)
    answer, followed = follow(product, owner.headers, generate(product, owner.headers, n=2))
    assert (answer.status, len(answer.json["data"]), followed) == (200, 2, hops)
    assert len(model.orders) == 2
    assert held(product) == (2, 0)
    assert audit(product, owner) == []


def test_no_request_is_held_for_longer_than_the_gateway_allows(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    answer = generate(product, owner.headers)
    assert answer.status == 303
    assert answer.text == ""
    assert product._waited <= HOLD_SECONDS < 29
    assert answer.headers["location"].endswith("?hop=1")


@pytest.mark.parametrize("wanted", ["url", "b64_json", None])
@pytest.mark.parametrize("stream", [True, False])
def test_the_form_of_the_answer_is_kept_on_the_way(
    product: Product,
    owner: Account,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str | None,
    stream: bool,
) -> None:
    done_after(product, monkeypatch, 50)
    first = generate(product, owner.headers, response_format=wanted, stream=stream)
    answer, hops = follow(product, owner.headers, first)
    assert hops == 2
    image = events(answer)[0][1] if stream else answer.json["data"][0]
    has = {name for name in ("url", "b64_json") if image[name]}
    assert has == ({wanted} if wanted else {"url", "b64_json"})


def test_a_stream_of_edits_is_still_one_at_the_end_of_the_way(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    done_after(product, monkeypatch, 30)
    answer, _ = follow(product, owner.headers, edit(product, owner.headers, picture(), stream=True))
    assert [name for name, _ in events(answer)] == ["image_edit.completed"]


@pytest.mark.promise("quota-org")
def test_who_has_followed_enough_is_reported_once_and_for_all_and_the_job_goes_on(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    answer, hops = follow(product, owner.headers, generate(product, owner.headers), most=FOLLOWED)
    assert hops == MAX_HOPS < FOLLOWED
    assert (answer.status, answer.json["code"]) == (504, "timed_out")
    assert answer.headers["x-should-retry"] == "false"
    made = product.item("GenerationsTable", "GEN#")
    assert made["id"] in answer.json["detail"]
    assert held(product) == (0, 1)
    product.work_queue()
    path = f"/v1/generations/{made['id']}"
    assert product.call("GET", path, headers=owner.headers).json["status"] == "succeeded"
    assert held(product) == (1, 0)


def test_a_job_that_fails_on_the_way_is_reported_at_its_end(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    done_after(product, monkeypatch, 30)
    employ(product, Model({0: "content_filtered"}))
    answer, hops = follow(product, owner.headers, generate(product, owner.headers, seed=SEED))
    assert (hops, answer.status, answer.json["code"]) == (1, 400, "content_filtered")
    assert held(product) == (0, 0)


@pytest.mark.promise("quota-org")
def test_a_job_that_is_canceled_on_the_way_is_not_asked_for_again(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 409 is retried by the clients, and a second attempt at what was canceled makes another."""

    def stop() -> None:
        cancel(product, owner.headers, product.item("GenerationsTable", "GEN#")["id"])

    while_waiting(product, monkeypatch, stop)
    answer = generate(product, owner.headers)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert answer.headers["x-should-retry"] == "false"
    assert held(product) == (0, 0)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"hop": "19"}, "query.hop"),
        ({"hop": "-1"}, "query.hop"),
        ({"hop": "x"}, "query.hop"),
        ({"hop": "1", "as": "bytes"}, "query.as"),
        ({"hop": "1", "stream": "false"}, "query.stream"),
        ({"hop": "1", "stream": "1"}, "query.stream"),
    ],
)
def test_a_redirect_that_is_none_of_ours_is_refused(
    product: Product, owner: Account, query: dict[str, str], named: str
) -> None:
    product.works_while_waiting = False
    place = generate(product, owner.headers).headers["location"].partition("?")[0]
    answer = product.call("GET", place, headers=owner.headers, query=query)
    assert answer.status == 422
    assert [each["location"] for each in answer.json["errors"]] == [named]


def test_a_finished_job_can_be_asked_for_in_any_form_as_often_as_one_likes(
    product: Product, owner: Account
) -> None:
    made = generate(product, owner.headers).json["generation_id"]
    path = f"/v1/images/jobs/{made}"
    for query in ({}, {"hop": "18"}, {"as": "url"}, {"as": "b64_json"}):
        answer = product.call("GET", path, headers=owner.headers, query=query)
        assert (answer.status, answer.json["generation_id"]) == (200, made)
    assert held(product) == (1, 0)


@pytest.mark.promise("org-scoped")
def test_the_way_of_another_organization_leads_nowhere_and_at_once(
    product: Product, owner: Account, stranger: Account
) -> None:
    product.works_while_waiting = False
    place = generate(product, owner.headers).headers["location"].partition("?")[0]
    waited = product._waited
    missing = "/v1/images/jobs/gen_00000000000000000000000000"
    for headers in (stranger.headers, bearer(product.key(stranger, *ALL_SCOPES))):
        foreign, none = (
            product.call("GET", path, headers=headers, query={"hop": "1"})
            for path in (place, missing)
        )
        assert (foreign.status, none.status) == (404, 404)
        assert foreign.json | {"request_id": ""} == none.json | {"request_id": ""}
    assert product._waited == waited
