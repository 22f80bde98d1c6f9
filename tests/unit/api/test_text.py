"""Free text has something to see, and nothing that hides; codes are taken as people paste them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from imagelayer.api import text
from imagelayer.api.schemas import Text
from imagelayer.api.validation import validate
from imagelayer.identity.schemas import (
    ChangePasswordRequest,
    ForgotPasswordRequest,
    LoginRequest,
    RegisterRequest,
    ResetPasswordRequest,
    TotpRequest,
    UpdateOrganizationRequest,
)
from imagelayer.platform.errors import Problem
from imagelayer.webhooks.schemas import CreateWebhookRequest
from tests.support.shapes import FORM_SHAPES, SHAPES

# Strings that are not free text, and what holds them instead.
NOT_TEXT = {
    "email": "email_policy",
    "password": "anything can be a password",
    "current_password": "compared",
    "token": "looked up",
    "turnstile_token": "Turnstile",
    "recovery_code": "compared",
    "url": "webhooks.targets",
    "expires_at": "platform.times",
    "allowed_cidrs.0": "key_networks",
    "allowed_origins.0": "end_user_sessions",
    "brand_id": "an id",
    "key_id": "an id",
    "model": "the registry",
    "preset": "a list",
    "images.0.image_url": "a data URL",
    "typography.heading.family": "a list",
    "typography.body.family": "a list",
    "idempotency_key": "hashed; the operator's",
    "limits.*": "a list; the operator's",
}
NOTHING_TO_SEE = [
    " ", "   ", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d\u200c", "\u200e", "\ufeff",
    "\u2060", "\u00ad", "\u2800", "\u3164", "\uffa0", "\u115f", "\ufe0f", "\u0301", "\U000e0020",
    "\ue000", "\ufdd0", "\U000e0fff", "\u180e", " \u200b ", "\ud800",
]  # fmt: skip
NEVER = ["a\x00b", "a\x07b", "a\x7fb", "a\x85b", "a\x9bb", "\x1b[31m", "a\ud800"]
BREAKING_LINES = ["a\nb", "a\rb", "a\tb", "a\u2028b", "a\u2029b", "a\x0bb", "a\x0cb"]
HIDING = [f"a{chr(point)}b" for point in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B)]
# Joiners, marks of direction, variation selectors and tags, where scripts and emoji need them.
NEEDED = [
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "\u0915\u094d\u200d\u0937",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u2764\ufe0f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\u05d0\u200f!",
    "Zo\u00eb & S\u00f6hne \u2013 \u2019n\u202fz",
]


def strings(
    annotation: Any, metadata: tuple[Any, ...] = (), place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[Any, ...]]]:
    """The strings inside a type: the place of each and what its annotation says."""
    annotation = getattr(annotation, "__value__", annotation)
    if get_origin(annotation) is Annotated:
        base, *more = get_args(annotation)
        yield from strings(base, (*metadata, *more), place)
    elif annotation is str:
        yield place, metadata
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from strings(field.annotation, tuple(field.metadata), (*place, name))
    elif get_origin(annotation) is list:
        yield from strings(get_args(annotation)[0], (), (*place, "0"))
    elif get_origin(annotation) is dict:
        yield (*place, "*"), ()
    else:
        for each in get_args(annotation):
            if not isinstance(each, str):
                yield from strings(each, metadata, place)


STRINGS = [(shape, place, about) for shape in SHAPES for place, about in strings(shape)]
KINDS = [
    (shape, place, each.kind)
    for shape, place, about in STRINGS
    for each in about
    if isinstance(each, Text)
]


def has_pattern(about: tuple[Any, ...]) -> bool:
    return any(getattr(part, "pattern", None) for each in about for part in (each, *parts(each)))


def parts(each: Any) -> tuple[Any, ...]:
    return tuple(getattr(each, "metadata", ()))


def test_every_string_is_free_text_has_a_form_or_is_checked_elsewhere() -> None:
    """A new field is held to the rules of text, or says here what it is held to."""
    unruled = {
        ".".join(place)
        for _, place, about in STRINGS
        if not any(isinstance(each, Text) for each in about) and not has_pattern(about)
    }
    assert unruled == set(NOT_TEXT)
    assert len(KINDS) > 50


def sent(place: tuple[str, ...], value: Any) -> Any:
    """A body with one value at a place."""
    for step in reversed(place):
        value = [value] if step == "0" else {step: value}
    return value


TEMPLATES = {
    "value": "stat", "label": "stat", "source": "stat", "quote": "quote", "author": "quote",
    "role": "quote", "badge": "announcement", "headline": "announcement", "subhead": "announcement",
    "name": "product", "tagline": "product", "price": "product", "title": "event", "date": "event",
    "place": "event", "cta": "event",
}  # fmt: skip


def message(shape: type[BaseModel], place: tuple[str, ...], value: str) -> str | None:
    """What a value is refused with at its place; None where it is accepted."""
    body = sent(place, value)
    if place[0] == "template":
        body["template"]["type"] = TEMPLATES[place[1]]
    try:
        validate(body, shape, strict=shape not in FORM_SHAPES)
    except Problem as problem:
        found = {each.location: each.message for each in problem.errors}
        return found.get(".".join(("body", *place)))
    return None


FIELDS = pytest.mark.parametrize(
    ("shape", "place", "kind"),
    KINDS,
    ids=[f"{shape.__name__}-{'.'.join(place)}" for shape, place, _ in KINDS],
)


@FIELDS
def test_text_with_nothing_to_see_or_with_controls_is_refused_in_every_field(
    shape: type[BaseModel], place: tuple[str, ...], kind: str
) -> None:
    refused = [*NOTHING_TO_SEE, *NEVER]
    refused += [] if kind == "prose" else BREAKING_LINES
    refused += HIDING if kind == "name" else []
    # Half of a pair never leaves the parser of a body; here it must still not pass.
    words = {*text.RULES, "must not have half of a surrogate pair", "must not be empty"}
    for value in refused:
        if (
            kind == "name"
            and value.strip(" \u00a0\u2003\u3000\u200b\ufeff\u2060\u00ad\u180e") == ""
        ):
            # Trimmed to nothing, which some fields may be.
            assert message(shape, place, value) in {*words, None}, repr(value)
            continue
        assert message(shape, place, value) in words, repr(value)


@FIELDS
def test_text_that_scripts_and_emoji_need_is_taken_in_every_field(
    shape: type[BaseModel], place: tuple[str, ...], kind: str
) -> None:
    for value in NEEDED:
        assert message(shape, place, value) in {None, LENGTHS.get(place[-1])}, repr(value)
    if kind == "prose":
        assert message(shape, place, "a\n\tb\r\n") is None


# Fields that are shorter than the longest of `NEEDED`.
LENGTHS = {"value": "must have at most 16 characters"}


@pytest.mark.parametrize("padding", [" ", "\u00a0", "\u200b", "\ufeff", "\u3000 \u2060"])
def test_a_name_is_stored_as_it_is_shown(padding: str) -> None:
    body = {"name": f"{padding}Acme\u00a0 GmbH{padding}"}
    assert validate(body, UpdateOrganizationRequest).name == "Acme\u00a0 GmbH"


@given(st.text(min_size=1, max_size=20), st.sampled_from(["name", "line", "prose"]))
def test_whatever_passes_has_something_to_see(value: str, kind: text.TextKind) -> None:
    if text.broken_rule(value, kind) is None:
        drawn = [each for each in value if unicodedata.category(each)[0] in "LNPS"]
        assert drawn or any(unicodedata.category(each) == "Cn" for each in value)
        assert text.trimmed(value)


CODES = [
    "123456", "123 456", " 123456 ", "123-456", "123\u00a0456", "12 34 56", "123\u2009456",
    "123\u2013456", "123\u2212456", "\uff11\uff12\uff13\uff14\uff15\uff16", "\u200b123456\u200b",
    "\u0661\u0662\u0663\u0664\u0665\u0666", "\ufeff123\u202f456",
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_an_authenticator_is_taken_as_it_is_pasted(code: str) -> None:
    assert validate({"totp_code": code}, TotpRequest).totp_code == "123456"


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "", "1" * 300, "\u00b9\u00b245x"])
def test_what_is_not_a_code_stays_refused(code: str) -> None:
    with pytest.raises(Problem):
        validate({"totp_code": code}, TotpRequest)


@pytest.mark.parametrize(
    "typed",
    [
        "abcde-fghij-klmno-pqrst-uvwxy",
        " abcde fghij klmno pqrst uvwxy ",
        "ABCDE\u2013FGHIJ\u2013KLMNO\u2013PQRST\u2013UVWXY",
        "abcde\u00a0- fghij\u00a0- klmno\u00a0- pqrst\u00a0- uvwxy",
        "\uff41bcdefghijklmnopqrstuvwxy",
    ],
)
def test_a_recovery_code_is_taken_as_it_is_pasted(typed: str) -> None:
    body = {"email": "dev@example.com", "password": "x", "recovery_code": typed}
    code = validate(body, LoginRequest).recovery_code
    assert code is not None
    assert code.lower() == "abcdefghijklmnopqrstuvwxy"


@pytest.mark.parametrize("typed", [" {} ", "\n{}\r\n", "\u200b{}", "{}\u00a0", "\ufeff{}"])
def test_a_token_of_a_link_is_taken_as_it_is_pasted(typed: str) -> None:
    token = "usr-0123456789abcdef_0123456789"
    body = {"token": typed.format(token), "password": "x"}
    assert validate(body, ResetPasswordRequest).token == token
    broken = {"token": f"{token[:10]}\r\n{token[10:]}", "password": "x"}
    assert validate(broken, ResetPasswordRequest).token == token


@pytest.mark.parametrize("padding", [" ", "\u00a0", "\u200b", "\ufeff"])
def test_an_address_is_taken_as_it_is_pasted(padding: str) -> None:
    email = f"{padding}Dev@example.com{padding}"
    assert validate({"email": email}, ForgotPasswordRequest).email == "Dev@example.com"
    sign_up = validate({"email": email, "turnstile_token": "x"}, RegisterRequest)
    assert sign_up.email == "Dev@example.com"
    url = f"{padding}https://hooks.example.com/{padding}"
    assert validate({"url": url}, CreateWebhookRequest).url == "https://hooks.example.com/"


@pytest.mark.parametrize("password", [" a b ", "\u200bx\u200b", "\uff11\u00a0\u2028", "\x00"])
def test_a_password_is_never_touched(password: str) -> None:
    fields = {"current_password": password, "password": password}
    change = validate(fields, ChangePasswordRequest)
    assert (change.current_password, change.password) == (password, password)
