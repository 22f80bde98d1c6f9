"""Signing up and confirming the address."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.product import PASSWORD, Product

EMAIL = "dev@example.com"


def confirm(product: Product, token: str) -> int:
    return product.call("POST", "/v1/auth/verify-email", body={"token": token}).status


def log_in(product: Product, password: str = PASSWORD, email: str = EMAIL) -> int:
    body = {"email": email, "password": password}
    return product.call("POST", "/v1/auth/login", body=body).status


def test_a_sign_up_sends_a_mail_whose_link_opens_the_account(product: Product) -> None:
    answer = product.register(EMAIL)
    assert (answer.status, answer.json) == (202, {"status": "verification_sent"})
    (mail,) = product.mails()
    assert mail.destinations["ToAddresses"] == [EMAIL]
    assert confirm(product, product.newest_token()) == 200
    assert log_in(product) == 200


def test_one_account_has_one_owner_one_organization_and_one_claim(product: Product) -> None:
    product.account(EMAIL)
    items = product.items("AccountsTable")
    assert sorted(re.split(r"[#_]", item["sk"])[0] for item in items) == [
        "EMAIL", "MEMBER", "ORG", "USER",
    ]  # fmt: skip
    (member,) = [item for item in items if item["sk"].startswith("MEMBER")]
    assert member["role"] == "owner"


@pytest.mark.promise("passwords-bcrypt")
def test_the_password_is_kept_as_bcrypt_and_nothing_else(product: Product) -> None:
    product.account(EMAIL)
    assert PASSWORD not in product.dump()
    user = product.item("AccountsTable", "USER")
    assert re.fullmatch(r"[0-9a-f]{8}\$2b\$\d\d\$.{53}", user["password_hash"])
    assert "pending" not in user


@pytest.mark.promise("keys-hashed")
def test_a_verification_token_is_kept_hashed(product: Product) -> None:
    product.register(EMAIL)
    secret = product.newest_token().partition(".")[2]
    assert len(secret) >= 43  # 256 bits
    assert secret not in product.dump()


@pytest.mark.promise("email-unique")
def test_the_answer_does_not_tell_a_taken_address_from_a_free_one(product: Product) -> None:
    product.account(EMAIL)
    taken, free = product.register(EMAIL), product.register("free@example.com")
    assert (taken.status, taken.text) == (free.status, free.text)
    assert set(taken.headers) == set(free.headers)


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(
    "spelling", ["dev@example.com", "DEV@Example.COM", " dev@example.com.", "Dev@example.com"]
)
def test_a_taken_address_in_any_spelling_makes_no_second_account(
    product: Product, spelling: str
) -> None:
    product.account(EMAIL)
    before = product.items("AccountsTable")
    assert product.register(spelling, password="another password entirely").status == 202
    assert product.items("AccountsTable") == before
    assert "already" in product.mails()[-1].subject.lower()
    assert "#token=" not in str(product.mails()[-1].body)
    assert log_in(product) == 200


def test_the_newest_sign_up_of_an_unverified_address_wins_with_its_own_password(
    product: Product,
) -> None:
    """A stranger who signs up first with somebody's address gains nothing by it."""
    product.register(EMAIL, password="the strangers own password", name="Stranger")
    strangers_token = product.newest_token()
    product.register(EMAIL, name="Dev")
    own_token = product.newest_token()
    assert confirm(product, strangers_token) == 400
    assert confirm(product, own_token) == 200
    assert log_in(product, "the strangers own password") == 401
    assert log_in(product) == 200
    user = product.item("AccountsTable", "USER")
    assert user["name"] == "Dev"


def test_a_link_that_was_sent_again_replaces_the_first(product: Product) -> None:
    product.register(EMAIL)
    first = product.newest_token()
    resent = product.call("POST", "/v1/auth/verify-email/resend", body={"email": EMAIL})
    assert resent.status == 202
    second = product.newest_token()
    assert first != second
    assert confirm(product, first) == 400
    assert confirm(product, second) == 200
    assert log_in(product) == 200


def test_asking_again_tells_nothing_about_an_address(product: Product) -> None:
    product.account(EMAIL)
    product.register("waiting@example.com")
    sent = len(product.mails())
    answers = [
        product.call(
            "POST", "/v1/auth/verify-email/resend", body={"email": email}, ip=f"198.51.100.{n}"
        )
        for n, email in enumerate([EMAIL, "waiting@example.com", "nobody@example.com"])
    ]
    assert len({(answer.status, answer.text) for answer in answers}) == 1
    assert len(product.mails()) == sent + 1


def test_reading_the_link_consumes_nothing(product: Product) -> None:
    """Mail scanners follow links: no GET takes a token."""
    product.register(EMAIL)
    token = product.newest_token()
    for query in (None, {"token": token}):
        page = product.call("GET", "/verify-email", query=query)
        assert page.status == 200
        assert token not in page.text
    assert confirm(product, token) == 200


@pytest.mark.promise("auth-logged")
def test_sign_up_and_confirmation_are_logged_with_who_and_from_where(product: Product) -> None:
    account = product.account(EMAIL)
    for event in ("auth.register", "auth.verify_email"):
        (line,) = product.security_events(event)
        assert (line["outcome"], line["org_id"], line["actor"], line["ip"]) == (
            "success",
            account.org_id,
            account.user_id,
            "198.51.100.7",
        )


def test_links_are_built_from_configuration_and_not_from_the_host_header(product: Product) -> None:
    body = {
        "email": EMAIL,
        "password": PASSWORD,
        "name": "Dev",
        "organization_name": "Org",
        "turnstile_token": "x",
    }
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    assert product.call("POST", "/v1/auth/register", body=body, headers=headers).status == 202
    assert "evil.example" not in str(product.mails()[-1].body)
    assert "http://front.invalid/verify-email#token=" in str(product.mails()[-1].body)


def test_a_link_that_is_past_its_day_is_dead(product: Product) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    user = product.item("AccountsTable", "USER")
    assert abs(user["pending"]["expires_at"] - time.time() - 24 * 3600) < 60
    expired = {**user["pending"], "expires_at": int(time.time())}
    product.edit("AccountsTable", user, pending=expired)
    assert confirm(product, token) == 400
    assert log_in(product) == 403
