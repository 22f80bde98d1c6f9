"""Identifiers sort by time and have one shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.platform.ids import PREFIXES, is_id, new_id

MILLISECONDS = st.integers(0, 2**48 - 1)


@given(
    earlier=MILLISECONDS,
    later=MILLISECONDS,
    random=st.tuples(*[st.binary(min_size=10, max_size=10)] * 2),
)
def test_ids_sort_by_creation_whatever_the_random_part(
    earlier: int, later: int, random: tuple[bytes, bytes]
) -> None:
    first = new_id("gen", earlier / 1000, lambda _: random[0])
    second = new_id("gen", later / 1000, lambda _: random[1])
    if int(earlier / 1000 * 1000) < int(later / 1000 * 1000):
        assert first < second


def test_the_body_is_the_ulid_of_the_specification() -> None:
    """The timestamp of the ULID specification's example, 1469918176385 -> 01ARYZ6S41."""
    made = new_id("key", 1469918176.385, bytes)
    assert made == "key_" + "01ARYZ6S41".lower() + "0" * 16


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_id_is_one_of_its_own_kind_only(prefix: str) -> None:
    made = new_id(prefix, 1_800_000_000)
    assert is_id(prefix, made)
    assert [other for other in PREFIXES if is_id(other, made)] == [prefix]


def test_new_ids_of_one_moment_differ() -> None:
    assert len({new_id("ast", 1_800_000_000) for _ in range(500)}) == 500


VALID = new_id("brd", 1_800_000_000, bytes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "brd_",
        VALID[:-1],
        VALID + "0",
        VALID + "\n",
        VALID.upper(),
        VALID.replace("brd_", "brd-"),
        VALID[:-1] + "u",  # not in Crockford's alphabet
        VALID[:-1] + "#",
        "BRD_" + VALID[4:],
        "../" + VALID,
    ],
)
def test_what_has_another_shape_is_not_an_id(text: str) -> None:
    assert not is_id("brd", text)
