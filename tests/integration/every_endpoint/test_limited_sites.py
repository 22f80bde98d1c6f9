"""A site with an IPv6 /48 has 65,536 networks to call from, and cannot use a limit of each."""

from __future__ import annotations

import time

import pytest

from imagelayer.limits.counters import CounterStore, TatMemory
from imagelayer.limits.rate_limits import POLICIES, SITE_FACTOR, Limited, site_of
from imagelayer.limits.wiring import LimitsWiring
from imagelayer.routes import ROUTES
from tests.support import accounts
from tests.support.api import Account
from tests.support.endpoint_requests import request
from tests.support.product import Product

SITE = "2001:db8:7::/48"
OTHER_SITE = "2001:db8:8:1::1"
IDENTITY = [
    key
    for key, route in ROUTES.items()
    if route.auth == "none" and key.startswith(("POST /v1/auth/",))
]


def address(number: int) -> str:
    """An address of another /64 of the site each time."""
    return f"2001:db8:7:{number:x}::1"


def test_every_open_identity_route_counts_sites() -> None:
    assert IDENTITY
    assert all(ROUTES[route].policy.site_factor == SITE_FACTOR for route in IDENTITY)
    for name in ("mail-per-ip", "bad-credential"):
        assert POLICIES[name].site_factor == SITE_FACTOR


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", IDENTITY)
def test_past_the_limit_of_its_site_no_network_of_it_is_admitted(
    product: Product, owner: Account, route: str
) -> None:
    method, path, parts = request(route)
    policy = ROUTES[route].policy
    accounts.spend(product, policy.name, SITE)
    tat = int(time.time() * 1000) + policy.burst * SITE_FACTOR * policy.interval_ms
    key = {"pk": f"LIMIT#{policy.name}#{SITE}", "sk": "TAT"}
    product.edit("CountersTable", key, **{f"tat_{policy.name.replace('-', '_')}": tat})
    before = product.counts()
    for number in (1, 2):
        refused = product.call(method, path, ip=address(number), **parts)
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["ratelimit-policy"] == policy.of_site.header
    assert product.counts() == before
    assert product.call(method, path, ip=OTHER_SITE, **parts).status != 429


@pytest.mark.promise("limits-fail-closed")
def test_a_site_is_admitted_sixteen_times_a_network_and_not_once_more(product: Product) -> None:
    counters = product.part("registration", LimitsWiring).counters
    policy, now_ms = POLICIES["forgot-password"], 1_700_000_000_000
    most = policy.burst * SITE_FACTOR
    for number in range(1, most + 1):  # each network stays below its own limit
        counters.admit(f"2001:db8:7:{number:x}::/64", policy, now_ms)
    with pytest.raises(Limited) as refused:
        counters.admit("2001:db8:7:ffff::/64", policy, now_ms)
    assert refused.value.policy == policy.of_site
    known = counters.remembered_denial("2001:db8:7:fffe::/64", policy, now_ms)
    assert known is not None
    assert known.policy == policy.of_site


@pytest.mark.promise("limits-fail-closed")
def test_a_network_still_has_its_own_limit_and_what_it_refuses_counts_for_no_site(
    product: Product,
) -> None:
    counters = product.part("registration", LimitsWiring).counters
    policy, now_ms = POLICIES["forgot-password"], 1_700_000_000_000
    remaining = [
        counters.admit("2001:db8:7:1::/64", policy, now_ms).remaining for _ in range(policy.burst)
    ]
    assert remaining == list(range(policy.burst - 1, -1, -1))
    # With a memory of its own, so that the table decides.
    fresh = CounterStore(counters._table, TatMemory())
    before = product.dump_of("CountersTable")
    for _ in range(3):
        with pytest.raises(Limited) as refused:
            fresh.admit("2001:db8:7:1::/64", policy, now_ms)
        assert refused.value.policy == policy
    assert product.dump_of("CountersTable") == before
    assert fresh.admit("2001:db8:7:2::/64", policy, now_ms).remaining == policy.burst - 1


@pytest.mark.promise("ip-daily-limit")
def test_a_site_registers_no_more_than_sixteen_networks_may(product: Product) -> None:
    counters = product.part("registration", LimitsWiring).counters

    def take(number: int) -> bool:
        network = f"2001:db8:7:{number:x}::/64"
        return counters.take("register", network, "2026-01-01", limit=2, expires_at=2_000_000_000)

    assert [take(1), take(1), take(1)] == [True, True, False]
    taken = [take(number) for number in range(2, 40)]
    assert taken == [True] * (2 * SITE_FACTOR - 2) + [False] * (38 - (2 * SITE_FACTOR - 2))


@pytest.mark.promise("ip-daily-limit")
def test_sign_ups_from_ever_new_networks_of_a_site_end(product: Product) -> None:
    product.parameters["REGISTRATIONS_PER_IP_PER_DAY"] = "1"
    answers = [
        product.register(f"guest-{number}@example.com", ip=address(number)).status
        for number in range(1, SITE_FACTOR + 3)
    ]
    assert answers == [202] * SITE_FACTOR + [429] * 2
    assert product.register("other@example.com", ip=OTHER_SITE).status == 202


@pytest.mark.parametrize(
    ("subject", "site"),
    [
        ("2001:db8:7:1::/64", SITE),
        ("2001:db8:7:ffff::/64", SITE),
        ("2001:db8:8::/64", "2001:db8:8::/48"),
        ("198.51.100.7", ""),
        ("unknown", ""),
        ("usr_1#new_place", ""),
    ],
)
def test_the_site_of_a_client_address(subject: str, site: str) -> None:
    assert site_of(subject) == site
