"""The form of API keys: a typing mistake is refused by arithmetic."""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.access.key_networks import allows
from imagelayer.access.key_secrets import (
    checksum,
    drawn_from,
    hash_secret,
    is_well_formed,
    new_secret,
)
from imagelayer.access.scopes import KeyKind
from imagelayer.platform.principals import Mode

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


@pytest.mark.parametrize(
    ("kind", "mode", "prefix"),
    [
        ("secret", "live", "il_live_"),
        ("secret", "test", "il_test_"),
        ("publishable", "live", "il_pub_"),
        ("publishable", "test", "il_pub_"),
    ],
)
def test_new_keys_have_the_form_that_scanners_look_for(
    kind: KeyKind, mode: Mode, prefix: str
) -> None:
    secret = new_secret(kind, mode)
    assert re.fullmatch(rf"{prefix}[0-9A-Za-z]{{38}}", secret)
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


SERVER, NONCE, CALLERS = b"a secret of the server", "a nonce", "a key of the caller"


def digits(below: int = 62, count: int = 2000, **changes: Any) -> list[int]:
    """Draws from the three inputs, some of them others."""
    inputs = {"server_secret": SERVER, "nonce": NONCE, "idempotency_key": CALLERS, **changes}
    draw = drawn_from(**inputs)
    return [draw(below) for _ in range(count)]


@pytest.mark.promise("keys-hashed")
def test_a_key_is_drawn_again_from_all_three_inputs_and_from_no_two_of_them() -> None:
    assert digits() == digits()
    others = [
        digits(server_secret=b"another secret"),
        digits(nonce="another nonce"),
        digits(idempotency_key="another key"),
        # What is moved from one input to the next is not the same.
        digits(nonce="a nonce\x000\x00a", idempotency_key=" key of the caller"),
    ]
    for number, other in enumerate(others):
        assert other not in [digits(), *others[:number]]
    first, again = (new_secret("secret", "live", drawn_from(SERVER, NONCE, CALLERS)) for _ in "12")
    assert first == again
    assert is_well_formed(first)


@pytest.mark.promise("keys-hashed")
def test_every_digit_is_as_likely_as_any_other() -> None:
    """HMAC-SHA-256 in counter mode, less the bytes that would make the first digits likelier."""
    stream = b"".join(
        hmac.digest(SERVER, f"{NONCE}\x00{counter}\x00{CALLERS}".encode(), "sha256")
        for counter in range(80)
    )
    assert max(stream) >= 248
    assert [248 % 62, 256 % 62] == [0, 8]
    kept = (byte % 62 for byte in stream if byte < 248)
    assert digits() == list(islice(kept, 2000))
    assert set(digits()) == set(range(62))
    assert digits(below=256, count=1000) == list(stream[:1000])  # nothing to leave out


@pytest.mark.parametrize(
    ("cidrs", "ip", "allowed"),
    [
        (None, "198.51.100.7", True),
        ([], "unknown", True),
        (["198.51.100.0/24"], "198.51.100.0", True),
        (["198.51.100.0/24"], "198.51.100.255", True),
        (["198.51.100.0/24"], "198.51.101.0", False),
        (["198.51.100.0/24"], "198.51.99.255", False),
        (["198.51.100.7/32"], "198.51.100.7", True),
        (["198.51.100.7/32"], "198.51.100.8", False),
        (["203.0.113.0/24", "198.51.100.7/32"], "198.51.100.7", True),
        (["0.0.0.0/0"], "198.51.100.7", True),
        (["2001:db8:1:2::/64"], "2001:db8:1:2::/64", True),
        (["2001:db8:1:2::/64"], "2001:db8:1:3::/64", False),
        (["2001:db8:1::/48"], "2001:db8:1:ffff::/64", True),
        (["2001:db8:1::/48"], "2001:db8:2::/64", False),
        (["2001:db8:1:2::/63"], "2001:db8:1:3::/64", True),
        (["::/0"], "2001:db8:1:2::/64", True),
        # No family holds addresses of the other, however wide.
        (["0.0.0.0/0"], "2001:db8::/64", False),
        (["::/0"], "198.51.100.7", False),
        (["::/0", "198.51.100.0/24"], "198.51.100.7", True),
        # Where the caller's address is not known.
        (["0.0.0.0/0", "::/0"], "unknown", False),
    ],
)
def test_an_address_is_inside_a_network_or_it_is_not(
    cidrs: list[str] | None, ip: str, allowed: bool
) -> None:
    assert allows({} if cidrs is None else {"cidrs": cidrs}, ip) is allowed
