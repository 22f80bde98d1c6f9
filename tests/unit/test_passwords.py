"""Passwords: compared exactly as typed, kept as bcrypt over a keyed digest, never truncated."""

from __future__ import annotations

import re
import unicodedata

import bcrypt
import pytest

from imagelayer.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    Peppers,
    broken_rule,
    hash_password,
    verify_password,
)

COST = 4
PEPPERS = Peppers.of("pepper-one")
PHRASE = "correct horse battery staple"


def verify(password: str, stored: str | None, peppers: Peppers = PEPPERS) -> bool:
    return verify_password(password, stored, peppers, cost=COST)


@pytest.mark.promise("passwords-bcrypt")
def test_what_is_stored_is_bcrypt_with_the_peppers_id() -> None:
    stored = hash_password(PHRASE, PEPPERS, cost=COST)
    assert re.fullmatch(r"[0-9a-f]{8}\$2b\$04\$[./A-Za-z0-9]{53}", stored)
    assert "pepper" not in stored
    assert PHRASE not in stored
    assert verify(PHRASE, stored)
    assert not verify(PHRASE + " ", stored)
    assert not verify(PHRASE.upper(), stored)


@pytest.mark.promise("passwords-bcrypt")
def test_the_same_password_is_stored_differently_each_time() -> None:
    assert hash_password(PHRASE, PEPPERS, cost=COST) != hash_password(PHRASE, PEPPERS, cost=COST)


@pytest.mark.promise("passwords-bcrypt")
@pytest.mark.parametrize("length", [71, 72, 73, 100, 128])
def test_every_byte_counts_around_and_past_bcrypts_72(length: int) -> None:
    password = "a" * (length - 1) + "b"
    stored = hash_password(password, PEPPERS, cost=COST)
    assert verify(password, stored)
    assert not verify("a" * (length - 1) + "c", stored)
    assert not verify(password + "d", stored)
    assert not verify(password[:-1], stored)


def test_multi_byte_characters_past_72_bytes_count() -> None:
    password = "🔑" * 60
    stored = hash_password(password + "x", PEPPERS, cost=COST)
    assert verify(password + "x", stored)
    assert not verify(password + "y", stored)


def test_a_nul_does_not_end_a_password() -> None:
    stored = hash_password("fifteen or more\x00one", PEPPERS, cost=COST)
    assert not verify("fifteen or more\x00two", stored)
    assert not verify("fifteen or more", stored)


def test_two_spellings_of_one_character_are_one_password() -> None:
    composed, decomposed = (
        "café au lait demain",
        unicodedata.normalize("NFD", "café au lait demain"),
    )
    assert composed != decomposed
    assert verify(decomposed, hash_password(composed, PEPPERS, cost=COST))


def test_compatibility_characters_stay_what_they_are() -> None:
    assert not verify(
        "office ﬁle cabinet".replace("ﬁ", "fi"),
        hash_password("office ﬁle cabinet", PEPPERS, cost=COST),
    )


def test_a_lone_surrogate_is_a_wrong_password_and_no_crash() -> None:
    assert not verify("\ud800 and more text", hash_password(PHRASE, PEPPERS, cost=COST))


@pytest.mark.promise("passwords-bcrypt")
def test_a_stolen_table_without_the_pepper_verifies_nothing() -> None:
    stored = hash_password(PHRASE, PEPPERS, cost=COST)
    assert not verify(PHRASE, stored, Peppers.of("another-pepper"))
    bare = "$" + stored.partition("$")[2]
    assert not bcrypt.checkpw(PHRASE.encode(), bare.encode())


def test_an_old_pepper_still_verifies_and_new_hashes_use_the_new_one() -> None:
    old = hash_password(PHRASE, PEPPERS, cost=COST)
    rotated = Peppers.of("pepper-two", "pepper-one")
    assert verify(PHRASE, old, rotated)
    assert not hash_password(PHRASE, rotated, cost=COST).startswith(PEPPERS.current)


def test_an_unknown_account_costs_one_bcrypt_of_the_same_strength(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    costs: list[int] = []
    real = bcrypt.hashpw

    def counted(password: bytes, salt: bytes) -> bytes:
        costs.append(int(salt.split(b"$")[2]))
        return real(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counted)
    assert not verify_password(PHRASE, None, PEPPERS, cost=5)
    assert costs == [5]


@pytest.mark.parametrize(
    ("password", "allowed"),
    [
        ("x1y2z3w4v5u6t7", False),  # 14
        ("x1y2z3w4v5u6t7s", True),  # 15
        ("0" * 14, False),
        ("a" * 40, False),
        ("abababababababababab", False),
        ("a1b2c3d4e5f6g7h8" * 8, True),  # 128
        ("a1b2c3d4e5f6g7h8" * 8 + "x", False),  # 129
        ("just lower case words", True),  # no composition rules
        ("ünïcödé pässwörd ø", True),
        (unicodedata.normalize("NFD", "éàüöïéàüöïéàüö"), False),  # 14 after NFC, 28 before
        ("      spaces are characters      ", True),
        ("imagelayerimagelayer", False),
        ("ImageLayer12345", False),
        ("adalovelace1234", False),  # the person's name and little else
        ("example.com1234567", False),  # the address's domain and little else
        ("ada walked to the harbour", True),  # a short context word in a long phrase
    ],
)
def test_the_rules(password: str, allowed: bool) -> None:
    context = ["ada", "lovelace", "adalovelace", "example.com"]
    assert (broken_rule(password, context) is None) == allowed


@pytest.mark.parametrize(
    "password",
    [
        "123456789012345",
        "passwordpassword",
        "qwertyuiopasdfgh",
        "Password12345678",
        "abcdefghijklmno",
    ],
)
def test_common_passwords_of_lawful_length_are_refused(password: str) -> None:
    assert broken_rule(password, []) is not None


def test_the_limits_are_nists() -> None:
    assert (MIN_LENGTH, MAX_LENGTH >= 64) == (15, True)


def test_peppers_show_no_key() -> None:
    assert "pepper-one" not in repr(PEPPERS)
