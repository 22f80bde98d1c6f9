"""A client that repeats its request finds the images it has already paid for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import accounts
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.ledger import audit, held
from tests.support.model_stubs import SEED, Model, employ
from tests.support.openai_requests import edit, follow, generate, picture
from tests.support.product import Product

ROUTES = pytest.mark.parametrize("route", ["generations", "edits"])


def ask(
    product: Product, headers: dict[str, str], route: str, attempt: int = 0, **body: Any
) -> Answer:
    """Ask one of the two routes."""
    if route == "edits":
        return edit(product, headers, picture(), attempt=attempt, **body)
    return generate(product, headers, attempt=attempt, **body)


def made(*answers: Answer) -> list[str]:
    """The jobs that were answered from."""
    assert {each.status for each in answers} == {200}, [each.text for each in answers]
    return [each.json["generation_id"] for each in answers]


@pytest.mark.promise("quota-org")
@ROUTES
def test_a_second_attempt_is_answered_with_the_images_of_the_first(
    product: Product, owner: Account, route: str
) -> None:
    first = ask(product, owner.headers, route)
    again = [ask(product, owner.headers, route, attempt) for attempt in (1, 2)]
    assert len(set(made(first, *again))) == 1
    assert [each.json["data"][0]["asset_id"] for each in again] == [
        first.json["data"][0]["asset_id"]
    ] * 2
    assert held(product) == (1, 0)
    assert audit(product, owner) == []


@ROUTES
def test_two_first_attempts_are_two_requests(product: Product, owner: Account, route: str) -> None:
    answers = [ask(product, owner.headers, route) for _ in range(2)]
    assert len(set(made(*answers))) == 2
    assert held(product) == (2, 0)


@pytest.mark.promise("quota-org")
@ROUTES
def test_a_second_attempt_while_the_first_is_at_work_waits_for_the_same_job(
    product: Product, owner: Account, route: str
) -> None:
    product.works_while_waiting = False
    places = [ask(product, owner.headers, route, attempt).headers["location"] for attempt in (0, 1)]
    assert places[0] == places[1]
    assert held(product) == (0, 1)


@pytest.mark.promise("quota-org")
@ROUTES
def test_an_idempotency_key_stands_for_one_job(
    product: Product, owner: Account, route: str
) -> None:
    headers = {**owner.headers, "idempotency-key": "order-1"}
    answers = [ask(product, headers, route) for _ in range(2)]
    friend = accounts.join(product, owner, "friend@example.com")
    answers.append(ask(product, {**friend.headers, "idempotency-key": "order-1"}, route))
    assert len(set(made(*answers))) == 1
    other = ask(product, headers, route, prompt="cold waves")
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")
    assert held(product) == (1, 0)


@pytest.mark.promise("org-scoped")
@ROUTES
def test_a_key_of_one_organization_means_nothing_to_another(
    product: Product, owner: Account, stranger: Account, route: str
) -> None:
    answers = [
        ask(product, {**each.headers, "idempotency-key": "order-1"}, route)
        for each in (owner, stranger)
    ]
    assert len(set(made(*answers))) == 2


@pytest.mark.promise("quota-org")
@ROUTES
def test_a_second_attempt_at_what_failed_makes_another(
    product: Product, owner: Account, route: str
) -> None:
    """As the client does by itself after a 5xx."""
    model = Model({0: "provider_unavailable"})
    employ(product, model)
    first = ask(product, owner.headers, route, seed=SEED)
    assert first.status == 503
    employ(product, Model())
    assert ask(product, owner.headers, route, 1, seed=SEED).status == 200
    assert held(product) == (1, 0)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_second_attempt_by_another_key_is_a_request_of_its_own(
    product: Product, owner: Account
) -> None:
    keys = [bearer(product.key(owner, *ALL_SCOPES)) for _ in range(2)]
    answers = [generate(product, key, attempt=attempt) for attempt, key in enumerate(keys)]
    assert len(set(made(*answers))) == 2


@pytest.mark.promise("quota-org")
def test_a_repeated_request_is_answered_with_the_last_credit_gone(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    first = generate(product, owner.headers)
    assert generate(product, owner.headers, prompt="cold").status == 402
    assert len(set(made(first, generate(product, owner.headers, attempt=1)))) == 1


def test_the_way_of_a_second_attempt_ends_at_the_same_images(
    product: Product, owner: Account
) -> None:
    product.works_while_waiting = False
    first, again = (generate(product, owner.headers, attempt=attempt) for attempt in (0, 1))
    product.work_queue()
    ends = [follow(product, owner.headers, each)[0] for each in (first, again)]
    assert len(set(made(*ends))) == 1
