"""What a person sees and does who opens the link of a mail, and that opening does nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from dev.local_cloud import LocalCloud
from tests.browser.conftest import Tab
from tests.support.api_clients import PASSWORD, Visitor
from tests.support.cloud_clients import new_visitor

NEW_PASSWORD = "seven lanterns under an old bridge"
WEAK_PASSWORD = "imagelayer imagelayer"
DEAD_TOKENS = {
    "verify-email": f"{'0' * 64}.{'x' * 43}",
    "reset-password": f"{'0' * 26}.{'x' * 43}",
    "accept-invitation": f"{'0' * 26}.{'0' * 26}.{'x' * 43}",
}
EVERY_PAGE = pytest.mark.parametrize("name", DEAD_TOKENS)


def mailed_link(cloud: LocalCloud, email: str, name: str, *, count: int = 1) -> str:
    """The newest link to a page, once that many were mailed."""
    mails = count
    while True:
        cloud.wait_for_mail(email, count=mails)
        links: list[str] = [link for mail in cloud.mail(email) for link in mail["links"]]
        found = [link for link in links if urlsplit(link).path == f"/{name}"]
        if len(found) >= count:
            return found[0]
        mails += 1


def verification(cloud: LocalCloud) -> tuple[Visitor, str]:
    visitor = new_visitor(cloud)
    assert visitor.register().status_code == 202
    return visitor, mailed_link(cloud, visitor.email, "verify-email")


def reset(cloud: LocalCloud) -> tuple[Visitor, str]:
    visitor = new_visitor(cloud).sign_up()
    visitor.secrets.add(NEW_PASSWORD)
    asked = visitor.call("POST", "/v1/auth/password/forgot", json={"email": visitor.email})
    assert asked.status_code == 202
    return visitor, mailed_link(cloud, visitor.email, "reset-password")


def invitation(cloud: LocalCloud) -> tuple[Visitor, str]:
    owner, invited = new_visitor(cloud).sign_up(), new_visitor(cloud)
    asked = owner.call(
        "POST",
        "/v1/organization/invitations",
        token=owner.access_token,
        json={"email": invited.email, "role": "developer"},
    )
    assert asked.is_success, asked.text
    return invited, mailed_link(cloud, invited.email, "accept-invitation")


Mailed = Callable[[LocalCloud], tuple[Visitor, str]]
MAILED: dict[str, Mailed] = {
    "verify-email": verification,
    "reset-password": reset,
    "accept-invitation": invitation,
}


def log_in(visitor: Visitor, password: str) -> int:
    body = {"email": visitor.email, "password": password}
    return visitor.call("POST", "/v1/auth/login", json=body).status_code


def fill_in(tab: Tab, password: str) -> None:
    """Every field of the page."""
    fields = (("Name", "Vera Visitor"), ("Organization", "Solstice Coffee"), ("Password", password))
    for label, value in fields:
        field = tab.page.get_by_label(label, exact=True)
        if field.is_visible():
            field.fill(value)


def send(tab: Tab) -> None:
    tab.page.locator("button.action:visible").click()


def test_an_account_is_created_on_the_page_of_the_mail(cloud: LocalCloud, tab: Tab) -> None:
    visitor, link = verification(cloud)
    tab.open(link)
    fill_in(tab, PASSWORD)
    tab.page.get_by_role("button", name="Create my account").click()
    expect(tab.page.get_by_role("heading")).to_have_text("Account created")
    expect(tab.page.get_by_role("status")).to_have_text(
        "Your address is confirmed. You can log in now."
    )
    expect(tab.page.get_by_role("link", name="Go to the log-in page")).to_be_visible()
    assert log_in(visitor, PASSWORD) == 200


@pytest.mark.parametrize("name", MAILED)
def test_opening_a_link_requests_the_page_alone_and_consumes_nothing(
    cloud: LocalCloud, tab: Tab, name: str
) -> None:
    _, link = MAILED[name](cloud)
    for _ in range(3):
        tab.open(link)
        expect(tab.page.locator("button.action:visible")).to_be_enabled()
    assert tab.calls == [("GET", f"/{name}")] * 3
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    expect(tab.page.locator("#good")).to_be_visible()


@pytest.mark.parametrize("name", MAILED)
def test_the_token_is_in_no_address_once_the_page_is_open(
    cloud: LocalCloud, tab: Tab, name: str
) -> None:
    _, link = MAILED[name](cloud)
    tab.open(link)
    assert tab.page.url == link.partition("#")[0]
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    expect(tab.page.locator("#good")).to_be_visible()
    token = link.partition("#token=")[2]
    assert not [each.url for each in tab.requests if token in each.url.partition("#")[0]]
    assert not [each.url for each in tab.requests if each.headers.get("referer")]


def test_a_new_password_is_set_with_the_keyboard_alone(cloud: LocalCloud, tab: Tab) -> None:
    visitor, link = reset(cloud)
    tab.open(link)
    expect(tab.page.get_by_label("Password", exact=True)).to_be_focused()
    tab.page.keyboard.type(NEW_PASSWORD)
    tab.page.keyboard.press("Enter")
    said = tab.page.get_by_role("status")
    expect(said).to_have_text("You are logged out everywhere. Log in with your new password.")
    expect(said).to_be_focused()
    assert log_in(visitor, PASSWORD) == 401
    assert log_in(visitor, NEW_PASSWORD) == 200


def test_a_forgotten_password_is_replaced_from_the_page_alone(cloud: LocalCloud, tab: Tab) -> None:
    """From no link at all, or a dead one, over the mail, to a login with the new password."""
    visitor = new_visitor(cloud).sign_up()
    visitor.secrets.add(NEW_PASSWORD)
    tab.open(f"{cloud.base_url}/reset-password#token={DEAD_TOKENS['reset-password']}")
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    tab.page.get_by_role("link", name="Request a new link").click()
    expect(tab.page.get_by_label("Email address")).to_be_focused()
    tab.page.keyboard.type(visitor.email)
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("heading")).to_have_text("Check your mail")
    tab.open(mailed_link(cloud, visitor.email, "reset-password"))
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    expect(tab.page.get_by_role("heading")).to_have_text("Password set")
    expect(tab.page.get_by_role("link")).to_have_text("Go to the log-in page")
    assert log_in(visitor, NEW_PASSWORD) == 200


def test_an_invitation_is_accepted_with_a_name_and_a_password(cloud: LocalCloud, tab: Tab) -> None:
    visitor, link = invitation(cloud)
    visitor.secrets.add(NEW_PASSWORD)
    tab.open(link)
    expect(tab.page.get_by_label("Name")).to_be_focused()
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    expect(tab.page.get_by_role("status")).to_have_text("You have joined. You can log in now.")
    assert log_in(visitor, NEW_PASSWORD) == 200


@pytest.mark.parametrize("name", MAILED)
def test_a_weak_password_is_refused_beside_its_field_and_another_is_taken(
    cloud: LocalCloud, tab: Tab, name: str
) -> None:
    visitor, link = MAILED[name](cloud)
    tab.open(link)
    field = tab.page.get_by_label("Password", exact=True)
    fill_in(tab, WEAK_PASSWORD)
    send(tab)
    expect(tab.page.locator("#password-error")).to_contain_text("too easy to guess")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    fill_in(tab, NEW_PASSWORD)
    expect(tab.page.locator("#password-error")).to_be_empty()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    send(tab)
    expect(tab.page.locator("#good")).to_be_visible()
    assert log_in(visitor, NEW_PASSWORD) == 200


def test_a_password_of_the_wrong_length_is_refused_before_it_is_sent(
    cloud: LocalCloud, tab: Tab
) -> None:
    tab.open(f"{cloud.base_url}/reset-password#token={DEAD_TOKENS['reset-password']}")
    for password, said in (
        ("", "Please enter your password."),
        ("fourteen chars", "Your password must have at least 15 characters."),
        ("x" * 129, "Your password must have at most 128 characters."),
    ):
        fill_in(tab, password)
        send(tab)
        expect(tab.page.locator("#password-error")).to_have_text(said)
    assert [method for method, _ in tab.calls] == ["GET"]


def test_a_password_can_be_looked_at_and_is_hidden_again_before_it_is_sent(
    cloud: LocalCloud, tab: Tab
) -> None:
    tab.open(f"{cloud.base_url}/reset-password#token={DEAD_TOKENS['reset-password']}")
    field = tab.page.get_by_label("Password", exact=True)
    fill_in(tab, NEW_PASSWORD)
    tab.page.get_by_role("button", name="Show password").click()
    expect(field).to_have_attribute("type", "text")
    expect(tab.page.get_by_role("button", name="Hide password")).to_be_visible()
    tab.online = False
    send(tab)
    expect(tab.page.get_by_role("status")).to_contain_text("could not be reached")
    expect(field).to_have_attribute("type", "password")


def test_a_page_that_could_not_reach_the_product_can_be_sent_again(
    cloud: LocalCloud, tab: Tab
) -> None:
    _, link = verification(cloud)
    tab.open(link)
    fill_in(tab, NEW_PASSWORD)
    tab.online = False
    send(tab)
    expect(tab.page.get_by_role("status")).to_contain_text("could not be reached")
    tab.online = True
    send(tab)
    expect(tab.page.locator("#good")).to_be_visible()


@EVERY_PAGE
def test_a_dead_link_says_what_to_do_and_offers_no_button_to_press_again(
    cloud: LocalCloud, tab: Tab, name: str
) -> None:
    tab.open(f"{cloud.base_url}/{name}#token={DEAD_TOKENS[name]}")
    fill_in(tab, NEW_PASSWORD)
    send(tab)
    expect(tab.page.get_by_role("heading")).to_have_text("This link does not work")
    next_step = {
        "accept-invitation": "ask for another invitation",
        "verify-email": "request a new link on the log-in page",
        "reset-password": "request a new one",
    }[name]
    expect(tab.page.get_by_role("status")).to_contain_text(re.compile(next_step, re.IGNORECASE))
    expect(tab.page.get_by_role("button")).to_have_count(0)


def test_a_second_link_opened_in_the_same_tab_counts(cloud: LocalCloud, tab: Tab) -> None:
    """Only the fragment changes then, and the browser loads nothing by itself."""
    visitor, link = verification(cloud)
    tab.open(f"{cloud.base_url}/verify-email#token={DEAD_TOKENS['verify-email']}")
    with tab.page.expect_navigation(wait_until="load"):
        tab.page.evaluate("link => { location.href = link }", link)
    expect(tab.page.locator("button.action:visible")).to_be_visible()
    expect(tab.page).to_have_url(link.partition("#")[0])
    fill_in(tab, PASSWORD)
    send(tab)
    expect(tab.page.locator("#good")).to_be_visible()
    assert log_in(visitor, PASSWORD) == 200


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        (name, fragment)
        for name in DEAD_TOKENS
        for fragment in ("", "#token=", "#token=short")
        # Without a token this page requests the address to mail a link to.
        if name != "reset-password" or fragment == "#token=short"
    ],
)
def test_a_link_that_was_cut_off_says_so(
    cloud: LocalCloud, tab: Tab, name: str, fragment: str
) -> None:
    tab.open(f"{cloud.base_url}/{name}{fragment}")
    if fragment == "#token=short":
        fill_in(tab, NEW_PASSWORD)
        send(tab)
    expect(tab.page.get_by_role("heading")).to_have_text("This link is incomplete")
    expect(tab.page.get_by_role("button")).to_have_count(0)


@EVERY_PAGE
def test_a_page_fits_a_narrow_screen(cloud: LocalCloud, tab: Tab, name: str) -> None:
    tab.open(f"{cloud.base_url}/{name}#token={DEAD_TOKENS[name]}")
    assert tab.page.viewport_size == {"width": 320, "height": 640}
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 320
