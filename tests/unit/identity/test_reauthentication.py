"""The password that a logged-in user enters again before a sensitive change."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.reauthentication import Reauthentication
from imagelayer.platform.errors import Problem
from tests.support.identity import COST, NOW, ORIGIN, PASSWORD, PEPPERS, World


@pytest.fixture
def world() -> World:
    return World()


def reauthentication(world: World) -> Reauthentication:
    stores, limits = cast("Any", world.stores), cast("Any", world.limits)
    return Reauthentication(stores, limits, world.log, lambda _="": PEPPERS, COST)


def test_the_right_password_is_counted_and_then_forgotten(world: World) -> None:
    caller = world.principal(world.owner)
    user = reauthentication(world).check(caller, ORIGIN, NOW, PASSWORD)
    assert user["id"] == caller.actor
    assert world.limits.counted == world.limits.reset == ["password-check"]
    assert world.events == []


def test_a_wrong_password_is_counted_recorded_and_refused(world: World) -> None:
    with pytest.raises(Problem) as refused:
        reauthentication(world).check(world.principal(world.owner), ORIGIN, NOW, "a wrong one")
    assert refused.value.code == "wrong_password"
    assert world.told("auth.password_check") == [("failure", "wrong password")]
    assert (world.limits.counted, world.limits.reset) == (["password-check"], [])


def test_a_caller_who_was_removed_must_log_in_again(world: World) -> None:
    caller = world.principal(world.owner)
    world.stores.users.clear()
    with pytest.raises(Problem) as refused:
        reauthentication(world).check(caller, ORIGIN, NOW, PASSWORD)
    assert refused.value.code == "unauthenticated"
