"""Webhook endpoints, messages to them, and how their deliveries went.

    ORG#<org_id>   WEBHOOKS                       count
    ORG#<org_id>   WHK#<webhook_id>               url, events, enabled, rev, secret, previous,
                                                  failures, failing_since, disabled_reason
    ORG#<org_id>   MSG#<message_id>               type, body, at, expires_at, sweep_*
    ORG#<org_id>   DLV#<message_id>#<webhook_id>  status, attempts, next_at, claim, claim_until,
                                                  sweep_*
    ORG#<org_id>   ATT#<webhook_id>#<attempt_id>  an attempt that was made, for the log
    ORG#<org_id>   IDEM#<hash>                    see stores.idempotency

A message is opened once: one transaction puts a delivery for each endpoint that listens and takes
`sweep_at` off the message. A delivery's states, and the conditional write behind each arrow:

    pending ──claim──▶ pending, claimed ──settle──▶ succeeded, failed, dropped
       ▲                      │
       └──settle, next_at─────┘

`sweep_at` is the moment at which the sweep should ask for it again, if nothing else has. No item
holds a secret: `secret` and `previous` say which root key and version draw it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    Table,
    TransactionRefused,
    sweep_shard,
    transact,
    try_transact,
)

MAX_WEBHOOKS = 20  # of an organization
MESSAGE_SECONDS = 72 * 3600  # as long as what it tells of
ATTEMPT_SECONDS = 7 * 86_400
# How long after it is due something counts as forgotten by the queue.
OVERDUE_SECONDS = 120
_PURGE_AFTER_SECONDS = 86_400


class TooManyWebhooks(Exception):
    """The organization has as many endpoints as it may."""


class WebhookStore:
    """Everything about webhooks; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self.idempotency = IdempotencyStore(client, table)

    # ── Endpoints ───────────────────────────────────────────────────────────────────────────────

    def has_any(self, org_id: str) -> bool:
        """Whether the organization has an endpoint at all."""
        found = self._table.get(f"ORG#{org_id}", "WEBHOOKS")
        return found is not None and found["count"] > 0

    def create(self, webhook: Item, record: IdempotencyRecord | None = None) -> Ids | None:
        """Write an endpoint. Returns the ids an earlier request with the same idempotency key
        created, else None. Raises TooManyWebhooks.

        The organization's counter moves in the same transaction, so of any number of racing calls
        exactly as many fit as are left.
        """
        pk = f"ORG#{webhook['org_id']}"
        actions = [
            self._table.put_action(
                {**webhook, "pk": pk, "sk": f"WHK#{webhook['id']}", "rev": 1},
                condition="attribute_not_exists(#pk)",
            ),
            self._table.count_up_action(pk, "WEBHOOKS", most=MAX_WEBHOOKS),
        ]
        try:
            return self.idempotency.commit(actions, record)
        except TransactionRefused:
            raise TooManyWebhooks from None

    def get(self, org_id: str, webhook_id: str) -> Item | None:
        """An endpoint, or None."""
        return self._table.get(f"ORG#{org_id}", f"WHK#{webhook_id}")

    def page(self, org_id: str, *, limit: int, after: str | None = None) -> list[Item]:
        """Endpoints in order of creation, past `after`."""
        return self._table.query(
            f"ORG#{org_id}", prefix="WHK#", limit=limit, after=f"WHK#{after}" if after else None
        )

    def change(self, webhook: Item, changes: Mapping[str, Any], forget: Sequence[str] = ()) -> bool:
        """Set fields of an endpoint and remove those to `forget`; False when another change came
        first. The condition is the `rev` that was read: of two changes the second is refused."""
        return try_transact(self._client, [self._change_action(webhook, changes, forget)])

    def rotate(
        self,
        webhook: Item,
        secret: Mapping[str, Any],
        previous: Sequence[Mapping[str, Any]],
        record: IdempotencyRecord | None = None,
    ) -> Ids | None:
        """Swap the secret. Returns the ids an earlier request with the same idempotency key
        created, else None.

        The condition is `rev`, as in `change`. Raises TransactionRefused when another change came
        first.
        """
        fields = {"secret": dict(secret), "previous": [dict(each) for each in previous]}
        return self.idempotency.commit([self._change_action(webhook, fields)], record)

    def delete(self, webhook: Item) -> bool:
        """Remove an endpoint; False when it was gone. Its `rev` is not asked for: nothing that
        changes it at the same moment may keep it alive. The counter follows and cannot refuse."""
        return try_transact(
            self._client,
            [
                self._table.delete_action(
                    webhook["pk"], webhook["sk"], condition="attribute_exists(#pk)"
                ),
                self._table.count_down_action(webhook["pk"], "WEBHOOKS"),
            ],
        )

    def failed(self, org_id: str, webhook_id: str, now: int) -> Item | None:
        """Count a failed attempt against an endpoint; returns it as it is then, None when it is
        gone."""
        try:
            return self._table.update(
                f"ORG#{org_id}",
                f"WHK#{webhook_id}",
                "SET #failing_since = if_not_exists(#failing_since, :now) ADD #failures :one",
                condition="attribute_exists(#pk)",
                now=now,
                one=1,
            )
        except ConditionFailed:
            return None

    def recovered(self, org_id: str, webhook_id: str) -> None:
        """Forget an endpoint's failures after a success."""
        try:
            self._table.update(
                f"ORG#{org_id}",
                f"WHK#{webhook_id}",
                "REMOVE #failing_since, #failures",
                condition="attribute_exists(#pk)",
            )
        except ConditionFailed:
            return

    def disable(self, webhook: Item, reason: str, announce: Sequence[Action]) -> bool:
        """Switch an endpoint off and say so, in one transaction; False when somebody did before, so
        that it is announced once. `rev` grows: a change that was decided on the state before is
        refused."""
        off = self._table.update_action(
            webhook["pk"],
            webhook["sk"],
            "SET #enabled = :off, #disabled_reason = :reason ADD #rev :one",
            condition="#enabled = :on",
            off=False,
            on=True,
            reason=reason,
            one=1,
        )
        return try_transact(self._client, [off, *announce])

    # ── Messages ────────────────────────────────────────────────────────────────────────────────

    def message_action(self, message: Item) -> Action:
        """Put a message inside the transaction of what it tells of."""
        return self._table.put_action(_message_item(message))

    def add_message(self, message: Item) -> bool:
        """Put a message by itself; False when it was there. Of racing calls one puts it."""
        try:
            self._table.put(_message_item(message), condition="attribute_not_exists(#pk)")
        except ConditionFailed:
            return False
        return True

    def add_message_for(self, message: Item, webhook_id: str) -> None:
        """Put a message for one endpoint, with its delivery."""
        opened = {**_message_item(message), "webhook_id": webhook_id}
        del opened["sweep_at"], opened["sweep_shard"]
        delivery = _delivery_item(opened, webhook_id, message["at"])
        transact(self._client, [self._table.put_action(each) for each in (opened, delivery)])

    def message(self, org_id: str, message_id: str, now: int) -> Item | None:
        """A message that has not expired, or None."""
        found = self._table.get(f"ORG#{org_id}", f"MSG#{message_id}")
        return found if found and found["expires_at"] > now else None

    def open(self, message: Item, webhook_ids: Sequence[str], now: int) -> None:
        """Put a delivery for each endpoint, once.

        The condition is the message's `sweep_at`: of two who open it, the second is refused whole.
        """
        try_transact(
            self._client,
            [
                self._table.update_action(
                    message["pk"],
                    message["sk"],
                    "REMOVE #sweep_at, #sweep_shard",
                    condition="attribute_exists(#sweep_at)",
                ),
                *(
                    self._table.put_action(_delivery_item(message, each, now))
                    for each in webhook_ids
                ),
            ],
        )

    # ── Deliveries ──────────────────────────────────────────────────────────────────────────────

    def again(self, message: Item, webhook_id: str, now: int) -> bool:
        """Begin a delivery anew; False while an attempt is being made. A worker that claims at the
        same moment either came first, or finds the new delivery and makes its first attempt."""
        try:
            self._table.put(
                {**_delivery_item(message, webhook_id, now), "by_hand": True},
                condition="attribute_not_exists(#claim) OR #claim_until <= :now",
                now=now,
            )
        except ConditionFailed:
            return False
        return True

    def claim(
        self, org_id: str, message_id: str, webhook_id: str, claim: str, now: int, until: int
    ) -> Item | None:
        """Take a delivery for one attempt; None when there is nothing to do.

        SQS delivers at least once, the sweep may ask as well, and a worker may die. Of several
        claimants of a delivery that is due one sets `claim`, and the others' condition fails until
        `claim_until`, which is later than any worker lives. Our own claim holds again, for a write
        whose answer was lost.
        """
        key = _delivery_key(org_id, message_id, webhook_id)
        try:
            return self._table.update(
                **key,
                expression="SET #claim = :claim, #claim_until = :until, #sweep_at = :overdue, "
                "#attempts = #attempts + :one",
                condition="#status = :pending AND #next_at <= :now AND "
                "(attribute_not_exists(#claim) OR #claim_until <= :now)",
                claim=claim,
                until=until,
                overdue=until + OVERDUE_SECONDS,
                pending="pending",
                now=now,
                one=1,
            )
        except ConditionFailed as failure:
            held = failure.item
            return held if held is not None and held.get("claim") == claim else None

    def settle(
        self, delivery: Item, status: str, attempt: Item | None, next_at: int | None = None
    ) -> bool:
        """End an attempt, with its entry in the log; `next_at` leaves the delivery pending until
        then. False when the claim was lost: another worker took over, and its word counts."""
        values: dict[str, Any] = {"status": status, "claim": delivery["claim"]}
        if next_at is None:
            expression = (
                "SET #status = :status REMOVE #claim, #claim_until, #sweep_at, #sweep_shard"
            )
        else:
            expression = (
                "SET #status = :status, #next_at = :next, #sweep_at = :overdue "
                "REMOVE #claim, #claim_until"
            )
            values |= {"next": next_at, "overdue": next_at + OVERDUE_SECONDS}
        actions = [
            self._table.update_action(
                delivery["pk"], delivery["sk"], expression, condition="#claim = :claim", **values
            )
        ]
        if attempt is not None:
            actions.append(self._table.put_action(_attempt_item(delivery, attempt)))
        return try_transact(self._client, actions)

    def attempts(
        self, org_id: str, webhook_id: str, *, limit: int, after: str | None
    ) -> list[Item]:
        """Attempts at an endpoint, newest first, past `after`; those that ran out are among
        them."""
        prefix = f"ATT#{webhook_id}#"
        return self._table.query(
            f"ORG#{org_id}",
            prefix=prefix,
            limit=limit,
            after=f"{prefix}{after}" if after else None,
            newest_first=True,
        )

    # ── Sweep ───────────────────────────────────────────────────────────────────────────────────

    def due(self, shard: int, now: int) -> list[Item]:
        """Messages and deliveries of one shard that nobody seems to work on."""
        return self._table.due(shard, now)

    def postpone(self, item: Item, sweep_at: int) -> bool:
        """Look at an item later; False when it changed. Of two sweeps one gets to do it."""
        try:
            self._table.update(
                item["pk"],
                item["sk"],
                "SET #sweep_at = :next",
                condition="#sweep_at = :seen",
                next=sweep_at,
                seen=item["sweep_at"],
            )
        except ConditionFailed:
            return False
        return True

    def _change_action(
        self, webhook: Item, changes: Mapping[str, Any], forget: Sequence[str] = ()
    ) -> Action:
        sets = ", ".join(f"#{name} = :{name}" for name in changes)
        removes = f" REMOVE {', '.join(f'#{name}' for name in forget)}" if forget else ""
        return self._table.update_action(
            webhook["pk"],
            webhook["sk"],
            f"SET {sets}, #rev = :next{removes}",
            condition="#rev = :seen",
            next=webhook["rev"] + 1,
            seen=webhook["rev"],
            **changes,
        )


