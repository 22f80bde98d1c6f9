"""The mails the product sends: subject, plain text and HTML with the same words and link.

Links are built from configuration and carry tokens in the fragment, which no server, proxy or
`Referer` ever sees; opening one consumes nothing, the page it opens posts the token.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Sequence

from imagelayer.platform.frozen import field, frozen

# What another person chose to call themselves, their organization or a key must not make our mail
# say something of theirs: no link, no sentence, no telephone number. Such a name is left out.
_PLAIN_NAME = re.compile(r"[^\W_][\w '’-]{0,39}")
MOST_DIGITS = 4  # "1984 Books", and no number that can be called

# How many of the notices that one mail gathers it lists.
MOST_LISTED = 20
# What notices of each kind that is gathered say together.
GATHERED_SUBJECTS = {
    "new_place": "New logins to your ImageLayer account",
    "password_changed": "Your ImageLayer password was changed",
    "totp_enabled": "A second factor was set up for your ImageLayer account",
    "totp_disabled": "A second factor was removed from your ImageLayer account",
    "recovery_code_used": "Recovery codes of your ImageLayer account were used",
    "recovery_codes_renewed": "Your ImageLayer recovery codes were replaced",
    "key_created": "API keys were created in ImageLayer",
    "key_rotated": "API keys were rotated in ImageLayer",
}


@frozen
class Mail:
    """One mail to one address."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


@frozen
class Occasion:
    """When and from where something happened, for mails that report it."""

    at: str
    client: str
    ip: str

    @property
    def sentence(self) -> str:
        """`2026-01-01 12:00 UTC, Firefox on Windows, from 198.51.100.7`."""
        parts = [self.at, self.client, f"from {self.ip}" if self.ip else ""]
        return ", ".join(part for part in parts if part)


def verification(to: str, *, base_url: str, token: str, hours: int) -> Mail:
    """Asks the owner of an address to confirm it. Holds nothing that the sender of the sign-up
    chose but the address."""
    link = f"{base_url}/verify-email#token={token}"
    return _mail(
        to,
        "Confirm your email address for ImageLayer",
        greeting="",
        before=[
            "You, or someone using your address, signed up for ImageLayer. Confirm the address, "
            "name your organization and choose a password to create your account."
        ],
        button=("Create my account", link),
        after=[
            f"The link works once and for {hours} hours. A newer mail replaces it.",
            "If this was not you, ignore this mail: without the confirmation there is no account.",
        ],
    )


def owner_invitation(to: str, *, organization: str, base_url: str, token: str, hours: int) -> Mail:
    """Invites the owner of a new organization."""
    what = f'the organization "{organization}"' if _is_plain(organization) else "an organization"
    return _mail(
        to,
        "Create your organization on ImageLayer",
        greeting="",
        before=[
            f"The operator of this ImageLayer deployment invites you to create {what} as its "
            "owner. Confirm your address, name the organization and choose a password to do so."
        ],
        button=("Create my account", f"{base_url}/verify-email#token={token}"),
        after=[
            f"The link works once and for {hours} hours. A newer mail replaces it.",
            "If you do not expect this invitation, ignore this mail: without the confirmation "
            "there is no account.",
        ],
    )


def already_registered(to: str, *, name: str, base_url: str) -> Mail:
    """Notifies an account's owner of another sign-up with the same address."""
    return _mail(
        to,
        "You already have an ImageLayer account",
        greeting=name,
        before=[
            "You, or someone using your address, tried to sign up for ImageLayer. The address "
            "already has an account, and nothing was changed."
        ],
        after=[
            f"Log in with your existing password. If you do not remember it, set a new one at "
            f"{base_url}/reset-password. If this was not you, there is nothing to do."
        ],
    )


def password_reset(to: str, *, name: str, base_url: str, token: str, minutes: int) -> Mail:
    """The link that sets a new password."""
    return _mail(
        to,
        "Set a new password for ImageLayer",
        greeting=name,
        before=[
            "You, or someone using your address, requested a new password for your ImageLayer "
            "account."
        ],
        button=("Set a new password", f"{base_url}/reset-password#token={token}"),
        after=[
            f"The link works once and for {minutes} minutes. Setting a new password logs you out "
            "everywhere; your second factor stays as it is.",
            "If this was not you, ignore this mail: your password has not changed.",
        ],
    )


def invitation(
    to: str, *, inviter: str, organization: str, role: str, base_url: str, token: str, days: int
) -> Mail:
    """Invites a person into an organization."""
    who = f'"{inviter}"' if _is_plain(inviter) else "A member"
    where = f'the organization "{organization}"' if _is_plain(organization) else "an organization"
    return _mail(
        to,
        "You are invited to ImageLayer",
        greeting="",
        before=[f"{who} invites you to join {where} on ImageLayer as {_with_article(role)}."],
        button=("Accept the invitation", f"{base_url}/accept-invitation#token={token}"),
        after=[
            f"The link works once and for {days} days.",
            "If you do not recognize this invitation, ignore this mail: without the link no one "
            "can accept it.",
        ],
    )


def new_place(to: str, *, name: str, base_url: str, occasion: Occasion) -> Mail:
    """Reports a login from a network that is new to the account."""
    return _mail(
        to,
        "New login to your ImageLayer account",
        greeting=name,
        before=[
            "Your account was used to log in from a new location:",
            occasion.sentence,
        ],
        after=[
            "If this was you, there is nothing to do.",
            f"If not, set a new password at {base_url}/reset-password now. That ends every "
            "session, including this one.",
        ],
    )


