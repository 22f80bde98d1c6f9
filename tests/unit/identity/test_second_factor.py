"""Codes of an authenticator and recovery codes: which are good, for how long, and how often."""

from __future__ import annotations

import base64
import re
from typing import Any, cast

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.identity.passwords import Peppers
from imagelayer.identity.records import User
from imagelayer.identity.sealing import seal
from imagelayer.identity.second_factor import (
    RECOVERY_CODES,
    STEP_SECONDS,
    WINDOW_STEPS,
    CodeRefused,
    Verifier,
    _recovery_hash,
    matching_step,
    new_recovery_codes,
)
from imagelayer.limits.counters import CounterStore

# RFC 6238 appendix B; the appendix shows eight digits, of which authenticators show the last six.
RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = {
    59: "287082",
    1_111_111_109: "081804",
    1_111_111_111: "050471",
    1_234_567_890: "005924",
    2_000_000_000: "279037",
    20_000_000_000: "353130",
}
STEP = 60_000_000
NOW = STEP * STEP_SECONDS + 10
USER = "usr_01m85g9mspnb132tnphwa9cytt"
PEPPERS = Peppers.of("pepper-one")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RECOVERY = "k7m2p-aaaaa-bbbbb-ccccc-ddddd"


def code(step: int) -> str:
    return pyotp.TOTP(SECRET).at(step * STEP_SECONDS)


@pytest.mark.parametrize(("at", "shown"), RFC_CODES.items())
def test_the_codes_are_the_rfcs(at: int, shown: str) -> None:
    assert matching_step(RFC_SECRET, shown, at) == at // STEP_SECONDS


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(-31, False), (-30, True), (-1, True), (0, True), (29, True), (59, True), (60, False)],
)
def test_a_code_is_good_for_its_step_and_one_on_either_side(seconds: int, good: bool) -> None:
    begins = STEP * STEP_SECONDS
    found = matching_step(SECRET, code(STEP), begins + seconds)
    assert found == (STEP if good else None)


def test_the_window_is_rfc_6238s() -> None:
    assert (STEP_SECONDS, WINDOW_STEPS) == (30, 1)


@pytest.mark.parametrize("wrong", ["", "1", "12345", "1234567", "abcdef", code(STEP)[:-1] + "x"])
def test_what_is_not_a_code_of_the_window_is_of_no_step(wrong: str) -> None:
    assert matching_step(SECRET, wrong, NOW) is None


def test_a_code_of_another_secret_is_of_no_step() -> None:
    assert matching_step(RFC_SECRET, code(STEP), NOW) is None


