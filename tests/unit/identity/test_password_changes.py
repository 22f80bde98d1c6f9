"""New passwords: set by those who know the old one or read the mailbox, and by no request that
another one overtook."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.password_changes import PasswordChanges
from imagelayer.identity.passwords import verify_password
from imagelayer.identity.places import PLACE_SECONDS, place_id
from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from tests.support.identity import COST, NOW, ORIGIN, PASSWORD, PEPPERS, World

NEW = "seven quiet herons by the weir"


class Changes:
    """The use cases, and the owner's reset link."""

    def __init__(self) -> None:
        self.world = World()
        stores, limits = cast("Any", self.world.stores), cast("Any", self.world.limits)
        reauthentication = Reauthentication(
            stores, limits, self.world.log, lambda _="": PEPPERS, COST
        )
        self.passwords = PasswordChanges(
            accounts=stores,
            organizations=stores,
            user_changes=self.world.user_changes,
            reauthentication=reauthentication,
            outbox=self.world.outbox,
            security=self.world.log,
            peppers=lambda _="": PEPPERS,
            bcrypt_cost=COST,
        )
        self.link = LinkToken.new(self.world.owner["id"])
        self.world.owner["reset"] = {"token_hash": self.link.hash, "expires_at": NOW + 60}

    def reset(self, password: str = NEW, now: float = NOW, token: str | None = None) -> None:
        self.passwords.reset_password(
            ORIGIN, now, token=self.link.text if token is None else token, password=password
        )

    def change(self, current: str = PASSWORD, new: str = NEW) -> None:
        caller = self.world.principal(self.world.owner)
        self.passwords.change_password(caller, ORIGIN, NOW, current_password=current, password=new)

    def refused(self, act: Any, *about: Any, **more: Any) -> str:
        """The code of the refusal, which leaves password and sessions alone."""
        before = self.world.owner["password_hash"], dict(self.world.stores.sessions)
        with pytest.raises(Problem) as refused:
            act(*about, **more)
        assert (self.world.owner["password_hash"], self.world.stores.sessions) == before
        return refused.value.code

    def is_password(self, password: str) -> bool:
        stored = self.world.owner["password_hash"]
        return verify_password(password, stored, PEPPERS, cost=COST)

    @property
    def mailed(self) -> list[str]:
        return [each["kind"] for each in self.world.mails]


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.mark.parametrize("email", ["owner@example.com", "OWNER@Example.com", "\u00fc@@"])
def test_a_reset_is_requested_alike_for_every_text(changes: Changes, email: str) -> None:
    changes.passwords.forgot_password(ORIGIN, NOW, email)
    (mail,) = changes.world.mails
    known = email.isascii()
    assert mail["address"] == address_hash("owner@example.com" if known else email)
    assert changes.world.told("auth.password_forgot") == [("success", "")]


def test_a_reset_sets_the_password_and_ends_every_session(changes: Changes) -> None:
    changes.world.owner["totp_pending"] = {"secret": "s", "expires_at": NOW + 60}
    changes.reset()
    assert changes.is_password(NEW)
    assert changes.world.stores.sessions == {}
    assert not {"reset", "reset_with", "totp_pending"} & changes.world.owner.keys()
    assert changes.world.told("auth.password_reset") == [("success", "")]
    assert changes.mailed == ["password_changed"]
    place = place_id(changes.world.owner["id"], ORIGIN.ip)
    assert changes.world.stores.places == {place: NOW + PLACE_SECONDS}


def test_a_reset_link_works_until_the_second_in_which_it_expires(changes: Changes) -> None:
    assert changes.refused(changes.reset, now=NOW + 60) == "invalid_token"
    changes.reset(now=NOW + 59)
    assert changes.is_password(NEW)


def test_any_other_token_is_refused_and_recorded_for_the_user_if_there_is_one(
    changes: Changes,
) -> None:
    owner_id = changes.world.owner["id"]
    tokens = {
        LinkToken(changes.link.owner, "x" * 43).text: owner_id,
        LinkToken.new(new_id("usr", NOW)).text: "",
        f"x.{changes.link.secret}": "",
        "nonsense": "",
    }
    for token in tokens:
        assert changes.refused(changes.reset, token=token) == "invalid_token"
    events = [each for each in changes.world.events if each["event"] == "auth.password_reset"]
    assert [each["actor"] for each in events] == list(tokens.values())
    assert [each["org_id"] for each in events] == [changes.world.org_id, "", "", ""]
    assert {(each["outcome"], each["reason"]) for each in events} == {("failure", "invalid token")}