def password_changed(to: str, *, name: str, base_url: str, occasion: Occasion) -> Mail:
    """Reports that the password was changed."""
    return _mail(
        to,
        "Your ImageLayer password was changed",
        greeting=name,
        before=["The password of your account was changed:", occasion.sentence],
        after=[f"If this was not you, set a new one at {base_url}/reset-password now."],
    )


def totp_changed(to: str, *, name: str, base_url: str, occasion: Occasion, enabled: bool) -> Mail:
    """Reports that the second factor was set up or removed."""
    what = "set up for" if enabled else "removed from"
    return _mail(
        to,
        f"A second factor was {what} your ImageLayer account",
        greeting=name,
        before=[f"A second factor was {what} your account:", occasion.sentence],
        after=[f"If this was not you, set a new password at {base_url}/reset-password now."],
    )


def recovery_codes_changed(
    to: str, *, name: str, base_url: str, occasion: Occasion, left: int | None
) -> Mail:
    """Reports that a recovery code was used, or that new ones replaced the old."""
    if left is None:
        subject = "Your ImageLayer recovery codes were replaced"
        said = "New recovery codes were created for your account. The old ones no longer work:"
    else:
        subject = "A recovery code of your ImageLayer account was used"
        said = f"A recovery code was used in place of your second factor, and {left} are left:"
    return _mail(
        to,
        subject,
        greeting=name,
        before=[said, occasion.sentence],
        after=[f"If this was not you, set a new password at {base_url}/reset-password now."],
    )


def key_changed(
    to: str,
    *,
    name: str,
    base_url: str,
    occasion: Occasion,
    key_name: str,
    key_hint: str,
    rotated: bool,
) -> Mail:
    """Notifies the owners that an API key was created or has a new secret."""
    what = "has a new secret" if rotated else "was created"
    label = key_label(key_name, key_hint)
    return _mail(
        to,
        f"An API key {'was rotated' if rotated else 'was created'} in ImageLayer",
        greeting=name,
        before=[f"The API key {label} {what}:", occasion.sentence],
        after=[
            "If no one in your organization did this, revoke the key now, and set a new "
            f"password at {base_url}/reset-password."
        ],
    )


def key_leaked(to: str, *, name: str, key_name: str, key_hint: str, place: str) -> Mail:
    """Notifies the owners that a key was found in public and revoked."""
    called = key_label(key_name, key_hint)
    where = [f"It was found here:\n{place}"] if place else []
    return _mail(
        to,
        "An ImageLayer API key was found in public and revoked",
        greeting=name,
        before=[
            f"The API key {called} was found in public, where anyone could have used it, so we "
            "revoked it. Requests with it are refused from now on.",
            *where,
        ],
        after=[
            "Create a new key and replace the old one wherever you use it. Remove the old one from "
            "the place it was found, and check your usage and security events for calls that were "
            "not yours.",
        ],
    )


def quota(to: str, *, name: str, percent: int, month: str, allowance: int) -> Mail:
    """Notifies the owners how much of the month's credits is used."""
    if percent >= 100:
        said = (
            f"The {allowance:,} credits of {month} are used up, or too few are left for a recent "
            "request. Such requests are refused until the month ends."
        )
    else:
        said = f"{percent} percent of the {allowance:,} credits of {month} are used."
    return _mail(
        to,
        f"{percent} percent of this month's ImageLayer credits are used",
        greeting=name,
        before=[said],
        after=["Existing images are not affected."],
    )


def gathered(
    to: str,
    *,
    name: str,
    base_url: str,
    kind: str,
    reports: Sequence[tuple[str, Occasion]],
) -> Mail:
    """Reports at once what was over the budget of one kind of notice: of each what it is about, if
    not the account, and its occasion."""
    what = GATHERED_SUBJECTS[kind]
    listed = [
        f"{label}: {occasion.sentence}" if label else occasion.sentence
        for label, occasion in reports[:MOST_LISTED]
    ]
    more = [f"… and {len(reports) - len(listed)} more."] if len(reports) > len(listed) else []
    return _mail(
        to,
        f"{what} ({len(reports)} more)",
        greeting=name,
        before=[
            f"{what}, more often than we send a mail of its own about. Since the last mail:",
            *listed,
            *more,
        ],
        after=[
            f"If this was not you, or no one in your organization, set a new password at "
            f"{base_url}/reset-password now, and look through your API keys and security events."
        ],
    )


def key_label(name: str, hint: str) -> str:
    """How a key is named in a mail: by its name, if that is plain, and what is shown of it."""
    return f'"{name}" ({hint})' if _is_plain(name) else hint


def _is_plain(name: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(name)) and sum(map(str.isdigit, name)) <= MOST_DIGITS


def _with_article(role: str) -> str:
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def _mail(
    to: str,
    subject: str,
    *,
    greeting: str,
    before: list[str],
    after: list[str],
    button: tuple[str, str] | None = None,
) -> Mail:
    hello = f"Hello {greeting}," if _is_plain(greeting) else "Hello,"
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
    # Wrapped, for clients that do not wrap; a link has a line of its own, unbroken.
    paragraphs = [_wrapped(each) for each in [*words, *after, "ImageLayer"]]
    text = "\n\n".join(paragraphs) + "\n"
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


def _wrapped(paragraph: str) -> str:
    return "\n".join(
        textwrap.fill(line, 76, break_long_words=False, break_on_hyphens=False)
        for line in paragraph.split("\n")
    )
