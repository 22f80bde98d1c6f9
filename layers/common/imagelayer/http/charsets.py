"""Text is UTF-8, of which ASCII is a part. Every other charset is refused, never guessed at."""

from __future__ import annotations

import re

from imagelayer.platform.errors import Problem

_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)
# `utf8` is not registered and common.
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def is_utf8(content_type: str) -> bool:
    """Whether a content type names UTF-8 or a part of it, or no charset."""
    return {each.lower() for each in _CHARSET.findall(content_type)} <= _UTF_8


def refuse_charset(content_type: str) -> None:
    """Raise Problem 415 for another charset."""
    if not is_utf8(content_type):
        raise Problem("unsupported_media_type", "Send text as UTF-8, which is also the default.")
