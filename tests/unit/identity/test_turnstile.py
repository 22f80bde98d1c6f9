"""What each verdict of siteverify means for a sign-up."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import urllib3

from imagelayer.identity.turnstile import ATTEMPTS, CaptchaRefused, CaptchaUnavailable, Turnstile

PASSED = {
    "success": True,
    "challenge_ts": "2026-02-28T15:14:30.096Z",
    "hostname": "app.example.com",
    "error-codes": [],
    "action": "register",
    "cdata": "",
}


@dataclass
class Answer:
    """What urllib3 hands back."""

    status: int
    data: bytes


@dataclass
class Siteverify:
    """Stands in for the connection pool: plays its answers in order, the last one for ever."""

    answers: Sequence[Any]
    sent: list[dict[str, Any]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)

    def request(self, method: str, url: str, *, body: str, **options: Any) -> Answer:
        assert (method, url) == ("POST", "https://siteverify.example")
        self.sent.append(json.loads(body))
        self.options.append(options)
        answer = self.answers[min(len(self.sent), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Answer):
            return answer
        return Answer(200, json.dumps(answer).encode())


def turnstile(http: Siteverify, **changes: Any) -> Turnstile:
    settings: dict[str, Any] = {
        "http": cast("urllib3.PoolManager", http),
        "url": "https://siteverify.example",
        "secret": lambda: "0x4AAAreal",
        "hostnames": ["app.example.com", "www.example.com"],
        "action": "register",
        "allow_test_secrets": False,
        "sleep": lambda _: None,
    }
    return Turnstile(**{**settings, **changes})


@pytest.mark.promise("captcha")
@pytest.mark.parametrize("hostname", ["app.example.com", "www.example.com"])
def test_a_solved_challenge_of_our_own_form_is_accepted(hostname: str) -> None:
    http = Siteverify([{**PASSED, "hostname": hostname}])
    turnstile(http).verify("a-token", "198.51.100.7")
    (sent,) = http.sent
    assert (sent["secret"], sent["response"], sent["remoteip"]) == (
        "0x4AAAreal",
        "a-token",
        "198.51.100.7",
    )


@pytest.mark.promise("captcha")
@pytest.mark.parametrize(
    "verdict",
    [
        {"success": False, "error-codes": ["invalid-input-response"]},
        {"success": False, "error-codes": ["missing-input-response"]},
        {"success": False, "error-codes": ["timeout-or-duplicate"]},
        {"success": False, "error-codes": []},
        {"success": False},
        {"success": "true", "hostname": "app.example.com", "action": "register"},
        {"success": 1, "hostname": "app.example.com", "action": "register"},
        {"hostname": "app.example.com", "action": "register"},
        {**PASSED, "hostname": "evil.example"},
        {**PASSED, "hostname": "app.example.com.evil.example"},
        {**PASSED, "hostname": ""},
        {**PASSED, "hostname": None},
        {key: value for key, value in PASSED.items() if key != "hostname"},
        {**PASSED, "action": "login"},
        {**PASSED, "action": ""},
        {key: value for key, value in PASSED.items() if key != "action"},
    ],
)
def test_every_other_verdict_is_refused_and_not_asked_again(verdict: dict[str, Any]) -> None:
    http = Siteverify([verdict])
    with pytest.raises(CaptchaRefused) as refused:
        turnstile(http).verify("a-token", "198.51.100.7")
    assert len(http.sent) == 1
    assert refused.value.reason


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (["timeout-or-duplicate", "invalid-widget-id"], "timeout-or-duplicate, invalid-widget-id"),
        ([], "refused"),
        (None, "refused"),
    ],
)
def test_a_refusal_says_cloudflares_codes_or_that_there_were_none(
    codes: list[str] | None, reason: str
) -> None:
    http = Siteverify([{"success": False, "error-codes": codes}])
    with pytest.raises(CaptchaRefused) as refused:
        turnstile(http).verify("a-token", "198.51.100.7")
    assert refused.value.reason == reason


@pytest.mark.promise("captcha")
@pytest.mark.parametrize("code", ["missing-input-secret", "invalid-input-secret", "bad-request"])
def test_our_own_misconfiguration_is_not_a_fault_of_the_caller_and_still_denies(code: str) -> None:
    http = Siteverify([{"success": False, "error-codes": [code]}])
    alarms: list[int] = []
    with pytest.raises(CaptchaUnavailable, match="misconfigured"):
        turnstile(http, alarm=lambda: alarms.append(1)).verify("a-token", "198.51.100.7")
    assert len(http.sent) == 1
    assert alarms == [1]


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ({"success": False, "error-codes": ["invalid-input-response"]}, CaptchaRefused),
        ({**PASSED, "hostname": "evil.example"}, CaptchaRefused),
        ({"success": False, "error-codes": ["internal-error"]}, CaptchaUnavailable),
        (Answer(502, b""), CaptchaUnavailable),
    ],
    ids=["not solved", "elsewhere", "internal error", "bad gateway"],
)
def test_what_we_cannot_mend_raises_no_alarm(verdict: Any, outcome: type[Exception]) -> None:
    alarms: list[int] = []
    with pytest.raises(outcome):
        turnstile(Siteverify([verdict]), alarm=lambda: alarms.append(1)).verify("t", "192.0.2.1")
    assert alarms == []


RETRIED: list[Any] = [
    {"success": False, "error-codes": ["internal-error"]},
    urllib3.exceptions.ReadTimeoutError(cast("Any", None), "/", "read timed out"),
    urllib3.exceptions.ProtocolError("connection reset"),
    Answer(502, b"<html>bad gateway</html>"),
    Answer(500, b"{}"),
    Answer(200, b"not json"),
    Answer(200, b"[]"),
    Answer(200, b"null"),
]


@pytest.mark.parametrize("fault", RETRIED, ids=str)
def test_a_lost_verdict_is_asked_for_again_with_the_same_idempotency_key(fault: Any) -> None:
    http = Siteverify([fault, PASSED])
    turnstile(http).verify("a-token", "198.51.100.7")
    assert len(http.sent) == 2
    assert http.sent[0] == http.sent[1]
    uuid.UUID(http.sent[0]["idempotency_key"])


@pytest.mark.promise("captcha")
@pytest.mark.parametrize("fault", RETRIED, ids=str)
def test_without_a_verdict_the_sign_up_is_denied(fault: Any) -> None:
    http = Siteverify([fault])
    pauses: list[float] = []
    with pytest.raises(CaptchaUnavailable):
        turnstile(http, sleep=pauses.append).verify("a-token", "198.51.100.7")
    assert len(http.sent) == ATTEMPTS
    assert pauses == sorted(pauses)
    assert sum(pauses) < 2


def test_a_token_that_is_verified_again_is_the_same_request_and_another_one_is_not() -> None:
    """So that a sign-up whose answer was lost can be sent again. That one token serves one address
    is the registration's to see to, because Cloudflare repeats its verdict."""
    http = Siteverify([PASSED])
    for token in ("one", "two", "one"):
        turnstile(http).verify(token, "198.51.100.7")
    first, other, again = [uuid.UUID(each["idempotency_key"]) for each in http.sent]
    assert first == again != other


