"""The limiter's arithmetic: never more than the quota, and honest about when to come back."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagelayer.limits.rate_limits import (
    POLICIES,
    Admission,
    Branch,
    Policy,
    advance,
    branch,
    denial,
    seconds,
    site_of,
)
from imagelayer.routes import ROUTES
from tests.support.rate_limiter_model import arrivals, busiest_window, interval_of

# Limits that no one chose with round numbers in mind.
DRAW = Random("policies")
RANDOM = [
    Policy(
        f"random-{number}",
        quota=(burst := DRAW.randrange(1, 200)) + DRAW.randrange(1, 200),
        window=DRAW.randrange(1, 5000),
        burst=burst,
    )
    for number in range(6)
]
CALLS = 100_000
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


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("policy", [*POLICIES.values(), *RANDOM], ids=lambda each: each.name)
def test_in_every_window_of_a_long_random_schedule_no_more_than_the_quota_is_admitted(
    policy: Policy,
) -> None:
    admitted = admitted_times(policy, arrivals(policy, CALLS))
    assert policy.burst < busiest_window(admitted, policy.window * 1000) <= policy.quota


@EVERY_POLICY
def test_a_flood_is_admitted_up_to_the_burst_and_then_the_quota_and_no_further(
    policy: Policy,
) -> None:
    assert len(admitted_times(policy, [START] * (policy.quota * 2))) == policy.burst
    interval = policy.interval_ms
    flood = [at for at in range(START, START + 3 * policy.window * 1000, interval) for _ in "flood"]
    flood = [START] * policy.burst + flood
    busiest = busiest_window(admitted_times(policy, flood), policy.window * 1000)
    assert busiest == policy.burst + policy.window * 1000 // interval <= policy.quota


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
def test_a_burst_that_would_break_the_quota_is_not_a_policy(burst: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        Policy("broken", quota=10, window=60, burst=burst)


@pytest.mark.parametrize("window", [0, -60])
def test_a_window_in_which_no_time_passes_is_not_a_policy(window: int) -> None:
    """A call that costs no time would never be refused."""
    with pytest.raises(ValueError, match="window"):
        Policy("broken", quota=10, window=window, burst=5)


@EVERY_POLICY
def test_a_counter_is_not_purged_while_it_still_counts(policy: Policy) -> None:
    """TTL may remove an item two windows after its last call; its bucket is empty by then."""
    assert policy.burst * policy.interval_ms <= 2 * policy.window * 1000


POLICY = Policy("generation-create", quota=120, window=60, burst=60)
policies = st.builds(
    lambda burst, trickle, window: Policy("any", burst + trickle, window, burst),
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.integers(1, 86_400),
)


def test_terms_replace_the_numbers_of_the_limit_they_name_and_of_no_other() -> None:
    numbers = {"quota": 600, "window": 30, "burst": 300}
    terms = {"limits": {"generation-create": numbers}, "cidrs": ["203.0.113.0/24"]}
    assert POLICY.under(terms) == Policy("generation-create", **numbers)
    other = POLICIES["generation-read"]
    assert other.under(terms) == other


@pytest.mark.parametrize("terms", [{}, {"limits": {}}, {"limits": None}, {"cidrs": []}])
def test_terms_that_name_no_limit_leave_it_as_it_is(terms: dict[str, object]) -> None:
    assert POLICY.under(terms) == POLICY


def test_terms_that_are_no_limit_admit_no_one() -> None:
    with pytest.raises(ValueError, match="burst"):
        POLICY.under({"limits": {POLICY.name: {"quota": 10, "window": 60, "burst": 10}}})


@given(policies, st.integers(1, 64))
def test_all_shards_together_admit_what_the_whole_does_but_for_what_rounding_takes(
    policy: Policy, shards: int
) -> None:
    part, parts = policy.share(shards), policy.parts(shards)
    assert 1 <= parts <= shards
    assert (part.name, part.window) == (policy.name, policy.window)
    assert policy.burst - parts * part.burst == policy.burst % parts
    trickle = policy.quota - policy.burst
    assert trickle - parts * (part.quota - part.burst) == trickle % parts
    # The most that any window holds of a part is `burst + window / interval`.
    most = part.burst + part.window * 1000 // interval_of(part)
    assert parts * most <= policy.quota


@pytest.mark.parametrize(
    ("quota", "burst", "shards", "parts"),
    [(600, 300, 1, 1), (600, 300, 32, 32), (10, 4, 32, 4), (10, 8, 32, 2), (2, 1, 32, 1)],
)
def test_a_limit_is_split_into_as_many_parts_as_it_has_calls_for(
    quota: int, burst: int, shards: int, parts: int
) -> None:
    policy = Policy("split", quota=quota, window=60, burst=burst)
    assert policy.parts(shards) == parts
    assert (policy.share(shards) == policy) is (parts == 1)


@pytest.mark.parametrize("shards", [1, 2, 7, 32])
def test_shards_that_are_all_flooded_admit_no_more_than_the_quota_in_any_window(
    shards: int,
) -> None:
    policy = POLICIES["organization-generations"]
    times = arrivals(policy, 10_000)
    choose = Random(shards)
    callers: list[list[int]] = [[] for _ in range(policy.parts(shards))]
    for now in times:
        callers[choose.randrange(len(callers))].append(now)
    admitted = [each for part in callers for each in admitted_times(policy.share(shards), part)]
    assert policy.quota // 2 < busiest_window(admitted, policy.window * 1000) <= policy.quota


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("route", ROUTES)
def test_every_endpoint_names_a_limit(route: str) -> None:
    assert ROUTES[route].policy.name in POLICIES


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("number", range(20))
def test_calls_that_count_for_several_are_admitted_whole_and_never_exceed_the_quota(
    number: int,
) -> None:
    """What is admitted is never more than the quota in a window, whatever each call counts for."""
    random = Random(f"costs {number}")
    burst = random.randrange(2, 40)
    policy = Policy("costs", quota=burst + random.randrange(1, 40), window=10, burst=burst)
    now, tat = START, None
    admitted: list[int] = []
    for _ in range(2_000):
        now += random.choice([0, 0, 1, policy.unit_ms, random.randrange(3_000)])
        call = policy.costing(random.randrange(1, burst + 1))
        if branch(call, tat, now) is Branch.DENIED:
            assert tat is not None
            retry = denial(call, tat, now).retry_ms
            assert branch(call, tat, now + retry) is not Branch.DENIED
            assert branch(call, tat, now + retry - 1) is Branch.DENIED
            continue
        tat = advance(call, tat, now)
        admitted += [now] * call.cost
        left = Admission.after(call, tat, now).remaining
        assert left == 0 or branch(policy.costing(left), tat, now) is not Branch.DENIED
        if left < burst:
            assert branch(policy.costing(left + 1), tat, now) is Branch.DENIED
    assert busiest_window(admitted, policy.window * 1000) <= policy.quota
    assert max(admitted.count(moment) for moment in set(admitted)) <= burst


@pytest.mark.parametrize("cost", [0, -1, 6])
def test_a_call_cannot_count_for_nothing_or_for_more_than_the_burst(cost: int) -> None:
    with pytest.raises(ValueError, match="cost"):
        Policy("costs", quota=10, window=1, burst=5).costing(cost)


@pytest.mark.parametrize(
    ("subject", "site"),
    [
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:2::/56", ""),
        ("2001:db8:1:2::", ""),
        ("198.51.100.7", ""),
        ("198.51.100.7/64", ""),
        ("usr_01", ""),
    ],
)
def test_only_an_ipv6_network_as_the_edge_writes_it_belongs_to_a_site(
    subject: str, site: str
) -> None:
    assert site_of(subject) == site


@pytest.mark.parametrize(
    ("later_ms", "expected"),
    [(0, Branch.IDLE), (-1, Branch.IDLE), (1, Branch.BUSY), (12_000, Branch.BUSY)],
)
def test_a_limit_is_idle_up_to_its_tat_and_busy_to_the_end_of_its_tolerance(
    later_ms: int, expected: Branch
) -> None:
    policy = Policy("p", quota=6, window=3, burst=5)
    assert policy.tolerance_ms == 12_000
    assert branch(policy, START + later_ms, START) is expected
    assert branch(policy, START + policy.tolerance_ms + 1, START) is Branch.DENIED
    assert branch(policy, None, START) is Branch.IDLE


def test_a_window_has_at_least_a_second() -> None:
    assert Policy("p", quota=2, window=1, burst=1).interval_ms == 1000
    with pytest.raises(ValueError, match="at least a second"):
        Policy("p", quota=2, window=0, burst=1)
