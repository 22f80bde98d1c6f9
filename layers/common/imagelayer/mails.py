"""The mails the product sends: subject, plain text and HTML with the same words and link.

Links are built from configuration and carry tokens in the fragment, which no server, proxy or
`Referer` ever sees; opening one consumes nothing, the page it opens posts the token.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

# Anybody can sign anybody up: a name that a mail client could turn into a link is left out.
_PLAIN_NAME = re.compile(r"[^\W_][\w '’-]*")


@dataclass(frozen=True)
class Mail:
    """One mail to one address."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


def verification(to: str, *, name: str, base_url: str, token: str, hours: int) -> Mail:
    """Asks the owner of an address to confirm it."""
    link = f"{base_url}/verify-email#token={token}"
    return _mail(
        to,
        "Confirm your email address for ImageLayer",
        greeting=name,
        before=[
            "Somebody, we hope you, signed up for ImageLayer with this address. "
            "Confirm it to create API keys and make images."
        ],
        button=("Confirm my address", link),
        after=[
            f"The link works once and for {hours} hours.",
            "If this was not you, do nothing: without the confirmation there is no account.",
        ],
    )


def already_registered(to: str, *, name: str, base_url: str) -> Mail:
    """Tells the owner of an account that somebody tried to sign up again."""
    return _mail(
        to,
        "You already have an ImageLayer account",
        greeting=name,
        before=[
            "Somebody tried to sign up for ImageLayer with this address, and it already has an "
            "account. Nothing was changed."
        ],
        after=[
            f"You can log in at {base_url}/ with the password you chose then. If it was not you "
            "who signed up again, there is nothing to do."
        ],
    )


def _mail(
    to: str,
    subject: str,
    *,
    greeting: str,
    before: list[str],
    after: list[str],
    button: tuple[str, str] | None = None,
) -> Mail:
    hello = f"Hello {greeting}," if _PLAIN_NAME.fullmatch(greeting) else "Hello,"
    paragraph = '<p style="margin:0 0 16px;font-size:16px;line-height:24px;color:#1c2430">{}</p>'
    words = [hello, *before]
    rich = [paragraph.format(html.escape(each)) for each in words]
    closing = [paragraph.format(html.escape(each)) for each in after]
    if button is not None:
        label, link = button
        escaped_link = html.escape(link, quote=True)
        words.append(f"{label}:\n{link}")
        rich.append(
            f'<p style="margin:24px 0"><a href="{escaped_link}" style="display:inline-block;'
            "padding:12px 24px;border-radius:8px;background:#1b4dff;color:#ffffff;"
            f'font-size:16px;font-weight:600;text-decoration:none">{html.escape(label)}</a></p>'
        )
        closing.append(
            '<p style="margin:24px 0 0;font-size:13px;line-height:20px;color:#5b6675">'
            "If the button does not work, copy this address into your browser:<br>"
            f'<span style="word-break:break-all">{escaped_link}</span></p>'
        )
    text = "\n\n".join([*words, *after, "ImageLayer"]) + "\n"
    body = "".join([*rich, *closing])
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(subject)}</title></head>"
        '<body style="margin:0;padding:32px 16px;background:#f3f5f9;'
        'font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif">'
        '<div style="max-width:520px;margin:0 auto;padding:32px;background:#ffffff;'
        'border-radius:12px">'
        '<p style="margin:0 0 24px;font-size:18px;font-weight:700;color:#1b4dff">ImageLayer</p>'
        f"{body}</div></body></html>"
    )
    return Mail(to, subject, text, page)
