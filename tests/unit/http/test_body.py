"""Bodies: size, type and rules, in that order; every broken field at once; no value echoed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from pydantic import BaseModel

from imagelayer.access.schemas import CreateKeyRequest, RotateKeyRequest
from imagelayer.api.validation import validate
from imagelayer.brands.schemas import CreateBrandRequest, CreateUploadRequest, UpdateBrandRequest
from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.http.body import parse, sent_fields
from imagelayer.identity.schemas import RegisterRequest, VerifyEmailRequest
from imagelayer.platform.errors import Problem

LIMIT = 8192
JSON = {"content-type": "application/json"}
VALID = {"prompt": "waves", "n": 2}


def event(body: str | None, **changes: Any) -> dict[str, Any]:
    return {"headers": JSON, "body": body, "isBase64Encoded": False, **changes}


def read(body: str | None, **changes: Any) -> CreateGenerationRequest:
    return parse(event(body, **changes), CreateGenerationRequest, LIMIT)


def refusal(body: str | None, **changes: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        read(body, **changes)
    return refused.value


def broken(fields: dict[str, Any], shape: type[BaseModel]) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        validate(fields, shape)
    assert refused.value.code == "validation_failed"
    return {error.location: error.message for error in refused.value.errors}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        " application/json",
    ],
)
def test_json_is_read(content_type: str) -> None:
    assert read(json.dumps(VALID), headers={"content-type": content_type}).n == 2


def test_base64_is_decoded() -> None:
    encoded = base64.b64encode(json.dumps(VALID).encode()).decode()
    assert read(encoded, isBase64Encoded=True).prompt == "waves"


@pytest.mark.promise("body-limits")
@pytest.mark.parametrize(
    ("body", "encoded"),
    [
        ("x" * (LIMIT + 1), False),
        ("é" * (LIMIT // 2 + 1), False),  # fewer characters than bytes
        (base64.b64encode(b"x" * (LIMIT + 1)).decode(), True),
        ("!" * 2 * LIMIT, True),  # refused before it is found not to be base64
        ("[" * (LIMIT + 1), False),
    ],
)
def test_an_oversized_body_is_refused_before_anything_is_parsed(body: str, encoded: bool) -> None:
    problem = refusal(body, isBase64Encoded=encoded, headers={})
    assert (problem.status, problem.code) == (413, "body_too_large")


@pytest.mark.promise("body-limits")
def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = json.dumps({"prompt": "waves", "n": 2})
    assert read(body + " " * (LIMIT - len(body))).n == 2
    encoded = base64.b64encode((body + " " * (LIMIT - len(body))).encode()).decode()
    assert read(encoded, isBase64Encoded=True).n == 2


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonp",
        "text/json",
    ],
)
def test_another_content_type_is_refused(content_type: str) -> None:
    problem = refusal(json.dumps(VALID), headers={"content-type": content_type})
    assert (problem.status, problem.code) == (415, "unsupported_media_type")


def test_a_body_without_a_content_type_is_refused() -> None:
    assert refusal(json.dumps(VALID), headers={}).status == 415


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{]",
        "nope",
        "{'prompt': 'x'}",
        '{"prompt": "x",}',
        '{"prompt": NaN}',
        '{"prompt": "\ud800"}',
        '"\\ud800"',
        "\x00",
        "[" * 3000,
        '{"a":' * 600,
        '{"prompt": "x", "text": ' + "[" * 100 + "]" * 100 + "}",
        '{"prompt": ' + "1" * 5000 + "}",
        '{"prompt": 1e400}',
        '{"prompt": Infinity}',
        '{"prompt": "x", "\\ud800": 1}',
        '{"a":1} {"b":2}',
        '{"prompt": "line\nbreak"}',
    ],
)
def test_what_is_not_json_is_malformed(body: str) -> None:
    problem = refusal(body)
    assert (problem.status, problem.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"prompt": "x",}', "The body is not valid JSON (line 1, column 16)."),
        ('{\n  "prompt": nope\n}', "The body is not valid JSON (line 2, column 14)."),
        ('{"prompt": NaN}', "The body has NaN or Infinity, which JSON does not have (line 1,"),
        ("[" * 3000, "The body nests lists and objects more than 100 levels deep (line 1,"),
        ("[" * 150 + "]" * 150, "The body nests lists and objects more than 100 levels deep."),
        ('{"prompt": "\\ud800"}', "The body has half of a surrogate pair"),
        ('{"prompt": "x", "\\ud800": 1}', "The body has half of a surrogate pair"),
        ('{"n": ' + "1" * 5000 + "}", "The body has a number that is out of range (line 1,"),
        ('{"n": 1e400}', "The body has a number that is out of range."),
        ('{"prompt": "a\nb"}', "The body has a control character in a string; write it as"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(body: str, detail: str) -> None:
    assert refusal(body).detail.startswith(detail)


@pytest.mark.parametrize("encoded", [False, True])
def test_a_byte_order_mark_is_skipped(encoded: bool) -> None:
    """RFC 8259 §8.1 allows it, and Windows programs write one."""
    body = "\ufeff" + json.dumps(VALID)
    sent = base64.b64encode(body.encode()).decode() if encoded else body
    assert read(sent, isBase64Encoded=encoded).prompt == "waves"


@pytest.mark.parametrize(
    ("body", "location", "message"),
    [
        ('{"prompt": "a", "prompt": "b"}', "body.prompt", "is given more than once"),
        (
            '{"prompt": "a", "text": {"KeY": "a", "KeY": "b"}}',
            "body.text",
            "has a field that is given more than once",
        ),
        (
            '{"images": [{}, {"KeY": 1, "KeY": 1}]}',
            "body.images",
            "has a field that is given more than once",
        ),
        ('[{"KeY": 1, "KeY": 1}]', "body", "has a field that is given more than once"),
    ],
)
def test_a_name_that_is_given_twice_is_refused_at_its_place(
    body: str, location: str, message: str
) -> None:
    """Of two values one would be lost."""
    problem = refusal(body)
    assert problem.status == 422
    assert [(each.location, each.message) for each in problem.errors] == [(location, message)]


def test_an_object_of_many_repeated_names_costs_no_more_than_others() -> None:
    body = "{" + ",".join(f'"{number}":1' for number in range(5000)) + ',"4999":1}'
    with pytest.raises(Problem) as refused:
        parse(event(body), CreateGenerationRequest, 100_000)
    assert refused.value.errors[0].location == "body.4999"


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", "GZIP", "deflate", "x"])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_compressed_body_is_refused_with_what_is_accepted(coding: str, encoded: bool) -> None:
    """RFC 9110 §15.5.16; also where the body is not compressed, whatever its header says."""
    body = base64.b64encode(gzip.compress(b"{}")).decode() if encoded else json.dumps(VALID)
    problem = refusal(body, isBase64Encoded=encoded, headers={**JSON, "content-encoding": coding})
    assert (problem.status, problem.code) == (415, "unsupported_media_type")
    assert problem.headers == {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("coding", ["identity", "", "Identity"])
def test_a_body_that_says_it_is_not_compressed_is_read(coding: str) -> None:
    assert read(json.dumps(VALID), headers={**JSON, "content-encoding": coding}).n == 2


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "latin1", "utf-16", '"UTF-16LE"', "windows-1252", "utf-8; charset=x"]
)
def test_another_charset_is_refused(charset: str) -> None:
    content_type = f"application/json; charset={charset}"
    for body in (json.dumps(VALID), '{"prompt": "caf\ufffd"}'):  # what a gateway makes of it
        problem = refusal(body, headers={"content-type": content_type})
        assert (problem.status, problem.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"', "us-ascii"])
def test_utf_8_is_read_by_every_name(charset: str) -> None:
    content_type = f"application/json ; Charset={charset}"
    assert read(json.dumps(VALID), headers={"content-type": content_type}).n == 2


@pytest.mark.parametrize("text", ["caf\ufffd", "\ufffd\ufffd"])
def test_text_that_the_gateway_could_not_read_is_refused(text: str) -> None:
    """The gateway replaces bytes that are not UTF-8; a client can escape the character itself."""
    problem = refusal(json.dumps({"prompt": text}, ensure_ascii=False))
    assert (problem.status, problem.code) == (400, "malformed_json")
    assert "not UTF-8" in problem.detail
    assert read(json.dumps({"prompt": text})).prompt == text


@pytest.mark.parametrize("body", [b'{"prompt": "caf\xe9"}', '{"prompt": "x"}'.encode("utf-16")])
def test_bytes_that_are_not_utf_8_are_named_as_such(body: bytes) -> None:
    problem = refusal(base64.b64encode(body).decode(), isBase64Encoded=True)
    assert (problem.status, problem.code) == (400, "malformed_json")
    assert problem.detail.startswith("The body has bytes that are not UTF-8")


def test_what_is_not_base64_is_malformed() -> None:
    assert refusal("!!!", isBase64Encoded=True).status == 400
    assert refusal(base64.b64encode(b"\xff\xfe").decode(), isBase64Encoded=True).status == 400


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "1", "true"])
def test_what_is_not_an_object_breaks_a_rule(body: str) -> None:
    problem = refusal(body)
    assert (problem.status, problem.errors[0].location) == (422, "body")


@pytest.mark.parametrize("body", [None, "", "{}"])
def test_an_absent_body_is_answered_with_what_is_missing(body: str | None) -> None:
    problem = refusal(body)
    assert [(each.location, each.message) for each in problem.errors] == [
        ("body.prompt", "is required")
    ]


def test_every_broken_field_is_reported_at_once() -> None:
    errors = broken(
        {"scopes": ["assets:read", "nope"], "mode": 1, "expires_at": 5, "color": "red", "b": 1},
        CreateKeyRequest,
    )
    assert set(errors) == {
        "body.name",
        "body.scopes.1",
        "body.mode",
        "body.expires_at",
        "body.color",
        "body.b",
    }
    assert errors["body.name"] == "is required"
    assert errors["body.color"] == "is not a known field"


@pytest.mark.parametrize(
    ("shape", "field", "value"),
    [
        (CreateKeyRequest, "scopes", ["assets:read"] * 17),
        (CreateKeyRequest, "scopes", "assets:read"),
        (CreateKeyRequest, "scopes", ["*"]),
        (CreateKeyRequest, "scopes", ["keys:write"]),
        (CreateKeyRequest, "mode", "LIVE"),
        (CreateKeyRequest, "mode", None),
        (CreateKeyRequest, "name", ""),
        (CreateKeyRequest, "name", "x" * 101),
        (CreateKeyRequest, "name", "<script>"),
        (CreateKeyRequest, "name", "two\nlines"),
        (CreateKeyRequest, "name", "trailing\n"),
        (CreateKeyRequest, "name", "nul\x00"),
        (RotateKeyRequest, "grace_seconds", -1),
        (RotateKeyRequest, "grace_seconds", 604_801),
        (RotateKeyRequest, "grace_seconds", 1.5),
        (RotateKeyRequest, "grace_seconds", True),
        (RotateKeyRequest, "grace_seconds", "60"),
        (RotateKeyRequest, "grace_seconds", 10**40),
        (CreateBrandRequest, "palette", []),
        (CreateBrandRequest, "palette", ["#FFF"]),
        (CreateBrandRequest, "palette", ["red"]),
        (CreateBrandRequest, "palette", ["#12345G"]),
        (CreateBrandRequest, "palette", ["#123456\n"]),
        (CreateBrandRequest, "palette", ["x#123456"]),
        (CreateBrandRequest, "palette", ["#123456"] * 9),
        (CreateBrandRequest, "palette", {"0": "#123456"}),
        (CreateBrandRequest, "tone", ["x"] * 13),
        (CreateBrandRequest, "style", "x" * 2001),
        (UpdateBrandRequest, "name", None),
        (UpdateBrandRequest, "palette", None),
        (CreateUploadRequest, "kind", "favicon"),
        (CreateUploadRequest, "content_type", "image/svg+xml"),
        (CreateUploadRequest, "size_bytes", 0),
        (CreateUploadRequest, "size_bytes", 5_242_881),
        (CreateGenerationRequest, "n", 0),
        (CreateGenerationRequest, "n", 5),
        (CreateGenerationRequest, "seed", -1),
        (CreateGenerationRequest, "seed", 2**32),
        (CreateGenerationRequest, "seed", 2**70),
        (CreateGenerationRequest, "size", "1024"),
        (CreateGenerationRequest, "size", "1024x1024\n"),
        (CreateGenerationRequest, "size", "0x0"),
        (CreateGenerationRequest, "size", "10240x1024"),
        (CreateGenerationRequest, "size", "\u0663\u0664\u0665x\u0663\u0664\u0665"),
        (CreateGenerationRequest, "output_format", "gif"),
        (CreateGenerationRequest, "logo", "middle"),
        (CreateGenerationRequest, "prompt", ""),
        (CreateGenerationRequest, "prompt", "x" * 32_001),
        (CreateGenerationRequest, "apply_brand_guidelines", "yes"),
        (VerifyEmailRequest, "token", "short"),
        (VerifyEmailRequest, "token", "x" * 201),
        (RegisterRequest, "password", "x" * 513),
        (RegisterRequest, "turnstile_token", "x" * 2049),
    ],
)
def test_a_value_that_breaks_its_rule_is_named(
    shape: type[BaseModel], field: str, value: Any
) -> None:
    errors = broken({field: value}, shape)
    named = [location for location in errors if location.startswith(f"body.{field}")]
    assert named
    assert all(errors[location] != "is required" for location in named)


SECRET = "SeKrEtVaLuE"


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize(
    "fields",
    [
        {"mode": SECRET, "scopes": [SECRET], "name": f"<{SECRET}>", "expires_at": [SECRET]},
        {"kind": SECRET, "content_type": SECRET, "size_bytes": SECRET},
        {"email": [SECRET], "password": {SECRET: SECRET}, "turnstile_token": SECRET * 500},
        {"palette": [SECRET], "tone": SECRET, "unknown": SECRET},
        {"output_format": SECRET, "size": SECRET, "logo": SECRET, "n": SECRET},
    ],
)
def test_no_value_is_echoed(fields: dict[str, Any]) -> None:
    for shape in (
        CreateKeyRequest,
        CreateUploadRequest,
        RegisterRequest,
        CreateBrandRequest,
        CreateGenerationRequest,
    ):
        with pytest.raises(Problem) as refused:
            validate(fields, shape)
        assert SECRET not in refused.value.detail
        assert SECRET not in str(refused.value.errors)


def test_a_long_unknown_name_is_cut() -> None:
    (location,) = broken({"prompt": "x", "y" * 5000: 1}, CreateGenerationRequest)
    assert len(location) <= 80


def test_fields_left_out_of_a_change_are_absent_from_it() -> None:
    change = validate({"style": ""}, UpdateBrandRequest)
    assert sent_fields(change) == {"style": ""}
    assert sent_fields(validate({}, UpdateBrandRequest)) == {}
