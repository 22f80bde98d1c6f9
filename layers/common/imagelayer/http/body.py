"""Checks a body's size, type and rules, in that order, and reports every broken field at once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from imagelayer.platform.errors import FieldError, Problem


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


def parse[Body: msgspec.Struct](
    event: Mapping[str, Any], shape: type[Body], max_bytes: int, *, forms: bool = False
) -> Body:
    """The body as `shape`; with `forms` it may be multipart/form-data too.

    Raises Problem 400, 413, 415 or 422.
    """
    data = raw(event, max_bytes)
    content_type = (event.get("headers") or {}).get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if forms and kind == "multipart/form-data":
        from imagelayer.http import forms as multipart_forms

        return convert(multipart_forms.parse(data, content_type), shape, strict=False)
    if data and kind != "application/json":
        ways = "application/json or multipart/form-data" if forms else "application/json"
        raise Problem("unsupported_media_type", f"Send the body as {ways}.")
    try:
        fields = msgspec.json.decode(data or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Problem("malformed_json", "The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise Problem(
            "validation_failed",
            "The body must be an object.",
            errors=[FieldError("body", "must be an object")],
        )
    return convert(fields, shape)


def convert[Body: msgspec.Struct](
    fields: dict[str, Any], shape: type[Body], *, strict: bool = True
) -> Body:
    """Check each field on its own, because msgspec stops at the first broken one. Not `strict`, the
    strings of a form are read as what the field is.

    Raises Problem 422 that lists every broken field, unknown ones included unless the shape lets
    them pass. Values are never echoed: they may be secrets.
    """
    errors: list[FieldError] = []
    known = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    if shape.__struct_config__.forbid_unknown_fields:
        for name in fields.keys() - known.keys():
            errors.append(FieldError(f"body.{name[:60]}", "is not a known field"))
    for name, field in known.items():
        if name not in fields:
            if field.required:
                errors.append(FieldError(f"body.{name}", "is required"))
            continue
        try:
            msgspec.convert(fields[name], field.type, strict=strict, builtin_types=(bytes,))
        except msgspec.ValidationError as error:
            errors.append(_field_error(name, str(error)))
    if errors:
        errors.sort(key=lambda each: each.location)
        first = errors[0]
        raise Problem("validation_failed", f"{first.location}: {first.message}", errors=errors)
    return msgspec.convert(fields, shape, strict=strict, builtin_types=(bytes,))


def _field_error(name: str, message: str) -> FieldError:
    """msgspec says ``rule - at `$[0].x```; keep the rule and point at the place."""
    rule, _, place = message.partition(" - at `$")
    if rule.startswith("Invalid enum value"):  # msgspec would quote the value
        rule = "Is not one of the allowed values"
    if rule.startswith("Object contains unknown field"):  # its name may be a misplaced secret
        rule = "Has a field that is not known"
    if "matching regex" in rule:  # an expression explains nothing to whoever wrote the value
        rule = "Does not have the form that the API's description gives"
    path = place.rstrip("`").replace("[", ".").replace("]", "")
    return FieldError(f"body.{name}{path}", rule.replace("`", ""))


def _too_large(max_bytes: int) -> Problem:
    return Problem("body_too_large", f"The body may have at most {max_bytes} bytes.")


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that were sent or have a default; what was left out of a PATCH is absent."""
    fields = msgspec.structs.asdict(body)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}
