"""What breaks a rule of organizations, members or invitations: refused, and nothing changes."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.ids import new_id
from tests.support import accounts, organizations
from tests.support.api import Account
from tests.support.product import Product


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "<b>"}, "name"),
        ({"name": None}, "name"),
        ({"owners_need_second_factor": "yes"}, "owners_need_second_factor"),
        ({"owners_need_second_factor": None}, "owners_need_second_factor"),
        ({"owners_need_second_factor": 1}, "owners_need_second_factor"),
        ({"owners": 5}, "owners"),
        ({"id": "org_1"}, "id"),
    ],
)
def test_a_change_that_breaks_a_rule_changes_nothing(
    product: Product, owner: Account, body: dict[str, Any], field: str
) -> None:
    before = product.dump_of("AccountsTable")
    answer = organizations.change(product, owner, **body)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [f"body.{field}"]
    assert product.dump_of("AccountsTable") == before


def test_an_owner_sets_a_second_factor_up_before_asking_others_for_one(
    product: Product, owner: Account
) -> None:
    before = product.dump_of("AccountsTable")
    answer = organizations.change(product, owner, owners_need_second_factor=True)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert product.dump_of("AccountsTable") == before
    assert accounts.is_logged_in(product, owner.token)


@pytest.mark.parametrize("role", ["king", "OWNER", "", None, 1, ["owner"]])
def test_a_role_that_does_not_exist_is_given_to_no_one(
    product: Product, owner: Account, role: Any
) -> None:
    friend = accounts.join(product, owner, "friend@example.com")
    before = product.dump_of("AccountsTable")
    for answer in (
        organizations.give_role(product, owner, friend.user_id, role),
        organizations.invite(product, owner, "another@example.com", role),
    ):
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
        assert answer.json["errors"][0]["location"].startswith("body.role")
    assert product.dump_of("AccountsTable") == before
    assert accounts.is_logged_in(product, friend.token)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "x",
        "no-at-sign",
        "@example.com",
        "a@",
        "a b@example.com",
        "a@example.com, b@example.com",
    ],
)
def test_what_is_not_an_address_is_not_invited(
    product: Product, owner: Account, email: str
) -> None:
    before = product.counts()
    answer = organizations.invite(product, owner, email)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["body.email"]
    assert (product.counts(), product.asked_mails()) == (before, [])


@pytest.mark.promise("disposable-blocked")
def test_disposable_addresses_are_not_invited(product: Product, owner: Account) -> None:
    before = product.counts()
    for email in ("friend@mailinator.com", "friend@sub.mailinator.com"):
        answer = organizations.invite(product, owner, email)
        assert (answer.status, answer.json["code"]) == (422, "disposable_email")
    assert (product.counts(), product.asked_mails()) == (before, [])


@pytest.mark.parametrize("how", ["leave", "step down"])
@pytest.mark.parametrize("others", [[], ["admin", "developer", "viewer"]])
def test_the_last_owner_stays_one(
    product: Product, owner: Account, how: str, others: list[str]
) -> None:
    for role in others:
        accounts.join(product, owner, f"{role}@example.com", role)
    before = product.dump_of("AccountsTable"), len(product.items("SessionsTable"))
    answer = (
        organizations.remove(product, owner, owner.user_id)
        if how == "leave"
        else organizations.give_role(product, owner, owner.user_id, "admin")
    )
    assert (answer.status, answer.json["code"]) == (409, "last_owner")
    assert (product.dump_of("AccountsTable"), len(product.items("SessionsTable"))) == before
    assert accounts.is_logged_in(product, owner.token)


def test_that_one_owner_stays_is_the_transactions_doing_and_not_only_the_checks(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two owners who look at once both see two owners; here the look is taken away."""
    friend = accounts.join(product, owner, "friend@example.com", "owner")
    members = product.part("organization", IdentityWiring).members
    monkeypatch.setattr(type(members), "_keep_an_owner", lambda *_: None)
    assert organizations.remove(product, friend, friend.user_id).status == 200
    before = product.dump_of("AccountsTable")
    for answer in (
        organizations.remove(product, owner, owner.user_id),
        organizations.give_role(product, owner, owner.user_id, "viewer"),
    ):
        assert answer.status in (409, 503)
    assert product.dump_of("AccountsTable") == before
    assert accounts.is_logged_in(product, owner.token)


@pytest.mark.parametrize(
    "path", [organizations.MEMBERS, organizations.INVITATIONS, organizations.EVENTS]
)
@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "１"])  # noqa: RUF001
def test_a_page_has_one_to_a_hundred_rows(
    product: Product, owner: Account, path: str, limit: str
) -> None:
    answer = product.call("GET", path, headers=owner.headers, query={"limit": limit})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert answer.json["errors"][0]["location"] == "query.limit"


@pytest.mark.parametrize("path", [organizations.MEMBERS, organizations.INVITATIONS])
def test_a_cursor_of_another_list_is_refused(product: Product, owner: Account, path: str) -> None:
    for cursor in (new_id("key", 1.0), "nonsense"):
        answer = product.call("GET", path, headers=owner.headers, query={"cursor": cursor})
        assert (answer.status, answer.json["code"]) == (422, "validation_failed")
        assert answer.json["errors"][0]["location"] == "query.cursor"
