"""What an access token's answer says of its user and organization."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.access_tokens import AccessTokens
from imagelayer.identity.tokens import ACCESS_SECONDS, signing_key
from imagelayer.platform.times import rfc3339
from tests.support.identity import NOW, World

KEY = signing_key("a" * 64)


@pytest.fixture
def world() -> World:
    return World()


class Published:
    """The store of public keys."""

    def __init__(self) -> None:
        self.keys: list[Any] = []

    def publish_key(self, jwk: Any) -> None:
        self.keys.append(jwk)


def access_tokens(world: World, published: Published | None = None) -> AccessTokens:
    stores, keys = cast("Any", world.stores), cast("Any", published)
    return AccessTokens(stores, keys, lambda: KEY, "https://imagelayer.example")


def test_user_and_organization_have_the_times_at_which_each_was_created(world: World) -> None:
    for organization in (None, world.stores.organizations[world.org_id]):
        shown = access_tokens(world).describe(world.owner, organization)
        assert shown["organization"] == {
            "id": world.org_id,
            "name": "Solstice Coffee",
            "created_at": rfc3339(NOW - 500),
        }
        assert shown["user"]["created_at"] == rfc3339(NOW - 100)


def test_a_user_whose_organization_is_gone_is_shown_all_the_same(world: World) -> None:
    world.stores.organizations.clear()
    assert access_tokens(world).describe(world.owner)["organization"] == {
        "id": world.org_id,
        "name": "",
        "created_at": rfc3339(NOW - 100),
    }


@pytest.mark.parametrize("must_enrol", [True, False])
def test_the_answer_says_whether_a_second_factor_must_be_set_up(
    world: World, must_enrol: bool
) -> None:
    session = world.open_session(world.owner, must_enrol=must_enrol)
    published = Published()
    answer = access_tokens(world, published).issue(world.owner, session, NOW)
    assert answer["second_factor_required"] is must_enrol
    assert answer["expires_in"] == ACCESS_SECONDS
    assert published.keys == [KEY.jwk]
