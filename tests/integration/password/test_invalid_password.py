"""Tokens that set no password, passwords that are not taken, and what is left behind: nothing."""

from __future__ import annotations

import time

import pytest

from imagelayer.identity.wiring import IdentityWiring
from tests.support.accounts import (
    NEW_PASSWORD,
    change,
    confirm,
    forgot,
    invite,
    is_logged_in,
    log_in,
    meanwhile,
    reset,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product

TOO_EASY = {
    "short": "fourteen chars",
    "short once composed": "e\u0301" * 14,
    "long": "a1b2c3d4e5f6g7h8" * 8 + "x",
    "common": "passwordpassword",
    "a walk over the keyboard": "qwertyuiopasdfgh",
    "one letter": "a" * 40,
    "the address": "dev@example.com",
    "the domain": "example.comexample.com",
    "the name": "elopereloper1234",
    "our own name": "imagelayerimagelayer",
}


def refused(product: Product, token: str) -> bool:
    """Refused as a token that is not good, with nothing changed."""
    before = product.dump_of("AccountsTable")
    answer = reset(product, token)
    assert product.dump_of("AccountsTable") == before
    line = product.security_events("auth.password_reset")[-1]
    assert (line["outcome"], line["reason"]) == ("failure", "invalid token")
    return (answer.status, answer.json["code"]) == (400, "invalid_token")


@pytest.mark.parametrize(
    "token",
    ["x" * 20, "." * 40, f"{'0' * 26}.{'x' * 43}", "../../" + "x" * 40, f"nobody.{'x' * 43}"],
)
def test_a_made_up_token_sets_no_password(product: Product, owner: Account, token: str) -> None:
    forgot(product, owner.email)
    product.mails()
    assert refused(product, token)
    assert is_logged_in(product, owner.token)


def test_a_token_sets_one_password_once(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    assert reset(product, token).status == 204
    assert refused(product, token)
    assert not {"reset", "reset_with"} & set(user_of(product, owner.user_id))


def test_a_token_that_ran_out_sets_none(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    user = user_of(product, owner.user_id)
    expired = {**user["reset"], "expires_at": int(time.time())}
    product.edit("AccountsTable", user, reset=expired)
    assert refused(product, token)
    assert is_logged_in(product, owner.token)


@pytest.mark.promise("org-scoped")
def test_a_token_is_good_for_its_own_account_alone(
    product: Product, owner: Account, stranger: Account
) -> None:
    forgot(product, owner.email)
    own = product.newest_token()
    forgot(product, stranger.email)
    theirs = product.newest_token()
    assert refused(product, f"{own.partition('.')[0]}.{theirs.partition('.')[2]}")
    assert refused(product, f"{theirs.partition('.')[0]}.{own.partition('.')[2]}")
    assert reset(product, own).status == 204
    assert log_in(product, stranger.email).status == 200


def test_links_of_one_kind_do_nothing_as_another(product: Product, owner: Account) -> None:
    product.register("waiting@example.com")
    verification = product.newest_token()
    invitation = invite(product, owner, "friend@example.com")
    forgot(product, owner.email)
    reset_token = product.newest_token()
    assert refused(product, verification)
    assert refused(product, invitation)
    assert confirm(product, reset_token).status == 400
    assert confirm(product, verification).status == 200
    assert reset(product, reset_token).status == 204


@pytest.mark.parametrize("password", TOO_EASY.values(), ids=TOO_EASY)
def test_a_weak_password_is_refused_and_does_not_cost_the_link(
    product: Product, owner: Account, password: str
) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    before = product.dump_of("AccountsTable")
    answer = reset(product, token, password)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["body.password"]
    assert product.dump_of("AccountsTable") == before
    assert is_logged_in(product, owner.token)
    assert reset(product, token).status == 204


@pytest.mark.parametrize("password", TOO_EASY.values(), ids=TOO_EASY)
def test_a_weak_password_replaces_none(product: Product, owner: Account, password: str) -> None:
    answer = change(product, owner, PASSWORD, password)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == ["body.password"]
    assert log_in(product, owner.email).status == 200


@pytest.mark.promise("auth-logged")
def test_who_does_not_know_the_password_does_not_change_it(
    product: Product, owner: Account
) -> None:
    before = product.dump_of("AccountsTable")
    answer = change(product, owner, "not the right password")
    assert (answer.status, answer.json["code"]) == (403, "wrong_password")
    assert product.dump_of("AccountsTable") == before
    assert product.mails()[-1].subject != "Your ImageLayer password was changed"
    (line,) = product.security_events("auth.password_check")
    assert (line["outcome"], line["actor"], line["reason"]) == (
        "failure",
        owner.user_id,
        "wrong password",
    )
    assert "not the right password" not in product.output.getvalue()


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize("way", ["reset", "change"])
def test_a_refused_password_is_not_repeated(product: Product, owner: Account, way: str) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    answer = (
        reset(product, token, "shortsecret")
        if way == "reset"
        else change(product, owner, PASSWORD, "shortsecret")
    )
    assert answer.status == 422
    assert "shortsecret" not in answer.text
    assert "shortsecret" not in product.output.getvalue()


def test_of_two_resets_with_one_token_one_counts(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    other = "somebody elses long phrase"
    sessions = product.part("password", IdentityWiring).session_store
    with meanwhile(sessions, "list_sessions", lambda: reset(product, token, other)) as met:
        assert reset(product, token, NEW_PASSWORD).status == 400
    assert [each.status for each in met] == [204]
    assert log_in(product, owner.email, other).status == 200
    assert log_in(product, owner.email, NEW_PASSWORD).status == 401


def test_a_change_that_meets_a_reset_does_not_undo_it(product: Product, owner: Account) -> None:
    """The reset may be the owner's answer to someone who holds her session."""
    forgot(product, owner.email)
    token = product.newest_token()
    sessions = product.part("password", IdentityWiring).session_store
    with meanwhile(sessions, "list_sessions", lambda: reset(product, token, NEW_PASSWORD)) as met:
        refused = change(product, owner, PASSWORD, "somebody elses long phrase")
    assert [each.status for each in met] == [204]
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200
    assert not is_logged_in(product, owner.token)


def test_a_reset_that_meets_a_change_counts_only_while_its_link_does(
    product: Product, owner: Account
) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    sessions = product.part("password", IdentityWiring).session_store
    with meanwhile(sessions, "list_sessions", lambda: change(product, owner)) as met:
        assert reset(product, token, "somebody elses long phrase").status == 400
    assert [each.status for each in met] == [204]
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200
