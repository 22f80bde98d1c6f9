"""Sessions used from elsewhere, after their end, or for what they are not."""

from __future__ import annotations

import time

import pytest

from tests.support import end_users
from tests.support.api import Account, bearer, session_bearer
from tests.support.product import Product

SHOP = end_users.SHOP


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://sub.shop.example",
        "http://shop.example",
        "https://shop.example:443",
        "https://shop.example:8443",
        "https://shop.example/",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.example, https://evil.example",
    ],
)
def test_a_session_is_refused_from_any_origin_that_is_not_on_its_list_to_the_letter(
    product: Product, owner: Account, origin: str | None
) -> None:
    session = product.session(
        end_users.key_of(product, owner), allowed_origins=[SHOP, "https://app.shop.example"]
    )
    before = product.counts()
    refused = end_users.generate(product, session, origin=origin)
    assert (refused.status, refused.json["code"]) == (403, "origin_not_allowed")
    assert (product.counts(), product.queued()) == (before, 0)
    (line,) = product.security_events("authz.origin_denied")
    assert line["actor"] == session["id"]
    assert line["reason"] == ("another origin" if origin else "no origin")
    assert SHOP not in refused.text


@pytest.mark.parametrize("origin", [SHOP, "https://app.shop.example"])
def test_a_session_is_good_from_every_origin_on_its_list(
    product: Product, owner: Account, origin: str
) -> None:
    session = product.session(
        end_users.key_of(product, owner), allowed_origins=[SHOP, "https://app.shop.example"]
    )
    assert end_users.generate(product, session, origin=origin).status == 202


@pytest.mark.parametrize("origin", [None, SHOP, "https://anywhere.example", "null"])
def test_a_session_without_a_list_is_good_from_anywhere(
    product: Product, owner: Account, origin: str | None
) -> None:
    session = product.session(end_users.key_of(product, owner))
    assert end_users.generate(product, session, origin=origin).status == 202


@pytest.mark.promise("sessions-short")
def test_a_session_is_held_to_its_origins_on_every_route_open_to_it(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner), allowed_origins=[SHOP])
    job = end_users.generate(product, session, origin=SHOP).headers["location"]
    product.work_queue()
    asset = end_users.read(product, session, job, origin=SHOP).json["assets"][0]["id"]
    for path in (job, f"/v1/assets/{asset}", f"/v1/assets/{asset}/content"):
        assert end_users.read(product, session, path, origin=SHOP).status in (200, 302)
        refused = end_users.read(product, session, path, origin="https://evil.example")
        assert (refused.status, refused.json["code"]) == (403, "origin_not_allowed")


def test_an_origin_says_nothing_about_a_key_or_a_dashboard(
    product: Product, owner: Account
) -> None:
    for headers in (owner.headers, bearer(end_users.key_of(product, owner))):
        sent = {**headers, "origin": "https://anywhere.example"}
        assert product.call("GET", "/v1/brands", headers=sent).status == 200


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("past", [0, 1, 3600])
def test_the_end_of_a_session_is_compared_at_each_call(
    product: Product, owner: Account, past: int
) -> None:
    """On the record, whatever the token says and whether or not TTL has removed it."""
    session = product.session(end_users.key_of(product, owner), expires_in=3600)
    assert end_users.generate(product, session).status == 202
    product.edit(
        "SessionsTable", end_users.record(product, session), expires_at=int(time.time()) - past
    )
    before = product.counts()
    for refused in (
        end_users.generate(product, session),
        end_users.read(product, session, "/v1/keys"),
    ):
        assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert product.counts() == before
    assert product.security_events("auth.credential_refused")[-1]["reason"] == "ended session"


@pytest.mark.promise("sessions-short")
def test_what_was_taken_from_a_session_is_gone_at_the_next_call(
    product: Product, owner: Account
) -> None:
    """Scopes and origins are the record's, not the token's."""
    session = product.session(end_users.key_of(product, owner))
    item = end_users.record(product, session)
    product.edit("SessionsTable", item, scopes=["assets:read"])
    refused = end_users.generate(product, session)
    assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
    product.edit("SessionsTable", item, allowed_origins=[SHOP])
    assert end_users.generate(product, session).json["code"] == "origin_not_allowed"


@pytest.mark.promise("sessions-short")
def test_a_session_mints_revokes_and_refreshes_nothing(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    headers = session_bearer(session)
    for path, body in (
        (end_users.MINT, {"end_user_id": "user-2"}),
        (end_users.MINT, {"end_user_id": "user-1", "expires_in": 3600}),
        (end_users.REVOKE, {"all": True}),
        (end_users.REVOKE, {"end_user_id": "user-1"}),
    ):
        refused = product.call("POST", path, headers=headers, body=body)
        assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
    cookie = f"__Host-il_refresh={session['session_token']}"
    assert product.call("POST", "/v1/auth/refresh", cookies=[cookie]).status == 401
    assert [item["id"] for item in end_users.records(product)] == [session["id"]]


@pytest.mark.promise("keys-scoped")
def test_a_dashboard_mints_no_session_and_may_end_them(product: Product, owner: Account) -> None:
    """What a token may do comes from a key, so that revoking the key ends it."""
    body = {"end_user_id": "user-1"}
    refused = product.call("POST", end_users.MINT, headers=owner.headers, body=body)
    assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
    session = product.session(end_users.key_of(product, owner))
    assert end_users.revoke(product, owner.headers, end_user_id="user-1").json == {"revoked": 1}
    assert not end_users.is_good(product, session)
