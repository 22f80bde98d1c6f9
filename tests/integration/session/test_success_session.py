"""A customer's server mints short sessions for its own users, and they make images with them."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from imagelayer.access.end_user_sessions import END_USER_SCOPES
from imagelayer.access.wiring import AccessWiring
from imagelayer.platform.times import parse_rfc3339, rfc3339
from tests.support import end_users
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.product import Product


def claims_of(session: dict[str, Any]) -> dict[str, Any]:
    return dict(jwt.decode(session["session_token"], options={"verify_signature": False}))


@pytest.mark.promise("sessions-short")
def test_a_session_has_what_the_key_may_hand_on_and_lasts_a_quarter_of_an_hour(
    product: Product, owner: Account
) -> None:
    answer = end_users.mint(product, end_users.key_of(product, owner))
    assert answer.status == 201
    session = answer.json
    assert session["scopes"] == list(END_USER_SCOPES)
    assert (session["end_user_id"], session["allowed_origins"], session["max_generations"]) == (
        "user-1",
        [],
        None,
    )
    expires = parse_rfc3339(session["expires_at"])
    assert expires is not None
    assert 300 < expires - time.time() <= 900
    claims = claims_of(session)
    assert (claims["exp"], claims["sub"], claims["org"]) == (int(expires), "user-1", owner.org_id)
    assert claims["sid"] == session["id"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("seconds", [60, 61, 900, 3599, 3600])
def test_a_session_lasts_as_long_as_was_asked_for(
    product: Product, owner: Account, seconds: int
) -> None:
    session = end_users.mint(product, end_users.key_of(product, owner), expires_in=seconds).json
    claims = claims_of(session)
    assert claims["exp"] - claims["iat"] == seconds
    assert end_users.record(product, session)["expires_at"] == claims["exp"]
    assert end_users.is_good(product, session)


@pytest.mark.parametrize(
    ("of_the_key", "asked", "granted"),
    [
        (ALL_SCOPES, None, list(END_USER_SCOPES)),
        (ALL_SCOPES, ["generations:write"], ["generations:write"]),
        (ALL_SCOPES, ["generations:write", "assets:read"], ["assets:read", "generations:write"]),
        (ALL_SCOPES, ["assets:read", "assets:read"], ["assets:read"]),
        (("sessions:write", "generations:read", "brands:write"), None, ["generations:read"]),
        (("sessions:write", "assets:read"), ["assets:read"], ["assets:read"]),
    ],
)
def test_a_session_gets_some_of_the_keys_scopes_and_none_beyond(
    product: Product,
    owner: Account,
    of_the_key: tuple[str, ...],
    asked: list[str] | None,
    granted: list[str],
) -> None:
    key = product.key(owner, *of_the_key)
    body = {} if asked is None else {"scopes": asked}
    session = end_users.mint(product, key, **body).json
    assert session["scopes"] == granted
    assert end_users.record(product, session)["scopes"] == granted


@pytest.mark.promise("sessions-short")
def test_an_end_user_makes_an_image_and_sees_it(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    asked = end_users.generate(product, session)
    assert asked.status == 202
    product.work_queue()
    job = end_users.read(product, session, asked.headers["location"])
    assert (job.status, job.json["status"]) == (200, "succeeded")
    (asset,) = job.json["assets"]
    shown = end_users.read(product, session, f"/v1/assets/{asset['id']}")
    assert shown.status == 200
    assert product.fetch(shown.json["url"])[0] == 200
    assert end_users.read(product, session, f"/v1/assets/{asset['id']}/content").status == 302


@pytest.mark.promise("quota-org")
def test_what_end_users_make_is_paid_by_the_organization(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    end_users.generate(product, session, n=2)
    assert product.item("CreditsTable", "BALANCE#")["reserved"] == 2
    job = product.item("GenerationsTable", "GEN#")
    assert (job["org_id"], job["actor"], job["end_user_id"]) == (
        owner.org_id,
        session["id"],
        "user-1",
    )


def test_a_session_of_a_test_key_makes_test_images_that_cost_nothing(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner, mode="test"))
    job = end_users.generate(product, session).json
    assert (job["mode"], job["credits"]) == ("test", 0)
    # Only the organization's own limit has counted it.
    assert [item["sk"] for item in product.items("CreditsTable")] == ["PLAN#0"]


def test_a_later_session_of_the_same_end_user_sees_what_an_earlier_one_made(
    product: Product, owner: Account
) -> None:
    first = product.session(end_users.key_of(product, owner), "user-1")
    made = end_users.generate(product, first).headers["location"]
    again = product.session(end_users.key_of(product, owner), "user-1")
    assert end_users.read(product, again, made).status == 200


def test_what_an_end_user_requests_twice_with_one_key_is_made_once(
    product: Product, owner: Account
) -> None:
    key = end_users.key_of(product, owner)
    first, second = product.session(key), product.session(key)
    jobs = {
        end_users.generate(product, session, idempotency_key="order-1").json["id"]
        for session in (first, second, first)
    }
    assert len(jobs) == 1
    assert product.queued() == 1


@pytest.mark.promise("keys-hashed", "sessions-short")
def test_a_token_is_shown_once_and_kept_nowhere(product: Product, owner: Account) -> None:
    session = product.session(end_users.key_of(product, owner))
    end_users.generate(product, session)
    token = session["session_token"]
    stored = product.dump()
    assert token not in stored
    assert token.rpartition(".")[2] not in stored  # the signature, without which it is none
    assert token not in product.output.getvalue()


def test_the_public_key_that_verifies_a_session_is_published_with_it(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner))
    kid = jwt.get_unverified_header(session["session_token"])["kid"]
    keys = product.call("GET", "/.well-known/jwks.json").json["keys"]
    assert [key["kid"] for key in keys] == [kid]


@pytest.mark.promise("sessions-short")
def test_revoking_an_end_users_sessions_ends_all_of_theirs_and_no_one_elses(
    product: Product, owner: Account
) -> None:
    keys = [end_users.key_of(product, owner) for _ in range(2)]
    theirs = [product.session(key, expires_in=each) for key in keys for each in (60, 3600)]
    others = [product.session(key, name) for key in keys for name in ("user-10", "user", "USER-1")]
    answer = end_users.revoke(product, bearer(keys[0]), end_user_id="user-1")
    assert (answer.status, answer.json) == (200, {"revoked": 4})
    assert [end_users.is_good(product, session) for session in theirs] == [False] * 4
    assert [end_users.is_good(product, session) for session in others] == [True] * 6


@pytest.mark.promise("sessions-short")
def test_revoking_a_keys_sessions_ends_those_it_minted_and_leaves_the_key(
    product: Product, owner: Account
) -> None:
    key, other = end_users.key_of(product, owner), end_users.key_of(product, owner)
    minted = [product.session(key, f"user-{number}") for number in range(3)]
    kept = product.session(other)
    answer = end_users.revoke(product, owner.headers, key_id=key["id"])
    assert (answer.status, answer.json) == (200, {"revoked": 3})
    assert [end_users.is_good(product, session) for session in minted] == [False] * 3
    assert end_users.is_good(product, kept)
    assert end_users.mint(product, key).status == 201


@pytest.mark.promise("sessions-short", "org-scoped")
def test_revoking_all_ends_every_one_of_the_organization_and_none_of_another(
    product: Product, owner: Account, stranger: Account
) -> None:
    minted = [
        product.session(
            end_users.key_of(product, owner, mode), f"user-{number}", expires_in=seconds
        )
        for number, (mode, seconds) in enumerate((("live", 60), ("test", 3600), ("live", 1800)))
    ]
    theirs = product.session(end_users.key_of(product, stranger), "user-0")
    answer = end_users.revoke(product, owner.headers, all=True)
    assert (answer.status, answer.json) == (200, {"revoked": 3})
    assert [end_users.is_good(product, session) for session in minted] == [False] * 3
    assert end_users.is_good(product, theirs)
    assert len(end_users.records(product)) == 1


@pytest.mark.promise("sessions-short", "keys-rotate")
def test_revoking_a_key_ends_the_sessions_it_minted_at_once(
    product: Product, owner: Account
) -> None:
    key, other = end_users.key_of(product, owner), end_users.key_of(product, owner)
    minted = [product.session(key, f"user-{number}") for number in range(2)]
    kept = product.session(other)
    path = f"/v1/keys/{key['id']}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert [end_users.is_good(product, session) for session in minted] == [False] * 2
    assert end_users.is_good(product, kept)


@pytest.mark.promise("sessions-short")
def test_a_key_that_was_revoked_half_way_is_finished_by_the_same_call_again(
    product: Product, owner: Account
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key)
    path = f"/v1/keys/{key['id']}"
    with product.broken("dynamodb", "Query"):
        assert product.call("DELETE", path, headers=owner.headers).status == 503
    assert end_users.is_good(product, session)
    assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 401
    assert product.call("DELETE", path, headers=owner.headers).status == 404
    assert not end_users.is_good(product, session)


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("end", ["revoked", "disabled", "expired"])
def test_a_session_that_is_minted_while_its_key_ends_is_taken_back(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Its end falls between the admission of the call and the writing of the session."""
    key = end_users.key_of(product, owner)
    store = product.part("session", AccessWiring).end_user_session_store
    create = store.create_session

    def create_after_the_end(*session: Any) -> None:
        path = f"/v1/keys/{key['id']}"
        if end == "revoked":
            assert product.call("DELETE", path, headers=owner.headers).status == 204
        elif end == "disabled":
            body = {"enabled": False}
            assert product.call("PATCH", path, headers=owner.headers, body=body).status == 200
        else:
            product.edit_secret(product.secret(key["key"]), valid_until=int(time.time()))
        create(*session)

    monkeypatch.setattr(store, "create_session", create_after_the_end)
    refused = end_users.mint(product, key)
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    assert end_users.records(product) == []


