"""`multipart/form-data` becomes the fields that JSON would have carried, or is refused."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from imagelayer.http import body, forms
from imagelayer.http.forms import MAX_PARTS
from imagelayer.platform.errors import Problem

Parts = list[tuple[str, Any]]
BOUNDARY = "x-boundary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)


class EveryName(frozenset[str]):
    """Every name is a field's."""

    def __contains__(self, name: object) -> bool:
        return True


ALL = forms.Fields(EveryName())


def parse(data: bytes, content_type: str, allowed: forms.Fields = ALL) -> dict[str, Any]:
    return forms.parse(data, content_type, allowed)


def form(parts: Parts) -> tuple[bytes, str]:
    """A form as httpx writes it, which the `openai` client does: files are `(filename, data)`."""
    files = [(name, part if isinstance(part, tuple) else (None, part)) for name, part in parts]
    sent = httpx.Request("POST", "http://form.invalid", files=files)
    return sent.read(), sent.headers["content-type"]


def refusal(data: bytes, content_type: str = TYPE) -> tuple[int, str]:
    """Status and code of a refused form."""
    with pytest.raises(Problem) as refused:
        parse(data, content_type)
    return refused.value.status, refused.value.code


def raw(*parts: str, end: str = "--") -> bytes:
    """A form by hand: each part with its headers."""
    lines = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts)
    return f"{lines}--{BOUNDARY}{end}\r\n".encode()


def field(name: str, value: str = "v") -> str:
    """One part of text."""
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'


@given(
    st.dictionaries(NAMES, st.text(max_size=50) | st.binary(max_size=200), min_size=1, max_size=8)
)
def test_texts_and_files_come_out_as_they_went_in(fields: dict[str, str | bytes]) -> None:
    parts = [
        (name, ("file", value) if isinstance(value, bytes) else value)
        for name, value in fields.items()
    ]
    assert parse(*form(parts)) == fields


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        ([("image", ("a", b"1"))], {"image": b"1"}),
        ([("image[]", ("a", b"1"))], {"image": [b"1"]}),
        ([("image[]", ("a", b"1")), ("image[]", ("b", b"2"))], {"image": [b"1", b"2"]}),
        ([("image", ("a", b"1")), ("image", ("b", b"2"))], {"image": [b"1", b"2"]}),
        ([("a", "1"), ("a", "2"), ("a", "3")], {"a": ["1", "2", "3"]}),
        ([("text[a]", "Hi"), ("text[b]", "Go")], {"text": {"a": "Hi", "b": "Go"}}),
        ([("a[b][c]", "1"), ("a[b][d][]", "2")], {"a": {"b": {"c": "1", "d": ["2"]}}}),
        ([("image", ("", b"1"))], {"image": "1"}),  # no file name, and not the field of a file
    ],
)  # fmt: skip
def test_lists_and_nested_fields_have_the_clients_names(
    parts: Parts, fields: dict[str, Any]
) -> None:
    assert parse(*form(parts)) == fields


@pytest.mark.parametrize(
    "names", [("a", "a[b]"), ("a[b]", "a"), ("a[b]", "a[]"), ("a[]", "a[b]"), ("a[b]", "a[b][c]")]
)
def test_a_field_in_two_shapes_is_refused(names: tuple[str, str]) -> None:
    assert refusal(*form([(name, "v") for name in names])) == (422, "validation_failed")


UNREADABLE = [
    "", "a[", "a]", "[a]", "a[b]c", "a b", "é", "1a", "a" * 61, "a[b][c][d][e][f]", "a.b", "x-y"
]  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_fields_name_that_cannot_be_read_is_refused(name: str) -> None:
    assert refusal(raw(field(name))) == (422, "validation_failed")


@pytest.mark.parametrize("name", [*UNREADABLE, "text", "text[headline]"])
def test_a_part_that_names_no_field_is_ignored(name: str) -> None:
    """As docs/openai.md promises of unknown fields; a known name in brackets is still refused."""
    sent = raw(field("prompt", "waves"), field(name), field(f"{name}[x]"), field(name))
    known = forms.Fields(frozenset({"prompt"}))
    assert parse(sent, TYPE, known) == {"prompt": "waves"}


@pytest.mark.parametrize("headers", ["", "Content-Type: image/png\r\n"])
def test_a_file_without_a_file_name_is_a_file(headers: str) -> None:
    picture = b"\x89PNG\r\n\x1a\n\xff\xfe"
    head = f'Content-Disposition: form-data; name="image"\r\n{headers}\r\n'.encode()
    sent = b"--x-boundary\r\n" + head + picture + b"\r\n--x-boundary--\r\n"
    files = forms.Fields(frozenset({"image"}), frozenset({"image"}))
    assert parse(sent, TYPE, files) == {"image": picture}


