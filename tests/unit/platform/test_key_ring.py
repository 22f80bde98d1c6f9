"""Rings of keys that rotate."""

from __future__ import annotations

from typing import Any, cast

from imagelayer.identity.passwords import Peppers
from imagelayer.platform.key_ring import StoredKeyRing
from imagelayer.platform.secrets import SecretStore
from imagelayer.webhooks.signing import RootKeys


class Secrets:
    """A secret that was rotated since this process read it."""

    def __init__(self) -> None:
        self.read_afresh = 0

    def read(self, _secret_id: str, *, fresh: bool = False) -> dict[str, Any]:
        if not fresh:
            return {"current": "old"}
        self.read_afresh += 1
        return {"current": "new", "previous": ["old"]}


def test_an_unknown_key_makes_the_ring_be_read_again() -> None:
    secrets = Secrets()
    source = StoredKeyRing(Peppers, cast("SecretStore", secrets), "secret")
    new = Peppers.of("new").current

    assert new not in source().keys
    assert source(new).keys[new] == b"new"
    assert secrets.read_afresh == 1


def test_a_known_key_is_not_read_again() -> None:
    secrets = Secrets()
    source = StoredKeyRing(Peppers, cast("SecretStore", secrets), "secret")
    old = Peppers.of("old").current

    assert source(old).current == old
    assert secrets.read_afresh == 0


def test_the_same_text_has_another_id_on_another_ring() -> None:
    assert Peppers.of("text").current != RootKeys.of("text").current
