"""How often one caller may sign up or ask for mail."""

from __future__ import annotations

import pytest

from tests.support.product import Product


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
def test_neighbours_in_one_ipv6_network_share_the_allowance(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    assert product.register("one@example.com", ip="2001:db8:1:2::1").status == 202
    assert product.register("two@example.com", ip="2001:db8:1:2:ffff::9").status == 429
    assert product.register("three@example.com", ip="2001:db8:1:3::1").status == 202


@pytest.mark.promise("ip-daily-limit")
def test_refused_sign_ups_do_not_use_the_allowance_up(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    product.register("dev@mailinator.com")
    product.register("dev@example.com", password="short")
    assert product.register("dev@example.com").status == 202


def test_every_429_says_which_limit_and_until_when(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    product.register("one@example.com")
    refused = product.register("two@example.com")
    assert {"retry-after", "ratelimit", "ratelimit-policy"} <= set(refused.headers)


def test_mail_to_one_address_is_limited_whoever_asks_and_nothing_tells(product: Product) -> None:
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
