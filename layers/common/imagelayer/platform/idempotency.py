"""Idempotency keys: what a repeated request is, and what it is answered.

The header is a quoted string by draft-ietf-httpapi-idempotency-key-header-07 and bare in most
clients: both are taken. A record is kept for 24 hours, of what succeeded alone: a refused request
made nothing, so its repetition is decided anew. It holds the ids of what was made; a repeated
request is answered from what they name, as it is by then.

Clients made by Stainless, the `openai` client among them, send no key but say which attempt it is.
For them the request itself is the key: a second attempt within a quarter of an hour is answered
with what the newest first attempt of the same request made.

ORG#<org_id>   IDEM#<hash>   fingerprint, actor, made, expires_at

The record is written in the transaction that makes the thing, so there is never one without the
other. It holds ids and never an answer: the answer is made again from what the ids name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from imagelayer.platform.errors import Problem
from imagelayer.platform.principals import Principal
from imagelayer.platform.table import (
    Action,
    Item,
    StoreUnavailable,
    Table,
    TransactionContended,
    TransactionRefused,
    transact,
)

KEPT_SECONDS = 24 * 3600
RETRY_SECONDS = 15 * 60
REPLAYED = {"Idempotent-Replayed": "true"}
# Who shares a key's meaning: the whole organization, or, where the answer shows a secret, only the
# one who asked. An end user's keys are always that end user's.
Scope = Literal["organization", "actor"]
_KEY_SHAPE = re.compile(r"[\x21-\x7e]{1,255}")
_ATTEMPT = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True)
class Created:
    """What a creating request answers, and whether an earlier one made it."""

    body: dict[str, Any]
    replayed: bool = False


def read_key(headers: Mapping[str, str]) -> str | None:
    """The header's key without its quotes, or None. Raises Problem 400."""
    key = headers.get("idempotency-key")
    if key is None:
        return None
    bare = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not _KEY_SHAPE.fullmatch(bare):
        raise Problem("bad_request", "Idempotency-Key must be 1 to 255 visible ASCII characters.")
    return bare


def claim(
    headers: Mapping[str, str],
    principal: Principal,
    now: float,
    *,
    operation: str,
    scope: Scope,
    path: Mapping[str, str],
    body: msgspec.Struct | None,
    by_attempt: bool = False,
) -> IdempotencyRecord | None:
    """What a request claims, or None when it names no key. Raises Problem 400.

    `by_attempt` also takes the attempt of a client that sends no key.
    """
    key = read_key(headers)
    asked = [operation, sorted(path.items()), body, principal.mode]
    fingerprint = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
    whose = principal.end_user.id if principal.end_user else ""
    if scope == "actor":
        whose = principal.actor
    if key is not None:
        return IdempotencyRecord(
            org_id=principal.org_id,
            hash=_hash("key", operation, whose, key),
            fingerprint=fingerprint,
            actor=principal.actor,
            now=int(now),
            expires_at=int(now) + KEPT_SECONDS,
            secret=key,
        )
    attempt = headers.get("x-stainless-retry-count", "")
    if not by_attempt or not _ATTEMPT.fullmatch(attempt):
        return None
    return IdempotencyRecord(
        org_id=principal.org_id,
        hash=_hash("attempt", operation, principal.actor, fingerprint),
        fingerprint=fingerprint,
        actor=principal.actor,
        now=int(now),
        expires_at=int(now) + RETRY_SECONDS,
        again=int(attempt) == 0,
    )


def replayed_ids(asked: IdempotencyRecord, record: Item) -> Mapping[str, Any]:
    """The ids an earlier request made. Raises Problem 422 when it was another request."""
    if record["fingerprint"] != asked.fingerprint:
        raise Problem("idempotency_mismatch", "This Idempotency-Key was used with another request.")
    made: Mapping[str, Any] = record["made"]
    return made


@contextmanager
def concurrent_duplicate(asked: IdempotencyRecord | None) -> Iterator[None]:
    """Tell a request that kept meeting its own twin (Problem 409) from one that met something else
    (TransactionContended). The record is the last action of the transaction inside."""
    try:
        yield
    except TransactionContended as fault:
        if asked is None or not fault.met or not fault.met[-1]:
            raise
        raise Problem(
            "idempotency_in_flight", "A request with this Idempotency-Key is being worked on."
        ) from None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class IdempotencyRecord:
    """A request's claim to be the first of its kind.

    `hash` names operation, caller and key; `fingerprint` is of the body. `made` are the ids of what
    it makes, filled in by whoever makes it. `again` claims over an earlier record: a request that
    says it is no retry is a new one, however much it looks like another.
    """

    org_id: str
    hash: str
    fingerprint: str
    actor: str
    now: int
    expires_at: int
    secret: str = field(default="", repr=False)  # the caller's key itself, never stored
    made: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False

    def of(self, **made: Any) -> IdempotencyRecord:
        """The same claim, for these ids."""
        return replace(self, made=made)


class IdempotencyStore:
    """Records in the table of what they are about."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def record_action(self, claim: IdempotencyRecord) -> Action:
        """Note a claim inside the transaction that fulfils it.

        Of racing requests with one key one puts the record and the others are canceled whole. A
        record that has run out but was not purged yet is as good as none.
        """
        item = {
            **_key(claim),
            "fingerprint": claim.fingerprint,
            "actor": claim.actor,
            "made": dict(claim.made),
            "expires_at": claim.expires_at,
            "purge_at": claim.expires_at,
        }
        if claim.again:
            return self._table.put_action(item)
        return self._table.put_action(
            item,
            condition="attribute_not_exists(#pk) OR #expires_at <= :now",
            now=claim.now,
        )

    def make(self, client: Any, actions: Sequence[Action], claim: IdempotencyRecord) -> Item | None:
        """Do `actions`, which can fail for no other reason, with the claim's record.

        Returns None, or the record that stood there first, and then nothing was done.
        """
        try:
            transact(client, [*actions, self.record_action(claim)])
        except TransactionRefused as refusal:
            if refusal.items[-1] is None:
                raise StoreUnavailable("transact_write_items", "refused without a record") from None
            return refusal.items[-1]
        return None

    def find(self, claim: IdempotencyRecord) -> Item | None:
        """The living record of an earlier request, or None."""
        found = self._table.get(**_key(claim))
        return found if found and found["expires_at"] > claim.now else None


def _key(claim: IdempotencyRecord) -> dict[str, str]:
    return {"pk": f"ORG#{claim.org_id}", "sk": f"IDEM#{claim.hash}"}
