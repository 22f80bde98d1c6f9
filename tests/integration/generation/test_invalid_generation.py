"""Requests that break a rule or ask for too much: nothing held, nothing queued."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.platform.ids import new_id
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import cancel, create, job
from tests.support.ledger import held
from tests.support.product import Product

UNKNOWN_BRAND = new_id("brd", 1_800_000_000, bytes)


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body.prompt"),
        ({"prompt": ""}, "body.prompt"),
        ({"prompt": " \n\t "}, "body.prompt"),
        ({"prompt": "x" * 4001}, "body.prompt"),
        ({"prompt": ["x"]}, "body.prompt"),
        ({"prompt": "x", "n": 5}, "body.n"),
        ({"prompt": "x", "n": "2"}, "body.n"),
        ({"prompt": "x", "model": "dall-e-2"}, "body.model"),
        ({"prompt": "x", "size": "100x100"}, "body.size"),
        ({"prompt": "x", "size": "4096x4096"}, "body.size"),
        ({"prompt": "x", "size": "big"}, "body.size"),
        ({"prompt": "x", "preset": "billboard"}, "body.preset"),
        ({"prompt": "x", "preset": "story", "size": "512x512"}, "body.preset"),
        ({"prompt": "x", "output_format": "gif"}, "body.output_format"),
        ({"prompt": "x", "seed": -1}, "body.seed"),
        ({"prompt": "x", "logo": "center"}, "body.logo"),
        ({"prompt": "x", "credits": 0}, "body.credits"),
        ({"prompt": "x", "mode": "test"}, "body.mode"),
        ({"prompt": "x", "org_id": "org_1"}, "body.org_id"),
    ],
)
def test_a_broken_rule_names_its_field_and_holds_nothing(
    product: Product, owner: Account, body: dict[str, Any], location: str
) -> None:
    before = product.counts()
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [location]
    assert (product.counts(), product.queued()) == (before, 0)


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "two words", "tab\t", "ünicode", "\x7f"])
def test_an_idempotency_key_that_is_none_is_refused(
    product: Product, owner: Account, key: str
) -> None:
    headers = {**owner.headers, "idempotency-key": key}
    before = product.counts()
    answer = product.call("POST", "/v1/generations", headers=headers, body={"prompt": "x"})
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert product.counts() == before


@pytest.mark.parametrize("brand_id", [UNKNOWN_BRAND, "nonsense", "", "gen_" + UNKNOWN_BRAND[4:]])
def test_a_brand_that_is_not_there_is_missing_and_nothing_is_held(
    product: Product, owner: Account, brand_id: str
) -> None:
    body = {"prompt": "x", "brand_id": brand_id}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert product.items("GenerationsTable") == []
    assert [i for i in product.items("CreditsTable") if i.get("reserved")] == []
    assert product.queued() == 0


@pytest.mark.promise("quota-org", "security-logged")
def test_out_of_credits_is_402_that_must_not_be_retried_and_holds_nothing(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "3"
    first = {"prompt": "x", "size": "256x256", "n": 2}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=first).status == 202
    before = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=first)
    assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json["error"]["type"] == "insufficient_quota"
    credits = product.dump_of("CreditsTable")
    marks = [item.pop("alerted_100") for item in credits if "alerted_100" in item]
    assert (product.dump_of("GenerationsTable"), credits) == before
    assert marks == [True]  # only the note that the owners were notified has changed
    assert product.queued() == 1
    (line,) = product.security_events("quota.denied")
    assert line["org_id"] == owner.org_id
    last = {"prompt": "x", "size": "256x256", "n": 1}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=last).status == 202


@pytest.mark.promise("quota-org")
def test_an_organization_without_an_allowance_makes_nothing(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "0"
    body = {"prompt": "x"}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert answer.status == 402
    assert product.items("GenerationsTable") == []


def test_a_key_used_up_by_a_refused_request_may_be_used_again(
    product: Product, owner: Account
) -> None:
    headers = {**owner.headers, "idempotency-key": "abc"}
    missing = {"prompt": "x", "brand_id": UNKNOWN_BRAND}
    assert product.call("POST", "/v1/generations", headers=headers, body=missing).status == 404
    assert (
        product.call("POST", "/v1/generations", headers=headers, body={"prompt": "x"}).status == 202
    )


def test_a_key_that_was_used_for_another_request_is_refused(
    product: Product, owner: Account
) -> None:
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    create(product, owner.headers, "abc")
    others: list[dict[str, Any]] = [{"prompt": "cold waves"}, {"n": 2}, {"seed": 0}]
    refused = [create(product, owner.headers, "abc", **other) for other in others]
    refused.append(create(product, key, "abc"))  # the same body, of test mode
    for answer in refused:
        assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")
    assert held(product) == (0, 1)
    assert product.queued() == 1


@pytest.mark.promise("quota-org")
def test_a_refused_request_leaves_no_record(product: Product, owner: Account) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    bodies: list[dict[str, Any]] = [{"n": 2}, {"brand_id": UNKNOWN_BRAND}, {"prompt": ""}]
    statuses = [create(product, owner.headers, "abc", **body).status for body in bodies]
    assert statuses == [402, 404, 422]
    assert product.items("GenerationsTable") == []
    assert create(product, owner.headers, "abc").status == 202


def test_a_key_whose_job_is_gone_is_missing(product: Product, owner: Account) -> None:
    made = create(product, owner.headers, "abc").json["id"]
    product.delete("GenerationsTable", job(product, made))
    again = create(product, owner.headers, "abc")
    assert (again.status, again.json["code"]) == (404, "not_found")
    assert product.queued() == 1


@pytest.mark.parametrize(
    ("met", "key", "status", "code"),
    [
        (-1, "abc", 409, "idempotency_in_flight"),  # the key's own record
        (0, "abc", 503, "dependency_unavailable"),
        (-1, None, 503, "dependency_unavailable"),
    ],
)
def test_a_request_that_keeps_meeting_its_twin_is_reported(
    product: Product,
    owner: Account,
    monkeypatch: pytest.MonkeyPatch,
    met: int,
    key: str | None,
    status: int,
    code: str,
) -> None:
    calls = []

    def meet(TransactItems: list[Any], **_: object) -> None:  # noqa: N803
        calls.append(1)
        reasons: list[Any] = [{"Code": "None"} for _ in TransactItems]
        reasons[met] = {"Code": "TransactionConflict"}
        raise ClientError(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": ""},
                "CancellationReasons": reasons,
            },
            "TransactWriteItems",
        )

    monkeypatch.setattr("imagelayer.platform.aws_calls.CONFLICT_PAUSE_SECONDS", 0)
    client = product.platform("generation").client("dynamodb")
    with monkeypatch.context() as patch:
        patch.setattr(client, "transact_write_items", meet)
        answer = create(product, owner.headers, key)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert len(calls) == 8
    assert product.items("GenerationsTable") == []
    assert create(product, owner.headers, key).status == 202


@pytest.mark.promise("quota-org")
def test_a_job_that_has_finished_cannot_be_canceled(product: Product, owner: Account) -> None:
    brand = product.brand_with_logo(owner)
    succeeds = create(product, owner.headers).json["id"]
    fails = create(product, owner.headers, brand_id=brand["id"]).json["id"]
    product.call("DELETE", f"/v1/brands/{brand['id']}", headers=owner.headers)
    product.work_queue()
    before = product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")
    for made, status in ((succeeds, "succeeded"), (fails, "failed")):
        assert job(product, made)["status"] == status
        answer = cancel(product, owner.headers, made)
        assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert (product.dump_of("GenerationsTable"), product.dump_of("CreditsTable")) == before


def test_a_job_that_keeps_changing_is_not_canceled(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(product, owner.headers).json["id"]
    store = product.part("generation", GenerationsWiring).generation_store
    attempts = []
    monkeypatch.setattr(store, "cancel_generation", lambda *_, **__: attempts.append(1))
    answer = cancel(product, owner.headers, made)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert len(attempts) == 4
    assert held(product) == (0, 1)
