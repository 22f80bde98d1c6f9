"""The pages that mailed links open.

Scanners and previews open links too, so opening one consumes nothing: the token is in the fragment
of the address, which no server sees, and the page posts it when the user confirms. All pages share
one shell, with the style and common scripts, around a fragment of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from imagelayer.platform.content_security import hashes

_TITLES: Mapping[str, str] = {
    "verify-email": "Create your account",
    "reset-password": "Choose a new password",
    "accept-invitation": "Accept your invitation",
}


@cache
def page(name: str) -> tuple[str, dict[str, str]]:
    """A page and its headers. Raises KeyError when there is no such page.

    Its scripts and its style are allowed by their hashes, and it may connect to this origin alone.
    """
    text = _part("shell")
    for slot, content in (
        ("{{title}}", _TITLES[name]),
        ("{{page}}", _part(name)),
        ("{{name}}", _part("name")),
        ("{{password}}", _part("password")),
    ):
        text = text.replace(slot, content)
    return text, {
        "Content-Security-Policy": f"default-src 'none'; script-src {hashes(text, 'script')}; "
        f"style-src {hashes(text, 'style')}; connect-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    }


def _part(name: str) -> str:
    return (resources.files("imagelayer") / "static" / "pages" / f"{name}.html").read_text("utf-8")