@pytest.mark.parametrize(
    "parameters", ["", '; filename="blob"\r\nContent-Type: application/json; charset=utf-8']
)
def test_json_that_a_browser_sends_as_a_file_is_text(parameters: str) -> None:
    part = f'Content-Disposition: form-data; name="text"{parameters}\r\n\r\n{{"headline": "é"}}'
    assert parse(raw(part), TYPE) == {"text": '{"headline": "é"}'}


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "nope"])
def test_another_charset_is_refused_rather_than_misread(charset: str) -> None:
    text = (
        f'Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset={charset}'
    )
    assert refusal(raw(f"{text}\r\n\r\né")) == (415, "unsupported_media_type")
    assert parse(raw(f"{text}\r\n\r\ne"), TYPE) == {"a": "e"}  # what some clients say of ASCII
    assert refusal(raw(field("a")), f"{TYPE}; charset={charset}") == (415, "unsupported_media_type")
    assert refusal(raw(field("_charset_", charset))) == (415, "unsupported_media_type")


def test_text_that_is_not_utf_8_names_its_part() -> None:
    with pytest.raises(Problem) as refused:
        parse(raw(field("prompt")).replace(b"\r\nv", b"\r\ncaf\xe9"), TYPE)
    assert refused.value.detail == "The part prompt has bytes that are not UTF-8."


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", TYPE),
        (b"no form", TYPE),
        (raw(field("a"))[:-4], TYPE),  # cut off
        (raw(field("a")), "multipart/form-data"),
        (raw(field("a")), "multipart/form-data; boundary=another"),
        (raw("\r\nno headers"), TYPE),
        (raw("Content-Disposition: attachment\r\n\r\nx"), TYPE),
        (raw("Content-Disposition: form-data\r\n\r\nx"), TYPE),
        (raw(field("a")).replace(b"\r\nv", b"\r\n\xff\xfe"), TYPE),  # no UTF-8
        (raw("X" * 100_000 + ": y\r\n" + field("a")), TYPE),
    ],
)
def test_what_is_not_a_form_is_refused(data: bytes, content_type: str) -> None:
    status, code = refusal(data, content_type)
    assert (status, code) in {(400, "bad_request"), (422, "validation_failed")}


def test_so_many_parts_are_taken_and_no_more() -> None:
    assert len(parse(raw(*[field(f"a{number}") for number in range(MAX_PARTS)]), TYPE)) == MAX_PARTS
    many = raw(*[field(f"a{number}") for number in range(MAX_PARTS + 1)])
    assert refusal(many) == (400, "bad_request")


@given(st.binary(max_size=300))
def test_no_bytes_whatever_do_more_than_be_refused(data: bytes) -> None:
    for sent in (data, raw(field("a")) + data, raw(field("a", "v"))[:40] + data):
        with contextlib.suppress(Problem):  # which is 400 or 422, as the tests above say
            parse(sent, TYPE)


class Fields(BaseModel):
    """What a form is read as."""

    n: int = 1
    stream: bool = False
    image: bytes | list[bytes] | None = None
    name: str = ""


def read(parts: Parts, allowed: type[Fields] | None = Fields) -> Fields:
    """A form through the body's own checks, as API Gateway sends it."""
    data, content_type = form(parts)
    event = {
        "headers": {"content-type": content_type},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }
    return body.parse(event, Fields, 10_000, allowed)


def test_a_forms_texts_are_read_as_what_the_fields_are() -> None:
    image = bytes(range(256))
    shape = read([("n", "2"), ("stream", "true"), ("image", ("a.png", image)), ("name", "7")])
    assert shape == Fields(n=2, stream=True, image=image, name="7")


@pytest.mark.parametrize("parts", [[("n", "two")], [("stream", "perhaps")], [("n", ("f", b"2"))]])
def test_a_text_that_is_not_what_its_field_is_names_it(parts: Parts) -> None:
    with pytest.raises(Problem) as refused:
        read(parts)
    assert [each.location for each in refused.value.errors] == [f"body.{parts[0][0]}"]


def test_a_file_is_not_a_text_inside_an_object_either() -> None:
    class Nested(BaseModel):
        text: dict[str, str] | None = None

    data, content_type = form([("text[headline]", ("f.txt", b"words"))])
    event = {
        "headers": {"content-type": content_type},
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }
    with pytest.raises(Problem) as refused:
        body.parse(event, Nested, 10_000, Nested)
    assert [each.location for each in refused.value.errors] == ["body.text"]


def test_a_form_is_refused_where_only_json_is_taken() -> None:
    with pytest.raises(Problem) as refused:
        read([("n", "2")], None)
    assert refused.value.status == 415


def test_json_stays_strict_where_forms_are_taken() -> None:
    event = {"headers": {"content-type": "application/json"}, "body": json.dumps({"n": "2"})}
    with pytest.raises(Problem) as refused:
        body.parse(event, Fields, 10_000, Fields)
    assert refused.value.code == "validation_failed"


@pytest.mark.parametrize("charset", ["nope", "hex", "unicode_escape", "utf-7", "punycode"])
@pytest.mark.parametrize("text", ["plain", "\\ud800", "+2AA-"])
def test_a_parts_charset_names_no_codec_and_makes_no_lone_surrogate(
    charset: str, text: str
) -> None:
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n'
        f"Content-Type: text/plain; charset={charset}\r\n\r\n{text}\r\n--{BOUNDARY}--\r\n"
    )
    assert parse(part.encode(), TYPE) == {"prompt": text}


def test_text_that_is_no_utf_8_is_refused() -> None:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n'.encode()
    assert refusal(head + b"\xff\xfe" + f"\r\n--{BOUNDARY}--\r\n".encode()) == (400, "bad_request")
