"""The form of API keys: a typing mistake is refused by arithmetic."""

from __future__ import annotations

import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.api_keys import checksum, hash_secret, is_well_formed, new_secret

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_the_checksum_is_githubs() -> None:
    """The npm token that GitHub published when it introduced the form."""
    published = "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"
    random_part, expected = published[4:-6], published[-6:]
    assert expected == "0LsakP"
    assert checksum(random_part) == expected


@given(st.text(BASE62, min_size=32, max_size=32))
def test_the_checksum_is_six_base62_digits_of_the_crc(random_part: str) -> None:
    digits = checksum(random_part)
    assert len(digits) == 6
    value = 0
    for digit in digits:
        value = value * 62 + BASE62.index(digit)
    assert value == zlib.crc32(random_part.encode())


@pytest.mark.parametrize("mode", ["live", "test"])
def test_new_secrets_have_the_form_that_scanners_look_for(mode: str) -> None:
    secret = new_secret("secret", "live" if mode == "live" else "test")
    assert re.fullmatch(rf"il_{mode}_[0-9A-Za-z]{{38}}", secret)
    assert is_well_formed(secret)


def test_new_secrets_differ() -> None:
    assert len({new_secret("secret", "live") for _ in range(200)}) == 200


@given(position=st.integers(8, 45), replacement=st.sampled_from(BASE62))
def test_one_mistyped_character_is_refused(position: int, replacement: str) -> None:
    secret = new_secret("secret", "live")
    mistyped = secret[:position] + replacement + secret[position + 1 :]
    assert is_well_formed(mistyped) == (mistyped == secret)


@given(position=st.integers(8, 44))
def test_two_swapped_characters_are_refused(position: int) -> None:
    secret = new_secret("secret", "test")
    swapped = secret[:position] + secret[position + 1] + secret[position] + secret[position + 2 :]
    assert is_well_formed(swapped) == (swapped == secret)


RANDOM_PART = "0123456789ABCDEFGHIJKLMNOPqrstuv"
SAMPLE = f"il_live_{RANDOM_PART}{checksum(RANDOM_PART)}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "il_",
        "il_live_",
        SAMPLE[:-1],
        SAMPLE + "0",
        SAMPLE + "\n",
        " " + SAMPLE,
        SAMPLE.replace("il_live_", "il_prod_"),
        SAMPLE.replace("il_live_", "IL_LIVE_"),
        SAMPLE.replace("il_live_", "il-live-"),
        SAMPLE[:20] + "é" + SAMPLE[21:],
        SAMPLE[:20] + "_" + SAMPLE[21:],
    ],
)
def test_what_has_another_form_is_refused(text: str) -> None:
    assert not is_well_formed(text)


@pytest.mark.promise("keys-hashed")
def test_what_is_kept_of_a_secret_is_its_sha256() -> None:
    assert hash_secret(SAMPLE) == hashlib.sha256(SAMPLE.encode()).hexdigest()