def rotate(product: Product, owner: Account, key: dict[str, Any], grace: int) -> dict[str, Any]:
    path = f"/v1/keys/{key['id']}/rotate"
    body = {"grace_seconds": grace}
    rotated = product.call("POST", path, headers=owner.headers, body=body)
    assert rotated.status == 201
    return dict(rotated.json)


@pytest.mark.promise("sessions-short", "keys-rotate")
def test_rotating_a_key_without_grace_ends_what_its_old_secret_minted(
    product: Product, owner: Account
) -> None:
    """That secret may have leaked, and with it what was minted."""
    key, other = end_users.key_of(product, owner), end_users.key_of(product, owner)
    session, kept = product.session(key), product.session(other)
    rotated = rotate(product, owner, key, grace=0)
    assert not end_users.is_good(product, session)
    assert end_users.is_good(product, kept)
    assert end_users.is_good(product, product.session(rotated))


def test_rotating_a_key_with_grace_ends_no_session(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key)
    rotate(product, owner, key, grace=60)
    assert end_users.is_good(product, session)
    assert end_users.is_good(product, product.session(key))


@pytest.mark.promise("sessions-short")
def test_a_session_that_is_minted_while_its_secret_is_rotated_away_is_taken_back(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = end_users.key_of(product, owner)
    store = product.part("session", AccessWiring).end_user_session_store
    create = store.create_session

    def create_after_the_rotation(*session: Any) -> None:
        rotate(product, owner, key, grace=0)
        create(*session)

    monkeypatch.setattr(store, "create_session", create_after_the_rotation)
    assert end_users.mint(product, key).status == 401
    assert end_users.records(product) == []


@pytest.mark.promise("sessions-short")
def test_no_session_outlives_the_secret_that_minted_it(product: Product, owner: Account) -> None:
    body = {
        "name": "k",
        "scopes": list(ALL_SCOPES),
        "mode": "live",
        "expires_at": rfc3339(time.time() + 600),
    }
    key = product.call("POST", "/v1/keys", headers=owner.headers, body=body).json
    session = product.session(key, expires_in=3600)
    assert session["expires_at"] == key["expires_at"]
    assert rfc3339(claims_of(session)["exp"]) == key["expires_at"]
    assert end_users.is_good(product, session)
    shorter = product.session(key, expires_in=60)
    assert shorter["expires_at"] < key["expires_at"]
    in_grace = end_users.key_of(product, owner)
    rotate(product, owner, in_grace, grace=300)
    last = product.session(in_grace, expires_in=3600)
    ends = parse_rfc3339(last["expires_at"])
    assert ends is not None
    assert ends <= time.time() + 300


@pytest.mark.parametrize(
    "selector", [{"end_user_id": "nobody"}, {"all": True}, {"key_id": "its own"}]
)
def test_revoking_what_is_not_there_ends_nothing_and_is_not_an_error(
    product: Product, owner: Account, selector: dict[str, Any]
) -> None:
    key = end_users.key_of(product, owner)
    body = {**selector, "key_id": key["id"]} if "key_id" in selector else selector
    for _ in range(2):
        answer = end_users.revoke(product, owner.headers, **body)
        assert (answer.status, answer.json) == (200, {"revoked": 0})


def test_a_session_that_ran_out_is_not_counted_as_revoked(product: Product, owner: Account) -> None:
    key = end_users.key_of(product, owner)
    over = product.session(key, "user-1")
    product.session(key, "user-1")
    item = end_users.record(product, over)
    product.edit("SessionsTable", item, expires_at=int(time.time()) - 1)
    assert end_users.revoke(product, bearer(key), end_user_id="user-1").json == {"revoked": 1}
    assert end_users.records(product) == []


@pytest.mark.promise("security-logged", "auth-logged")
def test_minting_and_revoking_are_reported_without_the_end_users_name(
    product: Product, owner: Account
) -> None:
    end_user = "grace.hopper@customer.example"
    key = end_users.key_of(product, owner)
    session = product.session(key, end_user, allowed_origins=[end_users.SHOP], max_generations=0)
    end_users.generate(product, session, origin=end_users.SHOP)
    end_users.generate(product, session, origin="https://evil.example")
    end_users.generate(product, session)
    end_users.read(product, session, "/v1/keys", origin=end_users.SHOP)
    end_users.revoke(product, bearer(key), end_user_id=end_user)
    end_users.read(product, session, "/v1/keys", origin=end_users.SHOP)
    told = {
        event: [(line["outcome"], line["actor"], line["reason"]) for line in lines]
        for event in (
            "session.minted",
            "session.cap_reached",
            "authz.origin_denied",
            "authz.denied",
            "session.revoked",
        )
        if (lines := product.security_events(event))
    }
    assert told == {
        "session.minted": [("success", key["id"], session["id"])],
        "session.cap_reached": [("denied", session["id"], "")],
        "authz.origin_denied": [
            ("denied", session["id"], "another origin"),
            ("denied", session["id"], "no origin"),
        ],
        "authz.denied": [("denied", session["id"], "user only")],
        "session.revoked": [("success", key["id"], "end user: 1")],
    }
    assert {line["org_id"] for event in told for line in product.security_events(event)} == {
        owner.org_id
    }
    logs = product.output.getvalue()
    for part in (end_user, "grace", "hopper", "customer.example"):
        assert part not in logs
        assert part not in str(product.items("EventsTable"))
        assert part not in str(product.items("CountersTable"))


@pytest.mark.promise("security-logged")
@pytest.mark.parametrize(
    ("body", "reason"), [({"all": True}, "all: 2"), ({"key_id": "…"}, "{id}: 2")]
)
def test_what_was_revoked_is_reported(
    product: Product, owner: Account, body: dict[str, Any], reason: str
) -> None:
    key = end_users.key_of(product, owner)
    for number in range(2):
        product.session(key, f"user-{number}")
    sent = {**body, "key_id": key["id"]} if "key_id" in body else body
    end_users.revoke(product, owner.headers, **sent)
    (line,) = product.security_events("session.revoked")
    assert (line["actor"], line["reason"]) == (owner.user_id, reason.format(**key))
