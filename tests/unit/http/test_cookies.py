"""Which cookie is ours among all that a browser sends, and what the origin of our pages is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagelayer.http.cookies import REFRESH_COOKIE, origin_of, refresh_token, was_sent
from imagelayer.platform.errors import Problem

OURS = f"{REFRESH_COOKIE}=user-session.family.secret"
VALUE = "user-session.family.secret"
# Names that http.cookies refuses, with which it read no cookie at all.
ODD = (
    "a/b=1", "a@b=1", "a,b=1", "a{b=1", "a(b=1", "a?b=1", "a<b=1", "a:b=1", "a[b]=1", '"a"=1',
    "=foo", "foo", "", " ", "=", "==", 'prefs={"theme":"dark","n":[1,2]}', "a=b=c", "café=1",
    "\x00=\x01", 'a="unclosed', "$Version=1", "Path=/", "expires=Thu, 01 Jan 1970",
)  # fmt: skip
# What looks like our name and is another, or lies inside another cookie.
NOT_OURS = (
    "__host-il_refresh=x", "__Host-il_refresh2=x", "x__Host-il_refresh=x", "il_refresh=x",
    "=__Host-il_refresh=x", "__Host-il_refresh", "a=__Host-il_refresh=x",
    "a=1,__Host-il_refresh=x", "\u2000__Host-il_refresh=x", "\xa0__Host-il_refresh=x",
    "\x0b__Host-il_refresh=x", "%5F_Host-il_refresh=x", '"__Host-il_refresh"=x',
)  # fmt: skip


def event(*cookies: str, header: str | None = None) -> dict[str, Any]:
    """An event as API Gateway writes it, or with the header that another gateway leaves."""
    found: dict[str, Any] = {"headers": {} if header is None else {"cookie": header}}
    return found | ({"cookies": list(cookies)} if cookies else {})


foreign = st.one_of(
    st.sampled_from(ODD + NOT_OURS), st.text().filter(lambda s: ";" not in s)
).filter(lambda cookie: cookie.partition("=")[0].strip(" \t") != REFRESH_COOKIE)


@given(before=st.lists(foreign, max_size=5), after=st.lists(foreign, max_size=5))
@example(before=list(ODD + NOT_OURS), after=list(NOT_OURS + ODD))
def test_cookies_of_others_never_decide_about_ours(before: list[str], after: list[str]) -> None:
    jar = [*before, OURS, *after]
    split = len(jar) // 2
    for sent in (
        event(*jar),
        event("; ".join(jar)),
        event(header="; ".join(jar)),
        event(header=";".join(jar)),
        event("; ".join(jar[:split]), "; ".join(jar[split:])),
        event(*jar, header="; ".join(jar)),
    ):
        assert refresh_token(sent) == VALUE
        assert was_sent(sent)


@given(st.lists(foreign, max_size=5))
@example(list(ODD + NOT_OURS))
def test_no_other_cookie_is_taken_for_ours(jar: list[str]) -> None:
    for sent in (event(*jar), event(header="; ".join(jar)), event(header=",".join(jar))):
        if not any(cookie.startswith(REFRESH_COOKIE) for cookie in jar):
            assert refresh_token(sent) == ""
            assert not was_sent(sent)


@pytest.mark.parametrize("odd", ODD + NOT_OURS)
def test_an_oddly_written_cookie_beside_ours_is_ignored(odd: str) -> None:
    assert refresh_token(event(odd, OURS)) == refresh_token(event(OURS, odd)) == VALUE


@pytest.mark.parametrize("spelled", [f" {OURS} ", f'{REFRESH_COOKIE}="{VALUE}"', f"\t{OURS}\t"])
def test_ours_may_be_quoted_or_have_blanks_around(spelled: str) -> None:
    assert refresh_token(event(spelled)) == VALUE


@pytest.mark.parametrize(
    "sent",
    [
        event(OURS, f"{REFRESH_COOKIE}=another"),
        event(f"{OURS}; {REFRESH_COOKIE}=another"),
        event(OURS, header=f"{REFRESH_COOKIE}=another"),
        event(f"{REFRESH_COOKIE}=", OURS),
    ],
)
def test_two_cookies_of_our_name_are_refused_whichever_comes_first(sent: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="bad_request") as refused:
        refresh_token(sent)
    assert refused.value.reason == "two refresh cookies"
    assert VALUE not in refused.value.detail


def test_the_same_cookie_twice_is_one() -> None:
    assert refresh_token(event(OURS, OURS, header=OURS)) == VALUE


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://imagelayer.example", "https://imagelayer.example"),
        ("https://ImageLayer.Example", "https://imagelayer.example"),
        ("https://imagelayer.example:443", "https://imagelayer.example"),
        ("https://imagelayer.example:8443", "https://imagelayer.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_origin_of_the_public_address_is_written_as_browsers_write_it(
    base_url: str, origin: str
) -> None:
    assert origin_of(base_url) == origin
