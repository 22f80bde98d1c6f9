"""A request that is sent again makes nothing again, whatever it says that it is the same by."""

from __future__ import annotations

import time

import pytest

from tests.support import accounts, end_users
from tests.support.api import ALL_SCOPES, Account, Answer, bearer
from tests.support.generations import cancel, create, job, read
from tests.support.ledger import held
from tests.support.product import Product


def made_anew(*answers: Answer) -> bool:
    """Whether the last answer is of a job that none of the others is of."""
    assert {each.status for each in answers} == {202}
    *earlier, last = (each.json["id"] for each in answers)
    replayed = answers[-1].headers.get("idempotent-replayed")
    assert replayed == ("true" if last in earlier else None)
    return last not in earlier


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("keys", [("abc", "abc"), ('"abc"', "abc"), ('"abc"', '"abc"')])
def test_the_same_key_and_body_is_the_same_job_charged_once(
    product: Product, owner: Account, keys: tuple[str, str]
) -> None:
    first, second = (create(product, owner.headers, key) for key in keys)
    assert not made_anew(first, second)
    assert first.json == second.json
    assert first.headers["location"] == second.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert held(product) == (0, 1)
    assert product.queued() == 1


def test_a_finished_job_is_replayed_as_it_is_by_then(product: Product, owner: Account) -> None:
    first = create(product, owner.headers, "abc").json
    product.work_queue()
    again = create(product, owner.headers, "abc").json
    assert (again["id"], again["status"], len(again["assets"])) == (first["id"], "succeeded", 1)
    assert held(product) == (1, 0)


def test_a_canceled_job_is_what_its_key_stands_for(product: Product, owner: Account) -> None:
    first = create(product, owner.headers, "abc")
    cancel(product, owner.headers, first.json["id"])
    again = create(product, owner.headers, "abc")
    assert not made_anew(first, again)
    assert again.json["status"] == "canceled"


