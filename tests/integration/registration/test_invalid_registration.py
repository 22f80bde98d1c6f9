"""Sign-ups that break a rule: the right status, nothing written, no mail."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.identity.email_policy import address_hash
from tests.support.accounts import confirm, restart
from tests.support.product import Product

EMAIL = "dev@example.com"
SIGN_UP = {"email": EMAIL, "turnstile_token": "x"}


def nothing_happened(product: Product) -> bool:
    return not any(product.counts().values()) and not product.mails()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nope"}, "email"),
        ({"email": '"quoted"@example.com'}, "email"),
        ({"email": ["dev@example.com"]}, "email"),
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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "too short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "a" * 40}, "password"),
        ({"password": "imagelayerimagelayer"}, "password"),
        ({"password": "dev@example.com"}, "password"),
        ({"password": "DEV@EXAMPLE.COM1"}, "password"),
        ({"name": "Ada Lovelace", "password": "lovelacelovelace"}, "password"),
        ({"organization_name": "Solstice", "password": "solsticesolstice"}, "password"),
        ({"name": ""}, "name"),
        ({"name": "<b>Dev</b>"}, "name"),
        ({"name": 1}, "name"),
        ({"organization_name": "x" * 101}, "organization_name"),
        ({"role": "owner"}, "role"),
        ({"email": "another@example.com"}, "email"),
        ({"org_id": "org_1"}, "org_id"),
    ],
)
def test_a_broken_rule_of_the_confirmation_names_its_field_and_leaves_the_link_good(
    product: Product, changes: dict[str, Any], field: str
) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    before = product.dump_of("AccountsTable")
    answer = product.confirm(token, **changes)
    assert (answer.status, answer.json["code"]) == (422, "validation_failed")
    assert [each["location"] for each in answer.json["errors"]] == [f"body.{field}"]
    assert product.dump_of("AccountsTable") == before
    assert confirm(product, token).status == 200


@pytest.mark.promise("errors-sanitized")
def test_a_refused_password_is_not_repeated(product: Product) -> None:
    product.register(EMAIL)
    answer = confirm(product, product.newest_token(), "shortsecret")
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
def test_when_the_captcha_cannot_be_checked_no_one_registers(product: Product) -> None:
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
    [
        "x" * 20,
        "01m85g9mspnb132tnphwa9cytt." + "x" * 43,
        address_hash(EMAIL) + "." + "x" * 43,
        address_hash(EMAIL) + ".",
        "." * 40,
        "../../" + "x" * 40,
    ],
)
@pytest.mark.parametrize("mailed", [True, False])
def test_a_made_up_token_confirms_nothing(product: Product, token: str, mailed: bool) -> None:
    product.register(EMAIL)
    if mailed:
        product.mails()
    before = product.dump_of("AccountsTable")
    answer = confirm(product, token)
    assert (answer.status, answer.json["code"]) == (400, "invalid_token")
    assert product.dump_of("AccountsTable") == before
    assert product.security_events("auth.verify_email")[0]["outcome"] == "failure"


def test_a_token_confirms_once_and_its_own_account_only(product: Product) -> None:
    product.register("one@example.com")
    one = product.newest_token()
    product.register("two@example.com")
    two = product.newest_token()
    mixed = f"{one.partition('.')[0]}.{two.partition('.')[2]}"
    for token, status in ((mixed, 400), (one, 200), (two, 200), (one, 400), (two, 400)):
        assert confirm(product, token).status == status


def test_what_is_waiting_ends_with_the_confirmation(product: Product) -> None:
    product.register("dev@example.com")
    older = product.newest_token()
    product.call("POST", "/v1/auth/verify-email/resend", body={"email": "dev@example.com"})
    assert confirm(product, product.newest_token()).status == 200
    assert confirm(product, older).status == 400
    assert not [item for item in product.items("AccountsTable") if item["sk"] == "SIGNUP"]
    assert not {"joined_with", "reset"} & set(product.item("AccountsTable", "USER"))


@pytest.mark.promise("captcha")
def test_one_solved_captcha_is_good_for_one_address(product: Product) -> None:
    assert product.register("dev@example.com", turnstile_token="solved-once").status == 202
    before = product.counts()
    refused = product.register("other@example.com", turnstile_token="solved-once")
    assert (refused.status, refused.json["code"]) == (400, "captcha_failed")
    assert product.counts() == before
    assert len(product.mails()) == 1
    assert product.register("other@example.com", turnstile_token="solved-anew").status == 202


@pytest.mark.promise("captcha")
def test_the_same_sign_up_may_be_sent_again_with_its_captcha(product: Product) -> None:
    for spelling in ("dev@example.com", "DEV@example.com."):
        assert product.register(spelling, turnstile_token="solved-once").status == 202


@pytest.mark.parametrize(
    "mistake",
    [{"email": "dev@mailinator.com"}, {"email": "dev@example"}],
    ids=["disposable", "no address"],
)
def test_a_mistake_does_not_cost_the_captcha(product: Product, mistake: dict[str, str]) -> None:
    sign_up = {"email": "typo@example.com", "turnstile_token": "solved-once"}
    assert product.register(**{**sign_up, **mistake}).status == 422
    assert product.register("dev@example.com", turnstile_token="solved-once").status == 202


@pytest.mark.promise("captcha")
@pytest.mark.parametrize("code", ["missing-input-secret", "invalid-input-secret", "bad-request"])
def test_a_misconfigured_captcha_stops_sign_ups_and_raises_an_alarm(
    product: Product, code: str
) -> None:
    product.siteverify = {"success": False, "error-codes": [code]}
    answer = product.register("dev@example.com")
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert nothing_happened(product)
    alarms = [line for line in product.logs() if "CaptchaMisconfigured" in line]
    assert [line["CaptchaMisconfigured"] for line in alarms] == [[1.0]]
    assert code not in answer.text


def test_a_captcha_that_was_not_solved_raises_no_alarm(product: Product) -> None:
    product.siteverify = {"success": False, "error-codes": ["invalid-input-response"]}
    assert product.register("dev@example.com").status == 400
    assert "CaptchaMisconfigured" not in product.output.getvalue()


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    ("allowed", "denied", "email", "status"),
    [
        ("", "example.com", "dev@example.com", 422),
        ("", "example.com", "dev@mail.example.com", 422),
        ("", " Example.COM. , example.org", "dev@example.org", 422),
        ("", "mail.example.com", "dev@example.com", 202),
        ("mailinator.com", "", "dev@mailinator.com", 202),
        ("mailinator.com", "", "dev@inbox.mailinator.com", 202),
        ("inbox.mailinator.com", "", "dev@inbox.mailinator.com", 202),
        ("inbox.mailinator.com", "", "dev@mailinator.com", 422),
        ("mail.example.com", "example.com", "dev@mail.example.com", 202),
        ("mail.example.com", "example.com", "dev@example.com", 422),
        ("example.com", "mail.example.com", "dev@mail.example.com", 422),
        ("example.com", "example.com", "dev@example.com", 422),
    ],
)
def test_the_operators_word_on_a_domain_comes_before_the_kept_list(
    product: Product, allowed: str, denied: str, email: str, status: int
) -> None:
    restart(product, "registration", ALLOWED_EMAIL_DOMAINS=allowed, DENIED_EMAIL_DOMAINS=denied)
    answer = product.register(email)
    assert answer.status == status
    if status == 422:
        assert answer.json["code"] == "disposable_email"
        assert nothing_happened(product)
