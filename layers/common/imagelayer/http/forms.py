"""`multipart/form-data` as the fields that JSON would have carried.

Text parts become strings, files become bytes. A repeated name, or one that ends in `[]`, is a list;
`text[headline]` is a member of `text`, as the `openai` client writes what is nested.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from imagelayer.platform.errors import Problem, invalid

MAX_PARTS = 64
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,59})((?:\[[A-Za-z0-9_]{0,60}\]){0,4})")
_STEP = re.compile(r"\[([^\]]*)\]")


def parse(data: bytes, content_type: str) -> dict[str, Any]:
    """The form's fields. Raises Problem 400 or 422."""
    from multipart import MultipartError, MultipartParser, parse_options_header

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
            # Text is UTF-8 whatever a part says (RFC 7578 §5.1.2): a charset could name any of
            # Python's codecs, and some of them take quadratic time or make what is not text.
            raw = part.raw
            _put(fields, part.name or "", raw if part.filename is not None else raw.decode())
    except (MultipartError, ValueError):
        raise Problem("bad_request", "The body is not valid multipart/form-data.") from None
    return fields


def _put(fields: dict[str, Any], name: str, value: str | bytes) -> None:
    matched = _NAME.fullmatch(name)
    if matched is None:
        raise invalid("body", "has a part with an unreadable name")
    steps = [matched[1], *_STEP.findall(matched[2])]
    listed = steps[-1] == ""
    *way, last = steps[:-1] if listed else steps
    for step in way:
        fields = fields.setdefault(step, {})
        if not isinstance(fields, dict):
            raise invalid(f"body.{matched[1]}", "is given in two forms")
    there = fields.get(last)
    if isinstance(there, dict):
        raise invalid(f"body.{matched[1]}", "is given in two forms")
    if isinstance(there, list):
        there.append(value)
    elif there is not None:
        fields[last] = [there, value]
    else:
        fields[last] = [value] if listed else value
