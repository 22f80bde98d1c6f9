"""The tokens of mailed links: whose, 256 random bits, and never kept as they are."""

from __future__ import annotations

import hashlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.identity.link_tokens import LinkToken
from imagelayer.platform.ids import new_id

NOW = time.time()
USER = new_id("usr", NOW)
ORG, INVITATION = new_id("org", NOW), new_id("inv", NOW)


def test_a_token_is_read_back_as_it_was_made() -> None:
    one = LinkToken.new(USER)
    assert LinkToken.parse(one.text, "usr") == one
    two = LinkToken.new(ORG, INVITATION)
    assert LinkToken.parse(two.text, "org", "inv") == two


def test_what_stands_in_a_link_needs_no_escaping() -> None:
    text = LinkToken.new(ORG, INVITATION).text
    assert re.fullmatch(r"[0-9a-z]{26}\.[0-9a-z]{26}\.[A-Za-z0-9_-]{43}", text)


@pytest.mark.promise("keys-hashed")
def test_what_is_kept_is_a_hash_of_256_random_bits() -> None:
    tokens = [LinkToken.new(USER) for _ in range(100)]
    assert len({each.secret for each in tokens}) == 100
    for each in tokens:
        assert len(each.secret) == 43
        assert each.hash == hashlib.sha256(each.secret.encode()).hexdigest()
        assert each.secret not in each.hash


@pytest.mark.parametrize(
    "kept",
    [None, "", 0, True, b"", [], {}, "x" * 64],
    ids=["missing", "empty", "number", "boolean", "bytes", "list", "map", "another"],
)
def test_it_is_kept_as_its_own_hash_and_as_nothing_else(kept: object) -> None:
    token = LinkToken.new(USER)
    assert token.is_kept_as(token.hash)
    assert not token.is_kept_as(kept)
    assert not token.is_kept_as(token.secret)
    assert not token.is_kept_as(token.hash.upper())
    assert not token.is_kept_as(LinkToken.new(USER).hash)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "...", "a.b.c.d"])
def test_a_token_with_other_parts_is_none(text: str) -> None:
    assert LinkToken.parse(text, "usr") is None


def test_a_token_of_one_kind_is_none_of_another() -> None:
    assert LinkToken.parse(LinkToken.new(USER).text, "org", "inv") is None
    assert LinkToken.parse(LinkToken.new(ORG, INVITATION).text, "usr") is None


@given(st.text(max_size=300))
def test_no_text_makes_reading_fail(text: str) -> None:
    for prefixes in (("usr",), ("org", "inv")):
        token = LinkToken.parse(text, *prefixes)
        assert token is None or not token.is_kept_as("0" * 64)


def test_a_token_does_not_show_its_secret() -> None:
    token = LinkToken.new(USER)
    assert token.secret not in repr(token)