@pytest.mark.parametrize("token", ["one", "XXXX.DUMMY.TOKEN.XXXX"])
@pytest.mark.parametrize("allowed", [True, False])
def test_only_the_test_widgets_token_on_a_developers_machine_is_good_for_many(
    token: str, allowed: bool
) -> None:
    subject = turnstile(Siteverify([PASSED]), allow_test_secrets=allowed)
    assert subject.is_reusable(token) == (allowed and token == "XXXX.DUMMY.TOKEN.XXXX")


def test_a_verification_has_a_deadline_and_follows_no_redirect() -> None:
    http = Siteverify([PASSED])
    turnstile(http).verify("a-token", "198.51.100.7")
    (options,) = http.options
    assert 0 < options["timeout"].total <= 5
    assert options["redirect"] is False
    assert options["retries"] is False


@pytest.mark.promise("captcha")
@pytest.mark.parametrize("first", "123")
def test_cloudflares_test_secrets_accept_nothing_outside_the_local_stage(first: str) -> None:
    secret = f"{first}x0000000000000000000000000000000AA"
    http = Siteverify([PASSED])
    alarms: list[int] = []
    subject = turnstile(http, secret=lambda: secret, alarm=lambda: alarms.append(1))
    with pytest.raises(CaptchaUnavailable):
        subject.verify("XXXX.DUMMY.TOKEN.XXXX", "198.51.100.7")
    assert http.sent == []
    assert alarms == [1]
    turnstile(http, secret=lambda: secret, allow_test_secrets=True).verify("t", "198.51.100.7")


def test_a_rotated_secret_is_used_from_the_next_verification_on() -> None:
    secrets = iter(["old", "new"])
    http = Siteverify([PASSED])
    subject = turnstile(http, secret=lambda: next(secrets))
    subject.verify("one", "198.51.100.7")
    subject.verify("two", "198.51.100.7")
    assert [each["secret"] for each in http.sent] == ["old", "new"]
