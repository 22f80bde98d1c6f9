"""Where someone comes from: in our own words, and in a form that tells nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.http.user_agent import describe
from imagelayer.identity.places import network, place_id

USER = "usr_01m85g9mspnb132tnphwa9cytt"
MOZILLA = "Mozilla/5.0"
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "(Windows NT 10.0; Win64; x64)"
IOS = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            f"{MOZILLA} (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (f"{MOZILLA} {WINDOWS} {KHTML} Chrome/138.0.0.0 Safari/537.36", "Chrome on Windows"),
        (
            f"{MOZILLA} {WINDOWS} {KHTML} Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
            "Edge on Windows",
        ),
        (
            f"{MOZILLA} {WINDOWS} {KHTML} Chrome/138.0.0.0 Safari/537.36 OPR/124.0.0.0",
            "Opera on Windows",
        ),
        (
            f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) {IOS} Version/18.5 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IOS} Version/18.5 "
            "Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"{MOZILLA} (iPhone; CPU iPhone OS 18_5 like Mac OS X) {IOS} CriOS/138.0 "
            "Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            f"{MOZILLA} (iPad; CPU OS 18_5 like Mac OS X) {IOS} FxiOS/140.0 Mobile/15E148 "
            "Safari/605.1.15",
            "Firefox on iPad",
        ),
        (
            f"{MOZILLA} (Linux; Android 15; SM-S931B) {KHTML} SamsungBrowser/28.0 "
            "Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (f"{MOZILLA} (X11; CrOS x86_64 16181.61.0) {KHTML} Chrome/138.0.0.0", "Chrome on ChromeOS"),
        ("curl/8.14.1", "curl"),
        ("python-httpx/0.28.1", "a program"),
        ("okhttp/5.0.0", "a program"),
        ("", "an unknown client"),
        ("something else entirely", "an unknown client"),
    ],
)
def test_a_client_is_described_in_words(user_agent: str, words: str) -> None:
    assert describe(user_agent) == words


@given(st.text(max_size=400))
def test_no_word_of_a_clients_own_gets_into_mails_or_logs(user_agent: str) -> None:
    ours = {
        "Edge", "Opera", "Samsung", "Internet", "Firefox", "Chrome", "Safari", "curl", "a",
        "program", "iPhone", "iPad", "Android", "Windows", "macOS", "ChromeOS", "Linux", "on",
        "an", "unknown", "client",
    }  # fmt: skip
    assert set(describe(user_agent).split()) <= ours


@pytest.mark.parametrize(
    "user_agent", ["Firefox/140.0 <script>", "https://evil.example Firefox/1", "Firefox/\r\nBcc: x"]
)
def test_what_a_client_adds_is_left_out(user_agent: str) -> None:
    assert describe(user_agent) == "Firefox"


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("198.51.100.255", "198.51.100.0/24"),
        ("198.51.101.0", "198.51.101.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),  # how `client_address` gives it
        ("2001:db8:1:ffff::9", "2001:db8:1::/48"),
        ("2001:db8:2::1", "2001:db8:2::/48"),
        ("", "unknown"),
        ("unknown", "unknown"),
        ("198.51.100", "unknown"),
        ("198.51.100.7:443", "unknown"),
    ],
)
def test_a_place_is_a_network(ip: str, expected: str) -> None:
    assert network(ip) == expected


@given(st.text(max_size=60))
def test_no_text_makes_finding_the_network_fail(text: str) -> None:
    assert network(text) == "unknown" or "/" in network(text)


def test_a_place_is_one_users_and_one_networks() -> None:
    here = place_id(USER, "198.51.100.7")
    assert here == place_id(USER, "198.51.100.200")
    assert here != place_id(USER, "198.51.101.7")
    assert here != place_id(USER.replace("y", "z"), "198.51.100.7")


def test_a_place_id_tells_neither_whose_nor_where() -> None:
    found = place_id(USER, "198.51.100.7")
    assert len(found) == 32
    assert set(found) <= set("0123456789abcdef")
