"""A second factor is set up, renewed and removed by those who may, on the user as they are."""

from __future__ import annotations

from typing import Any, cast

import pyotp
import pytest

from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.identity.sealing import seal
from imagelayer.identity.second_factor import (
    ENROLMENT_SECONDS,
    STEP_SECONDS,
    SecondFactor,
    Verifier,
    _recovery_hash,
)
from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Principal
from tests.support.identity import COST, NOW, ORIGIN, PASSWORD, PEPPERS, World

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
RECOVERY = "k7m2p-aaaaa-bbbbb-ccccc-ddddd"
CODE = pyotp.TOTP(SECRET).at(NOW)
LATER = pyotp.TOTP(SECRET).at(NOW + STEP_SECONDS)


class Setup:
    """The use cases, called by the owner in their first session."""

    def __init__(self) -> None:
        self.world = World()
        stores, limits = cast("Any", self.world.stores), cast("Any", self.world.limits)
        self.factor = SecondFactor(
            accounts=stores,
            organizations=stores,
            sessions=stores,
            user_changes=self.world.user_changes,
            reauthentication=Reauthentication(
                stores, limits, self.world.log, lambda _="": PEPPERS, COST
            ),
            verifier=Verifier(limits, lambda _="": PEPPERS),
            security=self.world.log,
            outbox=self.world.outbox,
            peppers=lambda _="": PEPPERS,
        )

    @property
    def caller(self) -> Principal:
        return self.world.principal(self.world.owner)

    def pending(self, expires_at: int = NOW + 60) -> None:
        """A setup that was begun."""
        sealed = seal(SECRET, "totp", self.world.owner["id"], PEPPERS)
        self.world.owner["totp_pending"] = {"secret": sealed, "expires_at": expires_at}

    def enrolled(self, **more: Any) -> None:
        """A second factor that is set up."""
        totp = {
            "secret": seal(SECRET, "totp", self.world.owner["id"], PEPPERS),
            "last_step": NOW // STEP_SECONDS - 100,
            "recovery": {_recovery_hash(RECOVERY): True},
            **more,
        }
        self.world.owner["totp"] = cast("Any", totp)

    def start(self, password: str = PASSWORD) -> Any:
        return self.factor.start_totp(self.caller, ORIGIN, NOW, password=password)

    def confirm(self, code: str = CODE, now: float = NOW, caller: Principal | None = None) -> Any:
        return self.factor.confirm_totp(caller or self.caller, ORIGIN, now, totp_code=code)

    def renew(self, password: str = PASSWORD, **codes: str | None) -> Any:
        codes = {"totp_code": None, "recovery_code": None, **codes}
        return self.factor.renew_recovery_codes(
            self.caller, ORIGIN, NOW, password=password, **codes
        )

    def disable(self, password: str = PASSWORD, **codes: str | None) -> None:
        codes = {"totp_code": None, "recovery_code": None, **codes}
        self.factor.disable_totp(self.caller, ORIGIN, NOW, password=password, **codes)

    def refused(self, act: Any, *about: Any, **more: Any) -> str:
        """The code of the refusal, which leaves user and sessions alone."""
        before = dict(self.world.owner), dict(self.world.stores.sessions)
        with pytest.raises(Problem) as refused:
            act(*about, **more)
        assert (self.world.owner, self.world.stores.sessions) == before
        return refused.value.code

    @property
    def mailed(self) -> list[str]:
        return [each["kind"] for each in self.world.mails]


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_a_setup_is_begun_with_the_password_and_counts_for_nothing_yet(setup: Setup) -> None:
    started = setup.start()
    user = setup.world.owner
    assert "totp" not in user
    assert user["totp_pending"]["expires_at"] == NOW + ENROLMENT_SECONDS
    assert (
        setup.factor.verifier.open(user["totp_pending"]["secret"], user["id"])
        == (started["secret"])
    )
    assert started["secret"] in started["otpauth_uri"]
    assert len(setup.world.stores.sessions) == 1
    again = setup.start()
    assert again["secret"] != started["secret"]
    assert setup.refused(setup.start, "a wrong password") == "wrong_password"


def test_a_setup_is_not_begun_over_a_second_factor(setup: Setup) -> None:
    setup.enrolled()
    assert setup.refused(setup.start) == "conflict"


def test_a_second_factor_that_another_request_sets_up_first_stays(setup: Setup) -> None:
    def first() -> None:
        setup.enrolled()
        setup.world.owner["rev"] += 1

    setup.world.stores.first.append(first)
    with pytest.raises(Problem) as refused:
        setup.start()
    assert refused.value.code == "conflict"
    assert "totp_pending" not in setup.world.owner


def test_a_first_code_sets_the_second_factor_up(setup: Setup) -> None:
    setup.pending()
    calling = setup.world.stores.sessions[setup.caller.session_id]
    calling["must_enrol"] = True
    setup.world.open_session(setup.world.owner)
    codes = setup.confirm()["recovery_codes"]
    totp = setup.world.owner["totp"]
    assert totp["recovery"] == {_recovery_hash(each): True for each in codes}
    assert totp["last_step"] == NOW // STEP_SECONDS
    assert "enrolled_by" not in totp
    assert "totp_pending" not in setup.world.owner
    assert "must_enrol" not in setup.world.stores.sessions[calling["id"]]
    assert len(setup.world.stores.sessions) == 2
    assert setup.world.told("auth.totp_enabled") == [("success", "")]
    assert setup.mailed == ["totp_enabled"]
    assert setup.world.limits.counted == setup.world.limits.reset == ["second-factor"]


