"""The life of a dashboard session: traded, traded once more after a lost answer, and ended."""

from __future__ import annotations

from copy import replace
from typing import Any, cast

import pytest

from imagelayer.identity.access_tokens import SessionTokens
from imagelayer.identity.records import DashboardSession
from imagelayer.identity.refresh_tokens import RefreshToken
from imagelayer.identity.sessions import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    REUSE_GRACE_SECONDS,
    Sessions,
)
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Origin
from imagelayer.platform.table import ConditionFailed
from tests.support.identity import NOW, ORIGIN, World

ELSEWHERE = Origin("203.0.113.9", "req-2", "Firefox")
NEIGHBOR = Origin("198.51.100.200", "req-2", "Firefox")  # of the same /24
OTHER_CLIENT = replace(ORIGIN, client="Safari")


class Login:
    """A session of the owner that was opened now, and its first refresh token."""

    def __init__(self) -> None:
        self.world = World()
        self.world.stores.sessions.clear()
        user = self.world.owner
        self.token = RefreshToken.new(user["id"], new_id("ses", NOW))
        self.session = self.world.open_session(
            user,
            id=self.token.session_id,
            family_hash=self.token.family_hash,
            refresh_hash=self.token.hash,
            idle_until=NOW + IDLE_SECONDS,
            expires_at=NOW + ABSOLUTE_SECONDS,
        )
        self.world.stores.sessions = {self.token.session_id: self.session}
        stores = cast("Any", self.world.stores)
        stores.refresh = self.trade
        self.sessions = Sessions(
            stores, stores, self.world.user_changes, cast("Any", self), self.world.log
        )

    def issue(self, *_about: object) -> dict[str, Any]:
        """The access tokens."""
        return {"access_token": "x"}

    def describe(self, user: Any) -> dict[str, Any]:
        """A user as the API shows them."""
        return {"user": {"id": user["id"]}}

    def trade(
        self,
        session: DashboardSession,
        presented: str,
        replacement: str,
        now: int,
        changes: dict[str, Any],
    ) -> None:
        """As `SessionStore.refresh` decides."""
        kept = cast("Any", self.world.stores.sessions.get(session["id"]))
        if (
            kept is None
            or kept["refresh_hash"] != presented
            or min(kept["expires_at"], kept["idle_until"]) <= now
        ):
            raise ConditionFailed(kept)
        kept |= {
            **changes,
            "refresh_hash": replacement,
            "spent_hash": presented,
            "refreshed_at": now,
        }

    def refresh(self, text: str, now: float, origin: Origin = ORIGIN) -> SessionTokens:
        return self.sessions.refresh(origin, now, text)

    def refused(self, text: str, now: float, origin: Origin = ORIGIN) -> Problem:
        """The refusal, which is 401 whatever the reason."""
        with pytest.raises(Problem) as refused:
            self.refresh(text, now, origin)
        assert refused.value.code == "unauthenticated"
        return refused.value

    @property
    def is_open(self) -> bool:
        return self.token.session_id in self.world.stores.sessions


@pytest.fixture
def login() -> Login:
    return Login()


def test_each_trade_prolongs_the_session_up_to_its_absolute_end(login: Login) -> None:
    tokens = login.refresh(login.token.text, NOW + 50)
    assert tokens.lifetime_seconds == ABSOLUTE_SECONDS - 50
    assert login.session["idle_until"] == NOW + 50 + IDLE_SECONDS
    again = login.refresh(tokens.refresh_token, NOW + 60)
    assert again.refresh_token != tokens.refresh_token
    assert login.world.told("auth.refresh") == [("success", "")] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "missing"), ("x", "unreadable token"), ("a.b.c", "unreadable token")],
)
def test_what_is_not_a_refresh_token_is_refused(login: Login, text: str, reason: str) -> None:
    assert login.refused(text, NOW).reason == reason
    login.sessions.end_replaced(ORIGIN, text)
    assert login.is_open


