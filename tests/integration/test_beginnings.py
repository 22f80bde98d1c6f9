"""A product that begins with a copied account is as one in which that account signed up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from imagelayer.platform.ids import new_id
from tests.support import aws
from tests.support.api import Account
from tests.support.product import FRESH_SECONDS, Product

OWNER, STRANGER = "dev@example.com", "stranger@example.org"


def shape(item: dict[str, Any]) -> tuple[str, ...]:
    """An item's kind and attributes, without what is another one each time."""
    kinds = (re.sub(r"[#_][\w.-]+", "", str(item[name])) for name in ("pk", "sk"))
    return (*kinds, *sorted(item))


def everything(product: Product) -> Any:
    """What a product holds and has said, without what is another one each time."""
    tables = {
        table: Counter(map(shape, product.items(table)))
        for table in aws.resources("AWS::DynamoDB::Table")
    }
    said = [(line.get("event"), line.get("reason"), sorted(line)) for line in product.logs()]
    mails = [(mail.subject, mail.destinations) for mail in product.mails()]
    queued = len(product.asked_mails()) + product.queued()
    return tables, said, mails, queued, product._requests, product.names.keys()


@pytest.mark.parametrize("begun_before", [False, True])
def test_a_copy_holds_what_a_sign_up_leaves(begun_before: bool) -> None:
    with Product() as signed_up:
        signed_up.account(OWNER)
        signed_up.account(STRANGER)
        expected = everything(signed_up)
    if begun_before:
        with Product() as before:
            before.begin_with(OWNER)
            before.begin_with(STRANGER)
    with Product() as product:
        owner = product.begin_with(OWNER)
        stranger = product.begin_with(STRANGER)
        assert everything(product) == expected
        assert owner.org_id != stranger.org_id
        for account in (owner, stranger):
            answer = product.call("GET", "/v1/auth/me", headers=account.headers)
            assert answer.json["user"]["email"] == account.email


def test_what_happens_to_a_copy_is_not_seen_in_the_next() -> None:
    with Product() as first:
        owner = first.begin_with(OWNER)
        first.key(owner, "assets:read")
        first.siteverify["success"] = False
        owner.token = "gone"
        assert first.items("KeysTable")
    with Product() as second:
        again = second.begin_with(OWNER)
        assert again.org_id == owner.org_id
        assert again.token != "gone"
        assert second.items("KeysTable") == []
        assert second.register("new@example.com").status == 202


def put_something(product: Product) -> None:
    item = {"pk": f"ORG#{new_id('org', 1_800_000_000)}", "sk": "KEYS", "count": 1}
    product.edit("KeysTable", item)


def call_something(product: Product) -> None:
    assert product.call("GET", "/v1/health").status == 200


def warm_something(product: Product) -> None:
    product.platform("mail")


def set_a_parameter(product: Product) -> None:
    product.parameters["MONTHLY_CREDITS"] = "1"


def refuse_the_captcha(product: Product) -> None:
    product.siteverify["cdata"] = "another"


@pytest.mark.parametrize(
    "touch",
    [put_something, call_something, warm_something, set_a_parameter, refuse_the_captcha],
)
def test_a_product_that_was_touched_keeps_what_it_has_and_signs_up(
    touch: Callable[[Product], None],
) -> None:
    with Product() as product:
        copied = product.begin_with(OWNER)
    with Product() as product:
        touch(product)
        before = product.items("KeysTable")
        assert product.begin_with(OWNER).org_id != copied.org_id
        assert product.items("KeysTable") == before


def test_a_copy_is_no_older_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(seconds: float) -> Account:
        with Product() as product:
            monkeypatch.setattr("time.monotonic", lambda: 1_000_000 + seconds)
            return product.begin_with(OWNER)

    first = begun(FRESH_SECONDS * 2)
    assert begun(FRESH_SECONDS * 3).org_id == first.org_id
    assert begun(FRESH_SECONDS * 3 + 1).org_id != first.org_id


def test_hooks_on_clients_end_with_their_product() -> None:
    seen: list[str] = []

    def note(model: Any, **_: object) -> None:
        seen.append(model.name)

    with Product() as product:
        client = product.platform("login").client("dynamodb")
        client.meta.events.register("before-call.dynamodb", note)
        product.account(OWNER)
        assert "TransactWriteItems" in seen
    seen.clear()
    with Product() as product:
        assert product.platform("login").client("dynamodb") is client
        product.account(OWNER)
        assert seen == []