def test_a_setup_is_finished_until_the_second_in_which_it_expires(setup: Setup) -> None:
    setup.pending(expires_at=NOW)
    assert setup.refused(setup.confirm) == "conflict"
    setup.pending(expires_at=NOW + 1)
    assert setup.confirm()


def test_a_setup_that_was_not_begun_is_not_finished(setup: Setup) -> None:
    assert setup.refused(setup.confirm) == "conflict"
    assert setup.mailed == []


def test_a_wrong_first_code_is_recorded_and_counted(setup: Setup) -> None:
    setup.pending()
    wrong = next(each for each in ("000000", "111111", "222222") if each not in {CODE, LATER})
    assert setup.refused(setup.confirm, wrong) == "invalid_totp_code"
    assert setup.world.told("auth.totp_enabled") == [("failure", "wrong code")]
    assert (setup.world.limits.counted, setup.world.limits.reset) == (["second-factor"], [])


def test_a_setup_whose_answer_was_lost_is_finished_again_with_new_recovery_codes(
    setup: Setup,
) -> None:
    setup.pending()
    setup.world.stores.down.add("acknowledge_enrolment")
    lost = setup.confirm()["recovery_codes"]
    # Later the setup itself has expired; the same code is still that of its step.
    again = setup.confirm()["recovery_codes"]
    assert not set(lost) & set(again)
    kept = setup.world.owner["totp"]["recovery"]
    assert kept == {_recovery_hash(each): True for each in again}
    assert setup.refused(setup.confirm, LATER) == "invalid_totp_code"


def test_only_the_session_that_set_it_up_finishes_again(setup: Setup) -> None:
    setup.pending()
    setup.world.stores.down.add("acknowledge_enrolment")
    setup.confirm()
    other = setup.world.principal(setup.world.owner, session_id="ses_other")
    assert setup.refused(setup.confirm, caller=other) == "conflict"
    setup.world.stores.down.clear()
    setup.confirm()
    assert setup.refused(setup.confirm) == "conflict"


@pytest.mark.parametrize("codes", [{"totp_code": CODE}, {"recovery_code": RECOVERY}])
def test_recovery_codes_are_renewed_with_password_and_code(
    setup: Setup, codes: dict[str, str]
) -> None:
    setup.enrolled()
    fresh = setup.renew(**codes)["recovery_codes"]
    kept = setup.world.owner["totp"]["recovery"]
    assert kept == {_recovery_hash(each): True for each in fresh}
    assert setup.world.told("auth.recovery_codes_renewed") == [("success", "")]
    assert setup.mailed == ["recovery_codes_renewed"]
    assert len(setup.world.stores.sessions) == 1
    assert setup.world.limits.reset == ["password-check", "second-factor"]


@pytest.mark.parametrize("codes", [{"totp_code": CODE}, {"recovery_code": RECOVERY}])
def test_a_second_factor_is_removed_with_password_and_code(
    setup: Setup, codes: dict[str, str]
) -> None:
    setup.enrolled()
    calling = setup.caller.session_id
    setup.world.open_session(setup.world.owner)
    setup.disable(**codes)
    assert "totp" not in setup.world.owner
    assert list(setup.world.stores.sessions) == [calling]
    assert setup.world.told("auth.totp_disabled") == [("success", "")]
    assert setup.mailed == ["totp_disabled"]
    assert setup.world.limits.reset == ["password-check", "second-factor"]


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_neither_is_done_without_a_right_code(setup: Setup, role: Any) -> None:
    setup.enrolled()
    setup.world.stores.members[setup.world.owner["id"]]["role"] = role
    for act in (setup.renew, setup.disable):
        assert setup.refused(act, recovery_code="wrong") == "invalid_totp_code"
        assert setup.refused(act) == "invalid_totp_code"
        assert setup.refused(act, "a wrong password", totp_code=CODE) == "wrong_password"
    told = [("failure", "wrong recovery code"), ("failure", "no code")]
    for event in ("auth.recovery_codes_renewed", "auth.totp_disabled"):
        assert setup.world.told(event) == told
    assert setup.mailed == []


def test_neither_is_done_without_a_second_factor(setup: Setup) -> None:
    for act in (setup.renew, setup.disable):
        assert setup.refused(act, totp_code=CODE) == "conflict"


def test_owners_keep_a_second_factor_that_the_organization_requires(setup: Setup) -> None:
    setup.enrolled()
    organization = setup.world.stores.organizations[setup.world.org_id]
    organization["owners_need_second_factor"] = True
    assert setup.refused(setup.disable, totp_code=CODE) == "second_factor_required"
    setup.world.stores.members[setup.world.owner["id"]]["role"] = "admin"
    setup.disable(totp_code=CODE)
    assert "totp" not in setup.world.owner


def test_a_second_factor_that_is_required_during_its_removal_stays(setup: Setup) -> None:
    setup.enrolled()
    organization = setup.world.stores.organizations[setup.world.org_id]
    setup.world.stores.first.append(
        lambda: organization.update({"owners_need_second_factor": True})
    )
    with pytest.raises(Problem) as refused:
        setup.disable(totp_code=CODE)
    assert refused.value.code == "second_factor_required"
    assert "totp" in setup.world.owner
