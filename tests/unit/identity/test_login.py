"""A login decides on the user as they are when its session is created, and says why it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.login import PLACE_REFRESH_SECONDS, Login
from imagelayer.identity.passwords import Peppers, hash_password
from imagelayer.identity.places import PLACE_SECONDS, network, place_id
from imagelayer.identity.records import User
from imagelayer.identity.second_factor import AcceptedCode, CodeRefused
from imagelayer.identity.sessions import MAX_SESSIONS
from imagelayer.identity.store import NOBODY
from imagelayer.identity.user_changes import ATTEMPTS
from imagelayer.limits.rate_limits import Limited
from imagelayer.platform.errors import Problem
from imagelayer.platform.table import StoreUnavailable
from tests.support.identity import COST, NOW, ORIGIN, PASSWORD, PEPPERS, World

EMAIL = "owner@example.com"
CODE, RECOVERY = "123456", "k7m2p"
TOTP = {"secret": "s", "last_step": 1, "recovery": {"h": True}}


class Codes:
    """Accepts one code of each kind."""

    def __init__(self) -> None:
        self.counted = 0
        self.reset = 0

    def record_attempt(self, _user_id: str, _now: float) -> None:
        self.counted += 1

    def reset_attempts(self, _user_id: str) -> None:
        self.reset += 1

    def check(
        self,
        user: User,
        _now: float,
        *,
        totp_code: str | None,
        recovery_code: str | None,
        session_id: str,
    ) -> AcceptedCode:
        if totp_code is None and recovery_code is None:
            raise CodeRefused("no code")
        if totp_code != CODE and recovery_code != RECOVERY:
            raise CodeRefused("wrong code")
        totp = {**user["totp"], "last_step": 2, "unacknowledged": session_id}
        return AcceptedCode(cast("Any", totp), recovery=totp_code is None)


@dataclass
class Door:
    """The login, and what is behind it."""

    world: World
    codes: Codes
    issued: list[tuple[Any, ...]]
    ended: list[str]
    peppers: Peppers = PEPPERS

    def log_in(self, password: str = PASSWORD, email: str = EMAIL, **more: Any) -> Any:
        stores = cast("Any", self.world.stores)
        login = Login(
            accounts=stores,
            organizations=stores,
            sessions=stores,
            user_changes=self.world.user_changes,
            access_tokens=cast("Any", self),
            counters=cast("Any", self.world.limits),
            verifier=cast("Any", self.codes),
            outbox=self.world.outbox,
            security=self.world.log,
            peppers=lambda _="": self.peppers,
            bcrypt_cost=COST,
            end_replaced=lambda _origin, token: self.ended.append(token),
        )
        now = more.pop("now", NOW)
        return login.login(ORIGIN, now, email=email, password=password, **more)

    def refused(self, *about: Any, **more: Any) -> str:
        """The code of the refusal; no session is opened."""
        before = len(self.world.stores.sessions)
        with pytest.raises(Problem) as refused:
            self.log_in(*about, **more)
        assert len(self.world.stores.sessions) == before
        return refused.value.code

    def issue(self, *about: Any) -> dict[str, Any]:
        """The access tokens."""
        self.issued.append(about)
        return {"access_token": "x"}

    @property
    def reasons(self) -> list[str]:
        return [reason for outcome, reason in self.world.told("auth.login") if outcome == "failure"]

    @property
    def newest(self) -> Any:
        """The newest session."""
        return list(self.world.stores.sessions.values())[-1]

    def overtake(self, **changes: Any) -> None:
        """Another request changes the user before the next transaction."""

        def act() -> None:
            user = cast("Any", self.world.owner)
            user.update(changes, rev=user["rev"] + 1)

        self.world.stores.first.append(act)


@pytest.fixture
def door() -> Door:
    return Door(World(), Codes(), [], [])


def test_the_right_password_opens_a_session(door: Door) -> None:
    tokens = door.log_in(replaces="the old token")
    assert tokens.answer == {"access_token": "x"}
    assert len(door.world.stores.list_sessions(door.world.owner["id"])) == 2
    assert door.world.told("auth.login") == [("success", "")]
    assert door.world.owner["last_login_at"] == NOW
    assert door.ended == ["the old token"]
    assert (door.world.limits.counted, door.world.limits.reset) == (
        ["login-account"],
        ["login-account"],
    )
    assert (door.codes.counted, door.codes.reset) == (0, 0)


def test_an_address_is_known_however_it_is_written(door: Door) -> None:
    door.log_in(email=" OWNER@Example.COM. ")
    assert door.world.limits.subjects == [address_hash(EMAIL)]


@pytest.mark.parametrize(
    ("email", "password", "reason"),
    [
        (EMAIL, "a wrong one", "wrong password"),
        ("nobody@example.com", PASSWORD, "unknown address"),
        ("\u00fc@@", PASSWORD, "unknown address"),
        ("\u00fc", PASSWORD, "unknown address"),
    ],
)
def test_every_wrong_credential_is_refused_alike_and_recorded_as_what_it_is(
    door: Door, email: str, password: str, reason: str
) -> None:
    assert door.refused(password, email) == "invalid_credentials"
    (event,) = [each for each in door.world.events if each["event"] == "auth.login"]
    known = email == EMAIL
    assert event["reason"] == reason
    assert event["org_id"] == (door.world.org_id if known else "")
    assert event["actor"] == (door.world.owner["id"] if known else "")
    assert (door.world.limits.counted, door.world.limits.reset) == (["login-account"], [])


def test_attempts_on_what_cannot_be_an_address_are_counted_for_each_such_text(door: Door) -> None:
    for email in ("\u00fc@@", "\u00e9@@"):
        door.refused(PASSWORD, email)
    assert len(set(door.world.limits.subjects)) == 2


def test_what_cannot_be_an_address_is_no_ones(door: Door) -> None:
    """Not even if the hash of it were reserved."""
    user_id = door.world.owner["id"]
    door.world.stores.reservations |= {address_hash(each): user_id for each in ("", "\u00fc@@")}
    assert door.refused(PASSWORD, "\u00fc@@") == "invalid_credentials"


def test_attempts_from_a_known_place_are_counted_by_themselves(door: Door) -> None:
    user_id = door.world.owner["id"]
    door.log_in()
    door.log_in()
    own = address_hash(EMAIL)
    assert door.world.limits.subjects == [own, f"{own}#{network(ORIGIN.ip)}"]
    assert list(door.world.stores.places) == [place_id(user_id, ORIGIN.ip)]


def test_no_place_is_known_to_an_address_without_an_account(door: Door) -> None:
    door.world.stores.places[place_id(NOBODY, ORIGIN.ip)] = NOW + 10
    door.refused(PASSWORD, "nobody@example.com")
    # The subject is that of a known place: the read was that of the user who does not exist.
    assert door.world.limits.subjects == [
        f"{address_hash('nobody@example.com')}#{network(ORIGIN.ip)}"
    ]


def test_too_many_attempts_are_refused_and_recorded(door: Door) -> None:
    door.world.limits.used_up.add("login-account")
    with pytest.raises(Limited):
        door.log_in()
    assert door.reasons == ["too many attempts"]
    assert door.issued == []


def test_who_is_not_a_member_is_refused(door: Door) -> None:
    door.world.stores.members.clear()
    assert door.refused() == "invalid_credentials"
    assert door.reasons == ["not a member"]


# ─── The second factor ─────────────────────────────────────────────────────────────────────────


def test_a_second_factor_without_a_code_is_asked_for_and_not_counted(door: Door) -> None:
    door.world.owner["totp"] = cast("Any", TOTP)
    assert door.refused() == "totp_required"
    assert door.world.told("auth.totp_refused") == [("denied", "no code")]
    assert (door.codes.counted, door.codes.reset) == (0, 0)


@pytest.mark.parametrize("codes", [{"totp_code": "000000"}, {"recovery_code": "wrong"}])
def test_a_wrong_code_is_counted_and_refused(door: Door, codes: dict[str, str]) -> None:
    door.world.owner["totp"] = cast("Any", TOTP)
    assert door.refused(**codes) == "invalid_totp_code"
    assert door.world.told("auth.totp_refused") == [("failure", "wrong code")]
    assert (door.codes.counted, door.codes.reset) == (1, 0)


def test_a_code_opens_a_session_and_is_spent(door: Door) -> None:
    door.world.owner["totp"] = cast("Any", TOTP)
    door.log_in(totp_code=CODE)
    assert (door.codes.counted, door.codes.reset) == (1, 1)
    assert door.world.owner["totp"]["last_step"] == 2
    assert door.world.owner["totp"]["unacknowledged"] == ""
    assert door.world.told("auth.recovery_code_used") == []
    assert [each["kind"] for each in door.world.mails] == []


def test_a_recovery_code_is_recorded_and_mailed(door: Door) -> None:
    door.world.owner["totp"] = cast("Any", TOTP)
    door.log_in(recovery_code=RECOVERY)
    assert door.world.told("auth.recovery_code_used") == [("success", "1 left")]
    assert [each["kind"] for each in door.world.mails] == ["recovery_code_used"]


def test_a_code_of_a_user_without_a_second_factor_is_ignored(door: Door) -> None:
    door.log_in(totp_code="000000")
    assert (door.codes.counted, door.codes.reset) == (0, 0)
    assert "totp" not in door.world.owner


def test_a_login_whose_answer_was_lost_is_replaced_by_the_next_with_the_same_code(
    door: Door,
) -> None:
    door.world.owner["totp"] = cast("Any", TOTP)
    door.world.stores.down.add("acknowledge_code")
    door.log_in(totp_code=CODE)
    lost = door.newest["id"]
    assert door.world.owner["totp"]["unacknowledged"] == lost
    door.log_in(totp_code=CODE)
    assert lost not in door.world.stores.sessions
    assert len(door.world.stores.sessions) == 2


@pytest.mark.parametrize(
    ("role", "required", "totp", "must_enrol"),
    [
        ("owner", True, None, True),
        ("owner", True, TOTP, False),
        ("owner", False, None, False),
        ("admin", True, None, False),
    ],
)
def test_an_owner_without_a_required_second_factor_must_set_one_up(
    door: Door, role: str, required: bool, totp: Any, must_enrol: bool
) -> None:
    world = door.world
    world.stores.organizations[world.org_id]["owners_need_second_factor"] = required
    world.stores.members[world.owner["id"]]["role"] = cast("Any", role)
    if totp:
        world.owner["totp"] = totp
    door.log_in(totp_code=CODE)
    assert door.newest.get("must_enrol", False) is must_enrol
    assert ("must_enrol" in door.newest) is must_enrol


def test_an_owner_whose_organization_is_gone_is_let_in(door: Door) -> None:
    door.world.stores.organizations.clear()
    door.log_in()
    assert "must_enrol" not in door.newest


# ─── What changes during the login ─────────────────────────────────────────────────────────────


def test_a_user_who_is_removed_during_the_login_is_refused(door: Door) -> None:
    door.world.stores.first.append(door.world.stores.users.clear)
    with pytest.raises(Problem) as refused:
        door.log_in()
    assert refused.value.code == "invalid_credentials"
    assert door.reasons == ["changed during login"]


def test_a_password_that_is_changed_during_the_login_is_checked_again(door: Door) -> None:
    another = hash_password("a quiet harbor at dawn", PEPPERS, cost=COST)
    door.overtake(password_hash=another)
    assert door.refused() == "invalid_credentials"
    assert door.reasons == ["changed during login"]
    assert door.world.owner["password_hash"] == another


def test_a_hash_that_another_login_renewed_is_kept(door: Door) -> None:
    renewed = hash_password(PASSWORD, PEPPERS, cost=COST)
    door.overtake(password_hash=renewed)
    door.log_in()
    assert door.world.owner["password_hash"] == renewed


def test_a_hash_of_an_old_pepper_is_renewed_and_a_current_one_stays(door: Door) -> None:
    stored = door.world.owner["password_hash"]
    door.log_in()
    assert door.world.owner["password_hash"] == stored
    door.peppers = Peppers.of("a new pepper", "a pepper of the tests")
    door.log_in()
    assert door.world.owner["password_hash"].startswith(f"{door.peppers.current}$")


def test_another_change_during_the_login_makes_it_start_over(door: Door) -> None:
    door.overtake(name="Renamed")
    door.log_in()
    assert door.world.owner["name"] == "Renamed"
    assert len(door.world.pauses) == 1
    assert len(door.issued) == 2


def test_a_second_factor_that_is_set_up_during_the_login_is_required(door: Door) -> None:
    door.overtake(totp=TOTP)
    assert door.refused() == "totp_required"


def test_a_login_that_is_always_overtaken_is_unavailable(door: Door) -> None:
    for _ in range(ATTEMPTS):
        door.overtake()
    with pytest.raises(StoreUnavailable):
        door.log_in()
    assert len(door.world.stores.sessions) == 1


# ─── Sessions and places ───────────────────────────────────────────────────────────────────────


def test_the_oldest_sessions_make_room_and_expired_ones_go(door: Door) -> None:
    world = door.world
    (first,) = world.stores.sessions
    expired = world.open_session(world.owner, expires_at=NOW)
    for _ in range(MAX_SESSIONS - 2):
        world.open_session(world.owner)
    door.log_in()
    assert first in world.stores.sessions
    assert expired["id"] not in world.stores.sessions
    assert len(world.stores.sessions) == MAX_SESSIONS
    door.log_in()
    assert first not in world.stores.sessions
    assert len(world.stores.sessions) == MAX_SESSIONS


def test_the_first_login_of_an_account_is_from_no_new_place(door: Door) -> None:
    door.log_in()
    assert door.world.mails == []
    assert door.world.stores.places == {
        place_id(door.world.owner["id"], ORIGIN.ip): NOW + PLACE_SECONDS
    }


def test_a_later_login_from_an_unknown_place_is_mailed_once(door: Door) -> None:
    door.world.owner["last_login_at"] = NOW - 10
    door.log_in()
    door.log_in()
    assert [each["kind"] for each in door.world.mails] == ["new_place"]
    assert door.world.told("auth.new_place") == [("success", "")]


@pytest.mark.parametrize(
    ("left", "prolonged"),
    [
        (PLACE_SECONDS - PLACE_REFRESH_SECONDS + 1, False),
        (PLACE_SECONDS - PLACE_REFRESH_SECONDS, True),
        (1, True),
    ],
)
def test_a_known_place_is_prolonged_once_a_day(door: Door, left: int, prolonged: bool) -> None:
    door.world.owner["last_login_at"] = NOW - 10
    place = place_id(door.world.owner["id"], ORIGIN.ip)
    door.world.stores.places[place] = NOW + left
    door.log_in()
    assert door.world.stores.places[place] == NOW + (PLACE_SECONDS if prolonged else left)
    assert door.world.mails == []