@pytest.mark.parametrize("text", ["x", "a.b.c"])
def test_a_logout_with_what_is_not_a_refresh_token_is_refused(login: Login, text: str) -> None:
    with pytest.raises(Problem) as refused:
        login.sessions.logout(ORIGIN, text)
    assert (refused.value.code, refused.value.reason) == ("unauthenticated", "unreadable token")
    assert login.is_open


def test_a_logout_without_a_token_has_nothing_to_end(login: Login) -> None:
    login.sessions.logout(ORIGIN, "")
    assert login.is_open
    assert login.world.events == []


def test_a_token_of_a_session_that_is_gone_is_refused_and_recorded(login: Login) -> None:
    login.world.stores.sessions.clear()
    login.refused(login.token.text, NOW)
    assert login.world.told("auth.refresh") == [("failure", "unknown session")]


def test_a_session_whose_user_is_gone_is_refused_and_recorded(login: Login) -> None:
    login.world.stores.users.clear()
    login.refused(login.token.text, NOW)
    assert login.world.told("auth.refresh") == [("failure", "unknown session")]


@pytest.mark.parametrize("origin", [ORIGIN, NEIGHBOR], ids=["here", "same network"])
def test_a_trade_whose_answer_was_lost_is_answered_alike_for_ten_seconds(
    login: Login, origin: Origin
) -> None:
    first = login.refresh(login.token.text, NOW)
    again = login.refresh(login.token.text, NOW + REUSE_GRACE_SECONDS, origin)
    assert again.refresh_token == first.refresh_token
    assert login.is_open


@pytest.mark.parametrize(
    ("seconds", "origin"),
    [(REUSE_GRACE_SECONDS + 1, ORIGIN), (0, ELSEWHERE), (0, OTHER_CLIENT)],
    ids=["later", "elsewhere", "another client"],
)
def test_a_spent_token_ends_the_session_otherwise(
    login: Login, seconds: int, origin: Origin
) -> None:
    login.refresh(login.token.text, NOW)
    login.refused(login.token.text, NOW + seconds, origin)
    assert not login.is_open
    assert login.world.told("auth.refresh_reuse") == [("denied", "")]


def test_a_token_that_was_spent_before_the_last_trade_ends_the_session(login: Login) -> None:
    login.refresh(login.refresh(login.token.text, NOW).refresh_token, NOW)
    login.refused(login.token.text, NOW)
    assert not login.is_open


def test_a_lost_answer_is_repeated_only_while_its_successor_is_the_current_token(
    login: Login,
) -> None:
    """The successor would otherwise be a token that the session does not know."""
    login.refresh(login.token.text, NOW)
    login.session["refresh_hash"] = "f" * 64
    login.refused(login.token.text, NOW)
    assert not login.is_open


def test_a_session_that_was_never_traded_ends_with_an_unknown_token_of_its_family(
    login: Login,
) -> None:
    login.refused(replace(login.token, secret="y" * 43).text, NOW)
    assert not login.is_open


def test_a_token_that_names_the_session_without_its_family_ends_nothing(login: Login) -> None:
    """Session ids are in access tokens and prove nothing."""
    forged = replace(login.token, family="z" * 22, secret="y" * 43).text
    login.refused(forged, NOW)
    login.sessions.end_replaced(ORIGIN, forged)
    with pytest.raises(Problem) as refused:
        login.sessions.logout(ORIGIN, forged)
    assert (refused.value.code, refused.value.reason) == ("unauthenticated", "unknown token")
    assert login.is_open
    assert login.world.told("auth.refresh") == [("failure", "unknown token")]
    assert login.world.told("auth.logout") == []


def test_a_spent_token_of_another_family_is_not_answered(login: Login) -> None:
    login.refresh(login.token.text, NOW)
    login.refused(replace(login.token, family="z" * 22).text, NOW)
    assert login.is_open


