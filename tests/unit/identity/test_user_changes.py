"""Changes of a user: decided on the user as they are, and all or nothing."""

from __future__ import annotations

from typing import cast

import pytest

from imagelayer.identity.records import User
from imagelayer.identity.user_changes import ATTEMPTS, Change
from imagelayer.platform.errors import Problem
from imagelayer.platform.table import StoreUnavailable
from tests.support.identity import World

NOTHING: Change = ({}, (), ())


@pytest.fixture
def world() -> World:
    return World()


def test_a_user_who_is_gone_must_log_in_again(world: World) -> None:
    with pytest.raises(Problem) as refused:
        world.user_changes.change("usr_gone", lambda _: pytest.fail("decided without a user"))
    assert refused.value.code == "unauthenticated"


def test_a_change_ends_every_session_but_the_kept_one(world: World) -> None:
    kept = world.open_session(world.owner)
    world.open_session(world.owner)
    world.user_changes.change(world.owner["id"], lambda _: NOTHING, keep=kept["id"])
    assert list(world.stores.sessions) == [kept["id"]]


def test_a_change_that_ends_nothing_leaves_all_sessions(world: World) -> None:
    before = dict(world.stores.sessions)
    world.user_changes.change(world.owner["id"], lambda _: NOTHING, end=False)
    assert world.stores.sessions == before


def test_a_change_that_comes_second_is_decided_on_the_user_as_they_are_then(world: World) -> None:
    user_id = world.owner["id"]
    seen: list[int] = []

    def decide(user: User) -> tuple[dict[str, str], tuple[()], tuple[()]]:
        seen.append(user["rev"])
        return {"name": f"after {user['rev']}"}, (), ()

    world.stores.first.append(lambda: world.stores.users[user_id].update({"rev": 5}))
    decided_on = world.user_changes.change(user_id, decide)
    assert seen == [0, 5]
    assert decided_on["rev"] == 5
    assert world.stores.users[user_id]["name"] == "after 5"
    assert len(world.pauses) == 1


def test_a_user_who_is_always_changed_first_is_unavailable(world: World) -> None:
    user_id = world.owner["id"]

    def overtake() -> None:
        cast("dict[str, int]", world.stores.users[user_id])["rev"] += 1

    world.stores.first += [overtake] * ATTEMPTS
    with pytest.raises(StoreUnavailable):
        world.user_changes.change(user_id, lambda _: ({"name": "never"}, (), ()))
    assert world.stores.users[user_id]["name"] == "owner"
    assert len(world.pauses) == ATTEMPTS
    assert len(world.stores.sessions) == 1
