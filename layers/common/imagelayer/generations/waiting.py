"""How long a caller wants to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagelayer.generations.parameters import WAIT
from imagelayer.generations.service import longest_wait
from imagelayer.platform.principals import Principal

# One preference of RFC 7240 §2, such as `respond-async` or `wait = "10"`; a `;` may separate too.
_PREFERENCE = re.compile(r"""\s*([^\s,;="]+)\s*(?:=\s*("[^"]*"|[^\s,;"]*))?\s*(?:[,;]|$)""")
_SECONDS = re.compile(r"([0-9]+)(?:\.[0-9]*)?")


def preferred_wait(headers: Mapping[str, str], principal: Principal) -> int:
    """Seconds of `Prefer: wait=…`, at most those that the caller may wait.

    Of several the first counts, and one that cannot be read counts as none (RFC 7240 §2).
    """
    for name, value in _PREFERENCE.findall(headers.get("prefer", "")):
        if name.lower() == "wait":
            found = _SECONDS.fullmatch(value.strip('"').strip())
            # Any number of digits may come: what is longer than the most is the most.
            digits = found[1].lstrip("0")[:6] if found else ""
            return min(int(digits or 0), longest_wait(principal))
    return 0


def asked_wait(query: Mapping[str, str]) -> int:
    """Seconds of `?wait=`. Raises Problem 422."""
    return WAIT.number(query)