@pytest.mark.parametrize("end", ["idle_until", "expires_at"])
def test_an_expired_session_is_refused_as_expired(login: Login, end: str) -> None:
    cast("Any", login.session)[end] = NOW
    login.refused(login.token.text, NOW)
    assert login.world.told("auth.refresh") == [("failure", "expired")]
    assert login.world.told("auth.refresh_reuse") == []


def test_a_spent_token_of_an_expired_session_is_refused_as_expired(login: Login) -> None:
    login.refresh(login.token.text, NOW)
    login.session["expires_at"] = NOW + 1
    login.refused(login.token.text, NOW + 1)
    assert login.world.told("auth.refresh")[-1] == ("failure", "expired")


def test_a_session_that_ends_during_the_trade_is_refused_as_ended(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = login.issue

    def issue_as_it_ends(*about: object) -> dict[str, Any]:
        login.world.stores.sessions.clear()
        return issue(*about)

    monkeypatch.setattr(login, "issue", issue_as_it_ends)
    login.refused(login.token.text, NOW)
    assert login.world.told("auth.refresh") == [("failure", "ended")]


def test_a_login_ends_the_session_that_it_replaces(login: Login) -> None:
    login.sessions.end_replaced(ORIGIN, login.token.text)
    assert not login.is_open
    assert login.world.told("auth.logout") == [("success", "")]


def test_a_spent_token_logs_out_too_and_a_second_time_there_is_nothing_to_end(
    login: Login,
) -> None:
    login.refresh(login.token.text, NOW)
    login.sessions.logout(ORIGIN, login.token.text)
    assert not login.is_open
    assert login.world.told("auth.logout") == [("success", "")]
    login.sessions.logout(ORIGIN, login.token.text)
    assert len(login.world.told("auth.logout")) == 1


def test_a_caller_reads_who_they_are_until_they_are_removed(login: Login) -> None:
    caller = login.world.principal(login.world.owner)
    assert login.sessions.get_me(caller) == {"user": {"id": caller.actor}, "role": "owner"}
    login.world.stores.users.clear()
    with pytest.raises(Problem) as refused:
        login.sessions.get_me(caller)
    assert refused.value.code == "unauthenticated"


def test_active_sessions_are_listed_the_newest_first_and_the_calling_one_is_named(
    login: Login,
) -> None:
    caller = login.world.principal(login.world.owner)
    newer = login.world.open_session(login.world.owner)
    login.world.open_session(login.world.owner, expires_at=NOW)
    rows = login.sessions.list_sessions(caller, NOW)
    assert [(row["id"], row["current"]) for row in rows] == [
        (newer["id"], False),
        (login.session["id"], True),
    ]


@pytest.mark.parametrize(
    "session_id",
    ["", "ses_x", new_id("ses", NOW), new_id("usr", NOW)],
    ids=["empty", "another form", "unknown", "another kind"],
)
def test_a_session_that_is_not_the_callers_is_missing(login: Login, session_id: str) -> None:
    # An id of another form is part of a key, and must not name another item.
    login.world.stores.sessions["ses_x"] = login.session
    caller = login.world.principal(login.world.owner)
    with pytest.raises(Problem) as refused:
        login.sessions.end_session(caller, ORIGIN, session_id)
    assert refused.value.code == "not_found"
    assert len(login.world.stores.sessions) == 2


def test_a_caller_ends_one_session_or_all(login: Login) -> None:
    caller = login.world.principal(login.world.owner)
    other = login.world.open_session(login.world.owner)
    login.world.open_session(login.world.owner)
    login.sessions.end_session(caller, ORIGIN, other["id"])
    assert other["id"] not in login.world.stores.sessions
    assert login.world.told("auth.session_ended") == [("success", other["id"])]
    login.sessions.end_all_sessions(caller, ORIGIN)
    assert login.world.stores.sessions == {}
    assert login.world.told("auth.sessions_ended") == [("success", "")]
