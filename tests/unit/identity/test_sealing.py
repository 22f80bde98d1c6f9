"""What is sealed opens for its purpose and its owner, with the pepper, and not otherwise."""

from __future__ import annotations

import base64

import pytest

from imagelayer.identity.passwords import Peppers
from imagelayer.identity.sealing import NONCE_BYTES, Unreadable, seal, unseal

PEPPERS = Peppers.of("pepper-one")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OWNER = "usr_01m85g9mspnb132tnphwa9cytt"
SEALED = seal(SECRET, "totp", OWNER, PEPPERS)


def repacked(change: object) -> str:
    """The sealed text with its bytes changed."""
    assert callable(change)
    pepper_id, _, encoded = SEALED.partition(".")
    return f"{pepper_id}.{base64.b64encode(change(base64.b64decode(encoded))).decode()}"


@pytest.mark.parametrize("text", [SECRET, "", "ünïcödé 🔑", "x" * 10_000])
def test_what_was_sealed_opens_again(text: str) -> None:
    assert unseal(seal(text, "totp", OWNER, PEPPERS), "totp", OWNER, PEPPERS) == text


@pytest.mark.promise("keys-hashed")
def test_what_is_sealed_shows_neither_the_text_nor_the_key() -> None:
    raw = base64.b64decode(SEALED.partition(".")[2])
    assert SECRET not in SEALED
    assert SECRET.encode() not in raw
    assert b"pepper" not in raw
    assert "pepper-one" not in SEALED


def test_one_text_is_sealed_differently_each_time() -> None:
    """A nonce that came twice would give both texts away."""
    nonces = {
        base64.b64decode(seal(SECRET, "totp", OWNER, PEPPERS).partition(".")[2])[:NONCE_BYTES]
        for _ in range(200)
    }
    assert len(nonces) == 200
    assert NONCE_BYTES == 12


@pytest.mark.parametrize(
    ("purpose", "owner", "peppers"),
    [
        ("totp", "usr_01m85g9mspnb132tnphwa9cytx", PEPPERS),
        ("totp", "", PEPPERS),
        ("another", OWNER, PEPPERS),
        ("", OWNER, PEPPERS),
        ("totp", OWNER, Peppers.of("pepper-two")),
        ("totp", OWNER, Peppers(PEPPERS.current, {PEPPERS.current: b"another key"})),
    ],
    ids=[
        "another owner",
        "no owner",
        "another purpose",
        "no purpose",
        "pepper gone",
        "another key under the same name",
    ],
)
def test_it_opens_for_no_one_else_and_nothing_else(
    purpose: str, owner: str, peppers: Peppers
) -> None:
    with pytest.raises(Unreadable):
        unseal(SEALED, purpose, owner, peppers)


@pytest.mark.parametrize("at", [0, 11, 12, 20, -17, -16, -1])
def test_a_changed_bit_anywhere_is_noticed(at: int) -> None:
    def flip(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[at] ^= 1
        return bytes(changed)

    with pytest.raises(Unreadable):
        unseal(repacked(flip), "totp", OWNER, PEPPERS)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        ".",
        SEALED.partition(".")[2],
        SEALED.partition(".")[0],
        SEALED.partition(".")[0] + ".",
        SEALED.partition(".")[0] + ".!!!",
        SEALED.partition(".")[0] + ".A",
        SEALED.partition(".")[0] + ".ünïcödé",
        SEALED[:-4],
        SEALED + "AAAA",
        repacked(lambda data: data[:4]),
        repacked(lambda data: data[:NONCE_BYTES]),
        repacked(lambda data: data[:20]),
        repacked(lambda data: data[:-1]),
        repacked(lambda data: data + b"\x00"),
        repacked(lambda data: b"\x00" + data),
        SECRET,
    ],
    ids=lambda sealed: f"{len(sealed)} characters",
)
def test_what_was_not_sealed_by_us_is_unreadable_and_nothing_worse(sealed: str) -> None:
    with pytest.raises(Unreadable):
        unseal(sealed, "totp", OWNER, PEPPERS)


def test_an_old_pepper_still_opens_and_a_new_one_seals() -> None:
    rotated = Peppers.of("pepper-two", "pepper-one")
    assert unseal(SEALED, "totp", OWNER, rotated) == SECRET
    again = seal(SECRET, "totp", OWNER, rotated)
    assert again.partition(".")[0] == rotated.current != PEPPERS.current
    assert unseal(again, "totp", OWNER, Peppers.of("pepper-two")) == SECRET


def test_a_sealing_key_is_not_the_key_of_passwords() -> None:
    """One key has one use: the pepper keys HMAC for passwords, and only derives here."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    pepper = Peppers.of("p" * 32)
    sealed = base64.b64decode(seal(SECRET, "totp", OWNER, pepper).partition(".")[2])
    with pytest.raises(InvalidTag):
        AESGCM(b"p" * 32).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], OWNER.encode())
