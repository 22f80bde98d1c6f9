"""An end user sees what was made for them; everything else is missing, to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.platform.ids import new_id
from tests.support import end_users
from tests.support.api import Account, bearer
from tests.support.product import Product


def made_by(product: Product, headers: dict[str, str]) -> tuple[str, str]:
    """The ids of a finished job and its image."""
    body = {"prompt": "waves", "size": "256x256"}
    asked = product.call("POST", "/v1/generations", headers=headers, body=body)
    assert asked.status == 202, asked.text
    product.work_queue()
    (asset,) = [
        item
        for item in product.items("GenerationsTable")
        if item["sk"].startswith("AST#") and item["generation_id"] == asked.json["id"]
    ]
    return asked.json["id"], asset["id"]


def paths(job: str, asset: str) -> list[str]:
    return [f"/v1/generations/{job}", f"/v1/assets/{asset}", f"/v1/assets/{asset}/content"]


MISSING = paths(new_id("gen", 1_800_000_000), new_id("ast", 1_800_000_000))


@pytest.mark.promise("org-scoped", "sessions-short")
@pytest.mark.parametrize("whose", ["another end user", "the key", "the dashboard", "a stranger"])
def test_what_was_not_made_for_an_end_user_is_missing_byte_for_byte(
    product: Product, owner: Account, stranger: Account, whose: str
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, "user-1")
    another = product.session(key, "user-2")
    maker: dict[str, dict[str, str]] = {
        "another end user": {"authorization": f"Bearer {another['session_token']}"},
        "the key": bearer(key),
        "the dashboard": owner.headers,
        "a stranger": stranger.headers,
    }
    job, asset = made_by(product, maker[whose])
    for foreign, missing in zip(paths(job, asset), MISSING, strict=True):
        answers = [
            product.call(
                "GET",
                path,
                headers={"authorization": f"Bearer {session['session_token']}"},
                request_id="req-same",
            )
            for path in (foreign, missing)
        ]
        assert [each.status for each in answers] == [404, 404], foreign
        assert answers[0].text == answers[1].text
        assert answers[0].headers.keys() == answers[1].headers.keys()
        assert product.call("GET", foreign, headers=maker[whose]).status in (200, 302)


@pytest.mark.promise("org-scoped")
@pytest.mark.parametrize("other", ["user-10", "user", "USER-1", "user-1.", "user_1"])
def test_names_of_end_users_are_compared_to_the_letter(
    product: Product, owner: Account, other: str
) -> None:
    key = end_users.key_of(product, owner)
    made = end_users.generate(product, product.session(key, "user-1")).headers["location"]
    assert end_users.read(product, product.session(key, other), made).status == 404


@pytest.mark.promise("org-scoped")
def test_the_same_name_at_another_customers_is_another_user(
    product: Product, owner: Account, stranger: Account
) -> None:
    made = end_users.generate(product, product.session(end_users.key_of(product, owner), "user-1"))
    theirs = product.session(end_users.key_of(product, stranger), "user-1")
    assert end_users.read(product, theirs, made.headers["location"]).status == 404


@pytest.mark.promise("org-scoped")
def test_the_organization_sees_what_its_end_users_made(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key)
    job, asset = made_by(product, {"authorization": f"Bearer {session['session_token']}"})
    for headers in (owner.headers, bearer(key)):
        for path in paths(job, asset):
            assert product.call("GET", path, headers=headers).status in (200, 302)
        listed = product.call("GET", "/v1/generations", headers=headers).json["data"]
        assert [each["id"] for each in listed] == [job]


@pytest.mark.promise("org-scoped")
def test_idempotency_keys_of_two_end_users_never_meet(product: Product, owner: Account) -> None:
    """Or one could be used to read another's job."""
    key = end_users.key_of(product, owner)
    sessions = [product.session(key, name) for name in ("user-1", "user-2")]
    jobs: list[Any] = [
        end_users.generate(product, session, idempotency_key="order-1").json for session in sessions
    ]
    body = {"prompt": "warm waves", "size": "256x256"}
    headers = {**bearer(key), "idempotency-key": "order-1"}
    jobs.append(product.call("POST", "/v1/generations", headers=headers, body=body).json)
    assert len({job["id"] for job in jobs}) == 3
    other = end_users.generate(product, sessions[1], idempotency_key="order-1", prompt="cold waves")
    assert other.json["code"] == "idempotency_mismatch"


@pytest.mark.promise("org-scoped")
def test_no_organization_revokes_sessions_of_another(
    product: Product, owner: Account, stranger: Account
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, "user-1")
    headers = bearer(end_users.key_of(product, stranger))
    answers = [
        product.call(
            "POST", end_users.REVOKE, headers=headers, body={"key_id": each}, request_id="req-same"
        )
        for each in (key["id"], new_id("key", 1_800_000_000))
    ]
    assert [each.status for each in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert end_users.revoke(product, headers, end_user_id="user-1").json == {"revoked": 0}
    assert end_users.revoke(product, headers, all=True).json == {"revoked": 0}
    assert end_users.is_good(product, session)


@pytest.mark.promise("brand-isolated")
def test_a_foreign_brand_shapes_no_end_users_image(
    product: Product, owner: Account, stranger: Account
) -> None:
    session = product.session(end_users.key_of(product, owner))
    theirs, ours = product.brand(stranger)["id"], product.brand(owner)["id"]
    assert end_users.generate(product, session, brand_id=theirs).status == 404
    assert end_users.generate(product, session, brand_id=ours).status == 202
