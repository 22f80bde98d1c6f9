"""The rate limiter's arithmetic: the generic cell rate algorithm, in whole milliseconds.

A limit keeps one number per subject, the theoretical arrival time (TAT): the moment at which the
subject's bucket will be empty again. A call is admitted when the TAT is at most `tolerance` ahead
of now, and pushes it forward by one `interval`. There is no window, so there is no window edge to
burst across: in every span of `window` seconds at most `quota` calls are admitted.
(ITU-T I.371 annex A; the "virtual scheduling" form.)
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from copy import replace
from enum import Enum
from typing import Any

from imagelayer.platform.frozen import frozen


@frozen
class Policy:
    """At most `quota` calls in any `window` seconds, of which `burst` at once.

    `burst < quota`: the difference is what trickles back during a window, so that a full burst
    followed by the trickle still stays within the quota.
    """

    name: str
    quota: int
    window: int
    burst: int
    cost: int = 1  # how many a call counts for, such as seconds
    # How many times as much an IPv6 /48 may use as one of its /64s; 0 where sites are not counted.
    # A site commonly has a /48 (RFC 6177), and with it 65,536 networks to call from.
    site_factor: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.burst < self.quota:
            raise ValueError(f"{self.name}: burst must lie between 0 and quota")
        if self.window < 1:
            raise ValueError(f"{self.name}: window must be at least a second")
        if not 0 < self.cost <= self.burst:
            raise ValueError(f"{self.name}: cost must lie between 1 and burst")

    @property
    def unit_ms(self) -> int:
        """Milliseconds that one costs; rounded up, so that rounding never admits more."""
        return math.ceil(self.window * 1000 / (self.quota - self.burst))

    @property
    def interval_ms(self) -> int:
        """Milliseconds one call costs."""
        return self.cost * self.unit_ms

    @property
    def tolerance_ms(self) -> int:
        """How far ahead of now the TAT may be for one more call to be admitted."""
        return (self.burst - self.cost) * self.unit_ms

    def costing(self, cost: int) -> Policy:
        """The same limit for a call that counts for `cost`: all of it is admitted, or none."""
        return replace(self, cost=cost)

    def under(self, terms: Mapping[str, Any]) -> Policy:
        """This policy as an organization's terms have it: `terms["limits"][name]` overrides
        `{quota, window, burst}`."""
        override = (terms.get("limits") or {}).get(self.name)
        return Policy(self.name, **override) if override else self

    @property
    def of_site(self) -> Policy:
        """What a whole site may use of it."""
        factor = self.site_factor
        return replace(self, quota=self.quota * factor, burst=self.burst * factor, site_factor=0)

    def share(self, shards: int) -> Policy:
        """One of `shards` equal parts, rounded down, so that all of them together admit no more
        than the whole. A policy that is too small for so many parts is split into fewer."""
        parts = self.parts(shards)
        if parts == 1:
            return self
        trickle = (self.quota - self.burst) // parts
        burst = self.burst // parts
        return Policy(self.name, burst + trickle, self.window, burst)

    def parts(self, shards: int) -> int:
        """How many parts `share` makes of it."""
        return max(1, min(shards, self.burst, self.quota - self.burst))

    @property
    def header(self) -> str:
        """The `RateLimit-Policy` member (draft-ietf-httpapi-ratelimit-headers-10)."""
        return f'"{self.name}";q={self.quota};w={self.window}'


class Branch(Enum):
    """Which of the two conditional writes admits a call, if any."""

    IDLE = "idle"  # TAT absent or past: start again from now
    BUSY = "busy"  # TAT ahead, within the tolerance: push it on
    DENIED = "denied"


def branch(policy: Policy, tat_ms: int | None, now_ms: int) -> Branch:
    """Classify a stored TAT."""
    if tat_ms is None or tat_ms <= now_ms:
        return Branch.IDLE
    if tat_ms <= now_ms + policy.tolerance_ms:
        return Branch.BUSY
    return Branch.DENIED


def advance(policy: Policy, tat_ms: int | None, now_ms: int) -> int:
    """The TAT after an admitted call."""
    return max(now_ms, tat_ms or 0) + policy.interval_ms


@frozen
class Admission:
    """An admitted call: how many more would be admitted now, and when its bucket is empty again."""

    policy: Policy
    remaining: int
    reset_ms: int

    @classmethod
    def after(cls, policy: Policy, tat_ms: int, now_ms: int) -> Admission:
        """Describe the state right after a call that left `tat_ms`."""
        ahead = max(0, tat_ms - now_ms)
        left = (policy.burst * policy.unit_ms - ahead) // policy.unit_ms
        return cls(policy, max(0, left), ahead)

    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy`; times are seconds from now."""
        return {
            "RateLimit-Policy": self.policy.header,
            "RateLimit": f'"{self.policy.name}";r={self.remaining};t={seconds(self.reset_ms)}',
        }


class Limited(Exception):
    """A refused call; `retry_ms` is when one call would be admitted if no one else comes."""

    def __init__(self, policy: Policy, retry_ms: int) -> None:
        super().__init__(policy.name)
        self.policy = policy
        self.retry_ms = retry_ms

    def headers(self) -> dict[str, str]:
        """`Retry-After` with the two RateLimit fields."""
        return {
            "RateLimit-Policy": self.policy.header,
            "RateLimit": f'"{self.policy.name}";r=0;t={seconds(self.retry_ms)}',
            "Retry-After": str(seconds(self.retry_ms)),
        }