def test_when_two_steps_share_a_code_it_counts_as_the_later_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the earlier one it would be good a second time."""
    monkeypatch.setattr(pyotp.TOTP, "at", lambda _self, _time: "111111")
    assert matching_step(SECRET, "111111", NOW) == STEP + 1


def user(**totp: Any) -> User:
    record = {
        "id": USER,
        "totp": {
            "secret": seal(SECRET, "totp", USER, PEPPERS),
            "last_step": STEP - 100,
            "recovery": {_recovery_hash(RECOVERY): True, "f" * 64: True},
            "unacknowledged": "",
            **totp,
        },
    }
    return cast("User", record)


def verifier(peppers: Peppers = PEPPERS) -> Verifier:
    return Verifier(cast("CounterStore", None), lambda needed="": peppers)


def refusal(record: User, **codes: str | None) -> str:
    codes.setdefault("totp_code", None)
    with pytest.raises(CodeRefused) as refused:
        verifier().check(record, NOW, **codes)  # type: ignore[arg-type]
    return refused.value.reason


@pytest.mark.parametrize("step", [STEP - 1, STEP, STEP + 1])
def test_a_code_that_is_accepted_is_noted_as_the_last_one(step: int) -> None:
    record = user()
    accepted = verifier().check(record, NOW, totp_code=code(step), session_id="ses_1")
    assert not accepted.recovery
    assert accepted.totp["last_step"] == step
    assert accepted.totp["unacknowledged"] == "ses_1"
    assert accepted.totp["recovery"] == record["totp"]["recovery"]


@pytest.mark.parametrize("last_step", [STEP, STEP + 1])
def test_a_code_of_the_last_step_or_before_is_spent(last_step: int) -> None:
    assert refusal(user(last_step=last_step), totp_code=code(STEP)) == "spent code"


def test_a_code_whose_answer_was_never_acknowledged_is_good_once_more() -> None:
    record = user(last_step=STEP, unacknowledged="ses_lost")
    accepted = verifier().check(record, NOW, totp_code=code(STEP), session_id="ses_2")
    assert accepted.totp["unacknowledged"] == "ses_2"
    assert refusal(record, totp_code=code(STEP - 1)) == "spent code"


def test_a_recovery_code_is_taken_out() -> None:
    record = user(unacknowledged="ses_lost")
    accepted = verifier().check(record, NOW, totp_code=None, recovery_code=RECOVERY)
    assert accepted.recovery
    assert accepted.totp["recovery"] == {"f" * 64: True}
    assert accepted.totp["last_step"] == record["totp"]["last_step"]
    assert accepted.totp["unacknowledged"] == ""
    assert refusal({**record, "totp": accepted.totp}, recovery_code=RECOVERY) == (
        "wrong recovery code"
    )


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ({}, "no code"),
        ({"totp_code": "000000"}, "wrong code"),
        ({"totp_code": "000000", "recovery_code": RECOVERY}, "wrong code"),
        ({"recovery_code": "f" * 64}, "wrong recovery code"),
        ({"recovery_code": RECOVERY[:-1]}, "wrong recovery code"),
        ({"recovery_code": ""}, "wrong recovery code"),
    ],
    ids=["none", "wrong", "wrong beside a right one", "a hash", "a part", "empty"],
)
def test_everything_else_is_refused(codes: dict[str, str], reason: str) -> None:
    assert "000000" not in {code(STEP + each) for each in (-1, 0, 1)}
    assert refusal(user(), **codes) == reason


@pytest.mark.parametrize(
    "sealed",
    [
        seal(SECRET, "totp", USER[:-1] + "x", PEPPERS),
        seal(SECRET, "else", USER, PEPPERS),
        SECRET,
        "",
    ],
    ids=["another user's", "for another purpose", "not sealed", "empty"],
)
def test_a_secret_that_was_not_sealed_for_this_user_is_refused(sealed: str) -> None:
    assert refusal(user(secret=sealed), totp_code=code(STEP)) == "unreadable secret"


def test_a_code_that_is_accepted_seals_the_secret_under_the_newest_pepper() -> None:
    rotated = Peppers.of("pepper-two", "pepper-one")
    accepted = verifier(rotated).check(user(), NOW, totp_code=code(STEP))
    sealed = accepted.totp["secret"]
    assert sealed.startswith(f"{rotated.current}.")
    assert verifier(Peppers.of("pepper-two")).open(sealed, USER) == SECRET


def test_recovery_codes_are_ten_and_no_one_guesses_them() -> None:
    """31 letters and digits, 25 of them: just under 124 bits."""
    codes = [each for _ in range(50) for each in new_recovery_codes()]
    assert RECOVERY_CODES == 10
    assert len(set(codes)) == 500
    letters = {letter for each in codes for letter in each} - {"-"}
    assert letters == set("abcdefghjkmnpqrstuvwxyz23456789")
    for each in codes:
        assert re.fullmatch(r"(\w{5}-){4}\w{5}", each)


@given(st.sampled_from([str.upper, str.title, lambda code: code.replace("-", " ")]))
def test_how_it_was_written_down_does_not_matter(written: Any) -> None:
    assert _recovery_hash(written(RECOVERY)) == _recovery_hash(RECOVERY)


def test_what_it_says_does_matter() -> None:
    assert _recovery_hash(RECOVERY) != _recovery_hash(RECOVERY.replace("k", "m"))
    assert RECOVERY.replace("-", "") not in _recovery_hash(RECOVERY)
