"""The mails: the same words and link in both forms, nothing of a stranger's taken as markup."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import pytest

from imagelayer.mails import Mail, already_registered, verification

BASE = "https://imagelayer.example"
TOKEN = "01jabcdefghjkmnpqrstvwxyz0.s3cr3t-part_of_the_token"


def verification_mail(name: str = "Ada") -> Mail:
    return verification("ada@example.com", name=name, base_url=BASE, token=TOKEN, hours=24)


MAILS = {
    "verification": verification_mail(),
    "already registered": already_registered("ada@example.com", name="Ada", base_url=BASE),
}
EVERY_MAIL = pytest.mark.parametrize("mail", MAILS.values(), ids=list(MAILS))


def links(text: str) -> set[str]:
    return {html.unescape(link) for link in re.findall(r"https?://[^\s\"<>]+", text)}


@EVERY_MAIL
def test_text_and_html_carry_the_same_single_link(mail: Mail) -> None:
    assert len(links(mail.text)) == 1
    assert links(mail.html) == links(mail.text)


@EVERY_MAIL
def test_text_and_html_say_the_same(mail: Mail) -> None:
    visible = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", mail.html)).split())
    for paragraph in mail.text.split("\n\n"):
        words = paragraph.partition(":\nhttp")[0].strip()
        assert " ".join(words.split()) in visible


@EVERY_MAIL
def test_links_lead_to_the_configured_address(mail: Mail) -> None:
    (link,) = links(mail.text)
    assert link == BASE or link.startswith(f"{BASE}/")


def test_the_token_travels_in_the_fragment_alone() -> None:
    mail = verification_mail()
    (link,) = links(mail.text)
    parts = urlsplit(link)
    assert parts.fragment == f"token={TOKEN}"
    assert (parts.query, parts.path) == ("", "/verify-email")
    for form in (mail.text, mail.html, mail.subject):
        assert TOKEN not in form.replace(f"#token={TOKEN}", "")


def test_a_mail_to_somebody_who_is_registered_carries_no_token() -> None:
    assert "token" not in MAILS["already registered"].text
    assert "token" not in MAILS["already registered"].html


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Seán O'Casey", "Anne-Marie", "李 小龍"])
def test_a_mail_greets_by_a_plain_name(name: str) -> None:
    mail = verification_mail(name)
    assert f"Hello {name}," in mail.text
    assert html.escape(f"Hello {name},") in mail.html


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{0} {name}",
        "</p><a href='https://evil.example'>click</a>",
        "https://evil.example",
        "win at evil.example",
        "mallory@evil.example",
        "evil.example/win",
    ],
)
def test_a_name_that_could_become_markup_or_a_link_is_left_out(name: str) -> None:
    """Anybody can sign anybody up, so a name must not carry a message of its own."""
    mail = verification_mail(name)
    for form in (mail.text, mail.html):
        assert "Hello," in form
        assert name not in form
        assert html.escape(name) not in form
        assert "evil.example" not in form
    assert mail.html.count("<a ") == 1


def test_a_mail_shows_neither_its_address_nor_its_content() -> None:
    shown = repr(verification_mail())
    assert "ada@example.com" not in shown
    assert TOKEN not in shown
