"""Chromium on the local cloud; a browser that says anything or asks elsewhere fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Route,
    WebError,
    expect,
    sync_playwright,
)

from dev.local_cloud import LocalCloud
from tests.support.api_clients import plain_http
from tests.support.cloud_clients import new_address

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = ("--no-sandbox", "--disable-background-networking")
# What a browser notes by itself about a refusal that a test is about.
REFUSAL_NOTED = "Failed to load resource: "


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the local cloud and a browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.local_cloud)
            if CHROMIUM is None:
                item.add_marker(
                    pytest.mark.skip(reason="no chromium or google-chrome is installed")
                )


@dataclass
class Tab:
    """One page of a fresh browser profile, and what it asked for and said.

    Its requests go out from an address of its own, so that each is another client to the
    per-address limits, and reach the cloud or nothing.
    """

    page: Page
    origin: str
    http: httpx.Client
    online: bool = True
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, link: str) -> None:
        """Follow a link as from a mail, on a page of its own."""
        self.page.goto("about:blank")
        self.page.goto(link)

    def asked(self, route: Route) -> None:
        """Note a request, and answer it."""
        request = route.request
        self.requests.append(request)
        if not self.online or not request.url.startswith(f"{self.origin}/"):
            route.abort("internetdisconnected")
            return
        answer = self.http.request(
            request.method, request.url, headers=request.headers, content=request.post_data_buffer
        )
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    def said(self, message: ConsoleMessage) -> None:
        """Note an error or warning in the console."""
        if message.type in ("error", "warning") and not message.text.startswith(REFUSAL_NOTED):
            self.complaints.append(message.text)

    def failed(self, error: WebError) -> None:
        """Note an error that nothing caught."""
        self.complaints.append(str(error.error))

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Method and path of every request so far."""
        return [(each.method, urlsplit(each.url).path) for each in self.requests]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; not for longer, because it keeps an event loop running in this thread."""
    expect.set_options(timeout=20_000)  # milliseconds; a function may start for the first time
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def tab(browser: Browser, cloud: LocalCloud) -> Iterator[Tab]:
    """A tab that in the end has reported no error and asked for nothing outside the origin."""
    context = browser.new_context(viewport={"width": 320, "height": 640})
    transport = plain_http(new_address())
    with httpx.Client(transport=transport, timeout=30) as http:
        opened = Tab(context.new_page(), cloud.base_url, http)
        context.route("**/*", opened.asked)
        context.on("console", opened.said)
        context.on("weberror", opened.failed)
        yield opened
        context.close()
    assert opened.complaints == []
    assert all(each.url.startswith(f"{opened.origin}/") for each in opened.requests)
