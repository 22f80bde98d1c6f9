"""Sign-ups that break a rule: the right status, nothing written, no mail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.product import Product

SIGN_UP = {
    "email": "dev@example.com",
    "password": "correct horse battery staple",
    "name": "Dev",
    "organization_name": "Org",
    "turnstile_token": "x",
}


def confirm(product: Product, token: str) -> int:
    return product.call("POST", "/v1/auth/verify-email", body={"token": token}).status


def nothing_happened(product: Product) -> bool:
    return not any(product.counts().values()) and not product.mails()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nope"}, "email"),
        ({"email": '"quoted"@example.com'}, "email"),
        ({"email": ["dev@example.com"]}, "email"),
        ({"password": "too short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "a" * 40}, "password"),
        ({"password": "imagelayerimagelayer"}, "password"),
        ({"name": ""}, "name"),
        ({"name": "<b>Dev</b>"}, "name"),
        ({"name": 1}, "name"),
        ({"organization_name": "x" * 101}, "organization_name"),
        ({"turnstile_token": ""}, "turnstile_token"),
        ({"role": "owner"}, "role"),
        ({"org_id": "org_1"}, "org_id"),
    ],
)
def test_a_broken_rule_names_its_field_and_leaves_nothing(
    product: Product, changes: dict[str, Any], field: str
) -> None:
    answer = product.call("POST", "/v1/auth/register", body={**SIGN_UP, **changes})
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [f"body.{field}"]
    assert nothing_happened(product)


@pytest.mark.promise("errors-sanitized")
def test_a_refused_password_is_not_repeated(product: Product) -> None:
    answer = product.register("dev@example.com", password="shortsecret")
    assert answer.status == 422
    assert "shortsecret" not in answer.text
    assert "shortsecret" not in product.output.getvalue()


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    "email", ["dev@mailinator.com", "dev@a.mailinator.com", "dev@YOPMAIL.com."]
)
def test_a_disposable_address_cannot_register(product: Product, email: str) -> None:
    answer = product.register(email)
    assert (answer.status, answer.json["code"]) == (422, "disposable_email")
    assert nothing_happened(product)
    assert product.security_events("auth.register")[0]["reason"] == "disposable_email"


@pytest.mark.promise("captcha")
@pytest.mark.parametrize(
    "verdict",
    [
        {"success": False, "error-codes": ["invalid-input-response"]},
        {"success": False, "error-codes": ["timeout-or-duplicate"]},
        {"success": True, "hostname": "evil.example", "action": "register"},
        {"success": True, "hostname": "localhost", "action": "login"},
        {"success": True},
    ],
)
def test_without_a_valid_captcha_there_is_no_registration(
    product: Product, verdict: dict[str, Any]
) -> None:
    product.siteverify = verdict
    answer = product.register("dev@example.com")
    assert (answer.status, answer.json["code"]) == (400, "captcha_failed")
    assert nothing_happened(product)
    assert product.security_events("auth.register")[0]["outcome"] == "denied"


@pytest.mark.promise("captcha")
def test_when_the_captcha_cannot_be_checked_nobody_registers(product: Product) -> None:
    product.siteverify = {"success": False, "error-codes": ["invalid-input-secret"]}
    answer = product.register("dev@example.com")
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert nothing_happened(product)


@pytest.mark.promise("captcha")
def test_a_captcha_is_checked_before_anything_is_said_about_the_address(product: Product) -> None:
    product.siteverify = {"success": False, "error-codes": ["invalid-input-response"]}
    assert product.register("dev@mailinator.com").json["code"] == "captcha_failed"


@pytest.mark.parametrize(
    "token",
    ["x" * 20, "01m85g9mspnb132tnphwa9cytt." + "x" * 43, "." * 40, "../../" + "x" * 40],
)
def test_a_made_up_token_confirms_nothing(product: Product, token: str) -> None:
    product.register("dev@example.com")
    answer = product.call("POST", "/v1/auth/verify-email", body={"token": token})
    assert (answer.status, answer.json["code"]) == (400, "invalid_token")
    assert "verified_at" not in product.item("AccountsTable", "USER")
    assert product.security_events("auth.verify_email")[0]["outcome"] == "failure"


def test_a_token_confirms_once_and_its_own_account_only(product: Product) -> None:
    product.register("one@example.com")
    one = product.newest_token()
    product.register("two@example.com")
    two = product.newest_token()
    mixed = f"{one.partition('.')[0]}.{two.partition('.')[2]}"
    for token, status in ((mixed, 400), (one, 200), (two, 200)):
        assert confirm(product, token) == status
    for user in product.items("AccountsTable"):
        if user["sk"] == "USER":  # a moment ago, so that it cannot be one call sent twice
            product.edit("AccountsTable", user, verified_at=user["verified_at"] - 1)
    assert [confirm(product, token) for token in (one, two)] == [400, 400]


def test_a_lost_mail_can_be_had_by_signing_up_again(product: Product) -> None:
    with product.broken("sesv2"):
        assert product.register("dev@example.com").status == 503
    assert product.register("dev@example.com").status == 202
    token = product.newest_token()
    assert product.call("POST", "/v1/auth/verify-email", body={"token": token}).status == 200
