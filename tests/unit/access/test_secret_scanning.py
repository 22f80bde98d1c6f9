"""The keys that sign reports of leaked keys: which are believed, how often they are asked for."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from imagelayer.access.leaked_keys import is_signed, known_keys
from imagelayer.access.secret_scanning import (
    ASK_AGAIN_SECONDS,
    KEEP_SECONDS,
    MAX_BYTES,
    PAUSE_SECONDS,
    ScannerKeys,
)
from imagelayer.platform.table import StoreUnavailable

URL = "https://keys.example/secret_scanning"


@dataclass
class Answer:
    """What urllib3 hands back, read bit by bit."""

    status: int
    body: bytes
    released: bool = False

    def read(self, most: int) -> bytes:
        return self.body[:most]

    def release_conn(self) -> None:
        self.released = True


@dataclass
class GitHub:
    """Stands in for the connection pool: answers with the keys of these identifiers."""

    identifiers: list[str]
    instead: Exception | Answer | None = None
    options: list[dict[str, Any]] = field(default_factory=list)

    def request(self, method: str, url: str, **options: Any) -> Answer:
        assert (method, url) == ("GET", URL)
        self.options.append(options)
        if isinstance(self.instead, Exception):
            raise self.instead
        listed = [{"key_identifier": each, "key": f"PEM of {each}"} for each in self.identifiers]
        return self.instead or Answer(200, json.dumps({"public_keys": listed}).encode())


@dataclass
class Process:
    """A warm process and its clock."""

    github: GitHub
    now: float = 1_800_000_000.0

    def __post_init__(self) -> None:
        http = cast("urllib3.PoolManager", self.github)
        self.keys = ScannerKeys(http, URL, lambda: self.now)

    def find(self, identifier: str, after: float = 0) -> str | None:
        self.now += after
        return self.keys.find(identifier)

    @property
    def asked(self) -> int:
        return len(self.github.options)


def test_the_list_is_asked_for_once_and_kept_for_half_an_hour() -> None:
    process = Process(GitHub(["a", "b"]))
    assert [process.find(each) for each in ("a", "b", "a")] == ["PEM of a", "PEM of b", "PEM of a"]
    assert process.find("a", after=KEEP_SECONDS) == "PEM of a"
    assert process.asked == 1
    process.github.identifiers = ["b"]  # a was withdrawn
    assert process.find("a", after=1) is None
    assert process.asked == 2
    assert KEEP_SECONDS == 1800


def test_a_key_that_is_not_known_is_asked_for_at_most_once_a_minute() -> None:
    process = Process(GitHub(["a"]))
    assert [process.find(each) for each in ("x", "y", "", "x")] == [None] * 4
    assert process.find("new", after=ASK_AGAIN_SECONDS) is None
    assert process.asked == 1
    process.github.identifiers = ["a", "new"]
    assert process.find("new", after=1) == "PEM of new"
    assert [process.find(each) for each in ("x", "a", "new")] == [None, "PEM of a", "PEM of new"]
    assert process.asked == 2
    assert ASK_AGAIN_SECONDS == 60


@pytest.mark.parametrize(
    "instead",
    [
        urllib3.exceptions.ConnectTimeoutError(),
        urllib3.exceptions.MaxRetryError(None, URL),  # type: ignore[arg-type]
        Answer(500, b"{}"),
        Answer(302, b""),
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b'{"public_keys": [{"key": "no identifier"}]}'),
        Answer(200, b'{"public_keys": [' + b" " * MAX_BYTES + b"]}"),
    ],
)
def test_a_list_that_cannot_be_read_is_not_a_list_and_is_not_asked_for_by_every_report(
    instead: Exception | Answer,
) -> None:
    process = Process(GitHub(["a"], instead))
    for after in (0, 0, PAUSE_SECONDS - 1):
        with pytest.raises(StoreUnavailable):
            process.find("a", after=after)
    assert process.asked == 1
    if isinstance(instead, Answer):
        assert instead.released
    process.github.instead = None
    assert process.find("a", after=1) == "PEM of a"
    # What was kept is good while GitHub does not answer, and no longer than it is kept for.
    process.github.instead = instead
    assert process.find("a", after=KEEP_SECONDS) == "PEM of a"
    with pytest.raises(StoreUnavailable):
        process.find("a", after=1)


def test_the_call_is_short_follows_nothing_and_sends_nothing_about_us() -> None:
    process = Process(GitHub(["a"]))
    process.find("a")
    (options,) = process.github.options
    assert options["timeout"].total == 4.0
    assert (options["retries"], options["redirect"]) == (False, False)
    assert options["headers"] == {"Accept": "application/json", "User-Agent": "imagelayer"}


@pytest.mark.parametrize(
    "document", [None, [], "x", {}, {"public_keys": None}, {"public_keys": ["x"]}]
)
def test_what_is_not_a_list_of_keys_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="not a list of public keys"):
        known_keys(document)


BODY = b'[{"token": "il_live_x"}]'
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    return str(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )


def signature(key: ec.EllipticCurvePrivateKey = KEY, body: bytes = BODY) -> str:
    return base64.b64encode(key.sign(body, ec.ECDSA(SHA256()))).decode()


def test_a_signature_of_these_bytes_by_this_key_is_one() -> None:
    assert is_signed(BODY, signature(), pem(KEY))


WRONG: dict[str, Callable[[], bool]] = {
    "another body": lambda: is_signed(BODY + b" ", signature(), pem(KEY)),
    "no body": lambda: is_signed(b"", signature(), pem(KEY)),
    "another key": lambda: is_signed(
        BODY, signature(), pem(ec.generate_private_key(ec.SECP256R1()))
    ),
    "another hash": lambda: is_signed(
        BODY, base64.b64encode(KEY.sign(BODY, ec.ECDSA(SHA384()))).decode(), pem(KEY)
    ),
    "another kind of key": lambda: is_signed(
        BODY, signature(), pem(ed25519.Ed25519PrivateKey.generate())
    ),
    "no key": lambda: is_signed(BODY, signature(), "no key"),
    "nothing": lambda: is_signed(BODY, "", pem(KEY)),
    "no base64": lambda: is_signed(BODY, "é" + signature(), pem(KEY)),
    "loose base64": lambda: is_signed(BODY, signature() + "\n", pem(KEY)),
    "no DER": lambda: is_signed(BODY, base64.b64encode(b"0" * 70).decode(), pem(KEY)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_not_a_signature(wrong: str) -> None:
    assert WRONG[wrong]() is False
