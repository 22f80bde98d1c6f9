"""Whether an address has an account does not show in how long an answer takes.

The stated test: 200 calls for addresses with an account and 200 for addresses without, in random
order, each from one of many clients. The difference of the two medians is compared with those that
2,000 random relabellings of the same 400 times give: that is what noise does. Only a difference
beyond 99.9 percent of them fails, so chance alone fails one run in a thousand. Beside it stands
the same test with a tenth of the median added to one side, which must fail: a leak of that size
would be seen.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import httpx
import pytest

from dev.local_cloud import LocalCloud
from tests.support import cloud_accounts
from tests.support.api_clients import Visitor
from tests.support.cloud_clients import new_visitor

CALLS = 200
EACH = 5  # calls of one client: well within what a client may do
PERMUTATIONS = 2000
CONFIDENCE = 0.999

Times = tuple[list[float], list[float]]


def beyond_noise(existing: Sequence[float], missing: Sequence[float]) -> tuple[float, float]:
    """The difference of the medians, and how much of it noise alone reaches; both in seconds."""
    chance = random.Random(0)
    together = [*existing, *missing]
    differences = []
    for _ in range(PERMUTATIONS):
        chance.shuffle(together)
        one, other = together[: len(existing)], together[len(existing) :]
        differences.append(abs(statistics.median(one) - statistics.median(other)))
    seen = abs(statistics.median(existing) - statistics.median(missing))
    return seen, sorted(differences)[int(CONFIDENCE * PERMUTATIONS) - 1]


def measure(
    existing: Iterator[Callable[[], int]], missing: Iterator[Callable[[], int]], status: int
) -> Times:
    """Times of both kinds of call, taken in random order; a few first ones warm the processes."""
    for call in [next(existing) for _ in range(EACH)] + [next(missing) for _ in range(EACH)]:
        assert call() == status
    order = [(0, existing)] * CALLS + [(1, missing)] * CALLS
    random.Random(1).shuffle(order)
    times: Times = ([], [])
    for kind, calls in order:
        call = next(calls)
        began = time.perf_counter()
        answered = call()
        times[kind].append(time.perf_counter() - began)
        assert answered == status
    return times


def report(name: str, times: Times) -> tuple[float, float]:
    seen, noise = beyond_noise(*times)
    medians = [statistics.median(each) * 1000 for each in times]
    print(
        f"\n{name}: median {medians[0]:.1f} ms with an account, {medians[1]:.1f} ms without; "
        f"difference {seen * 1000:.2f} ms, noise {noise * 1000:.2f} ms"
    )
    return seen, noise


def status_of(call: Callable[..., httpx.Response], *path: str, **parts: Any) -> int:
    return call(*path, **parts).status_code


def logins(visitors: Iterator[Visitor]) -> Iterator[Callable[[], int]]:
    for visitor in visitors:
        body = {"email": visitor.email, "password": "not the right password"}
        for _ in range(EACH):
            yield partial(status_of, visitor.call, "POST", "/v1/auth/login", json=body)


def sign_ups(
    visitors: Iterator[Visitor], address: Callable[[Visitor, int], str]
) -> Iterator[Callable[[], int]]:
    for visitor in visitors:
        for number in range(EACH):
            email = address(visitor, number)
            yield partial(status_of, visitor.register, email=email)


@pytest.mark.promise("email-unique")
def test_a_login_takes_as_long_for_an_address_without_an_account(cloud: LocalCloud) -> None:
    times = measure(
        logins(cloud_accounts.verified(cloud) for _ in range(CALLS)),
        logins(new_visitor(cloud) for _ in range(CALLS)),
        401,
    )
    seen, noise = report("login", times)
    assert seen <= noise


@pytest.mark.promise("email-unique")
def test_a_sign_up_takes_as_long_for_an_address_with_an_account(cloud: LocalCloud) -> None:
    taken = iter([cloud_accounts.verified(cloud).email for _ in range(CALLS + EACH)])
    times = measure(
        sign_ups((new_visitor(cloud) for _ in range(CALLS)), lambda _visitor, _number: next(taken)),
        sign_ups(
            (new_visitor(cloud) for _ in range(CALLS)),
            lambda visitor, number: f"{number}-{visitor.email}",
        ),
        202,
    )
    seen, noise = report("sign-up", times)
    assert seen <= noise
    leaking = [each + statistics.median(times[0]) / 10 for each in times[0]]
    seen, noise = beyond_noise(leaking, times[1])
    assert seen > noise, "the test could not see a leak of a tenth"
