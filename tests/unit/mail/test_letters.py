"""The mails: the same words and link in both forms, nothing of a stranger's taken as markup."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest

from imagelayer.mail import letters as mails
from imagelayer.mail.letters import Mail, Occasion
from imagelayer.mail.worker import GATHERED
from imagelayer.routes import ROUTES

BASE = "https://imagelayer.example"
TOKEN = "01jabcdefghjkmnpqrstvwxyz0.s3cr3t-part_of_the_token"
OCCASION = Occasion("2026-01-01 12:00 UTC", "Firefox on Windows", "198.51.100.7")
TO = "ada@example.com"


def verification(_name: str = "Ada") -> Mail:
    return mails.verification(TO, base_url=BASE, token=TOKEN, hours=24)


def owner_invitation(organization: str = "Ada") -> Mail:
    return mails.owner_invitation(
        TO, organization=organization, base_url=BASE, token=TOKEN, hours=24
    )


def already_registered(name: str = "Ada") -> Mail:
    return mails.already_registered(TO, name=name, base_url=BASE)


def password_reset(name: str = "Ada") -> Mail:
    return mails.password_reset(TO, name=name, base_url=BASE, token=TOKEN, minutes=60)


def invitation(name: str = "Ada", organization: str = "Solstice Coffee") -> Mail:
    return mails.invitation(
        TO,
        inviter=name,
        organization=organization,
        role="admin",
        base_url=BASE,
        token=TOKEN,
        days=7,
    )


def new_place(name: str = "Ada") -> Mail:
    return mails.new_place(TO, name=name, base_url=BASE, occasion=OCCASION)


def password_changed(name: str = "Ada") -> Mail:
    return mails.password_changed(TO, name=name, base_url=BASE, occasion=OCCASION)


def totp_enabled(name: str = "Ada") -> Mail:
    return mails.totp_changed(TO, name=name, base_url=BASE, occasion=OCCASION, enabled=True)


def totp_disabled(name: str = "Ada") -> Mail:
    return mails.totp_changed(TO, name=name, base_url=BASE, occasion=OCCASION, enabled=False)


def recovery_code_used(name: str = "Ada") -> Mail:
    return mails.recovery_codes_changed(TO, name=name, base_url=BASE, occasion=OCCASION, left=9)


def recovery_codes_renewed(name: str = "Ada") -> Mail:
    return mails.recovery_codes_changed(TO, name=name, base_url=BASE, occasion=OCCASION, left=None)


def key_changed(name: str = "Ada", key_name: str = "Website", *, rotated: bool = False) -> Mail:
    return mails.key_changed(
        TO,
        name=name,
        base_url=BASE,
        occasion=OCCASION,
        key_name=key_name,
        key_hint="il_live_abcd…wxyz",
        rotated=rotated,
    )


def key_rotated(name: str = "Ada") -> Mail:
    return key_changed(name, rotated=True)


def key_leaked(name: str = "Ada", key_name: str = "Website", place: str = "") -> Mail:
    return mails.key_leaked(
        TO,
        name=name,
        key_name=key_name,
        key_hint="il_live_abcd…wxyz",
        place=place,
    )


def gathered_keys(name: str = "Ada", key_name: str = "Website", count: int = 22) -> Mail:
    label = mails.key_label(key_name, "il_live_abcd…wxyz")
    return mails.gathered(
        TO, name=name, base_url=BASE, kind="key_created", reports=[(label, OCCASION)] * count
    )


def gathered_logins(name: str = "Ada") -> Mail:
    return mails.gathered(
        TO, name=name, base_url=BASE, kind="new_place", reports=[("", OCCASION)] * 2
    )


def quota_80(name: str = "Ada") -> Mail:
    return mails.quota(TO, name=name, percent=80, month="2026-01", allowance=12_000)


def quota_100(name: str = "Ada") -> Mail:
    return mails.quota(TO, name=name, percent=100, month="2026-01", allowance=12_000)


Writer = Callable[..., Mail]
LINKS: dict[Writer, str] = {
    verification: "/verify-email",
    owner_invitation: "/verify-email",
    password_reset: "/reset-password",
    invitation: "/accept-invitation",
}
NOTICES: list[Writer] = [
    already_registered,
    new_place,
    password_changed,
    totp_enabled,
    totp_disabled,
    recovery_code_used,
    recovery_codes_renewed,
    key_changed,
    key_rotated,
    key_leaked,
    gathered_keys,
    gathered_logins,
    quota_80,
    quota_100,
]


def named(writer: Any) -> str:
    return str(writer.__name__)


EVERY_MAIL = pytest.mark.parametrize("write", [*LINKS, *NOTICES], ids=named)
EVERY_LINK = pytest.mark.parametrize("write", LINKS, ids=named)
EVERY_NOTICE = pytest.mark.parametrize("write", NOTICES, ids=named)
TEMPTING = pytest.mark.parametrize(
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
        "Your card was charged 499 USD - to cancel call 1-800-555-0199 now",
        "your account is locked - call support 1 800 555 0199",
        "call 18005550199",
        "call 1 8 0 0 5",
        "١٨٠٠٥٥٥٠١٩٩",
        "call \uff11\uff18\uff10\uff10\uff15\uff15\uff15",
        "Your account is locked and will be deleted",
        "x" * 41,
    ],
)


def links(text: str) -> set[str]:
    return {html.unescape(link) for link in re.findall(r"https?://[^\s\"<>]+", text)}


def flowing(text: str) -> str:
    """Words without the ends of lines."""
    return " ".join(text.split())


def test_every_mail_that_can_be_written_is_tested_here() -> None:
    writers = {
        name
        for name, value in vars(mails).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == "Mail"
    }
    assert {name for name in writers if not name.startswith("_")} == {
        "verification",
        "owner_invitation",
        "already_registered",
        "password_reset",
        "invitation",
        "new_place",
        "password_changed",
        "totp_changed",
        "recovery_codes_changed",
        "key_changed",
        "key_leaked",
        "gathered",
        "quota",
    }


@EVERY_MAIL
def test_text_and_html_carry_the_same_link_and_no_other(write: Writer) -> None:
    mail = write()
    assert len(links(mail.text)) == (0 if write in (quota_80, quota_100, key_leaked) else 1)
    assert links(mail.html) == links(mail.text)


@EVERY_LINK
def test_both_forms_of_a_mail_with_a_button_lead_to_the_same_place(write: Writer) -> None:
    mail = write()
    hrefs = [html.unescape(each) for each in re.findall(r'href="([^"]*)"', mail.html)]
    assert set(hrefs) == links(mail.text) == links(mail.html)
    assert len(hrefs) == 1


@EVERY_MAIL
def test_text_and_html_say_the_same(write: Writer) -> None:
    mail = write()
    visible = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", mail.html)).split())
    for paragraph in mail.text.split("\n\n"):
        words = paragraph.partition(":\nhttp")[0].strip()
        assert " ".join(words.split()) in visible


@EVERY_MAIL
def test_the_text_is_readable_as_it_is(write: Writer) -> None:
    text = write().text
    assert not re.search(r"<[a-z/!]", text)
    assert "&" not in text
    assert text.endswith("ImageLayer\n")
    assert text.startswith("Hello")
    paragraphs = text.removesuffix("\n").split("\n\n")
    assert all(each and each == each.strip() for each in paragraphs)
    assert len(paragraphs) >= 4
    assert "\r" not in text
    # RFC 5322 §2.1.1; a link is never cut in two.
    assert all(len(line) <= 78 for line in text.splitlines() if not line.startswith("http"))


@EVERY_MAIL
def test_a_subject_is_one_short_line_that_needs_no_encoding(write: Writer) -> None:
    subject = write("李 小龍").subject
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) <= 78  # RFC 5322 §2.1.1
    message = EmailMessage()
    message["Subject"] = subject
    assert message["Subject"] == subject


@EVERY_MAIL
def test_a_subject_is_ours_whatever_the_names_are(write: Writer) -> None:
    assert write("Mallory").subject == write("Ada").subject
    assert "Ada" not in write("Ada").subject


@EVERY_MAIL
def test_links_lead_to_a_page_of_the_configured_address(write: Writer) -> None:
    for link in links(write().text):
        assert link.startswith(BASE)
        path = urlsplit(link.removeprefix(BASE).rstrip(".")).path
        assert f"GET {path}" in ROUTES


@EVERY_LINK
def test_the_token_travels_in_the_fragment_alone(write: Writer) -> None:
    mail = write()
    (link,) = links(mail.text)
    parts = urlsplit(link)
    assert parts.fragment == f"token={TOKEN}"
    assert (parts.query, parts.path) == ("", LINKS[write])
    for form in (mail.text, mail.html, mail.subject):
        assert TOKEN not in form.replace(f"#token={TOKEN}", "")


@EVERY_NOTICE
def test_a_mail_that_only_tells_something_carries_no_token(write: Writer) -> None:
    mail = write()
    for form in (mail.text, mail.html):
        assert "token" not in form
        assert not any(urlsplit(link).fragment or urlsplit(link).query for link in links(form))


@EVERY_MAIL
def test_a_mail_loads_nothing(write: Writer) -> None:
    """No picture that tells when it was read, no font, no script, no style from elsewhere."""
    page = write().html
    assert not re.search(r"<(img|script|link|iframe|object|video|audio|svg|form)\b", page)
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.parametrize(
    "name", ["Studio 54", "1984 Books", "Ada Lovelace", "李 小龍", "Åsa-Maria O’Neill", "x" * 40]
)
def test_a_plain_name_is_quoted_in_mails_to_others(name: str) -> None:
    for mail in (
        invitation(name),
        invitation(organization=name),
        owner_invitation(name),
        key_changed(key_name=name),
        key_leaked(key_name=name),
        gathered_keys(key_name=name),
    ):
        assert f'"{name}"' in flowing(mail.text)
        assert html.escape(f'"{name}"') in mail.html


@EVERY_LINK
def test_a_mail_to_someone_without_an_account_greets_no_one(write: Writer) -> None:
    if write is not password_reset:
        assert write().text.startswith("Hello,\n")


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Seán O'Casey", "Anne-Marie", "李 小龍"])
def test_a_mail_greets_by_a_plain_name(name: str) -> None:
    mail = already_registered(name)
    assert f"Hello {name}," in mail.text
    assert html.escape(f"Hello {name},") in mail.html


@EVERY_MAIL
@TEMPTING
def test_a_name_that_could_become_markup_or_a_link_is_left_out(write: Writer, name: str) -> None:
    """Anybody can sign anybody up, so a name must not carry a message of its own."""
    mail = write(name)
    for form in (mail.text, mail.html):
        assert "Hello," in form
        assert name not in form
        assert html.escape(name) not in form
        assert "evil.example" not in form
    assert mail.html.count("<a ") == (1 if write in LINKS else 0)


@TEMPTING
def test_an_organizations_or_a_keys_name_is_left_out_as_well(name: str) -> None:
    for mail in (
        invitation(organization=name),
        key_changed(key_name=name),
        key_leaked(key_name=name),
        gathered_keys(key_name=name),
    ):
        for form in (mail.text, mail.html):
            assert name not in form
            assert html.escape(name) not in form
            assert "evil.example" not in form
    assert "an organization" in invitation(organization=name).text
    assert "il_live_abcd…wxyz" in key_changed(key_name=name).text
    assert "il_live_abcd…wxyz" in key_leaked(key_name=name).text


def test_a_mail_about_a_leaked_key_names_the_place_to_copy_and_not_to_click() -> None:
    place = "https://github.com/octo/shop/blob/main/.env#L3"
    mail = key_leaked(place=place)
    assert f"It was found here:\n{place}\n" in mail.text
    assert html.escape(place) in mail.html
    assert "<a " not in mail.html
    assert "It was found here" not in key_leaked().text


def test_a_mail_that_gathers_notices_lists_some_and_counts_the_rest() -> None:
    text = flowing(gathered_keys(count=22).text)
    assert text.count('"Website" (il_live_abcd…wxyz): 2026-01-01 12:00 UTC') == mails.MOST_LISTED
    assert "… and 2 more." in text
    assert "(22 more)" in gathered_keys(count=22).subject
    assert "more." not in flowing(gathered_keys(count=mails.MOST_LISTED).text)


def test_every_notice_with_a_budget_can_be_gathered() -> None:
    assert mails.GATHERED_SUBJECTS.keys() == GATHERED


def test_an_invitation_says_who_invites_where_to_and_as_what() -> None:
    said = '"Ada" invites you to join the organization "Solstice Coffee" on ImageLayer as an admin.'
    assert said in flowing(invitation().text)
    assert "A member invites you to join" in flowing(invitation("evil.example").text)
    assert "7 days" in flowing(invitation().text)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (new_place, "2026-01-01 12:00 UTC, Firefox on Windows, from 198.51.100.7"),
        (password_changed, "2026-01-01 12:00 UTC, Firefox on Windows, from 198.51.100.7"),
        (totp_enabled, "was set up for your account"),
        (totp_disabled, "was removed from your account"),
        (recovery_code_used, "and 9 are left"),
        (recovery_codes_renewed, "The old ones no longer work"),
        (key_changed, 'The API key "Website" (il_live_abcd…wxyz) was created:'),
        (key_rotated, 'The API key "Website" (il_live_abcd…wxyz) has a new secret:'),
        (key_leaked, 'The API key "Website" (il_live_abcd…wxyz) was found in public'),
        (quota_80, "80 percent of the 12,000 credits of 2026-01 are used."),
        (quota_100, "The 12,000 credits of 2026-01 are used up"),
        (verification, "for 24 hours"),
        (password_reset, "for 60 minutes"),
    ],
)
def test_a_mail_says_what_its_reader_needs_to_judge_it(write: Writer, said: str) -> None:
    assert said in flowing(write().text)
    assert html.escape(said) in write().html


@pytest.mark.parametrize(
    "write",
    [
        new_place,
        password_changed,
        totp_enabled,
        totp_disabled,
        recovery_code_used,
        recovery_codes_renewed,
        key_changed,
        key_rotated,
    ],
    ids=named,
)
def test_a_mail_of_a_change_says_what_to_do_if_it_was_someone_else(write: Writer) -> None:
    condition = r"If (not|this was not you|no one in your organization did this), "
    assert re.search(condition, flowing(write().text))


def test_an_occasion_leaves_out_what_is_not_known() -> None:
    assert Occasion("2026-01-01 12:00 UTC", "", "").sentence == "2026-01-01 12:00 UTC"


def test_a_mail_shows_neither_its_address_nor_its_content() -> None:
    shown = repr(verification())
    assert TO not in shown
    assert TOKEN not in shown
