"""Passwords: compared exactly as typed, kept as bcrypt over a keyed digest, never truncated."""

from __future__ import annotations

import re
import unicodedata

import bcrypt
import pytest

from imagelayer.identity.passwords import (
    MAX_LENGTH,
    MIN_LENGTH,
    Peppers,
    _common_passwords,
    broken_rule,
    common_digest,
    hash_password,
    is_outdated,
    pepper_of,
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


@pytest.mark.promise("passwords-bcrypt")
@pytest.mark.parametrize("stored", [None, "", "nonsense", "0123abcd$2b$04$" + "x" * 53])
def test_whatever_stands_in_place_of_a_hash_verifies_nothing_and_costs_the_same(
    stored: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pepper is gone, or it never was a hash."""
    costs: list[int] = []
    real = bcrypt.hashpw

    def counted(password: bytes, salt: bytes) -> bytes:
        costs.append(int(salt.split(b"$")[2]))
        return real(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counted)
    assert not verify(PHRASE, stored)
    assert costs == [COST]


@pytest.mark.parametrize(
    ("peppers", "cost", "outdated"),
    [
        (PEPPERS, COST, False),
        (PEPPERS, COST - 1, False),
        (PEPPERS, COST + 1, True),
        (Peppers.of("pepper-two", "pepper-one"), COST, True),
        (Peppers.of("pepper-one", "pepper-zero"), COST, False),
        (Peppers.of("pepper-two"), COST, True),
    ],
    ids=["as it is", "lower cost", "higher cost", "new pepper", "older peppers", "pepper gone"],
)
def test_a_hash_is_outdated_by_a_new_pepper_or_a_higher_cost(
    peppers: Peppers, cost: int, outdated: bool
) -> None:
    stored = hash_password(PHRASE, PEPPERS, cost=COST)
    assert is_outdated(stored, peppers, cost=cost) == outdated


@pytest.mark.parametrize("bit", [0, 7, 64, 120, 127])
def test_every_bit_of_a_salt_counts(bit: int) -> None:
    one = bytes(16)
    other = (1 << (127 - bit)).to_bytes(16)
    hashes = {
        hash_password(PHRASE, PEPPERS, cost=COST, random=lambda _, salt=salt: salt)  # type: ignore[misc]
        for salt in (one, other)
    }
    assert len({each[15:37] for each in hashes}) == 2
    assert all(verify(PHRASE, each) for each in hashes)


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
        ("Ada@Example.com1", False),  # the address and little else
        ("\u0000" * 5 + "x1y2z3w4v5", True),  # any character may stand in one
        ("ada walked to the harbour", True),  # a short context word in a long phrase
    ],
)
def test_the_rules(password: str, allowed: bool) -> None:
    context = ["ada@example.com", "ada", "lovelace", "adalovelace", "example.com"]
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


@pytest.mark.parametrize(
    "password",
    ["passwordpassword", "123456789987654321", "PasswordPassword", "1QAZ2wsx3edc4rfv"],
)
def test_the_most_common_passwords_of_lawful_length_are_on_a_list(password: str) -> None:
    """ASVS 5.0 6.2.4 requires the 3,000 most common ones that the rules would allow."""
    assert broken_rule(password, []) == "is among the most common passwords"
    assert len(_common_passwords()) > 9000


def test_a_password_that_is_nearly_a_common_one_is_not_on_the_list() -> None:
    assert common_digest("passwordpassword") in _common_passwords()
    assert common_digest("passwordpassword?") not in _common_passwords()


def test_the_limits_are_nists() -> None:
    assert (MIN_LENGTH, MAX_LENGTH >= 64) == (15, True)


def test_peppers_show_no_key() -> None:
    assert "pepper-one" not in repr(PEPPERS)


def test_a_password_of_exactly_the_least_length_is_allowed() -> None:
    assert broken_rule("x1y2z3w4v5u6t7s", []) is None
    assert "15" in (broken_rule("x1y2z3w4v5u6t7", []) or "")


def test_a_hash_names_its_pepper_and_what_is_none_names_none() -> None:
    assert pepper_of(hash_password(PHRASE, PEPPERS, cost=COST)) == PEPPERS.current
    assert (pepper_of(""), pepper_of(None)) == ("", "")
