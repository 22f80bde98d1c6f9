"""Checks a body's size, coding, type and rules, and reports every broken field at once.

Headers that say how to read a body are obeyed or refused: a body that is read in another way than
its sender wrote it loses text without a word.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Never

from imagelayer.api.validation import validate
from imagelayer.http.charsets import refuse_charset
from imagelayer.platform.errors import FieldError, Problem, invalid

if TYPE_CHECKING:
    from pydantic import BaseModel

# Where a parser gave up, in its message.
_PLACE = re.compile(r"at line (\d+) column (\d+)$")
# What a gateway puts where a body that it passes on as text was not UTF-8.
_REPLACEMENT = "\ufffd"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The deepest shape has four levels.
_MOST_LEVELS = 100
_NOT_UTF_8 = "has bytes that are not UTF-8"
_TOO_DEEP = f"nests lists and objects more than {_MOST_LEVELS} levels deep"
# JSON within JSON's grammar but beyond what we read (RFC 8259 §9), by the parser's words for it.
_BEYOND: Mapping[str, str] = {
    "recursion limit exceeded": _TOO_DEEP,
    "number out of range": "has a number that is out of range",
    "lone leading surrogate": "has half of a surrogate pair",
    "unexpected end of hex escape": "has half of a surrogate pair, or an escape that is cut off",
    "control character": "has a control character in a string; write it as an escape, such as \\n",
    "invalid unicode": _NOT_UTF_8,
}


def raw(event: Mapping[str, Any], max_bytes: int) -> bytes:
    """The body's bytes. Raises Problem 413 before anything is decoded or parsed, or 415 for a
    content coding."""
    text = event.get("body") or ""
    encoded = bool(event.get("isBase64Encoded"))
    # Base64 is four characters for three bytes; refusing on the estimate avoids decoding a flood.
    # The last group may hold two bytes of padding.
    if (len(text) * 3 // 4 - 2 if encoded else len(text)) > max_bytes:
        raise _too_large(max_bytes)
    if text:
        _refuse_coding(event.get("headers") or {})
    try:
        data = base64.b64decode(text, validate=True) if encoded else text.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise Problem("malformed_json", "The body could not be decoded.") from None
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return data


def parse[Body: BaseModel](
    event: Mapping[str, Any],
    shape: type[Body],
    max_bytes: int,
    form: type[Body] | None = None,
) -> Body:
    """The body as `shape`, or as `form` where it may come as multipart/form-data too.

    Raises Problem 400, 413, 415 or 422.
    """
    data = raw(event, max_bytes)
    content_type = (event.get("headers") or {}).get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if form is not None and kind == "multipart/form-data":
        from imagelayer.http import forms

        refuse_charset(content_type)
        _refuse_replaced(event)
        allowed = forms.Fields.of(form.model_fields)
        fields = forms.parse(data, content_type, allowed)
        _refuse_misplaced_files(fields, allowed.files)
        return validate(fields, form, strict=False)
    if data and kind != "application/json":
        kinds = "application/json or multipart/form-data" if form else "application/json"
        raise Problem("unsupported_media_type", f"Send the body as {kinds}.")
    refuse_charset(content_type)
    _refuse_replaced(event)
    return validate(_object(_json(data)), shape)


def _refuse_replaced(event: Mapping[str, Any]) -> None:
    """Raise Problem 400 for text that the gateway could not read as UTF-8, and changed. A client
    that means the character itself can escape it."""
    if not event.get("isBase64Encoded") and _REPLACEMENT in (event.get("body") or ""):
        raise Problem(
            "malformed_json",
            "The body has bytes that are not UTF-8, or the replacement character U+FFFD; "
            "send UTF-8, and write that character as \\ufffd.",
        )


def _refuse_coding(headers: Mapping[str, str]) -> None:
    """Raise Problem 415 for a body that is compressed.

    Bodies are small, except for pictures, which are compressed already: decoding would save nothing
    and would have to be bounded against bodies that expand. RFC 9110 §15.5.16 has a client told
    which codings it may use.
    """
    codings = headers.get("content-encoding", "").lower().split(",")
    if {each.strip() for each in codings} <= {"", "identity"}:
        return
    raise Problem(
        "unsupported_media_type",
        "Send the body uncompressed, without Content-Encoding.",
        headers={"Accept-Encoding": "identity"},
    )


def _refuse_misplaced_files(fields: Mapping[str, Any], files: Container[str]) -> None:
    """pydantic would read a file's bytes as text or a number. Raises Problem 422."""
    for name, value in fields.items():
        if name not in files and _has_file(value):
            raise invalid(f"body.{name}", "must be text, not a file; send it without a file name")


