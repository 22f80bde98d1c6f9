"""Checks a body's size, type and rules, in that order, and reports every broken field at once."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from imagelayer.api.validation import validate
from imagelayer.platform.errors import FieldError, Problem, invalid

if TYPE_CHECKING:
    from pydantic import BaseModel

# Where a parser gave up, in its message.
_PLACE = re.compile(r"at line (\d+) column (\d+)$")


def raw(event: Mapping[str, Any], max_bytes: int) -> bytes:
    """The body's bytes. Raises Problem 413 before anything is decoded or parsed."""
    text = event.get("body") or ""
    encoded = bool(event.get("isBase64Encoded"))
    # Base64 is four characters for three bytes; refusing on the estimate avoids decoding a flood.
    # The last group may hold two bytes of padding.
    if (len(text) * 3 // 4 - 2 if encoded else len(text)) > max_bytes:
        raise _too_large(max_bytes)
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

        fields = forms.parse(data, content_type)
        _refuse_misplaced_files(fields, form)
        return validate(fields, form, strict=False)
    if data and kind != "application/json":
        kinds = "application/json or multipart/form-data" if form else "application/json"
        raise Problem("unsupported_media_type", f"Send the body as {kinds}.")
    fields = _json(data)
    if not isinstance(fields, dict):
        raise Problem(
            "validation_failed",
            "The body must be an object.",
            errors=[FieldError("body", "must be an object")],
        )
    return validate(fields, shape)


def _refuse_misplaced_files(fields: Mapping[str, Any], form: type[BaseModel]) -> None:
    """pydantic would read a file's bytes as text or a number. Raises Problem 422."""
    for name, field in form.model_fields.items():
        if _has_file(fields.get(name)) and not _takes_files(field.annotation):
            raise invalid(f"body.{name}", "must be text, not a file")


def _has_file(value: Any) -> bool:
    """Whether a part of a form, or a part of an object or list of parts, is a file."""
    if isinstance(value, dict | list):
        return any(map(_has_file, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bytes)


def _takes_files(annotation: Any) -> bool:
    return annotation in (bytes, Any) or any(map(_takes_files, get_args(annotation)))


def _json(data: bytes) -> Any:
    """Raises Problem 400 that says where the fault is."""
    from pydantic_core import from_json

    try:
        return from_json(data or b"{}", allow_inf_nan=False)
    except ValueError as error:
        place = _PLACE.search(str(error))
        where = f" (line {place[1]}, column {place[2]})" if place else ""
    raise Problem("malformed_json", f"The body is not valid JSON{where}.")


def _too_large(max_bytes: int) -> Problem:
    return Problem("body_too_large", f"The body must be at most {max_bytes} bytes.")


def sent_fields(body: BaseModel) -> dict[str, Any]:
    """The fields that were sent or have a default; what was left out of a PATCH is absent."""
    return body.model_dump()
