"""A sign-up that no one confirms holds its address for seven days and no longer."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.records import User
from imagelayer.identity.wiring import IdentityWiring
from tests.support import accounts
from tests.support.api import Account
from tests.support.product import Product

EMAIL = "somebody@example.com"
WEEK = 7 * 86_400


def sign_up(product: Product, email: str = EMAIL) -> dict[str, Any]:
    """Sign up without confirming; returns the user."""
    assert product.register(email).status == 202
    product.deliver_mail()
    return user(product, email)


def user(product: Product, email: str = EMAIL) -> dict[str, Any]:
    """The one user with an address."""
    users = [each for each in product.items("AccountsTable") if each["sk"] == "USER"]
    (found,) = [each for each in users if each["email"] == email]
    return found


def a_week_later(product: Product, found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As if a user had signed up a week ago, and the link had run out."""
    past = int(time.time()) - 1
    pending = {**found["pending"], "expires_at": past}
    return product.edit("AccountsTable", found, **{"sweep_at": past, "pending": pending, **changes})


def sweep(product: Product) -> dict[str, int]:
    """What a sweep did."""
    swept: dict[str, int] = product.invoke("cleanup", {})
    return {name: count for name, count in swept.items() if count}


def test_after_a_week_it_is_removed_whole_and_its_address_is_free(
    product: Product, owner: Account
) -> None:
    before = product.dump_of("AccountsTable")
    made = sign_up(product)
    assert made["sweep_at"] == made["created_at"] + WEEK
    assert len(product.items("AccountsTable")) == len(before) + 4
    assert sweep(product) == {}
    a_week_later(product, made)
    assert sweep(product) == {"unconfirmed": 1}
    assert product.dump_of("AccountsTable") == before
    (line,) = product.security_events("account.removed")
    assert (line["org_id"], line["actor"], line["reason"]) == (made["org_id"], "sweep", made["id"])
    assert EMAIL not in str(line)
    assert sweep(product) == {}
    again = product.account(EMAIL)
    assert again.user_id != made["id"]
    assert accounts.is_logged_in(product, owner.token)


def test_a_newer_sign_up_that_still_waits_postpones_it_and_can_be_confirmed(
    product: Product,
) -> None:
    a_week_later(product, sign_up(product))
    newer = sign_up(product)
    waits_until = newer["pending"]["expires_at"]
    assert waits_until > time.time()
    assert sweep(product) == {}
    assert user(product) == {**newer, "sweep_at": waits_until}
    assert accounts.confirm(product, product.newest_token()).status == 200
    confirmed = user(product)
    assert {"sweep_at", "sweep_shard", "pending"} & set(confirmed) == set()
    assert accounts.log_in(product, EMAIL).status == 200


def test_a_postponed_one_that_is_not_confirmed_either_is_removed_after_all(
    product: Product,
) -> None:
    a_week_later(product, sign_up(product))
    sign_up(product)
    assert sweep(product) == {}
    a_week_later(product, user(product))
    assert sweep(product) == {"unconfirmed": 1}
    assert product.items("AccountsTable") == []


def test_an_account_that_was_confirmed_is_never_removed(product: Product, owner: Account) -> None:
    """Not even when the index still shows it."""
    confirmed = user(product, owner.email)
    assert "sweep_at" not in confirmed
    past = int(time.time()) - 1
    product.edit("AccountsTable", confirmed, sweep_at=past, sweep_shard="0")
    before = product.dump_of("AccountsTable")
    assert sweep(product) == {}
    assert product.dump_of("AccountsTable") == before
    assert product.security_events("account.removed") == []


@pytest.mark.parametrize("meanwhile", ["swept", "confirmed", "signed up again"])
def test_what_changed_since_a_sweep_looked_is_left_to_the_one_that_was_first(
    product: Product, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    made = sign_up(product)
    stale = a_week_later(product, made)
    if meanwhile == "swept":
        assert sweep(product) == {"unconfirmed": 1}
    elif meanwhile == "confirmed":
        product.edit("AccountsTable", made)
        assert accounts.confirm(product, product.newest_token()).status == 200
    else:
        sign_up(product)
    before = product.dump_of("AccountsTable")
    store = product.part("cleanup", IdentityWiring).account_store
    monkeypatch.setattr(store, "list_unconfirmed", lambda shard, now: [stale] if shard == 0 else [])
    assert sweep(product) == {}
    assert not store.drop_unconfirmed(cast("User", stale), address_hash(EMAIL), int(time.time()))
    assert product.dump_of("AccountsTable") == before
    assert len(product.security_events("account.removed")) == (meanwhile == "swept")


def test_one_that_cannot_be_removed_stops_neither_the_others_nor_the_jobs(
    product: Product, owner: Account
) -> None:
    product.call("POST", "/v1/generations", headers=owner.headers, body={"prompt": "waves"})
    job = product.item("GenerationsTable", "GEN#")
    product.edit("GenerationsTable", job, sweep_at=int(time.time()) - 1)
    made = [sign_up(product, f"somebody-{number}@example.com") for number in range(6)]
    for each in made[1:]:
        a_week_later(product, each)
    a_week_later(product, made[0], pending="not a sign-up")
    assert sweep(product) == {"failed": 1, "unconfirmed": 5, "requeued": 1}
    assert user(product, made[0]["email"])["pending"] == "not a sign-up"


def test_a_removal_whose_answer_does_not_come_is_finished_by_the_next_sweep(
    product: Product,
) -> None:
    a_week_later(product, sign_up(product))
    before = product.dump_of("AccountsTable")
    with product.broken("dynamodb", "TransactWriteItems"):
        assert sweep(product) == {"failed": 1}
    assert product.dump_of("AccountsTable") == before
    assert sweep(product) == {"unconfirmed": 1}
    assert product.items("AccountsTable") == []
