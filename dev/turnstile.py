"""A local siteverify that answers Turnstile's documented test secrets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

DUMMY_TOKEN: Final = "XXXX.DUMMY.TOKEN.XXXX"  # noqa: S105
"""What every Turnstile test site key yields; the only token that can be used again."""

# Tokens that let a test reach the other answers although the deployed secret always passes.
_REFUSED: Final = "XXXX.INVALID.TOKEN.XXXX"
_SPENT: Final = "XXXX.SPENT.TOKEN.XXXX"
_FOREIGN_ACTION: Final = "XXXX.FOREIGN-ACTION.TOKEN.XXXX"
_FOREIGN_HOST: Final = "XXXX.FOREIGN-HOST.TOKEN.XXXX"

_PASSES: Final = "1x0000000000000000000000000000000AA"
_FAILS: Final = "2x0000000000000000000000000000000AA"
_SPENDS: Final = "3x0000000000000000000000000000000AA"
_LONGEST_TOKEN: Final = 2048
_REMEMBERED: Final = 100_000


class Siteverify:
    """Remembers spent tokens, as the real one does."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, str] = OrderedDict()

    def answer(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The body that siteverify answers these form fields with."""
        secret, token = str(fields.get("secret") or ""), str(fields.get("response") or "")
        if error := self._error(secret, token, str(fields.get("idempotency_key") or "")):
            return {"success": False, "error-codes": [error]}
        return {
            "success": True,
            "challenge_ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "hostname": "elsewhere.example" if token == _FOREIGN_HOST else "localhost",
            "action": "elsewhere" if token == _FOREIGN_ACTION else "register",
            "cdata": "",
            "error-codes": [],
        }

    def _error(self, secret: str, token: str, key: str) -> str | None:
        if not secret:
            return "missing-input-secret"
        if secret not in {_PASSES, _FAILS, _SPENDS}:
            return "invalid-input-secret"
        if not token:
            return "missing-input-response"
        if secret == _FAILS or token == _REFUSED or len(token) > _LONGEST_TOKEN:
            return "invalid-input-response"
        if secret == _SPENDS or token == _SPENT or not self._spend(token, key):
            return "timeout-or-duplicate"
        return None

    def _spend(self, token: str, key: str) -> bool:
        """True on a token's first use, and again for the same non-empty idempotency key."""
        if token == DUMMY_TOKEN:
            return True
        first = self._spent.setdefault(token, key)
        if len(self._spent) > _REMEMBERED:
            self._spent.popitem(last=False)
        return first is key or (bool(key) and first == key)
