"""API keys at rest.

Two kinds of item. The key, in its organization's partition, is what people read and manage. Each
valid secret has an item of its own under the secret's SHA-256, with everything a call needs: the
one conditional write that meters a call also authenticates it, on the table's own key and so
strongly consistent; there is no index to lag behind a revocation.

    ORG#<org_id>     KEY#<key_id>   id, name, scopes, …, rev, secrets: {hash: valid_until or 0}
    ORG#<org_id>     KEYS           count, rev, limits: the organization's overrides
    SECRET#<hash>    SECRET         key_id, org_id, kind, scopes, mode, valid_until, disabled,
                                    terms: {cidrs, brand, limits}, state_hash, tat_*, last_used_at

`rev` grows with every change of a key, its secrets included. Every change names the `rev` it read,
and of two changes the second is refused. `terms` is absent on most secrets: it decides how a call
is checked, before the item can be read.

The write that meters names `valid_until`, `disabled` and `terms` in its condition, so the roles of
functions that meter could change them (DynamoDB's condition keys for IAM do not tell an update from
a condition). `state_hash` is their hash. No metering write names it, so only the functions that
manage keys can set it. A secret whose state has another hash is refused (docs/decisions/0027).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.limits.counters import Guard, GuardFailed, Meter, TatMemory
from imagelayer.limits.rate_limits import Admission, Policy
from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.recent import Recent
from imagelayer.platform.table import (
    Action,
    Item,
    StoreUnavailable,
    Table,
    TransactionRefused,
    try_transact,
)

if TYPE_CHECKING:
    from imagelayer.access.records import ApiKey, KeySecret, NewApiKey, ShownSecret, Terms

# The current secret and those in their grace period. A transaction may hold 100 actions
# (DynamoDB quotas).
VALID_SECRETS = 6
MAX_KEYS = 100  # of an organization
# A call that finds other terms than this process knew tries again with what it found.
TERMS_ATTEMPTS = 4
FAN_OUT_ATTEMPTS = 8
# Secrets with terms that one process remembers; forgetting one costs a write.
REMEMBERED_SECRETS = 1024
# Secrets that one process remembers to have admitted.
ADMITTED_SECRETS = 4096
NO_TERMS: Terms = {}


class TooManyKeys(Exception):
    """The organization has reached its key limit."""


class KeyStore:
    """Keys and their secrets."""

    def __init__(self, client: Any, table: Table, memory: TatMemory) -> None:
        self._client = client
        self._table = table
        self._meter = Meter(table, memory)
        self._terms: Recent[str, Terms] = Recent(REMEMBERED_SECRETS)
        self._admitted: Recent[str, None] = Recent(ADMITTED_SECRETS)
        self._idempotency = IdempotencyStore(client, table)

    def admit(
        self,
        secret_hash: str,
        policy: Policy,
        now: float,
        allows: Callable[[Terms], bool] = lambda _terms: True,
    ) -> tuple[KeySecret, Admission]:
        """Authenticate and meter one call. Raises GuardFailed, Limited or StoreUnavailable.

        The guard: the secret's item is there (revocation deletes it), is not disabled, has not
        expired, and has the terms that the call was checked under; and the item that is returned is
        as those who manage keys left it. A call that races with a
        revocation or a change of terms either wrote first and is served, or finds what came first.

        `allows` says whether terms admit this caller. One they do not admit is refused
        (GuardFailed) without a write, so that a thief cannot use up a key's limit from a network
        where the key may not be used.
        """
        known = self._terms.get(secret_hash, NO_TERMS)
        # Terms that do not admit the caller may have changed. A write that expects none fails
        # while there are some, and returns the current ones.
        terms = known if allows(known) else NO_TERMS
        for _ in range(TERMS_ATTEMPTS):
            try:
                item, admission = self._meter.admit(
                    f"SECRET#{secret_hash}",
                    "SECRET",
                    policy.under(terms),
                    int(now * 1000),
                    guard=_usable(int(now), terms),
                    mark=("last_used_at", int(now)),
                )
                self._admitted.keep(secret_hash, None)
                return cast("KeySecret", item), admission
            except GuardFailed as failure:
                if failure.item is None or not is_valid(cast("KeySecret", failure.item), int(now)):
                    raise
                terms = failure.item.get("terms", NO_TERMS)
                if terms:
                    self._terms.keep(secret_hash, terms)
                else:
                    self._terms.drop(secret_hash)
                if not allows(terms):
                    raise
        raise StoreUnavailable("update_item", "the terms keep changing")

    def knows(self, secret_hash: str) -> bool:
        """Whether this process has admitted a call of that secret."""
        return secret_hash in self._admitted

    def create_key(
        self, key: NewApiKey, secret_hash: str, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write the key and its first secret, both or neither.

        Returns the ids an earlier request with the same idempotency key created, else None.
        Raises TooManyKeys.

        The organization's counter moves in the same transaction, so of any number of racing
        calls exactly as many fit as are left, and a key never misses limits that were set while
        it was made: its transaction names the counter's `rev` as it was read.
        """
        for _ in range(FAN_OUT_ATTEMPTS):
            keys = self._table.get(f"ORG#{key['org_id']}", "KEYS") or {}
            stored: ApiKey = {
                **key,
                "rev": 1,
                "limits": keys.get("limits"),
                "secrets": {secret_hash: key["valid_until"]},
                "current_secret": secret_hash,
            }
            if keys.get("count", 0) >= MAX_KEYS:
                earlier = self._idempotency.find(record)
                if earlier is None:
                    raise TooManyKeys
                return earlier
            actions = [
                self._table.put_action(
                    _key_item(stored),
                    condition="attribute_not_exists(#pk)",
                ),
                self._put_secret(stored, secret_hash, {}),
                self._table.count_up_action(
                    f"ORG#{key['org_id']}",
                    "KEYS",
                    most=MAX_KEYS,
                    also="#rev = :rev" if "rev" in keys else "attribute_not_exists(#rev)",
                    **({"rev": keys["rev"]} if "rev" in keys else {}),
                ),
            ]
            try:
                return self._idempotency.commit(actions, record)
            except TransactionRefused:
                continue  # the counter moved its rev, or is full now
        raise StoreUnavailable("transact_write_items", "the organization's keys are too contended")

    def find_earlier(self, record: IdempotencyRecord | None) -> Ids | None:
        """The ids an earlier request with the same idempotency key created, or None."""
        return self._idempotency.find(record)

    def get_key(self, org_id: str, key_id: str) -> ApiKey | None:
        """A key with its last use, or None."""
        key = self._table.get(f"ORG#{org_id}", f"KEY#{key_id}")
        return self._with_last_use([cast("ApiKey", key)])[0] if key else None

    def is_secret_valid(self, secret_hash: str, now: int) -> bool:
        """Whether a secret is valid now: neither revoked, rotated away, disabled nor expired."""
        secret = self._table.get(f"SECRET#{secret_hash}", "SECRET")
        return secret is not None and is_valid(cast("KeySecret", secret), now)

    def owner_of(self, secret_hash: str) -> tuple[str, str] | None:
        """`(org_id, key_id)` of a secret that has not been revoked, or None."""
        secret = self._table.get(f"SECRET#{secret_hash}", "SECRET")
        return (secret["org_id"], secret["key_id"]) if secret else None

    def has_key(self, org_id: str, key_id: str) -> bool:
        """Whether an organization has a key of that id that is not revoked."""
        return self._table.get(f"ORG#{org_id}", f"KEY#{key_id}") is not None

    def list_keys(self, org_id: str, *, limit: int, after: str | None) -> list[ApiKey]:
        """Keys in order of creation, past `after`."""
        keys = self._table.query(
            f"ORG#{org_id}", prefix="KEY#", limit=limit, after=f"KEY#{after}" if after else None
        )
        return self._with_last_use(cast("list[ApiKey]", keys))

    def list_all_keys(self, org_id: str) -> list[ApiKey]:
        """All keys of an organization, at most MAX_KEYS, without their last use."""
        return cast("list[ApiKey]", self._table.query(f"ORG#{org_id}", prefix="KEY#"))

    def rotate_key(
        self,
        key: ApiKey,
        secret_hash: str,
        shown: ShownSecret,
        *,
        previous_ends: int,
        now: int,
        record: IdempotencyRecord | None = None,
    ) -> Ids | None:
        """Swap the current secret. Returns the ids an earlier request with the same idempotency
        key created, else None. Raises TransactionRefused when another change came first.

        The condition is the key's `rev` as it was read. Of two rotations that read the same the
        first changes it and the second is refused whole: no secret of the loser exists. The new
        secret takes the rate limits of the current one over as they stand, so that rotating
        refills nothing. Expired secrets are dropped, and so are the oldest past the bound:
        revoking must always fit one transaction.
        """
        old = key["secrets"]
        current = key["current_secret"]
        others = {each: end for each, end in old.items() if each != current and end > now}
        newest = sorted(others.items(), key=lambda secret: -secret[1])[: VALID_SECRETS - 2]
        kept = dict(newest)
        valid = {**kept, secret_hash: key["valid_until"]}
        spent = self._table.get(f"SECRET#{current}", "SECRET") or {}
        tats = {name: tat for name, tat in spent.items() if name.startswith("tat_")}
        changed = cast("ApiKey", {**key, **shown, "rev": key["rev"] + 1})
        actions = [self._put_secret(changed, secret_hash, tats)]
        if previous_ends > now:
            valid[current] = previous_ends
            actions.append(
                self._table.update_action(
                    f"SECRET#{current}",
                    "SECRET",
                    "SET #valid_until = :ends, #state_hash = :state_hash",
                    condition="attribute_exists(#pk)",
                    ends=previous_ends,
                    state_hash=_state_hash_of(key, previous_ends),
                )
            )
        gone = [each for each in old if each not in valid]
        actions += [self._table.delete_action(f"SECRET#{each}", "SECRET") for each in gone]
        actions.append(
            self._table.put_action(
                _key_item({**changed, "secrets": valid, "current_secret": secret_hash}),
                condition="#rev = :rev",
                rev=key["rev"],
            )
        )
        return self._idempotency.commit(actions, record)

    def update_key(self, key: ApiKey, changes: Mapping[str, Any]) -> bool:
        """Set fields of a key and carry them to its secrets, all or nothing; False when another
        change came first. The condition is the key's `rev` as it was read."""
        changed = cast("ApiKey", {**key, **changes, "rev": key["rev"] + 1})
        return try_transact(
            self._client,
            [
                *(
                    self._carry_action(changed, each, valid_until)
                    for each, valid_until in key["secrets"].items()
                ),
                self._table.put_action(
                    _key_item(changed),
                    condition="#rev = :rev",
                    rev=key["rev"],
                ),
            ],
        )

    def revoke_key(self, key: ApiKey) -> bool:
        """Delete the key and all its secrets; False when another change came in between.

        The key's `rev` alone decides. The counter follows and cannot refuse: a wrong count must not
        keep a leaked key alive.
        """
        return try_transact(
            self._client,
            [
                *(self._table.delete_action(f"SECRET#{each}", "SECRET") for each in key["secrets"]),
                self._table.delete_action(
                    f"ORG#{key['org_id']}",
                    f"KEY#{key['id']}",
                    condition="#rev = :rev",
                    rev=key["rev"],
                ),
                self._table.count_down_action(f"ORG#{key['org_id']}", "KEYS"),
            ],
        )

    def set_limits(self, org_id: str, limits: Mapping[str, Any]) -> int:
        """Override limits on every key of an organization; returns how many keys there are.

        The counter's `rev` grows first: from then on new keys are made with the new limits. Then
        each key is changed under its own `rev`. A call that dies half way is finished by the next.
        """
        self._table.update(
            f"ORG#{org_id}",
            "KEYS",
            "SET #limits = :limits, #rev = if_not_exists(#rev, :none) + :one, "
            "#count = if_not_exists(#count, :none)",
            limits=dict(limits),
            none=0,
            one=1,
        )
        keys = cast("list[ApiKey]", self._table.query(f"ORG#{org_id}", prefix="KEY#"))
        for key in keys:
            found: ApiKey | None = key
            for _ in range(FAN_OUT_ATTEMPTS):
                if found is None or self.update_key(found, {"limits": dict(limits)}):
                    break
                found = self.get_key(org_id, key["id"])
            else:
                raise StoreUnavailable("transact_write_items", "a key keeps changing")
        return len(keys)

    def _put_secret(self, key: ApiKey, secret_hash: str, tats: Mapping[str, int]) -> Action:
        return self._table.put_action(
            {
                "pk": f"SECRET#{secret_hash}",
                "sk": "SECRET",
                "key_id": key["id"],
                "org_id": key["org_id"],
                "kind": key["kind"],
                "scopes": key["scopes"],
                "mode": key["mode"],
                "valid_until": key["valid_until"],
                "disabled": None if key["enabled"] else True,
                "terms": _terms_of(key) or None,
                "state_hash": _state_hash_of(key, key["valid_until"]),
                **tats,
            },
            condition="attribute_not_exists(#pk)",
        )

    def _carry_action(self, key: ApiKey, secret_hash: str, valid_until: int) -> Action:
        """Bring one secret up to its key."""
        sets, removes = ["#state_hash = :state_hash"], []
        values: dict[str, Any] = {"state_hash": _state_hash_of(key, valid_until)}
        terms = _terms_of(key)
        for name, value in (("disabled", not key["enabled"]), ("terms", terms)):
            if value:
                sets.append(f"#{name} = :{name}")
                values[name] = value
            else:
                removes.append(f"#{name}")
        expression = " ".join(
            f"{word} {', '.join(parts)}"
            for word, parts in (("SET", sets), ("REMOVE", removes))
            if parts
        )
        return self._table.update_action(
            f"SECRET#{secret_hash}",
            "SECRET",
            expression,
            condition="attribute_exists(#pk)",
            **values,
        )

    def _with_last_use(self, keys: Sequence[ApiKey]) -> list[ApiKey]:
        """Keys with the newest use of any of their secrets; one read for up to a hundred."""
        wanted = [(f"SECRET#{each}", "SECRET") for key in keys for each in key["secrets"]]
        used: dict[str, int] = {}
        for secret in self._table.get_many(wanted) if wanted else []:
            last = secret.get("last_used_at", 0)
            used[secret["key_id"]] = max(last, used.get(secret["key_id"], 0))
        return [
            {**key, "last_used_at": max(used.get(key["id"], 0), key.get("last_used_at") or 0)}
            for key in keys
        ]


