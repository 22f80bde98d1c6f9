"""Mail captured by the local cloud, in the shape of `GET /_local/mail`."""

from __future__ import annotations

import re
from typing import Any, Final

_LINK: Final = re.compile(r"https?://[^\s<>\"')\]]+")


def messages(captured: Any, to: str | None) -> list[dict[str, Any]]:
    """Newest first, only those to one address when it is given."""
    kept = [raw for account in captured.get("messages", {}).values() for raw in account]
    kept.sort(key=lambda raw: raw.get("Timestamp") or 0)
    wanted = (to or "").casefold()
    return [
        _message(raw)
        for raw in reversed(kept)
        if not wanted or wanted in {one.casefold() for one in raw.get("To", [])}
    ]


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    text, html = raw.get("BodyText") or "", raw.get("BodyHtml") or ""
    links = _LINK.findall(text) or _LINK.findall(html)
    return {
        "to": ", ".join(raw.get("To", [])),
        "subject": raw.get("Subject") or "",
        "text": text,
        "html": html,
        "links": list(dict.fromkeys(links)),
    }