def denial(policy: Policy, tat_ms: int, now_ms: int) -> Limited:
    """The refusal for a TAT beyond the tolerance."""
    return Limited(policy, tat_ms - policy.tolerance_ms - now_ms)


def seconds(milliseconds: int) -> int:
    """Round up, so that a client that waits for Retry-After is admitted."""
    return math.ceil(milliseconds / 1000)


def site_of(subject: str) -> str:
    """The /48 of a client address that is an IPv6 /64, as the edge writes it; else nothing."""
    network, _, length = subject.partition("/")
    if length != "64" or ":" not in network:
        return ""
    return str(ipaddress.ip_network(f"{network}/48", strict=False))


def _policies(*policies: Policy) -> Mapping[str, Policy]:
    return {policy.name: policy for policy in policies}


SITE_FACTOR = 16

# The table of limits. An endpoint names in `routes.py` the policy that counts its caller: a
# client address (IPv6 per /64) where no one is authenticated, else the credential. It may name more
# that count the whole organization or the end user, however many credentials they have.
POLICIES = _policies(
    Policy("public-read", quota=240, window=60, burst=120),
    # What no route serves has a limit of its own: it is not to use up anyone's public-read.
    Policy("unrouted", quota=120, window=60, burst=60),
    Policy("register", quota=20, window=600, burst=10, site_factor=SITE_FACTOR),
    Policy("verify-email", quota=30, window=600, burst=15, site_factor=SITE_FACTOR),
    Policy("resend-verification", quota=6, window=3600, burst=3, site_factor=SITE_FACTOR),
    Policy("forgot-password", quota=10, window=3600, burst=5, site_factor=SITE_FACTOR),
    Policy("reset-password", quota=30, window=600, burst=15, site_factor=SITE_FACTOR),
    Policy("accept-invitation", quota=30, window=600, burst=15, site_factor=SITE_FACTOR),
    # Mail that a stranger can cause or gets. Then notices, of each user and kind: what strangers,
    # colleagues or notices of another kind cause does not count against it.
    Policy("mail-per-address", quota=6, window=3600, burst=3),
    Policy("mail-per-ip", quota=60, window=3600, burst=30, site_factor=SITE_FACTOR),
    Policy("mail-per-account", quota=60, window=86_400, burst=20),
    Policy("mail-notice", quota=30, window=86_400, burst=10),
    Policy("invite", quota=50, window=86_400, burst=20),
    Policy("login", quota=40, window=300, burst=20, site_factor=SITE_FACTOR),
    # Failed guesses at one account. Strangers share one budget however many addresses they have;
    # each network the owner has logged in from has its own, so strangers cannot lock her out of
    # the places she is known at. NIST SP 800-63B-4 §3.2.2: at most 100 failures in a row.
    Policy("login-account", quota=100, window=86_400, burst=10),
    Policy("second-factor", quota=30, window=86_400, burst=10),
    Policy("password-check", quota=30, window=3600, burst=10),
    Policy("refresh", quota=60, window=300, burst=30, site_factor=SITE_FACTOR),
    Policy("bad-credential", quota=60, window=300, burst=30, site_factor=SITE_FACTOR),
    Policy("session-read", quota=300, window=60, burst=150),
    Policy("session-write", quota=60, window=60, burst=30),
    Policy("organization-read", quota=300, window=60, burst=150),
    Policy("organization-write", quota=60, window=60, burst=30),
    Policy("end-user-session-mint", quota=600, window=60, burst=300),
    Policy("end-user-session-revoke", quota=60, window=60, burst=30),
    Policy("key-read", quota=300, window=60, burst=150),
    Policy("key-write", quota=30, window=60, burst=15),
    Policy("publishable-key", quota=6000, window=60, burst=3000),
    Policy("leaked-keys", quota=600, window=60, burst=300),
    Policy("usage-read", quota=120, window=60, burst=60),
    Policy("webhook-read", quota=300, window=60, burst=150),
    Policy("webhook-write", quota=60, window=60, burst=30),
    # Each call is a request to a server of the organization's choice: of all its credentials.
    Policy("webhook-send", quota=300, window=600, burst=60),
    Policy("brand-read", quota=300, window=60, burst=150),
    Policy("brand-write", quota=60, window=60, burst=30),
    Policy("generation-create", quota=120, window=60, burst=60),
    # All credentials of an organization together, and all sessions of one end user.
    Policy("organization-generations", quota=600, window=60, burst=300),
    Policy("end-user-generations", quota=60, window=60, burst=30),
    Policy("generation-read", quota=600, window=60, burst=300),
    # Seconds of waiting, paid five at a time: of an organization at most 80 requests wait at once
    # and 40 for good, of an end user 5 and 1. Each holds a machine (docs/decisions/0029).
    Policy("waiting", quota=2600, window=60, burst=200),
    Policy("end-user-waiting", quota=80, window=60, burst=20),
    Policy("asset-read", quota=600, window=60, burst=300),
)
