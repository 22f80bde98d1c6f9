"""A user of the running product: everything over HTTP, as a browser or a server would."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from dev.settings import ROOT

PASSWORD = "a quiet harbour at dawn"
CAPTCHA = "XXXX.DUMMY.TOKEN.XXXX"
ALL_SCOPES = (
    "assets:read",
    "brands:read",
    "brands:write",
    "generations:read",
    "generations:write",
    "keys:rotate",
    "sessions:write",
    "usage:read",
    "webhooks:read",
    "webhooks:write",
)
LOGO = ROOT / "dev" / "assets" / "demo-logo.png"


# The local cloud speaks plain HTTP. A client that reads the system's certificates, as every new one
# does, spends more on them than on its request.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_trace: ContextVar[str] = ContextVar("trace", default="")


@contextmanager
def traced(trace: str) -> Iterator[None]:
    """Within it, calls of this thread carry a trace, so that faults meet them alone."""
    token = _trace.set(trace)
    try:
        yield
    finally:
        _trace.reset(token)


def plain_http(address: str) -> httpx.HTTPTransport:
    """A transport for plain HTTP from one address of the loopback interface."""
    return httpx.HTTPTransport(local_address=address, verify=_NO_CERTIFICATES)


@dataclass
class Visitor:
    """One person with an organization, a dashboard token, a brand and a key."""

    base_url: str
    mail: Callable[[str], list[dict[str, Any]]]
    address: str  # of the socket: another one is another client to the per-address limits
    email: str
    access_token: str = ""
    org_id: str = ""
    user_id: str = ""
    password: str = PASSWORD
    refresh_cookie: str = ""
    key: dict[str, Any] = field(default_factory=dict)
    brand: dict[str, Any] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        transport = plain_http(self.address)
        self.http = httpx.Client(base_url=self.base_url, transport=transport, timeout=90)

    def call(
        self, method: str, path: str, *, token: str | None = None, **parts: Any
    ) -> httpx.Response:
        """One request; `token` None sends no credentials."""
        headers = parts.pop("headers", {})
        if token is not None:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        if trace := _trace.get():
            headers = {**headers, "x-local-trace": trace}
        return self.http.request(method, path, headers=headers, **parts)

    def register(self, **changes: Any) -> httpx.Response:
        """Sign up."""
        body = {"email": self.email, "turnstile_token": CAPTCHA}
        return self.call("POST", "/v1/auth/register", json={**body, **changes})

    def verify(self, **changes: Any) -> httpx.Response:
        """Follow the newest mail's link the way its page does."""
        self.secrets.add(self.password)
        body = {
            "token": changes.get("token") or self.mailed_token("verify-email"),
            "name": "Vera Visitor",
            "organization_name": "Solstice Coffee",
            "password": self.password,
        }
        return self.call("POST", "/v1/auth/verify-email", json={**body, **changes})

    def log_in(self, **more: Any) -> httpx.Response:
        """Log in and keep the tokens."""
        answer = self.call(
            "POST",
            "/v1/auth/login",
            json={"email": self.email, "password": self.password, **more},
        )
        if answer.status_code == 200:
            self.keep_tokens(answer)
            self.org_id = answer.json()["organization"]["id"]
            self.user_id = answer.json()["user"]["id"]
        return answer

    def keep_tokens(self, answer: httpx.Response) -> None:
        """Keep the tokens of a login or refresh."""
        self.access_token = answer.json()["access_token"]
        cookie = re.search(r"__Host-il_refresh=([^;]+)", answer.headers["set-cookie"])
        assert cookie is not None
        self.refresh_cookie = cookie[1]
        self.secrets |= {self.access_token, *cookie[1].split(".")[1:]}

    def refresh(self, cookie: str | None = None) -> httpx.Response:
        """Trade a refresh token, the newest unless told otherwise; keeps nothing."""
        sent = f"__Host-il_refresh={cookie or self.refresh_cookie}"
        return self.call("POST", "/v1/auth/refresh", headers={"Cookie": sent})

    def mailed_token(self, page: str) -> str:
        """The token of the newest mailed link to a page."""
        links: list[str] = [link for mail in self.mail(self.email) for link in mail["links"]]
        token = next(link for link in links if f"/{page}#token=" in link).partition("#token=")[2]
        self.secrets.add(token.rpartition(".")[2])
        return token

    def sign_up(self) -> Visitor:
        """From nothing to logged in."""
        for step in (self.register, self.verify, self.log_in):
            answer = step()
            assert answer.is_success, answer.text
        return self

    def make_key(self, *scopes: str, mode: str = "live") -> dict[str, Any]:
        """Create a key; the first one made is kept as `key`."""
        answer = self.call(
            "POST",
            "/v1/keys",
            token=self.access_token,
            json={"name": "tests", "scopes": list(scopes or ALL_SCOPES), "mode": mode},
        )
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        self.secrets.add(created["key"])
        self.key = self.key or created
        return created

    def webhook(self, **fields: Any) -> dict[str, Any]:
        """Make a webhook endpoint, by default one where no one listens."""
        answer = self.call(
            "POST",
            "/v1/organization/webhooks",
            token=self.access_token,
            json={"url": "http://127.0.0.1:9/", **fields},
        )
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        self.secrets.add(created["secret"])
        return created

    def make_brand(self) -> dict[str, Any]:
        """Create a brand without a logo."""
        answer = self.call(
            "POST",
            "/v1/brands",
            token=self.access_token,
            json={"name": "Solstice", "palette": ["#FF6B35", "#1A2B4C", "#F5E6D3"]},
        )
        assert answer.status_code == 201, answer.text
        self.brand = answer.json()
        return self.brand

    def upload(self, data: bytes, content_type: str = "image/png") -> dict[str, Any]:
        """Send a logo and wait until it was taken in or refused."""
        path = f"/v1/brands/{self.brand['id']}/assets"
        announced = self.call(
            "POST",
            path,
            token=self.access_token,
            json={"kind": "logo", "content_type": content_type, "size_bytes": len(data)},
        )
        assert announced.status_code == 201, announced.text
        form = announced.json()["upload"]
        sent = httpx.post(form["url"], data=form["fields"], files={"file": data})
        assert sent.status_code in (200, 201, 204), sent.text
        return self.poll(
            f"{path}/{announced.json()['id']}", lambda found: found["status"] != "pending"
        )

    def upload_demo_logo(self) -> dict[str, Any]:
        """The demo logo, ready for use."""
        return self.upload(Path(LOGO).read_bytes())

    def generate(self, **body: Any) -> dict[str, Any]:
        """Ask with the key and wait for the end."""
        asked = self.call(
            "POST",
            "/v1/generations",
            token=self.key["key"],
            json={"prompt": "warm paper waves at sunrise", **body},
        )
        assert asked.status_code == 202, asked.text
        return self.poll(
            f"/v1/generations/{asked.json()['id']}",
            lambda found: found["status"] not in ("queued", "running"),
        )

    def poll(
        self, path: str, done: Callable[[dict[str, Any]], bool], seconds: float = 40
    ) -> dict[str, Any]:
        """Read with the access token until `done`."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.call("GET", path, token=self.access_token)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            if done(found):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
