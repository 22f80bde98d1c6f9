"""A session makes as many generations as it was given, to the last one and not one more."""

from __future__ import annotations

import pytest

from tests.support import end_users
from tests.support.api import Account, bearer
from tests.support.product import Product


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("cap", [0, 1, 3])
def test_the_cap_is_exact(product: Product, owner: Account, cap: int) -> None:
    session = product.session(end_users.key_of(product, owner), max_generations=cap)
    answers = [end_users.generate(product, session) for _ in range(cap + 2)]
    assert [each.status for each in answers] == [202] * cap + [403, 403]
    refused = answers[-1]
    assert refused.json["code"] == "generation_cap_reached"
    assert refused.json["detail"] == "This session has reached its generation limit."
    assert refused.headers["x-should-retry"] == "false"
    assert product.queued() == cap
    jobs = [item for item in product.items("GenerationsTable") if item["sk"].startswith("GEN#")]
    assert len(jobs) == cap == end_users.record(product, session)["generations"]
    assert len(product.security_events("session.cap_reached")) == 2


def test_a_session_without_a_cap_is_not_counted(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    assert [end_users.generate(product, session).status for _ in range(3)] == [202] * 3
    assert end_users.record(product, session)["generations"] == 0


def test_a_generation_counts_once_however_many_images_it_makes(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner), max_generations=1)
    assert end_users.generate(product, session, n=4).status == 202
    assert end_users.generate(product, session).status == 403


@pytest.mark.promise("sessions-short")
def test_what_is_asked_for_again_with_the_same_key_counts_once(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner), max_generations=2)
    first = [end_users.generate(product, session, idempotency_key="order-1") for _ in range(4)]
    assert {each.json["id"] for each in first} == {first[0].json["id"]}
    assert end_users.record(product, session)["generations"] == 1
    assert end_users.generate(product, session, idempotency_key="order-2").status == 202
    assert end_users.generate(product, session, idempotency_key="order-3").status == 403
    # A repeated request is answered although nothing is left.
    again = end_users.generate(product, session, idempotency_key="order-1")
    assert (again.status, again.json["id"]) == (202, first[0].json["id"])
    assert end_users.record(product, session)["generations"] == 2


@pytest.mark.parametrize(
    ("body", "status"), [({"prompt": ""}, 422), ({"size": "1x1"}, 422), ({"brand_id": "x"}, 404)]
)
def test_what_is_refused_counts_as_no_generation(
    product: Product, owner: Account, body: dict[str, str], status: int
) -> None:
    session = product.session(end_users.key_of(product, owner), max_generations=1)
    assert end_users.generate(product, session, **body).status == status
    assert end_users.record(product, session)["generations"] == 0
    assert end_users.generate(product, session).status == 202


@pytest.mark.promise("quota-org")
def test_without_credits_nothing_is_counted_and_without_the_cap_nothing_is_held(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    key = end_users.key_of(product, owner)
    session = product.session(key, max_generations=1)
    short = end_users.generate(product, session, n=2)
    assert (short.status, short.json["code"]) == (402, "insufficient_credits")
    assert end_users.record(product, session)["generations"] == 0
    none_left = product.session(key, "user-2", max_generations=0)
    assert end_users.generate(product, none_left).json["code"] == "generation_cap_reached"
    assert product.item("CreditsTable", "BALANCE#")["reserved"] == 0
    assert end_users.generate(product, session).status == 202


def test_a_cap_is_a_sessions_own(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    used_up = product.session(key, "user-1", max_generations=1)
    fresh = product.session(key, "user-1", max_generations=1)
    assert end_users.generate(product, used_up).status == 202
    assert end_users.generate(product, used_up).status == 403
    assert end_users.generate(product, fresh).status == 202


def test_who_has_no_generations_left_still_sees_what_was_made(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner), max_generations=1)
    made = end_users.generate(product, session).headers["location"]
    assert end_users.generate(product, session).status == 403
    assert end_users.read(product, session, made).status == 200


def test_an_organization_without_credits_tells_an_end_user_so_and_its_owners_once(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"
    session = product.session(end_users.key_of(product, owner))
    assert end_users.generate(product, session).status == 202
    for _ in range(3):
        assert end_users.generate(product, session).json["code"] == "insufficient_credits"
    alerts = [mail for mail in product.mails() if mail.subject.startswith("100 percent")]
    assert [mail.destinations["ToAddresses"] for mail in alerts] == [[owner.email]]


def test_a_key_that_ran_out_mints_no_more(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    item = product.secret(key["key"])
    product.edit_secret(item, valid_until=1)
    assert end_users.mint(product, key).status == 401
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 401
    assert end_users.records(product) == []
