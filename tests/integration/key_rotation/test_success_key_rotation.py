"""The life of an API key."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.access.key_secrets import hash_secret, is_well_formed
from imagelayer.platform.times import parse_rfc3339, rfc3339
from tests.support import accounts, end_users
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.api_keys import (
    change,
    create,
    own,
    read,
    record,
    revoke,
    rotate,
    set_limits,
)
from tests.support.product import Product


@pytest.mark.promise("keys-hashed")
def test_a_key_is_shown_once_and_kept_as_its_hash(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    assert is_well_formed(key["key"])
    assert (key["prefix"], key["last_four"]) == (key["key"][:12], key["key"][-4:])
    stored = product.dump()
    assert key["key"] not in stored
    assert key["key"][12:-4] not in stored
    assert hash_secret(key["key"]) in stored
    for path in (f"/v1/keys/{key['id']}", "/v1/keys"):
        answer = product.call("GET", path, headers=owner.headers)
        assert key["key"][12:] not in answer.text


def test_a_key_knows_itself_and_when_it_was_used(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read", mode="test")
    assert key["last_used_at"] is None
    itself = own(product, key)
    assert itself.status == 200
    assert (itself.json["id"], itself.json["mode"], itself.json["scopes"]) == (
        key["id"],
        "test",
        ["assets:read"],
    )
    assert itself.json["last_used_at"] is not None


def test_keys_are_listed_in_pages_without_gaps(product: Product, owner: Account) -> None:
    made = [product.key(owner, "assets:read")["id"] for _ in range(5)]
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        page = product.call("GET", "/v1/keys", headers=owner.headers, query=query).json
        found += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == sorted(made)
    assert len(page["data"]) == 1


@pytest.mark.promise("keys-rotate")
def test_without_grace_the_old_secret_is_dead_at_once(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotated = rotate(product, owner.headers, key)
    assert rotated.status == 201
    assert own(product, key).status == 401
    assert own(product, rotated.json).status == 200


@pytest.mark.promise("keys-rotate")
def test_with_grace_both_secrets_work_until_it_ends(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotated = rotate(product, owner.headers, key, grace=3600).json
    assert own(product, key).status == own(product, rotated).status == 200
    assert rotated["previous_expires_at"] <= rfc3339(time.time() + 3601)
    old = product.secret(key["key"])
    assert abs(old["valid_until"] - time.time() - 3600) < 600
    product.edit_secret(old, valid_until=int(time.time()))
    assert own(product, key).status == 401
    assert own(product, rotated).status == 200


@pytest.mark.promise("keys-rotate", "keys-scoped")
def test_a_rotated_key_keeps_whatever_it_had(product: Product, owner: Account) -> None:
    until = rfc3339(time.time() + 86_400)
    body = {
        "name": "k",
        "scopes": ["assets:read", "keys:rotate"],
        "mode": "test",
        "expires_at": until,
        "allowed_cidrs": ["198.51.100.0/24", "2001:db8::/48"],
        "default_brand_id": "brd_01m8981tw4q6fc4mrshf0549qg",
    }
    key = create(product, owner, **body).json
    set_limits(product, owner, key_read={"quota": 10, "window": 3600, "burst": 5})
    own(product, key)
    before = product.secret(key["key"])
    assert before["tat_key_read"] > time.time() * 1000
    rotated = rotate(product, owner.headers, key, grace=604_800).json
    changed = {"key", "prefix", "last_four", "last_used_at", "previous_expires_at"}
    assert {name: rotated[name] for name in key.keys() - changed} == {
        name: key[name] for name in key.keys() - changed
    }
    assert rotated["key"].startswith("il_test_")
    assert rotated["previous_expires_at"] == until  # the grace never outlives the expiry
    after = product.secret(rotated["key"])
    kept = before.keys() - {"pk", "last_used_at"}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert {"terms", "tat_key_read", "scopes", "valid_until", "mode"} <= kept
    # One of five was spent: the new secret goes on where the old one was.
    assert [own(product, rotated).status for _ in range(5)] == [200] * 4 + [429]


@pytest.mark.parametrize("grace", [0, 1, 604_800])
def test_the_grace_is_as_long_as_was_asked_for(
    product: Product, owner: Account, grace: int
) -> None:
    key = product.key(owner, "assets:read")
    before = int(time.time())
    rotated = rotate(product, owner.headers, key, grace=grace).json
    ends = parse_rfc3339(rotated["previous_expires_at"])
    assert ends is not None
    assert before + grace <= ends <= int(time.time()) + grace


@pytest.mark.promise("keys-rotate")
def test_a_key_may_rotate_itself(product: Product, owner: Account) -> None:
    key = product.key(owner, "keys:rotate")
    rotated = rotate(product, bearer(key), key)
    assert rotated.status == 201
    assert own(product, rotated.json).status == 200
    assert own(product, key).status == 401


@pytest.mark.promise("keys-rotate")
def test_no_count_of_keys_stands_between_a_key_and_its_end(
    product: Product, owner: Account
) -> None:
    for count in (0, None):
        key = product.key(owner, "assets:read")
        (counter,) = [item for item in product.items("KeysTable") if item["sk"] == "KEYS"]
        product.edit("KeysTable", counter, count=count)
        path = f"/v1/keys/{key['id']}"
        assert product.call("DELETE", path, headers=owner.headers).status == 204
        assert product.call("GET", "/v1/keys/self", headers=bearer(key)).status == 401


@pytest.mark.promise("keys-rotate")
def test_revoking_ends_every_secret_of_a_key_at_once(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotated = rotate(product, owner.headers, key, grace=3600).json
    revoked = product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    assert revoked.status == 204
    assert own(product, key).status == own(product, rotated).status == 401
    # Of the organization's keys no more is kept than that there are none.
    assert [(item["sk"], item["count"]) for item in product.items("KeysTable")] == [("KEYS", 0)]
    path = f"/v1/keys/{key['id']}"
    assert product.call("GET", path, headers=owner.headers).status == 404


@pytest.mark.promise("keys-rotate")
def test_six_secrets_work_at_once_and_the_grace_that_ends_first_is_dropped_for_a_seventh(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "keys:rotate")
    secrets = [key]
    for grace in (600, 100, 500, 400, 300):
        secrets.append(rotate(product, owner.headers, key, grace=grace).json)
    assert [own(product, each).status for each in secrets] == [200] * 6
    secrets.append(rotate(product, owner.headers, key, grace=200).json)
    expected = [200, 401, 200, 200, 200, 200, 200]
    assert [own(product, each).status for each in secrets] == expected
    assert revoke(product, owner, key).status == 204
    assert [item["sk"] for item in product.items("KeysTable")] == ["KEYS"]


@pytest.mark.promise("security-logged")
def test_the_life_of_a_key_is_logged(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotate(product, owner.headers, key)
    product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    for event in ("key.created", "key.rotated", "key.revoked"):
        (line,) = product.security_events(event)
        assert (line["outcome"], line["org_id"], line["actor"], line["reason"]) == (
            "success",
            owner.org_id,
            owner.user_id,
            key["id"],
        )


@pytest.mark.parametrize("kind", ["key_created", "key_rotated"])
def test_a_key_is_made_whether_or_not_its_owners_can_be_notified(
    product: Product, owner: Account, kind: str
) -> None:
    key = product.key(owner, "assets:read")
    with product.broken("sqs"):
        if kind == "key_rotated":
            answer = rotate(product, owner.headers, key)
        else:
            body = {"name": "k", "scopes": ["assets:read"], "mode": "live"}
            answer = product.call("POST", "/v1/keys", headers=owner.headers, body=body)
    assert answer.status == 201
    assert own(product, answer.json).status == 200
    assert any("MailNotAskedFor" in line for line in product.logs())
    told = [line for line in product.logs() if line.get("level") == "WARNING"]
    assert [line["message"].partition(" mail")[0] for line in told] == [f"a {kind}"]


def test_scopes_are_kept_once_and_in_order(product: Product, owner: Account) -> None:
    key = product.key(owner, *reversed(ALL_SCOPES), "assets:read")
    assert key["scopes"] == sorted(ALL_SCOPES)


CHANGES = pytest.mark.parametrize(
    "changes",
    [
        {"name": "another name"},
        {"enabled": False},
        {"allowed_cidrs": ["198.51.100.0/24"]},
        {"default_brand_id": "brd_01m8981tw4q6fc4mrshf0549qg"},
        {"name": "k2", "enabled": False, "allowed_cidrs": ["203.0.113.7/32"]},
    ],
    ids="+".join,
)


@CHANGES
def test_a_change_changes_what_it_names_and_nothing_else(
    product: Product, owner: Account, changes: dict[str, Any]
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    other = product.key(owner, *ALL_SCOPES)
    rotate(product, owner.headers, key, grace=60)
    shown, kept = read(product, owner, key), record(product, key)
    untouched = record(product, other), product.secret(other["key"])
    answer = change(product, owner, key, **changes)
    assert (answer.status, answer.json) == (200, {**shown, **changes})
    assert read(product, owner, key) == answer.json
    # `last_used_at` is the secrets' own; the key's item keeps what was read of it.
    assert record(product, key) == {**kept, **changes, "rev": kept["rev"] + 1, "last_used_at": 0}
    assert (record(product, other), product.secret(other["key"])) == untouched
    (line,) = product.security_events("key.changed")
    assert (line["actor"], line["reason"]) == (
        owner.user_id,
        f"{key['id']} {', '.join(sorted(changes))}",
    )


def test_a_change_of_nothing_changes_nothing(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    before = product.dump_of("KeysTable")
    answer = change(product, owner, key)
    assert (answer.status, answer.json) == (200, read(product, owner, key))
    assert product.dump_of("KeysTable") == before
    assert product.security_events("key.changed") == []


@pytest.mark.promise("keys-rotate")
def test_a_disabled_key_is_refused_from_the_next_request_until_it_is_enabled(
    product: Product, owner: Account
) -> None:
    key, other = product.key(owner, *ALL_SCOPES), product.key(owner, *ALL_SCOPES)
    current = rotate(product, owner.headers, key, grace=3600).json
    sessions = [product.session(key, "user-1"), product.session(current, "user-2")]
    others = product.session(other)
    assert change(product, owner, key, enabled=False).json["enabled"] is False
    for secret in (key, current):
        assert own(product, secret).status == 401
        assert product.security_events("auth.credential_refused")[-1]["reason"] == "disabled key"
    assert [end_users.is_good(product, each) for each in (*sessions, others)] == [
        False,
        False,
        True,
    ]
    assert change(product, owner, key, enabled=True).json["enabled"] is True
    assert [own(product, secret).status for secret in (key, current)] == [200, 200]
    # What rested on the key stays ended.
    assert [end_users.is_good(product, each) for each in sessions] == [False, False]
    assert end_users.is_good(product, product.session(key))


@pytest.mark.promise("keys-rotate")
def test_disabling_that_died_half_way_is_finished_by_the_same_call_again(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    session = product.session(key)
    with product.broken("dynamodb", "Query"):
        assert change(product, owner, key, enabled=False).status == 503
    assert own(product, key).status == 401
    assert change(product, owner, key, enabled=False).status == 200
    assert not end_users.is_good(product, session)


def test_the_newest_use_of_any_secret_is_shown_and_survives_rotation(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    current = rotate(product, owner.headers, key, grace=3600).json
    used = {key["key"]: 1_800_000_200, current["key"]: 1_800_000_300}
    for secret, at in used.items():
        product.edit("KeysTable", product.secret(secret), last_used_at=at)
    newest = rfc3339(1_800_000_300)
    assert read(product, owner, key)["last_used_at"] == newest
    rotated = rotate(product, owner.headers, key).json  # the secret that was used last is gone
    assert rotated["last_used_at"] == newest
    assert read(product, owner, key)["last_used_at"] == newest
    later = rfc3339(1_800_000_400)
    product.edit("KeysTable", product.secret(rotated["key"]), last_used_at=1_800_000_400)
    assert read(product, owner, key)["last_used_at"] == later
    assert change(product, owner, key, name="k2").json["last_used_at"] == later


def test_a_list_reads_the_uses_of_all_its_secrets_in_one_call(
    product: Product, owner: Account
) -> None:
    made = [product.key(owner, "assets:read") for _ in range(3)]
    rotate(product, owner.headers, made[1], grace=60)
    own(product, made[2])
    with accounts.calls(product, "key_rotation") as calls:
        listed = product.call("GET", "/v1/keys", headers=owner.headers).json["data"]
    assert calls == ["UpdateItem", "Query", "BatchGetItem"]
    assert [each["last_used_at"] is not None for each in listed] == [False, False, True]


def test_networks_are_kept_once_in_their_canonical_form(product: Product, owner: Account) -> None:
    given = [
        "203.0.113.7",
        "2001:DB8:0::/48",
        " 198.51.100.0/24",
        "203.0.113.7/32",
        "2001:db8::/64",
    ]
    shown = ["198.51.100.0/24", "2001:db8::/48", "2001:db8::/64", "203.0.113.7/32"]
    key = product.key(owner, "assets:read", allowed_cidrs=given)
    assert key["allowed_cidrs"] == read(product, owner, key)["allowed_cidrs"] == shown
    assert change(product, owner, key, allowed_cidrs=[]).json["allowed_cidrs"] == []
    assert "terms" not in product.secret(key["key"])


@pytest.mark.parametrize(
    ("cidrs", "inside"),
    [
        (["198.51.100.0/24"], "198.51.100.200"),
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9", "2001:db8:1::/48"], "2001:db8:1:2::3"),
        (["2001:db8:1:2::/64"], "2001:db8:1:2:ffff::1"),
    ],
)
def test_a_key_works_from_its_networks(
    product: Product, owner: Account, cidrs: list[str], inside: str
) -> None:
    key = product.key(owner, "assets:read", allowed_cidrs=cidrs)
    assert [own(product, key, ip=inside).status for _ in range(2)] == [200, 200]
    # Nothing was refused on the way: the first call has learned the terms, the second knew them.
    assert product.security_events("authz.address_denied") == []


@pytest.mark.promise("keys-rotate")
def test_a_change_of_the_networks_holds_from_the_next_request_both_ways(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    here, there = "198.51.100.7", "203.0.113.9"

    def seen() -> list[int]:
        return [own(product, key, ip=ip).status for ip in (here, there)]

    assert seen() == [200, 200]
    for cidrs, expected in (
        ([here], [200, 403]),
        ([there], [403, 200]),
        ([here, there], [200, 200]),
        ([there], [403, 200]),
        ([], [200, 200]),
    ):
        change(product, owner, key, allowed_cidrs=cidrs)
        assert seen() == expected, cidrs


def test_a_publishable_key_is_made_rotated_and_revoked_like_any_other(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, kind="publishable")
    assert (key["kind"], key["scopes"], key["prefix"][:7]) == ("publishable", [], "il_pub_")
    assert is_well_formed(key["key"])
    rotated = rotate(product, owner.headers, key, grace=60).json
    assert rotated["key"].startswith("il_pub_")
    assert rotated["kind"] == "publishable"
    assert revoke(product, owner, key).status == 204
    assert [item["sk"] for item in product.items("KeysTable")] == ["KEYS"]


@pytest.mark.promise("keys-rotate")
def test_a_rotation_whose_answer_was_lost_shows_the_same_secret_and_is_finished(
    product: Product, owner: Account
) -> None:
    """The rotation died before it ended what the old secret had minted."""
    key = product.key(owner, *ALL_SCOPES)
    session = product.session(key)
    path, headers = f"/v1/keys/{key['id']}/rotate", owner.headers | {"idempotency-key": "again"}
    with product.broken("dynamodb", "Query"):
        lost = product.call("POST", path, headers=headers, body={"grace_seconds": 0})
    assert lost.status == 503
    assert own(product, key).status == 401
    assert end_users.is_good(product, session)
    answer = product.call("POST", path, headers=headers, body={"grace_seconds": 0})
    assert (answer.status, answer.headers["idempotent-replayed"]) == (201, "true")
    assert own(product, answer.json).status == 200
    assert not end_users.is_good(product, session)
    assert len([item for item in product.items("KeysTable") if item["sk"] == "SECRET"]) == 1


def test_what_the_new_secret_minted_outlives_a_repeated_rotation(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    path, headers = f"/v1/keys/{key['id']}/rotate", owner.headers | {"idempotency-key": "again"}
    rotated = product.call("POST", path, headers=headers, body={}).json
    session = product.session(rotated)
    item = end_users.record(product, session)
    product.edit("SessionsTable", item, created_at=item["created_at"] + 1)
    assert product.call("POST", path, headers=headers, body={}).json["key"] == rotated["key"]
    assert end_users.is_good(product, session)


@pytest.mark.promise("keys-rotate")
def test_a_key_that_rotates_itself_within_a_grace_can_ask_again_with_its_old_secret(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "keys:rotate")
    path, headers = f"/v1/keys/{key['id']}/rotate", bearer(key) | {"idempotency-key": "again"}
    body = {"grace_seconds": 60}
    first, again = (product.call("POST", path, headers=headers, body=body) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert again.json == {**first.json, "last_used_at": again.json["last_used_at"]}