def _message_item(message: Item) -> Item:
    expires_at = message["at"] + MESSAGE_SECONDS
    return {
        **message,
        "pk": f"ORG#{message['org_id']}",
        "sk": f"MSG#{message['id']}",
        "expires_at": expires_at,
        "purge_at": expires_at + _PURGE_AFTER_SECONDS,
        "sweep_at": message["at"] + OVERDUE_SECONDS,
        "sweep_shard": sweep_shard(message["id"]),
    }


def _delivery_item(message: Item, webhook_id: str, now: int) -> Item:
    return {
        **_delivery_key(message["org_id"], message["id"], webhook_id),
        "org_id": message["org_id"],
        "message_id": message["id"],
        "webhook_id": webhook_id,
        "status": "pending",
        "attempts": 0,
        "next_at": now,
        "purge_at": message["purge_at"],
        "sweep_at": now + OVERDUE_SECONDS,
        "sweep_shard": sweep_shard(message["id"]),
    }


def _delivery_key(org_id: str, message_id: str, webhook_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"DLV#{message_id}#{webhook_id}"}


def _attempt_item(delivery: Item, attempt: Item) -> Item:
    expires_at = attempt["at"] + ATTEMPT_SECONDS
    return {
        **attempt,
        "pk": delivery["pk"],
        "sk": f"ATT#{delivery['webhook_id']}#{attempt['id']}",
        "expires_at": expires_at,
        "purge_at": expires_at,
    }