def is_valid(secret: KeySecret, now: int) -> bool:
    """Whether a secret is neither disabled nor expired nor altered."""
    return (
        not secret.get("disabled")
        and is_unaltered(secret)
        and (not secret["valid_until"] or secret["valid_until"] > now)
    )


def is_unaltered(secret: KeySecret) -> bool:
    """Whether a secret's state is as those who manage keys left it."""
    expected = state_hash(
        secret.get("valid_until", 0),
        disabled=bool(secret.get("disabled")),
        terms=secret.get("terms"),
    )
    return secret.get("state_hash") == expected


def state_hash(valid_until: int, *, disabled: bool, terms: Terms | None) -> str:
    """The hash of what decides whether and from where a secret is accepted."""
    state = json.dumps([valid_until, disabled, terms or None], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()


def _usable(now: int, terms: Terms) -> Guard:
    expected = "#terms = :terms" if terms else "attribute_not_exists(#terms)"
    return Guard(
        "attribute_exists(#pk) AND attribute_not_exists(#disabled) "
        f"AND (#valid_until = :never OR #valid_until > :now) AND {expected}",
        lambda secret: (
            is_valid(cast("KeySecret", secret), now) and secret.get("terms", NO_TERMS) == terms
        ),
        {"never": 0, "now": now, **({"terms": dict(terms)} if terms else {})},
    )


def _state_hash_of(key: ApiKey, valid_until: int) -> str:
    return state_hash(valid_until, disabled=not key["enabled"], terms=_terms_of(key))


def _terms_of(key: ApiKey) -> Terms:
    terms = {
        "cidrs": key.get("allowed_cidrs"),
        "limits": key.get("limits"),
        "brand": key.get("default_brand_id"),
    }
    return {name: value for name, value in terms.items() if value}


def _key_item(key: ApiKey) -> Item:
    return {**key, "pk": f"ORG#{key['org_id']}", "sk": f"KEY#{key['id']}"}
