"""The pages that mailed links open: nothing runs, loads or is sent but what they are for."""

from __future__ import annotations

import base64
import hashlib
import inspect
import re

import pytest

from imagelayer.identity import passwords
from imagelayer.identity.pages import page
from imagelayer.routes import ROUTES

POSTS = {
    "verify-email": {"/v1/auth/verify-email"},
    "reset-password": {"/v1/auth/password/reset", "/v1/auth/password/forgot"},
    "accept-invitation": {"/v1/auth/invitations/accept"},
}
EVERY_PAGE = pytest.mark.parametrize("name", POSTS)


def policy(name: str) -> dict[str, list[str]]:
    (header,) = page(name)[1].values()
    directives = (each.split() for each in header.split("; "))
    return {directive: sources for directive, *sources in directives}


def hashes(name: str, element: str) -> list[str]:
    """The CSP sources of every element of this kind, however it is written."""
    found = re.findall(
        rf"<{element}\b[^>]*>(.*?)</{element}\s*>", page(name)[0], re.DOTALL | re.IGNORECASE
    )
    digests = [hashlib.sha256(each.encode()).digest() for each in found]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


@EVERY_PAGE
def test_exactly_the_inline_scripts_and_styles_of_a_page_are_allowed(name: str) -> None:
    assert len(hashes(name, "script")) == 2
    assert policy(name)["script-src"] == hashes(name, "script")
    assert policy(name)["style-src"] == hashes(name, "style")


@EVERY_PAGE
def test_a_page_is_closed_but_for_calls_to_its_own_origin(name: str) -> None:
    header = page(name)[1]["Content-Security-Policy"]
    assert header.startswith("default-src 'none'; ")
    rest = {key: value for key, value in policy(name).items() if not key.endswith("-src")}
    assert rest == {
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    assert policy(name)["connect-src"] == ["'self'"]
    assert "unsafe" not in header


@EVERY_PAGE
def test_a_page_names_no_other_origin_and_loads_nothing(name: str) -> None:
    text = page(name)[0]
    without_comments = re.sub(r"^\s*//.*$|\s// .*$", "", text, flags=re.MULTILINE)
    assert "//" not in without_comments
    assert not re.search(r"\b(src|srcset|action|formaction|background|poster)\s*=", text)
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b|@import|\burl\(", text)
    assert re.findall(r'href="([^"]*)"', text) == ["/"]


@EVERY_PAGE
def test_a_page_has_no_handlers_or_styles_in_attributes(name: str) -> None:
    """The policy would refuse them, so they would be dead."""
    tags = re.findall(r"<[a-z][^>]*>", page(name)[0])
    assert len(tags) > 20
    assert not [tag for tag in tags if re.search(r"\s(on\w+|style)\s*=", tag)]
    assert "javascript:" not in page(name)[0]


@EVERY_PAGE
def test_a_page_never_makes_markup_or_code_of_what_it_receives(name: str) -> None:
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function",
        page(name)[0],
    )


@EVERY_PAGE
def test_the_server_puts_no_token_into_a_page(name: str) -> None:
    """It is the same for everybody: the token is read from the address, in the browser."""
    assert list(inspect.signature(page).parameters) == ["name"]
    text = page(name)[0]
    assert "{{" not in text
    assert text.count("location.hash") == 1
    assert text.count("location.search") == 0


@EVERY_PAGE
def test_the_token_leaves_the_address_before_anything_else_happens(name: str) -> None:
    script = re.findall(r"<script>(.*?)</script>", page(name)[0], re.DOTALL)[0]
    statements = [line for line in script.strip().splitlines() if not line.startswith("//")]
    assert statements[:3] == [
        '"use strict";',
        'const token = new URLSearchParams(location.hash.slice(1)).get("token");',
        'history.replaceState(null, "", location.pathname);',
    ]


@EVERY_PAGE
def test_a_page_posts_to_its_own_routes_alone_and_only_when_a_form_is_submitted(name: str) -> None:
    text = page(name)[0]
    assert set(re.findall(r"\"(/v1/[^\"]*)\"", text)) == POSTS[name]
    assert text.count("/v1/") == len(POSTS[name])
    assert text.count("fetch(") == text.count("await post(") == 1
    assert text.index('addEventListener("submit"') < text.index("await post(")


@EVERY_PAGE
def test_a_page_and_the_routes_it_posts_to_exist(name: str) -> None:
    assert ROUTES[f"GET /{name}"].content_type == "text/html"
    for path in POSTS[name]:
        assert ROUTES[f"POST {path}"].auth == "none"


@EVERY_PAGE
def test_every_field_of_a_form_is_one_of_the_request_it_makes(name: str) -> None:
    fields = set(re.findall(r'<input\b[^>]* name="(\w+)"', page(name)[0]))
    taken: set[str] = set()
    for path in POSTS[name]:
        body = ROUTES[f"POST {path}"].body
        assert body is not None
        taken |= set(body().__annotations__)
    assert fields | {"token"} == taken


@EVERY_PAGE
def test_every_field_has_a_label_and_a_place_for_its_error(name: str) -> None:
    text = page(name)[0]
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(identifiers)) == len(identifiers)
    for field in re.findall(r'<input id="(\w+)"', text):
        assert f'<label for="{field}">' in text
        assert f'<p id="{field}-error" class="error"></p>' in text
    for described in re.findall(r'aria-describedby="([^"]+)"', text):
        assert set(described.split()) <= set(identifiers)


@EVERY_PAGE
def test_passwords_are_asked_for_by_the_rules_they_must_keep(name: str) -> None:
    (field,) = re.findall(r'<input id="password"[^>]*>', page(name)[0])
    assert f'minlength="{passwords.MIN_LENGTH}"' in field
    assert f'data-most="{passwords.MAX_LENGTH}"' in field
    assert f"At least {passwords.MIN_LENGTH} characters." in page(name)[0]
    assert 'type="password"' in field
    assert 'autocomplete="new-password"' in field
    assert " maxlength=" not in field  # which would cut a pasted password without a word


@EVERY_PAGE
def test_a_page_says_what_is_wrong_where_scripts_do_not_run(name: str) -> None:
    text = page(name)[0]
    assert "<noscript>" in text
    steps = re.findall(r'<div id="\w+" class="step"[^>]*>', text)
    assert steps
    assert all(step.endswith(" hidden>") for step in steps)  # no button that does nothing


@pytest.mark.parametrize(
    "name",
    [
        "",
        "shell",
        "name",
        "password",
        "security",
        "../security",
        "verify-email.html",
        "Verify-Email",
    ],
)
def test_a_page_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        page(name)


def test_a_page_is_composed_once() -> None:
    assert page("verify-email") is page("verify-email")
