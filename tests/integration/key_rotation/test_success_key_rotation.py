"""The life of an API key."""

from __future__ import annotations

import time

import pytest

from imagelayer.api_keys import hash_secret, is_well_formed
from imagelayer.times import rfc3339
from tests.support.product import ALL_SCOPES, Account, Answer, Product, bearer


def own(product: Product, key: dict[str, object]) -> Answer:
    return product.call("GET", "/v1/keys/self", headers=bearer(key))


def rotate(product: Product, headers: dict[str, str], key_id: str, grace: int = 0) -> Answer:
    path = f"/v1/keys/{key_id}/rotate"
    return product.call("POST", path, headers=headers, body={"grace_seconds": grace})


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
    rotated = rotate(product, owner.headers, key["id"])
    assert rotated.status == 201
    assert own(product, key).status == 401
    assert own(product, rotated.json).status == 200


@pytest.mark.promise("keys-rotate")
def test_with_grace_both_secrets_work_until_it_ends(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotated = rotate(product, owner.headers, key["id"], grace=3600).json
    assert own(product, key).status == own(product, rotated).status == 200
    assert rotated["previous_expires_at"] <= rfc3339(time.time() + 3601)
    old = product.secret(key["key"])
    assert abs(old["valid_until"] - time.time() - 3600) < 10
    product.edit("KeysTable", old, valid_until=int(time.time()))
    assert own(product, key).status == 401
    assert own(product, rotated).status == 200


@pytest.mark.promise("keys-rotate", "keys-scoped")
def test_a_rotated_key_keeps_id_scopes_mode_and_expiry(product: Product, owner: Account) -> None:
    until = rfc3339(time.time() + 86_400)
    body = {
        "name": "k",
        "scopes": ["assets:read", "keys:rotate"],
        "mode": "test",
        "expires_at": until,
    }
    key = product.call("POST", "/v1/keys", headers=owner.headers, body=body).json
    rotated = rotate(product, owner.headers, key["id"], grace=604_800).json
    for name in ("id", "name", "scopes", "mode", "expires_at", "created_at"):
        assert rotated[name] == key[name]
    assert rotated["key"].startswith("il_test_")
    assert rotated["previous_expires_at"] == until  # the grace never outlives the expiry
    assert (
        product.secret(rotated["key"])["valid_until"] == product.secret(key["key"])["valid_until"]
    )


@pytest.mark.promise("keys-rotate")
def test_a_key_may_rotate_itself(product: Product, owner: Account) -> None:
    key = product.key(owner, "keys:rotate")
    rotated = rotate(product, bearer(key), key["id"])
    assert rotated.status == 201
    assert own(product, rotated.json).status == 200
    assert own(product, key).status == 401


@pytest.mark.promise("keys-rotate")
def test_revoking_ends_every_secret_of_a_key_at_once(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotated = rotate(product, owner.headers, key["id"], grace=3600).json
    revoked = product.call("DELETE", f"/v1/keys/{key['id']}", headers=owner.headers)
    assert revoked.status == 204
    assert own(product, key).status == own(product, rotated).status == 401
    assert product.items("KeysTable") == []
    path = f"/v1/keys/{key['id']}"
    assert product.call("GET", path, headers=owner.headers).status == 404


@pytest.mark.promise("keys-rotate")
def test_a_key_rotated_however_often_can_still_be_revoked(product: Product, owner: Account) -> None:
    key = product.key(owner, "keys:rotate")
    keys = product.wiring("key_rotation").api_keys
    stored = product.item("KeysTable", "KEY#")
    for _ in range(110):
        item = keys.store.get(owner.org_id, key["id"])
        assert item is not None
        assert keys.store.rotate(
            item,
            hash_secret(f"secret {time.perf_counter_ns()}"),
            {"prefix": stored["prefix"], "last_four": "xxxx"},
            previous_ends=int(time.time()) + 604_800,
            now=int(time.time()),
        )
    path = f"/v1/keys/{key['id']}"
    assert product.call("DELETE", path, headers=owner.headers).status == 204
    assert product.items("KeysTable") == []


@pytest.mark.promise("security-logged")
def test_the_life_of_a_key_is_logged(product: Product, owner: Account) -> None:
    key = product.key(owner, "assets:read")
    rotate(product, owner.headers, key["id"])
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
def test_a_key_is_made_whether_or_not_its_owners_can_be_told(
    product: Product, owner: Account, kind: str
) -> None:
    key = product.key(owner, "assets:read")
    with product.broken("sqs"):
        if kind == "key_rotated":
            answer = rotate(product, owner.headers, key["id"])
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


@pytest.mark.promise("keys-rotate")
def test_rotating_refills_no_limit(product: Product, owner: Account) -> None:
    key = product.key(owner, "keys:rotate", "assets:read")
    for _ in range(5):
        product.call("GET", "/v1/keys/self", headers=bearer(key))
    before = product.secret(key["key"])["tat_key_read"]
    rotated = product.call(
        "POST", f"/v1/keys/{key['id']}/rotate", headers=owner.headers, body={"grace_seconds": 0}
    )
    assert product.secret(rotated.json["key"])["tat_key_read"] == before
