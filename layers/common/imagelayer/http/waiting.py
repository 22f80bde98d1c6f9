"""How long a caller is ready to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagelayer.errors import invalid
from imagelayer.generations import MAX_WAIT_SECONDS
from imagelayer.http.app import Reply
from imagelayer.jobs import DONE

# RFC 7240 §4.3: `Prefer: respond-async, wait=10`.
_PREFER = re.compile(r"""(?:^|[,;])\s*wait\s*=\s*"?([0-9]{1,4})"?\s*(?=$|[,;])""", re.IGNORECASE)


def preferred_wait(headers: Mapping[str, str]) -> int:
    """Seconds of `Prefer: wait=…`, 25 at most; a preference that cannot be read is none."""
    found = _PREFER.search(headers.get("prefer", ""))
    return min(int(found[1]), MAX_WAIT_SECONDS) if found else 0


def awaited(reply: Reply, seconds: int) -> Reply:
    """The reply to a request that was ready to wait: 200 for a job that is done by now, and the
    preference as it was applied (RFC 7240 §3)."""
    if not seconds:
        return reply
    headers = {**reply.headers, "Preference-Applied": f"wait={seconds}"}
    done = isinstance(reply.body, Mapping) and reply.body["status"] in DONE
    return Reply(reply.body, headers=headers, status=200 if done else None)


def asked_wait(query: Mapping[str, str]) -> int:
    """Seconds of `?wait=`. Raises Problem 422."""
    return number(query, "wait", MAX_WAIT_SECONDS)


def number(query: Mapping[str, str], name: str, most: int) -> int:
    """A whole number of the query, 0 when it is absent. Raises Problem 422."""
    text = query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most):
        raise invalid(f"query.{name}", f"must be a whole number from 0 to {most}")
    return int(text)
