"""`multipart/form-data` as the fields that JSON would have carried.

Text parts become strings, files become bytes. A repeated name, or one that ends in `[]`, is a list;
`text[headline]` is a member of `text`, as the `openai` client writes what is nested.

Parts that name no field are ignored, whatever their names look like. Whether a part is a file is
decided by its field: clients send files without a name, and JSON as a file that is called `blob`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from typing import Any, get_args

from imagelayer.http.charsets import is_utf8, refuse_charset
from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen

MAX_PARTS = 64
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,59})((?:\[[A-Za-z0-9_]{0,60}\]){0,4})")
_STEP = re.compile(r"\[([^\]]*)\]")


@frozen
class Fields:
    """The fields that a form can have, and those of them that are files."""

    known: frozenset[str]
    files: frozenset[str] = frozenset()

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Fields:
        """The fields of a shape, which are its `model_fields`."""
        files = (name for name, field in fields.items() if takes_files(field.annotation))
        return cls(frozenset(fields), frozenset(files))


def takes_files(annotation: Any) -> bool:
    """Whether a field of this type can be a file."""
    return annotation in (bytes, Any) or any(map(takes_files, get_args(annotation)))


def parse(data: bytes, content_type: str, allowed: Fields) -> dict[str, Any]:
    """The form's fields. Raises Problem 400, 415 or 422."""
    from multipart import MultipartError, MultipartParser, parse_options_header

    refuse_charset(content_type)
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    fields: dict[str, Any] = {}
    try:
        parser = MultipartParser(
            BytesIO(data),
            boundary,
            len(data),
            strict=True,
            part_limit=MAX_PARTS,
            spool_limit=len(data) + 1,
            memory_limit=len(data) + 1,
        )
        for part in parser:
            _put(fields, part, allowed)
    except (MultipartError, ValueError):
        raise Problem("bad_request", "The body is not valid multipart/form-data.") from None
    return fields


def _put(fields: dict[str, Any], part: Any, allowed: Fields) -> None:
    name = part.name or ""
    field = name.partition("[")[0]
    if field == "_charset_":  # RFC 7578 §4.6
        refuse_charset(f"; charset={part.raw.decode('latin-1')}")
    if field not in allowed.known:
        return
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise invalid(f"body.{field}", f"is not readable; name its parts as in {field}[name]")
    steps = [matched[1], *_STEP.findall(matched[2])]
    listed = steps[-1] == ""
    *way, last = steps[:-1] if listed else steps
    for step in way:
        fields = fields.setdefault(step, {})
        if not isinstance(fields, dict):
            raise invalid(f"body.{field}", "is given in two forms")
    there = fields.get(last)
    value = _value(part, field, allowed)
    if isinstance(there, dict):
        raise invalid(f"body.{field}", "is given in two forms")
    if isinstance(there, list):
        there.append(value)
    elif there is not None:
        fields[last] = [there, value]
    else:
        fields[last] = [value] if listed else value


def _value(part: Any, field: str, allowed: Fields) -> str | bytes:
    """A file's bytes, or text. Raises Problem 400 or 415."""
    data: bytes = part.raw
    kind = part.headers.get("Content-Type", "")
    is_json = kind.partition(";")[0].strip().lower() == "application/json"
    if field in allowed.files or (part.filename is not None and not is_json):
        return data
    # Text is read as UTF-8 alone: a charset could name any of Python's codecs, and some of them
    # take quadratic time or make what is not text. ASCII is taken whatever its part says, because
    # some clients say ISO-8859-1 of every text.
    if not data.isascii() and not is_utf8(kind):
        raise Problem("unsupported_media_type", f"Send the part {field} as UTF-8.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Problem("bad_request", f"The part {field} has bytes that are not UTF-8.") from None
