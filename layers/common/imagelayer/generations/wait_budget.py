"""Waiting is paid for by its seconds: each request that waits holds a machine.

A request pays for a few seconds at a time, with one conditional write that counts all of them or
none, and only while its job is not done. So what a short wait does not use is hardly counted, and
the seconds that an organization has bound how many of its requests can wait at once.
"""

from __future__ import annotations

from imagelayer.access.end_user_session_store import hash_of
from imagelayer.limits.counters import CounterStore
from imagelayer.limits.rate_limits import POLICIES, Admission, Limited
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Principal

SLICE_SECONDS = 5
# An end user's request waits no longer, however long it asks to.
MAX_END_USER_SECONDS = 10

type Charge = Admission | Limited


@frozen
class WaitBudget:
    """The seconds that organizations and their end users have for waiting."""

    counters: CounterStore

    def pay(self, principal: Principal, now: float) -> Charge:
        """Count the next SLICE_SECONDS: an Admission, or the limit that has too few left.

        Of an end user's the end user's own limit counts first, so that what it refuses costs the
        organization nothing. Raises StoreUnavailable.
        """
        now_ms = int(now * 1000)
        user = principal.end_user
        try:
            if user is not None:
                self.counters.admit(
                    f"{principal.org_id}#{hash_of(user.id)}",
                    POLICIES["end-user-waiting"].costing(SLICE_SECONDS),
                    now_ms,
                )
            policy = POLICIES["waiting"].costing(SLICE_SECONDS)
            return self.counters.admit(principal.org_id, policy, now_ms)
        except Limited as limited:
            return limited
