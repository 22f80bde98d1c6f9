"""The local front's own pages."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent

PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


def page(name: str, **values: str) -> str:
    """A page with its `{{NAME}}` marks replaced by escaped values."""
    text = (_FOLDER / name).read_text()
    for mark, value in values.items():
        text = text.replace(f"{{{{{mark}}}}}", html.escape(value))
    return text
