"""Asking for images: a job with its credits held, once."""

from __future__ import annotations

import time

import pytest

from imagelayer.principals import Origin, Principal
from imagelayer.schemas import CreateGenerationRequest
from imagelayer.stores.credits import Reservation
from imagelayer.times import rfc3339, utc_month
from tests.support.product import ALL_SCOPES, Account, Answer, Product, bearer


def create(
    product: Product, headers: dict[str, str], key: str | None = None, **body: object
) -> Answer:
    sent = {**headers, "idempotency-key": key} if key is not None else headers
    return product.call(
        "POST",
        "/v1/generations",
        headers=sent,
        body={"prompt": "warm waves", "size": "256x256", **body},
    )


def balance(product: Product) -> tuple[int, int, int]:
    item = product.item("CreditsTable", "BALANCE#")
    assert item["allowance"] - item["used"] - item["reserved"] == item["available"]
    return item["used"], item["reserved"], item["available"]


def test_an_accepted_job_is_queued_with_its_price_held(product: Product, owner: Account) -> None:
    answer = create(product, owner.headers, n=3, preset="square", size=None)
    assert answer.status == 202
    job = answer.json
    assert (job["status"], job["credits"], job["width"], job["n"]) == ("queued", 6, 1080, 3)
    assert answer.headers["location"] == f"/v1/generations/{job['id']}"
    assert balance(product) == (0, 6, 994)
    assert product.queued() == 1
    seen = product.call("GET", answer.headers["location"], headers=owner.headers)
    assert seen.json == job


@pytest.mark.promise("media-72h")
def test_a_job_its_prompt_and_its_images_expire_together_at_72_hours(
    product: Product, owner: Account
) -> None:
    job = create(product, owner.headers).json
    product.work_queue()
    stored = product.item("GenerationsTable", "GEN#")
    asset = product.item("GenerationsTable", "AST#")
    assert stored["expires_at"] == asset["expires_at"] == stored["created_at"] + 72 * 3600
    assert job["expires_at"] == rfc3339(stored["expires_at"])
    assert stored["purge_at"] > stored["expires_at"]


@pytest.mark.parametrize("keys", [("abc", "abc"), ('"abc"', "abc"), ('"abc"', '"abc"')])
def test_the_same_key_and_body_is_the_same_job_charged_once(
    product: Product, owner: Account, keys: tuple[str, str]
) -> None:
    first, second = (create(product, owner.headers, key) for key in keys)
    assert first.status == second.status == 202
    assert first.json == second.json
    assert balance(product)[1] == 1
    assert product.queued() == 1


def test_a_finished_job_is_replayed_with_its_images(product: Product, owner: Account) -> None:
    first = create(product, owner.headers, "abc").json
    product.work_queue()
    again = create(product, owner.headers, "abc").json
    assert (again["id"], again["status"], len(again["assets"])) == (first["id"], "succeeded", 1)
    assert balance(product)[0] == 1


def test_the_same_key_with_another_body_is_refused(product: Product, owner: Account) -> None:
    create(product, owner.headers, "abc")
    other = create(product, owner.headers, "abc", prompt="cold waves")
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")
    assert balance(product)[1] == 1


@pytest.mark.promise("org-scoped")
def test_a_key_of_one_organization_means_nothing_to_another(
    product: Product, owner: Account, stranger: Account
) -> None:
    first = create(product, owner.headers, "abc").json
    second = create(product, stranger.headers, "abc").json
    assert first["id"] != second["id"]


def test_without_a_key_every_request_is_a_job_of_its_own(product: Product, owner: Account) -> None:
    assert create(product, owner.headers).json["id"] != create(product, owner.headers).json["id"]


def test_an_idempotency_record_that_has_run_out_is_as_good_as_none(
    product: Product, owner: Account
) -> None:
    first = create(product, owner.headers, "abc").json
    record = product.item("GenerationsTable", "IDEM#")
    assert record["expires_at"] - int(time.time()) in range(86_390, 86_401)
    product.edit("GenerationsTable", record, expires_at=int(time.time()) - 1)
    assert create(product, owner.headers, "abc").json["id"] != first["id"]


def test_jobs_are_listed_newest_first_in_pages(product: Product, owner: Account) -> None:
    made = []
    for _ in range(3):
        made.append(create(product, owner.headers).json["id"])
        time.sleep(0.002)
    query = {"limit": "2"}
    first = product.call("GET", "/v1/generations", headers=owner.headers, query=query).json
    query["cursor"] = first["next_cursor"]
    second = product.call("GET", "/v1/generations", headers=owner.headers, query=query).json
    assert [each["id"] for each in first["data"] + second["data"]] == made[::-1]


def test_test_keys_cost_nothing(product: Product, owner: Account) -> None:
    key = product.key(owner, *ALL_SCOPES, mode="test")
    job = create(product, bearer(key)).json
    assert (job["mode"], job["credits"]) == ("test", 0)
    assert product.items("CreditsTable") == []


def test_a_job_whose_message_was_lost_is_accepted_all_the_same(
    product: Product, owner: Account
) -> None:
    """It is durable once the transaction holds; the sweep sends the message again."""
    with product.broken("sqs"):
        answer = create(product, owner.headers)
    assert answer.status == 202
    assert product.queued() == 0
    job = product.item("GenerationsTable", "GEN#")
    assert 0 < job["sweep_at"] - time.time() <= 120


@pytest.mark.promise("quota-org")
def test_a_month_has_an_allowance_of_its_own(product: Product, owner: Account) -> None:
    product.parameters["MONTHLY_CREDITS"] = "2"
    generations = product.wiring("generation").generations
    principal = Principal("user", owner.org_id, owner.user_id, frozenset())
    body = CreateGenerationRequest(prompt="waves", size="256x256", n=2)
    december = 1_798_761_599.0  # 2026-12-31T23:59:59Z
    generations.create(principal, Origin("ip", "r"), december, body, None)
    generations.create(principal, Origin("ip", "r"), december + 1, body, None)
    balances = {
        item["sk"]: item["available"]
        for item in product.items("CreditsTable")
        if item["sk"].startswith("BALANCE")
    }
    assert balances == {"BALANCE#2026-12": 0, "BALANCE#2027-01": 0}


@pytest.mark.promise("quota-org")
def test_the_ledger_sums_to_the_balance_after_every_outcome(
    product: Product, owner: Account
) -> None:
    brand = product.brand(owner)
    create(product, owner.headers)
    create(product, owner.headers, n=2)
    create(product, owner.headers, brand_id=brand["id"])
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()  # two succeed, the third fails for want of its brand
    create(product, owner.headers)
    moves = product.wiring("generation").credits.movements(owner.org_id, utc_month(time.time()))
    sums = {
        kind: sum(move["amount"] for move in moves if move["kind"] == kind)
        for kind in ("reserve", "settle", "release")
    }
    assert sums == {"reserve": 5, "settle": 3, "release": 1}
    assert balance(product) == (3, 1, 1000 - 4)


@pytest.mark.promise("quota-org")
def test_a_reservation_has_one_outcome(product: Product, owner: Account) -> None:
    job = create(product, owner.headers).json
    product.work_queue()
    month = utc_month(time.time())
    wiring = product.wiring("generation_worker")
    held = Reservation(owner.org_id, month, job["id"], 1)
    stored = product.item("GenerationsTable", "GEN#")
    before = balance(product)
    for actions in (wiring.credits.settle(held, 0), wiring.credits.release(held, 0)):
        assert not wiring.generation_store.fail(stored, "x", "x", actions, int(time.time()))
    assert balance(product) == before