def _has_file(value: Any) -> bool:
    """Whether a part of a form, or a part of an object or list of parts, is a file."""
    if isinstance(value, dict | list):
        return any(map(_has_file, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bytes)


class _Beyond(ValueError):
    """A value that JSON allows and we do not read."""


def _json(data: bytes) -> Any:
    """Raises Problem 400 that says where the fault is, or 422 for a name that is given twice."""
    repeated: list[tuple[dict[str, Any], str]] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.append((found, _first_repeated(pairs)))
        return found

    data = data.removeprefix(_BYTE_ORDER_MARK)  # RFC 8259 §8.1
    try:
        text = (data or b"{}").decode()
        value = json.loads(
            text, object_pairs_hook=members, parse_float=_finite, parse_constant=_refuse_constant
        )
        if text.count("[") + text.count("{") > _MOST_LEVELS:
            _refuse_depth(value)
        if "\\u" in text:
            _refuse_half_pairs(value)
    except (ValueError, RecursionError) as fault:
        raise _unreadable(data, fault) from None
    if repeated:
        raise _given_twice(value, {id(found): name for found, name in repeated})
    return value


def _first_repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [each for outer in level for each in _members(outer)]
        if not level:
            return
    raise _Beyond(_TOO_DEEP)


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Beyond("has a number that is out of range")
    return number


def _refuse_constant(_: str) -> Never:
    raise _Beyond("has NaN or Infinity, which JSON does not have")


def _refuse_half_pairs(value: Any) -> None:
    """A lone surrogate is not a character and cannot be stored."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _Beyond("has half of a surrogate pair") from None


def _unreadable(data: bytes, fault: Exception) -> Problem:
    """What is wrong, and where: a second parser knows the place of what the first stumbled over.
    The words of neither are passed on."""
    from pydantic_core import from_json

    said = ""
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError as error:
        said = str(error)
    words = next((words for start, words in _BEYOND.items() if said.startswith(start)), "")
    if isinstance(fault, _Beyond):
        words = str(fault)
    elif isinstance(fault, UnicodeDecodeError):
        words = _NOT_UTF_8
    place = _PLACE.search(said)
    where = f" (line {place[1]}, column {max(1, int(place[2]))})" if place else ""
    return Problem("malformed_json", f"The body {words or 'is not valid JSON'}{where}.")


def _given_twice(value: Any, repeated: Mapping[int, str]) -> Problem:
    """Of two values one would be lost. A nested name may be a misplaced secret: it is not shown."""
    if id(value) in repeated:
        return invalid(f"body.{repeated[id(value)][:60]}", "is given more than once")
    outer = (
        [name for name, each in value.items() if _holds(each, repeated)]
        if isinstance(value, dict)
        else []
    )
    place = f"body.{outer[0][:60]}" if outer else "body"
    return invalid(place, "has a field that is given more than once")


def _holds(value: Any, repeated: Mapping[int, str]) -> bool:
    return id(value) in repeated or any(_holds(each, repeated) for each in _members(value))


def _object(value: Any) -> dict[str, Any]:
    """Raises Problem 422 for JSON that is not an object."""
    if isinstance(value, dict):
        return value
    raise Problem(
        "validation_failed",
        "The body must be an object.",
        errors=[FieldError("body", "must be an object")],
    )


def _too_large(max_bytes: int) -> Problem:
    return Problem("body_too_large", f"The body must be at most {max_bytes} bytes.")


def sent_fields(body: BaseModel) -> dict[str, Any]:
    """The fields that were sent or have a default; what was left out of a PATCH is absent."""
    return body.model_dump()
