"""What makes two requests the same, and what does not."""

from __future__ import annotations

from copy import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.brands.schemas import CreateBrandRequest
from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.platform.errors import Problem
from imagelayer.platform.idempotency import (
    IdempotencyRecord,
    concurrent_duplicate,
    read_key,
    record_of,
    replayed_ids,
)
from imagelayer.platform.principals import EndUser, Principal
from imagelayer.platform.table import TransactionContended

NOW = 1_800_000_000.7
KEY = Principal("key", "org_1", "key_1", frozenset())
OTHER_KEY = replace(KEY, actor="key_2")
USER = Principal("user", "org_1", "usr_1", frozenset(), role="owner")
BODY = CreateGenerationRequest(prompt="waves")


def end_user(name: str, session: str = "eus_1") -> Principal:
    """A customer's own user, in one of their sessions."""
    return replace(KEY, kind="end_user", actor=session, end_user=EndUser(name, session, 0))


def made(
    principal: Principal = KEY, headers: dict[str, str] | None = None, **changes: Any
) -> IdempotencyRecord | None:
    """The idempotency record of a request."""
    request: dict[str, Any] = {
        "operation": "createGeneration",
        "scope": "organization",
        "path": {},
        "body": BODY,
        **changes,
    }
    return record_of(headers or {"idempotency-key": "abc"}, principal, NOW, **request)


def named(*args: Any, **changes: Any) -> IdempotencyRecord:
    """The idempotency record of a request that must have one."""
    found = made(*args, **changes)
    assert found is not None
    return found


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=253))
def test_a_key_means_the_same_in_quotes_and_without(key: str) -> None:
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not bare:
        return
    assert read_key({"idempotency-key": key}) == bare
    assert read_key({"idempotency-key": f'"{bare}"'}) == bare


@pytest.mark.parametrize("key", ["", '""', "a b", "a\n", "\x7f", "é", "x" * 256])
def test_what_is_not_1_to_255_visible_characters_is_refused(key: str) -> None:
    with pytest.raises(Problem) as refused:
        read_key({"idempotency-key": key})
    assert refused.value.code == "bad_request"


@pytest.mark.parametrize("key", ['"', 'a"b', '"a', "x" * 255, f'"{"x" * 255}"'])
def test_the_longest_key_and_stray_quotes_are_keys(key: str) -> None:
    assert read_key({"idempotency-key": key}) == (key[1:-1] if len(key) == 257 else key)


def test_no_header_is_not_a_key() -> None:
    assert read_key({}) is None
    assert made(headers={"content-type": "application/json"}) is None


def test_in_an_organization_all_credentials_share_it_but_end_users() -> None:
    shared = {named(each).hash for each in (KEY, OTHER_KEY, USER)}
    users = [named(end_user(*each)).hash for each in (("a",), ("a", "eus_2"), ("b",))]
    assert len(shared) == 1
    assert users[0] == users[1] != users[2]
    assert not shared & set(users)


def test_where_a_secret_is_answered_it_is_the_callers_own() -> None:
    hashes = [named(each, scope="actor").hash for each in (KEY, OTHER_KEY, USER)]
    assert len(set(hashes)) == 3
    assert named(KEY, scope="actor") == named(KEY, scope="actor")


def test_each_operation_and_each_key_is_another_record() -> None:
    hashes = {
        named().hash,
        named(operation="createBrand").hash,
        named(headers={"idempotency-key": "abd"}).hash,
        named(end_user("createGeneration"), operation="abc").hash,
    }
    assert len(hashes) == 4


@given(*[st.tuples(st.text(max_size=3), st.sampled_from(["a", "ab", "b"]))] * 2)
def test_no_end_user_can_be_named_so_that_a_key_is_anothers(
    one: tuple[str, str], two: tuple[str, str]
) -> None:
    hashes = [
        named(end_user(user), {"idempotency-key": key}).hash for user, key in (one, two) if user
    ]
    if len(hashes) == 2:
        assert (hashes[0] == hashes[1]) == (one == two)


def test_body_path_and_mode_are_part_of_the_request() -> None:
    fingerprints = [
        named().fingerprint,
        named(body=CreateGenerationRequest(prompt="waves", n=2)).fingerprint,
        named(body=None).fingerprint,
        named(path={"key_id": "key_1"}).fingerprint,
        named(path={"key_id": "key_2"}).fingerprint,
        named(replace(KEY, mode="test")).fingerprint,
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    spelled_out = CreateGenerationRequest(prompt="waves", n=1)
    assert named(body=spelled_out).fingerprint == named().fingerprint
    assert (
        named(path={"a": "1", "b": "2"}).fingerprint == named(path={"b": "2", "a": "1"}).fingerprint
    )
    brand = CreateBrandRequest(name="B", palette=["#112233"])
    assert named(body=brand).hash == named().hash


def test_a_record_tells_when_it_ends_and_never_shows_its_key() -> None:
    found = named(headers={"idempotency-key": "a-key-of-theirs"})
    assert (found.now, found.expires_at) == (int(NOW), int(NOW) + 24 * 3600)
    assert found.key == "a-key-of-theirs"
    assert "theirs" not in repr(found)
    assert found.creating(generation_id="gen_1").ids == {"generation_id": "gen_1"}


def test_another_request_under_the_same_key_is_refused() -> None:
    record = {"fingerprint": named().fingerprint, "made": {"generation_id": "gen_1"}}
    assert replayed_ids(named(), record) == {"generation_id": "gen_1"}
    with pytest.raises(Problem) as refused:
        replayed_ids(named(body=None), record)
    assert (refused.value.status, refused.value.code) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("count", "again"), [("0", True), ("00", True), ("1", False), ("2", False), ("999", False)]
)
def test_a_counted_attempt_reserves_the_request_itself(count: str, again: bool) -> None:
    found = named(headers={"x-stainless-retry-count": count}, by_attempt=True)
    assert (found.overwrite, found.key) == (again, "")
    assert found.expires_at == int(NOW) + 15 * 60
    first = named(headers={"x-stainless-retry-count": "0"}, by_attempt=True)
    assert found.hash == first.hash != named().hash


@pytest.mark.parametrize("count", ["", "x", "-1", "1.0", "1000", " 1", "１", "1\n"])  # noqa: RUF001
def test_what_is_not_a_count_reserves_nothing(count: str) -> None:
    assert made(headers={"x-stainless-retry-count": count}, by_attempt=True) is None


def test_attempts_are_the_callers_own_and_only_where_they_are_taken() -> None:
    headers = {"x-stainless-retry-count": "1"}
    assert made(headers=headers) is None
    callers = (KEY, OTHER_KEY, USER, end_user("a"), end_user("a", "eus_2"))
    hashes = {named(each, headers, by_attempt=True).hash for each in callers}
    assert len(hashes) == len(callers)
    other = CreateGenerationRequest(prompt="waves", seed=1)
    assert named(KEY, headers, by_attempt=True, body=other).hash not in hashes


@pytest.mark.parametrize(
    ("met", "told"),
    [([False, True], True), ([True, True], True), ([True, False], False), ([], False)],
)
def test_only_who_met_the_record_itself_learns_of_a_twin(met: list[bool], told: bool) -> None:
    fault = TransactionContended(met)
    with (
        pytest.raises(Problem if told else TransactionContended) as raised,
        concurrent_duplicate(named()),
    ):
        raise fault
    assert getattr(raised.value, "code", None) == ("idempotency_in_flight" if told else None)
    with pytest.raises(TransactionContended), concurrent_duplicate(None):
        raise fault