@pytest.mark.promise("quota-org")
def test_a_repeated_request_is_answered_when_it_was_what_took_the_last_credits(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "4"
    first = create(product, owner.headers, "abc", n=4)
    assert create(product, owner.headers, "other").status == 402
    assert not made_anew(first, create(product, owner.headers, "abc", n=4))


@pytest.mark.promise("org-scoped")
def test_a_key_of_one_organization_means_nothing_to_another(
    product: Product, owner: Account, stranger: Account
) -> None:
    answers = [create(product, each.headers, "abc") for each in (owner, stranger)]
    assert made_anew(*answers)


def test_all_credentials_of_an_organization_mean_the_same_by_a_key(
    product: Product, owner: Account
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    callers = [owner.headers, friend.headers]
    callers += [bearer(product.key(owner, *ALL_SCOPES)) for _ in range(2)]
    answers = [create(product, headers, "abc") for headers in callers]
    assert {each.json["id"] for each in answers} == {answers[0].json["id"]}


@pytest.mark.promise("org-scoped")
def test_an_end_users_key_is_that_end_users_own(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    sessions = [product.session(key, user) for user in ("user-1", "user-1", "user-2")]
    answers = [end_users.generate(product, each, idempotency_key="abc") for each in sessions]
    assert not made_anew(*answers[:2])
    assert made_anew(*answers)
    assert made_anew(*answers, create(product, bearer(key), "abc"))


def test_without_a_key_every_request_is_a_job_of_its_own(product: Product, owner: Account) -> None:
    assert made_anew(create(product, owner.headers), create(product, owner.headers))


def test_a_key_is_remembered_for_24_hours_and_by_then_as_good_as_none(
    product: Product, owner: Account
) -> None:
    first = create(product, owner.headers, "abc")
    record = product.item("GenerationsTable", "IDEM#")
    assert record["expires_at"] - job(product, first.json["id"])["created_at"] == 24 * 3600
    assert record["purge_at"] == record["expires_at"]
    product.edit("GenerationsTable", record, expires_at=int(time.time()))
    second = create(product, owner.headers, "abc")
    assert made_anew(first, second)
    renewed = product.item("GenerationsTable", "IDEM#")
    assert renewed["expires_at"] - job(product, second.json["id"])["created_at"] == 24 * 3600


def test_the_record_has_neither_the_key_nor_the_prompt(product: Product, owner: Account) -> None:
    made = create(product, owner.headers, "a-key-of-theirs", prompt="a-prompt-of-theirs").json
    record = product.item("GenerationsTable", "IDEM#")
    assert set(record) == {"pk", "sk", "fingerprint", "actor", "made", "expires_at", "purge_at"}
    assert record["made"] == {"generation_id": made["id"]}
    assert "a-key-of-theirs" not in product.dump()
    assert "of-theirs" not in str(record)


def test_a_request_that_is_sent_again_makes_up_for_a_lost_message(
    product: Product, owner: Account
) -> None:
    """The function may have died before it sent the message of the job it accepted: its client
    need not wait for the sweep."""
    with product.broken("sqs"):
        made = create(product, owner.headers, "abc").json["id"]
    assert create(product, owner.headers, "abc").status == 202
    assert product.queued() == 0  # so soon it may be on its way
    stored = job(product, made)
    product.edit("GenerationsTable", stored, created_at=stored["created_at"] - 2)
    assert create(product, owner.headers, "abc").json["id"] == made
    assert product.queued() == 1
    product.work_queue()
    assert create(product, owner.headers, "abc").json["status"] == "succeeded"
    assert (product.queued(), held(product)) == (0, (1, 0))


@pytest.fixture
def key(product: Product, owner: Account) -> dict[str, str]:
    """An API key's headers."""
    return bearer(product.key(owner, *ALL_SCOPES))


@pytest.mark.promise("quota-org")
def test_a_second_attempt_is_answered_with_what_the_newest_first_one_made(
    product: Product, key: dict[str, str]
) -> None:
    first, second = (create(product, key, attempt=0) for _ in range(2))
    assert made_anew(first, second)  # two requests that look alike, as their client says
    for attempt in (1, 2):
        again = create(product, key, attempt=attempt)
        assert not made_anew(first, second, again)
        assert again.json == second.json
    assert held(product) == (0, 2)
    assert product.queued() == 2


def test_a_second_attempt_whose_first_was_lost_on_the_way_makes_one_and_a_third_finds_it(
    product: Product, key: dict[str, str]
) -> None:
    second = create(product, key, attempt=1)
    assert made_anew(second)
    assert not made_anew(second, create(product, key, attempt=2))


@pytest.mark.parametrize("end", ["failed", "canceled", "gone"])
def test_a_second_attempt_at_what_came_to_nothing_makes_another(
    product: Product, owner: Account, key: dict[str, str], end: str
) -> None:
    first = create(product, key, attempt=0)
    stored = job(product, first.json["id"])
    if end == "gone":
        product.delete("GenerationsTable", stored)
    else:
        product.edit("GenerationsTable", stored, status=end)
    second = create(product, key, attempt=1)
    assert made_anew(first, second)
    assert not made_anew(second, create(product, key, attempt=2))


def test_a_second_attempt_with_other_contents_or_of_another_user_is_a_request_of_its_own(
    product: Product, owner: Account, key: dict[str, str]
) -> None:
    other_key = bearer(product.key(owner, *ALL_SCOPES))
    answers = [
        create(product, key, attempt=0),
        create(product, key, attempt=1, prompt="cold waves"),
        create(product, other_key, attempt=1),
        create(product, owner.headers, attempt=1),
    ]
    for upto in range(2, len(answers) + 1):
        assert made_anew(*answers[:upto])


def test_a_second_attempt_is_known_as_such_for_a_quarter_of_an_hour(
    product: Product, key: dict[str, str]
) -> None:
    first = create(product, key, attempt=0)
    record = product.item("GenerationsTable", "IDEM#")
    assert record["expires_at"] - job(product, first.json["id"])["created_at"] == 15 * 60
    product.edit("GenerationsTable", record, expires_at=int(time.time()))
    assert made_anew(first, create(product, key, attempt=1))


def test_a_key_of_ones_own_counts_for_more_than_the_attempt(
    product: Product, key: dict[str, str]
) -> None:
    first = create(product, key, "abc", attempt=0)
    assert not made_anew(first, create(product, key, "abc", attempt=0))
    assert made_anew(first, create(product, key, "other", attempt=1))


def test_what_counts_no_attempts_sensibly_is_a_request_without_a_key(
    product: Product, key: dict[str, str]
) -> None:
    answers = [
        product.call(
            "POST",
            "/v1/generations",
            headers={**key, "x-stainless-retry-count": count},
            body={"prompt": "waves", "size": "256x256"},
        )
        for count in ("", "x", "-1", "1.0", "1000", "１")  # noqa: RUF001
    ]
    assert len({each.json["id"] for each in answers}) == len(answers)
    assert [i for i in product.items("GenerationsTable") if i["sk"].startswith("IDEM#")] == []


@pytest.mark.promise("quota-org")
def test_a_first_attempt_past_the_last_credit_is_refused_however_much_it_looks_like_another(
    product: Product, owner: Account, key: dict[str, str]
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    first = create(product, key, attempt=0)
    assert create(product, key, attempt=0).status == 402
    assert not made_anew(first, create(product, key, attempt=1))


def test_what_was_canceled_is_still_readable(product: Product, key: dict[str, str]) -> None:
    made = create(product, key, attempt=0).json["id"]
    cancel(product, key, made)
    create(product, key, attempt=1)
    assert read(product, key, made)["status"] == "canceled"