def test_a_user_who_requested_no_reset_is_refused(changes: Changes) -> None:
    del changes.world.owner["reset"]
    assert changes.refused(changes.reset) == "invalid_token"


def test_a_reset_is_answered_again_until_its_answer_is_acknowledged(changes: Changes) -> None:
    changes.world.stores.down.add("acknowledge")
    changes.reset()
    stored = changes.world.owner["password_hash"]
    assert changes.world.owner["reset_with"] == changes.link.hash
    assert changes.refused(changes.reset, "another password that is long") == "invalid_token"
    changes.world.stores.down.clear()
    changes.reset()
    assert changes.world.owner["password_hash"] == stored
    assert changes.mailed == ["password_changed"] * 2
    assert changes.refused(changes.reset) == "invalid_token"


@pytest.mark.parametrize("password", ["short", "imagelayerimagelayer", "solsticecoffeesolstice"])
def test_a_weak_password_is_refused_and_spends_nothing(changes: Changes, password: str) -> None:
    for act in (lambda: changes.reset(password), lambda: changes.change(new=password)):
        assert changes.refused(act) == "validation_failed"
    changes.reset()
    assert changes.is_password(NEW)


def test_a_password_is_set_where_the_organization_is_gone(changes: Changes) -> None:
    changes.world.stores.organizations.clear()
    changes.change()
    assert changes.is_password(NEW)


def test_a_newer_link_that_comes_first_makes_the_older_one_invalid(changes: Changes) -> None:
    def first() -> None:
        changes.world.owner["reset"] = {"token_hash": "f" * 64, "expires_at": NOW + 60}
        changes.world.owner["rev"] += 1

    changes.world.stores.first.append(first)
    assert changes.refused(changes.reset) == "invalid_token"
    assert changes.mailed == []


def test_a_change_sets_the_password_and_ends_the_other_sessions(changes: Changes) -> None:
    (calling,) = changes.world.stores.sessions
    changes.world.open_session(changes.world.owner)
    changes.change()
    assert changes.is_password(NEW)
    assert list(changes.world.stores.sessions) == [calling]
    assert "reset" not in changes.world.owner
    assert changes.world.told("auth.password_changed") == [("success", "")]
    assert changes.mailed == ["password_changed"]
    assert changes.world.limits.counted == changes.world.limits.reset == ["password-check"]


def test_a_wrong_current_password_is_counted_twice_and_refused(changes: Changes) -> None:
    """The new password is a guess too."""
    assert changes.refused(changes.change, "a wrong one") == "wrong_password"
    assert (changes.world.limits.counted, changes.world.limits.reset) == (
        ["password-check"] * 2,
        [],
    )
    assert changes.mailed == []


def test_a_change_whose_answer_was_lost_is_answered_again_and_changes_nothing(
    changes: Changes,
) -> None:
    changes.change()
    stored = changes.world.owner["password_hash"]
    changes.change()
    assert changes.world.owner["password_hash"] == stored
    assert changes.world.told("auth.password_changed")[-1] == ("success", "repeated")
    assert changes.mailed == ["password_changed"]
    assert changes.world.limits.reset == ["password-check"] * 2


def test_a_password_that_another_request_changed_first_is_a_conflict(changes: Changes) -> None:
    def first() -> None:
        changes.world.owner["password_hash"] = "another"
        changes.world.owner["rev"] += 1

    changes.world.stores.first.append(first)
    with pytest.raises(Problem) as refused:
        changes.change()
    assert refused.value.code == "conflict"
    assert changes.world.owner["password_hash"] == "another"
    assert changes.mailed == []


def test_another_change_of_the_user_does_not_stop_a_new_password(changes: Changes) -> None:
    changes.world.stores.first.append(lambda: changes.world.owner.update({"rev": 9}))
    changes.change()
    assert changes.is_password(NEW)
