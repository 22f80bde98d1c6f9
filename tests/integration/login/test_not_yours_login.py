"""Other people's sessions: to everybody else they do not exist."""

from __future__ import annotations

import pytest

from tests.support.accounts import is_logged_in, join, sessions_of
from tests.support.api import Account, Answer
from tests.support.product import Product


def end(product: Product, account: Account, session_id: str) -> Answer:
    path = f"/v1/auth/sessions/{session_id}"
    return product.call("DELETE", path, headers=account.headers)


@pytest.mark.promise("org-scoped")
def test_a_session_of_another_user_is_answered_like_one_that_does_not_exist(
    product: Product, owner: Account, stranger: Account
) -> None:
    colleague = join(product, owner, "colleague@example.com", "admin")
    (theirs,) = sessions_of(product, owner.user_id)
    answers = [
        end(product, stranger, theirs["id"]),
        end(product, colleague, theirs["id"]),
        end(product, stranger, "ses_" + "0" * 26),
        end(product, stranger, "nonsense"),
        end(product, stranger, owner.user_id),
    ]
    texts = {each.text.replace(each.json["request_id"], "") for each in answers}
    assert {each.status for each in answers} == {404}
    assert len(texts) == 1
    assert is_logged_in(product, owner.token)
    recorded = product.security_events("auth.session_ended")
    assert [(each["outcome"], each["reason"]) for each in recorded] == [
        ("failure", "not_found")
    ] * 5


@pytest.mark.promise("org-scoped")
def test_one_is_shown_ones_own_sessions_alone(
    product: Product, owner: Account, stranger: Account
) -> None:
    colleague = join(product, owner, "colleague@example.com", "viewer")
    for account in (owner, stranger, colleague):
        listed = product.call("GET", "/v1/auth/sessions", headers=account.headers).json["data"]
        (own,) = sessions_of(product, account.user_id)
        assert [each["id"] for each in listed] == [own["id"]]


def test_ending_ones_own_sessions_ends_no_one_elses(
    product: Product, owner: Account, stranger: Account
) -> None:
    colleague = join(product, owner, "colleague@example.com", "owner")
    assert product.call("DELETE", "/v1/auth/sessions", headers=owner.headers).status == 204
    assert not is_logged_in(product, owner.token)
    assert is_logged_in(product, colleague.token)
    assert is_logged_in(product, stranger.token)


def test_a_session_id_of_ones_own_in_the_cookie_of_another_user_opens_nothing(
    product: Product, owner: Account, stranger: Account
) -> None:
    """The record is found by user and session together."""
    name, _, value = owner.cookie.partition("=")
    ids, _, secrets = value.partition(".")
    user, _, session = ids.partition("-")
    other_user, _, other_session = (
        stranger.cookie.partition("=")[2].partition(".")[0].partition("-")
    )
    for whose, logged_out in (
        (f"{other_user}-{session}", 204),  # there is no such session, so it is over
        (f"{user}-{other_session}", 204),
        (f"{other_user}-{other_session}", 401),
    ):
        cookie = f"{name}={whose}.{secrets}"
        assert product.call("POST", "/v1/auth/refresh", cookies=[cookie]).status == 401
        assert product.call("POST", "/v1/auth/logout", cookies=[cookie]).status == logged_out
    assert is_logged_in(product, owner.token)
    assert is_logged_in(product, stranger.token)
