"""The limiter's arithmetic: never more than the quota, and honest about when to come back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelayer.endpoints import ENDPOINTS
from imagelayer.rate_limits import (
    POLICIES,
    Admission,
    Branch,
    Policy,
    advance,
    branch,
    denial,
    seconds,
)

EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
START = 1_800_000_000_000


def admitted_times(policy: Policy, arrivals: list[int]) -> list[int]:
    """When calls were let in, of calls at `arrivals`."""
    tat: int | None = None
    admitted = []
    for now in arrivals:
        if branch(policy, tat, now) is not Branch.DENIED:
            tat = advance(policy, tat, now)
            admitted.append(now)
    return admitted


def busiest_window(times: list[int], window_ms: int) -> int:
    """The most entries in any half-open span of that length."""
    busiest = start = 0
    for end, time in enumerate(times):
        while times[start] <= time - window_ms:
            start += 1
        busiest = max(busiest, end - start + 1)
    return busiest


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Policy, list[int]]:
    """A policy with arrivals that mix floods, trickles and pauses of the policy's own scale."""
    policy = draw(st.sampled_from(list(POLICIES.values())))
    gaps = st.one_of(
        st.just(0),
        st.integers(1, policy.interval_ms),
        st.just(policy.interval_ms),
        st.integers(policy.interval_ms, policy.window * 1000),
    )
    phases = draw(st.lists(st.tuples(gaps, st.integers(1, 2 * policy.quota)), max_size=6))
    now, arrivals = START + draw(st.integers(0, 10_000)), []
    for gap, count in phases:
        for _ in range(count):
            now += gap
            arrivals.append(now)
    return policy, arrivals


@pytest.mark.promise("limits-fail-closed")
@settings(deadline=None)
@given(schedules())
def test_no_window_ever_admits_more_than_the_quota(case: tuple[Policy, list[int]]) -> None:
    policy, arrivals = case
    admitted = admitted_times(policy, arrivals)
    assert busiest_window(admitted, policy.window * 1000) <= policy.quota


@EVERY_POLICY
def test_a_flood_is_admitted_up_to_the_burst_and_then_the_quota_and_no_further(
    policy: Policy,
) -> None:
    assert len(admitted_times(policy, [START] * (policy.quota * 2))) == policy.burst
    step = max(1, policy.interval_ms // 7)
    flood = list(range(START, START + 3 * policy.window * 1000, step))
    busiest = busiest_window(admitted_times(policy, flood), policy.window * 1000)
    assert policy.burst < busiest <= policy.quota


@settings(deadline=None)
@given(schedules())
def test_a_refused_caller_who_waits_as_told_is_admitted_and_a_moment_earlier_is_not(
    case: tuple[Policy, list[int]],
) -> None:
    policy, arrivals = case
    tat: int | None = None
    for now in arrivals:
        if branch(policy, tat, now) is not Branch.DENIED:
            tat = advance(policy, tat, now)
            continue
        assert tat is not None
        refusal = denial(policy, tat, now)
        assert branch(policy, tat, now + refusal.retry_ms) is not Branch.DENIED
        assert branch(policy, tat, now + refusal.retry_ms - 1) is Branch.DENIED
        told = int(refusal.headers()["Retry-After"])
        assert branch(policy, tat, now + told * 1000) is not Branch.DENIED
        assert 0 <= told * 1000 - refusal.retry_ms < 1000


@EVERY_POLICY
def test_what_is_said_to_remain_is_what_is_admitted(policy: Policy) -> None:
    tat: int | None = None
    for expected in range(policy.burst - 1, -1, -1):
        tat = advance(policy, tat, START)
        assert Admission.after(policy, tat, START).remaining == expected
    assert branch(policy, tat, START) is Branch.DENIED


@EVERY_POLICY
def test_headers_are_structured_fields_with_times_relative_to_now(policy: Policy) -> None:
    tat = advance(policy, None, START)
    headers = Admission.after(policy, tat, START).headers()
    refused = denial(policy, START + policy.tolerance_ms + 1500, START).headers()
    member = rf'"{re.escape(policy.name)}"'
    for each in (headers, refused):
        assert re.fullmatch(
            rf"{member};q={policy.quota};w={policy.window}", each["RateLimit-Policy"]
        )
    assert re.fullmatch(rf"{member};r={policy.burst - 1};t=\d+", headers["RateLimit"])
    assert refused["RateLimit"] == f'"{policy.name}";r=0;t=2'
    assert refused["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("milliseconds", "expected"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)]
)
def test_seconds_round_up(milliseconds: int, expected: int) -> None:
    assert seconds(milliseconds) == expected


@pytest.mark.parametrize("burst", [0, -1, 10, 11])
def test_a_burst_that_would_break_the_quota_is_no_policy(burst: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        Policy("broken", quota=10, window=60, burst=burst)


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", ENDPOINTS)
def test_every_endpoint_names_a_limit(route: str) -> None:
    assert ENDPOINTS[route].policy.name in POLICIES
