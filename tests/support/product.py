"""The whole product in one process, driven as its users drive it."""

from __future__ import annotations

import time
from copy import replace
from typing import Any

import requests

from imagelayer.limits.rate_limits import Policy
from tests.support import aws, role_calls
from tests.support.api import CAPTCHA, PASSWORD, Account, Answer, bearer
from tests.support.functions import CAPTCHA_SOLVED, Beginning
from tests.support.images import logo
from tests.support.queues import Queues

# A copied account signed up no longer ago: its tokens are good for minutes more than a test takes.
FRESH_SECONDS = 60


class Product(Queues):
    """Accounts and what they make, through the API. Use as a context manager."""

    @property
    def _untouched(self) -> bool:
        """Whether it is still as it began: nothing was called, read or set."""
        return (
            self._calls == aws.calls()
            and not self._platforms
            and not self.parameters
            and self.siteverify == CAPTCHA_SOLVED
        )

    def begin_with(self, email: str) -> Account:
        """An account like any other, copied from a sign-up of the last minute if there was one.

        Only a product that is still as it began can begin otherwise; any other signs up. The
        processes that served the sign-up are gone: what those remember is for `account`.
        """
        if not self._untouched:
            return self.account(email)
        before = self._beginning
        found = before.then.get(email)
        if found is None or time.monotonic() - found.at > FRESH_SECONDS:
            with role_calls.aside():
                account = self.account(email)
            found = before.then[email] = Beginning(
                aws.Snapshot.take(),
                time.monotonic(),
                self.names,
                self.output.getvalue(),
                self._requests,
                (*before.accounts, account),
            )
        self._begin(found)
        return replace(found.accounts[-1])

    def register(self, email: str, **changes: Any) -> Answer:
        """Sign up."""
        body = {"email": email, "turnstile_token": CAPTCHA}
        ip = changes.pop("ip", "198.51.100.7")
        return self.call("POST", "/v1/auth/register", body={**body, **changes}, ip=ip)

    def confirm(self, token: str, **changes: Any) -> Answer:
        """Create the account of a sign-up with the token of its mail."""
        body = {
            "token": token,
            "name": "Dev Eloper",
            "organization_name": "Solstice Coffee",
            "password": PASSWORD,
        }
        ip = changes.pop("ip", "198.51.100.7")
        return self.call("POST", "/v1/auth/verify-email", body={**body, **changes}, ip=ip)

    def newest_token(self) -> str:
        """The token of the newest mail's link."""
        body = str(self.mails()[-1].body)
        return body.partition("#token=")[2].partition('"')[0].split()[0]

    def account(self, email: str) -> Account:
        """Register, confirm and log in."""
        assert self.register(email).status == 202
        assert self.confirm(self.newest_token()).status == 200
        login = self.call("POST", "/v1/auth/login", body={"email": email, "password": PASSWORD})
        assert login.status == 200, login.text
        return Account(
            email,
            login.json["access_token"],
            login.cookies[0].partition(";")[0],
            login.json["organization"]["id"],
            login.json["user"]["id"],
        )

    def key(
        self, account: Account, *scopes: str, mode: str = "live", **fields: Any
    ) -> dict[str, Any]:
        """Create a key."""
        body = {"name": "test key", "scopes": list(scopes), "mode": mode, **fields}
        created = self.call("POST", "/v1/keys", headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def session(
        self, key: dict[str, Any], end_user_id: str = "user-1", **body: Any
    ) -> dict[str, Any]:
        """Mint a session for an end user, as a customer's server does."""
        sent = {"end_user_id": end_user_id, **body}
        minted = self.call("POST", "/v1/auth/session", headers=bearer(key), body=sent)
        assert minted.status == 201, minted.text
        return dict(minted.json)

    def webhook(self, account: Account, **fields: Any) -> dict[str, Any]:
        """Make a webhook endpoint."""
        body = {"url": "https://hooks.example.com/imagelayer", **fields}
        path = "/v1/organization/webhooks"
        created = self.call("POST", path, headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def brand(self, account: Account, **fields: Any) -> dict[str, Any]:
        """Create a brand."""
        body = {"name": "Solstice", "palette": ["#FF6B35", "#1A2B4C"], **fields}
        created = self.call("POST", "/v1/brands", headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def brand_with_logo(self, account: Account) -> dict[str, Any]:
        """Create a brand whose jobs fail once it is deleted, for want of the logo."""
        brand = self.brand(account)
        self.deliver_upload(self.upload(account.headers, brand["id"], logo()))
        return brand

    def upload(
        self,
        headers: dict[str, str],
        brand_id: str,
        data: bytes,
        *,
        kind: str = "logo",
        content_type: str = "image/png",
    ) -> dict[str, Any]:
        """Announce a file and post it with the form of the answer, as a client does."""
        announced = self.call(
            "POST",
            f"/v1/brands/{brand_id}/assets",
            headers=headers,
            body={"kind": kind, "content_type": content_type, "size_bytes": len(data)},
        )
        assert announced.status == 201, announced.text
        form = announced.json["upload"]
        sent = requests.post(form["url"], data=form["fields"], files={"file": data}, timeout=5)
        assert sent.status_code in (200, 204), sent.text
        return dict(announced.json)

    def fetch(self, url: str) -> tuple[int, bytes]:
        """Follow a signed link."""
        answer = requests.get(url, timeout=5)
        return int(answer.status_code), bytes(answer.content)

    def exhaust(self, policy: Policy, ip: str, account: Account) -> None:
        """Spend one limit of an address and of an account's session, as a flood just did."""
        tat = int(time.time() * 1000) + policy.burst * policy.interval_ms + 10_000
        self.edit(
            "CountersTable",
            {"pk": f"LIMIT#{policy.name}#{ip}", "sk": "TAT"},
            **{f"tat_{policy.name.replace('-', '_')}": tat},
        )
        for session in self.items("SessionsTable"):
            if session.get("user_id") == account.user_id:
                spent = {f"tat_{policy.name.replace('-', '_')}": tat}
                self.edit("SessionsTable", session, **spent)
