"""How long a caller wants to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagelayer.api.query import number
from imagelayer.generations.service import MAX_WAIT_SECONDS

# RFC 7240 §4.3: `Prefer: respond-async, wait=10`.
_PREFER = re.compile(r"""(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,4})"?\s*(?=$|[,;])""", re.IGNORECASE)


def preferred_wait(headers: Mapping[str, str]) -> int:
    """Seconds of `Prefer: wait=…`, 25 at most; an unreadable preference counts as none."""
    found = _PREFER.search(headers.get("prefer", ""))
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else 0


def asked_wait(query: Mapping[str, str]) -> int:
    """Seconds of `?wait=`. Raises Problem 422."""
    return number(query, "wait", MAX_WAIT_SECONDS)
