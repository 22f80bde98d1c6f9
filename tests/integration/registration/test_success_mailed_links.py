"""The links of mails: where they lead, and what opening them does, which is nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.accounts import NEW_PASSWORD, accept, confirm, reset
from tests.support.api import Account, Answer
from tests.support.product import Product

FORGED = {
    "host": "evil.example",
    "x-forwarded-host": "evil.example",
    "forwarded": "host=evil.example;proto=http",
    "origin": "https://evil.example",
    "referer": "https://evil.example/",
}
SIGN_UP = {"email": "new@example.com", "turnstile_token": "a-token"}
# page, what makes its mail, and what its page posts
LINKS: dict[str, tuple[str, dict[str, Any], Callable[[Product, str], Answer]]] = {
    "verify-email": ("/v1/auth/register", SIGN_UP, confirm),
    "reset-password": (
        "/v1/auth/password/forgot",
        {"email": "dev@example.com"},
        lambda product, token: reset(product, token, NEW_PASSWORD),
    ),
    "accept-invitation": (
        "/v1/organization/invitations",
        {"email": "friend@example.com", "role": "viewer"},
        accept,
    ),
}


def ask(product: Product, owner: Account, page: str, headers: dict[str, str]) -> str:
    """Cause the mail; returns its text."""
    path, body, _ = LINKS[page]
    sent = len(product.mails())
    answer = product.call("POST", path, body=body, headers={**owner.headers, **headers})
    assert answer.status in (201, 202), answer.text
    (mail,) = product.mails()[sent:]
    return str(mail.body)


@pytest.mark.parametrize("page", LINKS)
def test_links_are_built_from_configuration_and_not_from_the_request(
    product: Product, owner: Account, page: str
) -> None:
    mail = ask(product, owner, page, FORGED)
    assert f"http://front.invalid/{page}#token={product.newest_token()}" in mail
    assert "evil.example" not in mail


@pytest.mark.parametrize("page", LINKS)
def test_opening_a_link_consumes_nothing(product: Product, owner: Account, page: str) -> None:
    """Scanners and previews open links before people do."""
    ask(product, owner, page, {})
    token = product.newest_token()
    before = product.dump_of("AccountsTable")
    for query in (None, {"token": token}):
        opened = product.call("GET", f"/{page}", query=query)
        assert opened.status == 200
        assert opened.headers["content-type"] == "text/html; charset=utf-8"
        assert token not in opened.text
        assert not opened.cookies
    assert product.dump_of("AccountsTable") == before
    _, _, post = LINKS[page]
    assert post(product, token).status in (200, 204)
    assert post(product, token).status == 400


@pytest.mark.parametrize("page", LINKS)
def test_a_token_travels_in_the_fragment_alone_where_no_server_logs_it(
    product: Product, owner: Account, page: str
) -> None:
    mail = ask(product, owner, page, {})
    token = product.newest_token()
    for before, after in zip(mail.split(token), mail.split(token)[1:], strict=False):
        assert before.endswith(f"/{page}#token=")
        assert after[0] in '\n"<'
    assert "?token" not in mail


@pytest.mark.promise("keys-hashed")
@pytest.mark.parametrize("page", LINKS)
def test_a_links_token_has_256_bits_and_is_kept_hashed(
    product: Product, owner: Account, page: str
) -> None:
    ask(product, owner, page, {})
    secret = product.newest_token().rpartition(".")[2]
    assert len(secret) >= 43
    assert secret not in product.dump()
    assert secret not in product.output.getvalue()


@pytest.mark.parametrize("page", LINKS)
def test_a_page_runs_its_own_scripts_alone_and_speaks_to_no_one_else(
    product: Product, page: str
) -> None:
    policy = product.call("GET", f"/{page}").headers["content-security-policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    assert directives["form-action"] == directives["base-uri"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert all(each.startswith("'sha256-") for each in directives["script-src"].split())
