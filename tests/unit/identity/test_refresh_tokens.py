"""Refresh tokens: read back as they were made, and nothing else is one."""

from __future__ import annotations

from copy import replace

import pytest

from imagelayer.identity.refresh_tokens import RefreshToken
from imagelayer.platform.ids import new_id

NOW = 1_800_000_000
TOKEN = RefreshToken.new(new_id("usr", NOW), new_id("ses", NOW))
USER, SESSION = (each.partition("_")[2] for each in (TOKEN.user_id, TOKEN.session_id))


def test_a_token_is_read_back_as_it_was_made() -> None:
    assert RefreshToken.parse(TOKEN.text) == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"{USER}-{SESSION}",
        f"{USER}-{SESSION}.family",
        f"{USER}-{SESSION}.family.secret.more",
        f"{USER}-{SESSION}..secret",
        f"{USER}-{SESSION}.family.",
        f"x-{SESSION}.family.secret",
        f"{USER}-x.family.secret",
        f"{USER}.family.secret",
    ],
    ids=[
        "empty",
        "nonsense",
        "one part",
        "two parts",
        "four parts",
        "no family",
        "no secret",
        "no user",
        "another form of session",
        "no session",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    assert RefreshToken.parse(text) is None


def test_a_successor_is_of_the_same_family_and_drawn_from_token_and_chain_key() -> None:
    successor = TOKEN.successor("a")
    assert successor == TOKEN.successor("a")
    assert successor.is_of_family(TOKEN.family_hash)
    others = [TOKEN.successor("b"), replace(TOKEN, secret="x").successor("a"), TOKEN]
    assert len({each.hash for each in (successor, *others)}) == 4
