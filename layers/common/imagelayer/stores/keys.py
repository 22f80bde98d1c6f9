"""API keys at rest.

Two kinds of item. The key, in its organization's partition, is what people read and manage. Each
living secret has an item of its own under the secret's SHA-256, with everything a call needs: the
one conditional write that meters a call also authenticates it, on the table's own key and so
strongly consistent; there is no index to lag behind a revocation.

    ORG#<org_id>     KEY#<key_id>   id, name, scopes, …, secrets: {hash: valid_until or 0}
    SECRET#<hash>    SECRET         key_id, org_id, scopes, mode, valid_until, tat_*, last_used_at
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagelayer.rate_limits import Admission, Policy
from imagelayer.stores.counters import Meter, TatMemory
from imagelayer.stores.table import Action, Item, Table, TransactionRefused, transact

# The current secret and those in their grace. A transaction may hold 100 actions (DynamoDB quotas).
LIVING_SECRETS = 6


class KeyStore:
    """Keys and their secrets."""

    def __init__(self, client: Any, table: Table, memory: TatMemory) -> None:
        self._client = client
        self._table = table
        self._meter = Meter(table, memory)

    def admit(self, secret_hash: str, policy: Policy, now: float) -> tuple[Item, Admission]:
        """Authenticate and meter one call. Raises GuardFailed, Limited or StoreUnavailable.

        The guard: the secret's item is there (revocation deletes it) and has not run out. A call
        that races with a revocation either wrote first and is served, or finds nothing.
        """
        return self._meter.admit(
            f"SECRET#{secret_hash}",
            "SECRET",
            policy,
            int(now * 1000),
            guard="attribute_exists(#pk) AND (#valid_until = :never OR #valid_until > :now)",
            mark=("last_used_at", int(now)),
            never=0,
            now=int(now),
        )

    def create(self, key: Item, secret_hash: str) -> None:
        """Write the key and its first secret, both or neither."""
        transact(
            self._client,
            [
                self._table.put_action(
                    _key_item(key, {secret_hash: key["valid_until"]}),
                    condition="attribute_not_exists(#pk)",
                ),
                self._put_secret(key, secret_hash, {}),
            ],
        )

    def get(self, org_id: str, key_id: str) -> Item | None:
        """A key with its last use, or None."""
        key = self._table.get(f"ORG#{org_id}", f"KEY#{key_id}")
        return self._with_last_use(key) if key else None

    def lives(self, secret_hash: str, now: int) -> bool:
        """Whether a secret is good at this moment: neither revoked, rotated away nor run out."""
        secret = self._table.get(f"SECRET#{secret_hash}", "SECRET")
        return secret is not None and (not secret["valid_until"] or secret["valid_until"] > now)

    def exists(self, org_id: str, key_id: str) -> bool:
        """Whether an organization has a key of that id, not revoked."""
        return self._table.get(f"ORG#{org_id}", f"KEY#{key_id}") is not None

    def page(self, org_id: str, *, limit: int, after: str | None) -> list[Item]:
        """Keys in order of creation, past `after`."""
        keys = self._table.query(
            f"ORG#{org_id}", prefix="KEY#", limit=limit, after=f"KEY#{after}" if after else None
        )
        return [self._with_last_use(key) for key in keys]

    def rotate(
        self,
        key: Item,
        secret_hash: str,
        shown: Mapping[str, str],
        *,
        previous_ends: int,
        now: int,
    ) -> bool:
        """Swap the current secret; False when another rotation or a revocation came first.

        The condition is the set of secrets as it was read. Of two rotations that read the same
        set the first changes it and the second is refused whole: no secret of the loser exists.
        The new secret takes the rate limits of the current one over as they stand, so that
        rotating refills nothing. Secrets that have run out meanwhile are dropped, and so are the
        oldest past the bound: revoking must always fit one transaction.
        """
        old: dict[str, int] = key["secrets"]
        current = key["current_secret"]
        others = {each: end for each, end in old.items() if each != current and end > now}
        newest = sorted(others.items(), key=lambda secret: -secret[1])[: LIVING_SECRETS - 2]
        kept = dict(newest)
        living = {**kept, secret_hash: key["valid_until"]}
        spent = self._table.get(f"SECRET#{current}", "SECRET") or {}
        tats = {name: tat for name, tat in spent.items() if name.startswith("tat_")}
        actions = [self._put_secret(key, secret_hash, tats)]
        if previous_ends > now:
            living[current] = previous_ends
            actions.append(
                self._table.update_action(
                    f"SECRET#{current}",
                    "SECRET",
                    "SET #valid_until = :ends",
                    condition="attribute_exists(#pk)",
                    ends=previous_ends,
                )
            )
        gone = [each for each in old if each not in living]
        actions += [self._table.delete_action(f"SECRET#{each}", "SECRET") for each in gone]
        actions.append(
            self._table.put_action(
                _key_item({**key, **shown}, living, current=secret_hash),
                condition="#secrets = :old",
                old=old,
            )
        )
        return self._commit(actions)

    def revoke(self, key: Item) -> bool:
        """Delete the key and all its secrets; False when a rotation came in between."""
        return self._commit(
            [self._table.delete_action(f"SECRET#{each}", "SECRET") for each in key["secrets"]]
            + [
                self._table.delete_action(
                    key["pk"], key["sk"], condition="#secrets = :old", old=key["secrets"]
                )
            ]
        )

    def _commit(self, actions: list[Action]) -> bool:
        try:
            transact(self._client, actions)
        except TransactionRefused:
            return False
        return True

    def _put_secret(self, key: Item, secret_hash: str, tats: Mapping[str, int]) -> Action:
        return self._table.put_action(
            {
                "pk": f"SECRET#{secret_hash}",
                "sk": "SECRET",
                "key_id": key["id"],
                "org_id": key["org_id"],
                "scopes": key["scopes"],
                "mode": key["mode"],
                "valid_until": key["valid_until"],
                **tats,
            },
            condition="attribute_not_exists(#pk)",
        )

    def _with_last_use(self, key: Item) -> Item:
        secret = self._table.get(f"SECRET#{key['current_secret']}", "SECRET") or {}
        return {**key, "last_used_at": secret.get("last_used_at")}


def _key_item(key: Item, secrets: Mapping[str, int], current: str | None = None) -> Item:
    stored = {name: value for name, value in key.items() if name != "last_used_at"}
    return {
        **stored,
        "pk": f"ORG#{key['org_id']}",
        "sk": f"KEY#{key['id']}",
        "secrets": dict(secrets),
        "current_secret": current or next(iter(secrets)),
    }
