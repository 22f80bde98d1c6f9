"""How often one caller may sign up or ask for mail."""

from __future__ import annotations

import json

import pytest

from imagelayer.identity.email_policy import address_hash
from tests.support.accounts import confirm, forgot, log_in, resend, spend
from tests.support.api import CAPTCHA, Answer
from tests.support.product import Product

EMAIL = "dev@example.com"
CLIENT = "203.0.113.77"


@pytest.mark.promise("ip-daily-limit")
def test_an_address_registers_ten_accounts_a_day_and_no_eleventh(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "3"
    for number in range(3):
        assert product.register(f"dev{number}@example.com").status == 202
    before = product.counts()
    refused = product.register("one-more@example.com")
    assert (refused.status, refused.json["code"]) == (429, "registration_limit")
    assert refused.headers["x-should-retry"] == "false"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert product.counts() == before
    assert len(product.mails()) == 3
    assert product.register("elsewhere@example.com", ip="203.0.113.9").status == 202


@pytest.mark.promise("ip-daily-limit")
def test_neighbors_in_one_ipv6_network_share_the_allowance(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    assert product.register("one@example.com", ip="2001:db8:1:2::1").status == 202
    assert product.register("two@example.com", ip="2001:db8:1:2:ffff::9").status == 429
    assert product.register("three@example.com", ip="2001:db8:1:3::1").status == 202


@pytest.mark.promise("ip-daily-limit")
def test_neighbors_in_an_ipv4_network_have_allowances_of_their_own(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    assert product.register("one@example.com", ip="203.0.113.1").status == 202
    assert product.register("two@example.com", ip="203.0.113.1").status == 429
    assert product.register("three@example.com", ip="203.0.113.2").status == 202


@pytest.mark.promise("ip-daily-limit")
@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "cloudfront-viewer-address"]
)
def test_no_header_that_a_client_writes_gives_it_another_allowance(
    product: Product, header: str
) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    statuses = [
        product.call(
            "POST",
            "/v1/auth/register",
            body={"email": f"dev{number}@example.com", "turnstile_token": CAPTCHA},
            headers={header: f"203.0.113.{number}"},
        ).status
        for number in range(2)
    ]
    assert statuses == [202, 429]


@pytest.mark.promise("ip-daily-limit")
def test_an_address_that_has_an_account_uses_the_allowance_like_any_other(
    product: Product,
) -> None:
    """Or the allowance would tell which addresses have one."""
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "2"
    product.account(EMAIL)
    assert product.register(EMAIL).status == 202
    assert product.register(EMAIL).status == 429


@pytest.mark.promise("ip-daily-limit")
def test_the_allowance_is_whole_again_on_the_next_day(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    assert product.register("one@example.com").status == 202
    assert product.register("two@example.com").status == 429
    counters = product.items("CountersTable")
    (today,) = [item for item in counters if item["pk"].startswith("ALLOWANCE#register#")]
    product.delete("CountersTable", today)
    product.edit("CountersTable", today, sk="2026-01-01")
    assert product.register("two@example.com").status == 202


@pytest.mark.promise("ip-daily-limit")
def test_refused_sign_ups_do_not_use_the_allowance_up(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    product.register("dev@mailinator.com")
    product.register("dev@example")
    assert product.register("dev@example.com").status == 202


def test_every_429_says_which_limit_and_until_when(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    product.register("one@example.com")
    refused = product.register("two@example.com")
    assert {"retry-after", "ratelimit", "ratelimit-policy"} <= set(refused.headers)


def test_mail_to_one_address_is_limited_no_matter_who_asks_and_nothing_tells(
    product: Product,
) -> None:
    product.register("dev@example.com")
    for number in range(8):
        answer = product.call(
            "POST",
            "/v1/auth/verify-email/resend",
            body={"email": "dev@example.com"},
            ip=f"203.0.113.{number}",
        )
        assert answer.status == 202
    assert len(product.mails()) == 1 + 2


def sign_up_again(product: Product, email: str) -> Answer:
    return product.register(email, ip=CLIENT)


def ask_for_the_link(product: Product, email: str) -> Answer:
    return resend(product, email, ip=CLIENT)


def forget_the_password(product: Product, email: str) -> Answer:
    return forgot(product, email, ip=CLIENT)


ASKING = {
    "sign_up": sign_up_again,
    "verification": ask_for_the_link,
    "reset": forget_the_password,
}


def bounce(product: Product, email: str) -> None:
    """What SES tells when a mailbox does not exist."""
    notice = {
        "eventType": "Bounce",
        "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": email}]},
    }
    product.invoke("mail_feedback", {"Records": [{"Sns": {"Message": json.dumps(notice)}}]})


@pytest.mark.parametrize(
    ("kind", "verified"),
    [
        ("sign_up", False),
        ("sign_up", True),
        ("verification", False),
        ("reset", False),
        ("reset", True),
    ],
)
@pytest.mark.parametrize("limit", ["mail-per-address", "mail-per-ip", "mail-per-account"])
def test_past_a_limit_the_mail_is_dropped_and_the_answer_tells_nothing(
    product: Product, limit: str, kind: str, verified: bool
) -> None:
    product.register(EMAIL)
    token = product.newest_token()
    if verified:
        assert confirm(product, token).status == 200
    user = product.item("AccountsTable", "USER") if verified else {"id": "", "org_id": ""}
    subjects = {
        "mail-per-address": address_hash(EMAIL),
        "mail-per-ip": CLIENT,
        "mail-per-account": user["id"] or address_hash(EMAIL),
    }
    spend(product, limit, subjects[limit])
    capped = ASKING[kind](product, EMAIL)
    unknown = ASKING[kind](product, "nobody@example.com")
    assert (capped.status, capped.text) == (unknown.status, unknown.text)
    assert EMAIL not in [mail.destinations["ToAddresses"][0] for mail in product.mails()[1:]]
    lines = product.security_events("mail.capped")[:1]
    assert [(each["outcome"], each["reason"], each["org_id"]) for each in lines] == [
        ("denied", kind, user["org_id"])
    ]
    assert lines[0]["ip"] == CLIENT
    # What was mailed before is still good: a link that is not sent replaces none.
    if not verified:
        assert confirm(product, token).status == 200
        assert log_in(product, EMAIL).status == 200


@pytest.mark.parametrize("kind", ASKING)
def test_an_address_that_bounced_gets_nothing_and_nothing_tells(
    product: Product, kind: str
) -> None:
    product.register(EMAIL)
    assert len(product.mails()) == 1
    bounce(product, EMAIL)
    withheld = ASKING[kind](product, EMAIL)
    unknown = ASKING[kind](product, "nobody@example.com")
    assert (withheld.status, withheld.text) == (unknown.status, unknown.text)
    assert EMAIL not in [mail.destinations["ToAddresses"][0] for mail in product.mails()[1:]]
    (line,) = product.security_events("mail.withheld")
    assert (line["outcome"], line["reason"]) == ("denied", kind)
    assert EMAIL not in product.output.getvalue()


def test_a_first_sign_up_with_an_address_that_bounced_gets_nothing_either(
    product: Product,
) -> None:
    bounce(product, EMAIL)
    assert product.register(EMAIL).status == 202
    assert product.mails() == []
    assert [line["reason"] for line in product.security_events("mail.withheld")] == ["sign_up"]
