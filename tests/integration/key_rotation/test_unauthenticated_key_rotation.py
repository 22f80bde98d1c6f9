"""Keys that are refused: by arithmetic, for what they are, or for where they are used from."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.access.key_secrets import checksum
from tests.support import accounts, api_keys, end_users
from tests.support.api import Account, Answer, bearer, session_bearer
from tests.support.product import Product

UNKNOWN = "0123456789ABCDEFGHIJKLMNOPQrstuv"
ELSEWHERE = "203.0.113.9"


def refused_as(product: Product, key: str) -> tuple[list[str], str]:
    """What refusing a key costs, and the reason in the log."""
    headers = {"authorization": f"Bearer {key}"}
    with accounts.calls(product, "key_rotation") as calls:
        answer = product.call("GET", "/v1/keys/self", headers=headers)
    assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
    return calls, product.security_events("auth.credential_refused")[-1]["reason"]


@pytest.mark.promise("limits-fail-closed")
def test_a_key_that_cannot_be_one_is_refused_before_any_read(
    product: Product, owner: Account
) -> None:
    """The one call there is counts the attempt for the address."""
    good = product.key(owner, "assets:read")["key"]
    swapped = good[:10] + good[11] + good[10] + good[12:]
    changed = good[:-1] + ("0" if good[-1] != "0" else "1")
    before = product.dump_of("KeysTable")
    for wrong in (changed, swapped, good[:-1], good + "0", "il_", "il_admin_" + good[8:]):
        if wrong != good:  # two equal characters in a row
            assert refused_as(product, wrong) == (["UpdateItem"], "malformed key")
    unknown = f"il_live_{UNKNOWN}{checksum(UNKNOWN)}"
    assert refused_as(product, unknown) == (["UpdateItem"] * 2, "unknown key")
    assert product.dump_of("KeysTable") == before
    assert f"LIMIT#bad-credential#{api_keys.HOME}" in {
        item["pk"] for item in product.items("CountersTable")
    }


@pytest.mark.promise("keys-scoped")
def test_a_publishable_key_is_not_a_credential_and_is_not_even_looked_up(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, kind="publishable")
    before = product.dump_of("KeysTable")
    assert refused_as(product, key["key"]) == (["UpdateItem"], "publishable key alone")
    assert product.dump_of("KeysTable") == before


@pytest.mark.promise("keys-rotate")
@pytest.mark.parametrize("warm", [True, False])
def test_a_key_used_from_elsewhere_is_refused_and_uses_up_nothing_of_its_owner(
    product: Product, owner: Account, warm: bool
) -> None:
    key = product.key(owner, "assets:read", allowed_cidrs=["198.51.100.0/24", "2001:db8::/48"])
    if warm:
        assert api_keys.own(product, key).status == 200
    before = product.secret(key["key"])
    for outside in (ELSEWHERE, "2001:db8:1::1", "::ffff:203.0.113.9"):
        answer = api_keys.own(product, key, ip=outside)
        assert (answer.status, answer.json["code"]) == (403, "address_not_allowed")
        (line,) = product.security_events("authz.address_denied")[-1:]
        assert (line["org_id"], line["actor"]) == (owner.org_id, key["id"])
    assert product.secret(key["key"]) == before
    counted = {
        item["pk"] for item in product.items("CountersTable") if "bad-credential" in item["pk"]
    }
    assert counted == {
        f"LIMIT#bad-credential#{subject}"
        for subject in (ELSEWHERE, "2001:db8:1::/64", "2001:db8:1::/48")
    }
    assert api_keys.own(product, key).status == 200


def test_who_keeps_trying_from_elsewhere_is_limited_by_address_and_the_owner_is_not(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read", allowed_cidrs=[api_keys.HOME])
    accounts.spend(product, "bad-credential", ELSEWHERE)
    answer = api_keys.own(product, key, ip=ELSEWHERE)
    assert (answer.status, answer.json["code"]) == (429, "rate_limited")
    assert api_keys.own(product, key).status == 200


def test_where_a_key_may_be_used_from_says_nothing_of_its_end_users(
    product: Product, owner: Account
) -> None:
    """The key is used by a server; the sessions it mints, by browsers anywhere."""
    key = product.key(owner, "sessions:write", "generations:read", allowed_cidrs=[api_keys.HOME])
    session = session_bearer(product.session(key))
    path = "/v1/generations/gen_00000000000000000000000000"
    assert product.call("GET", path, headers=session, ip=ELSEWHERE).status == 404


def beside(product: Product, session: dict[str, Any], key: str, ip: str = api_keys.HOME) -> Answer:
    """A widget's call: its publishable key beside the end user's session token."""
    headers = session_bearer(session) | {"x-imagelayer-key": key}
    path = "/v1/generations/gen_00000000000000000000000000"
    return product.call("GET", path, headers=headers, ip=ip)


@pytest.mark.promise("sessions-short", "org-scoped")
def test_a_key_that_comes_along_must_be_a_valid_publishable_key_of_the_same_organization(
    product: Product, owner: Account, stranger: Account
) -> None:
    session = product.session(end_users.key_of(product, owner))
    good, disabled, revoked = (product.key(owner, kind="publishable") for _ in range(3))
    foreign = product.key(stranger, kind="publishable")
    secret = product.key(owner, "generations:read")
    assert [beside(product, session, each["key"]).status for each in (good, disabled)] == [404, 404]
    api_keys.change(product, owner, disabled, enabled=False)
    api_keys.revoke(product, owner, revoked)
    for key, reason in (
        (disabled["key"], "disabled key"),
        (revoked["key"], "unknown key"),
        (foreign["key"], "foreign publishable key"),
        (secret["key"], "malformed publishable key"),
        (good["key"][:-1], "malformed publishable key"),
        ("", "malformed publishable key"),
    ):
        answer = beside(product, session, key)
        assert (answer.status, answer.json["code"]) == (401, "unauthenticated"), reason
        assert product.security_events("auth.credential_refused")[-1]["reason"] == reason
    assert beside(product, session, good["key"]).status == 404
    api_keys.change(product, owner, disabled, enabled=True)
    assert beside(product, session, disabled["key"]).status == 404


def test_a_publishable_key_is_held_to_its_networks_and_its_own_limit(
    product: Product, owner: Account
) -> None:
    session = product.session(end_users.key_of(product, owner))
    key = product.key(owner, kind="publishable", allowed_cidrs=[api_keys.HOME])
    assert beside(product, session, key["key"]).status == 404
    answer = beside(product, session, key["key"], ip=ELSEWHERE)
    assert (answer.status, answer.json["code"]) == (403, "address_not_allowed")
    tats = {name for name in product.secret(key["key"]) if name.startswith("tat_")}
    assert tats == {"tat_publishable_key"}


def test_a_publishable_key_says_nothing_beside_a_secret_one(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, "assets:read")
    headers = bearer(key) | {"x-imagelayer-key": "il_pub_nonsense"}
    assert product.call("GET", "/v1/keys/self", headers=headers).status == 200
