"""Cloudflare Turnstile's siteverify.

https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import urllib3

from imagelayer.platform.frozen import frozen

ATTEMPTS = 3
TIMEOUT_SECONDS = 4.0
_TEST_SECRET_PREFIXES = ("1x0000", "2x0000", "3x0000")
_DUMMY_TOKEN = "XXXX.DUMMY.TOKEN.XXXX"  # noqa: S105
_KEY_SPACE = uuid.UUID("6f2b0e1c-5d0f-4a53-9b51-0c6a2f7a9d11")
_MISCONFIGURED = frozenset({"missing-input-secret", "invalid-input-secret", "bad-request"})


class CaptchaRefused(Exception):
    """The token is not acceptable; `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CaptchaUnavailable(Exception):
    """There is no verdict; the caller must deny."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class Turnstile:
    """Verifies tokens. `secret` is called for each verification, so a rotated one is picked up."""

    http: urllib3.PoolManager
    url: str
    secret: Callable[[], str]
    hostnames: Collection[str]
    action: str
    allow_test_secrets: bool
    sleep: Callable[[float], None] = time.sleep
    alarm: Callable[[], None] = lambda: None

    def verify(self, token: str, ip: str) -> None:
        """Accept `token` or raise CaptchaRefused or CaptchaUnavailable.

        Every verification of one token carries the same idempotency key, so that a request whose
        answer was lost can be sent again unchanged. That does not make the token reusable: the
        caller binds it to its first use. Only `internal-error` and transport faults
        are tried again; a misconfiguration raises an alarm, because no one can register until then.
        A verdict counts only for our own hostname and for the sign-up form's action: a token
        solved elsewhere with a shared sitekey is refused.
        """
        secret = self.secret()
        if secret.startswith(_TEST_SECRET_PREFIXES) and not self.allow_test_secrets:
            self.alarm()
            raise CaptchaUnavailable("a Turnstile test secret is configured")
        fields = {
            "secret": secret,
            "response": token,
            "remoteip": ip,
            "idempotency_key": str(uuid.uuid5(_KEY_SPACE, token)),
        }
        reason = "no attempt"
        for attempt in range(ATTEMPTS):
            if attempt:
                self.sleep(0.2 * attempt)
            verdict = self._ask(fields)
            codes = verdict.get("error-codes") or []
            if verdict.get("success") is True:
                return self._check(verdict)
            if _MISCONFIGURED.intersection(codes):
                self.alarm()
                raise CaptchaUnavailable(f"misconfigured: {', '.join(map(str, codes))}")
            if "internal-error" not in codes:
                raise CaptchaRefused(", ".join(map(str, codes)) or "refused")
            reason = str(verdict.get("cause", "internal-error"))
        raise CaptchaUnavailable(reason)

    def is_reusable(self, token: str) -> bool:
        """Whether this is the dummy token of Turnstile's test widgets, which never expires; only
        where test secrets are allowed, that is, on a developer's machine."""
        return self.allow_test_secrets and token == _DUMMY_TOKEN

    def _ask(self, fields: dict[str, str]) -> dict[str, Any]:
        try:
            answer = self.http.request(
                "POST",
                self.url,
                body=json.dumps(fields),
                headers={"Content-Type": "application/json"},
                timeout=urllib3.Timeout(total=TIMEOUT_SECONDS),
                retries=False,
                redirect=False,
            )
            verdict = json.loads(answer.data) if answer.status < 500 else None
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            return {"error-codes": ["internal-error"], "cause": type(error).__name__}
        if not isinstance(verdict, dict):
            return {"error-codes": ["internal-error"], "cause": f"HTTP {answer.status}"}
        return verdict

    def _check(self, verdict: dict[str, Any]) -> None:
        if self.hostnames and verdict.get("hostname") not in self.hostnames:
            raise CaptchaRefused("solved on another hostname")
        if verdict.get("action") != self.action:
            raise CaptchaRefused("solved for another action")
