"""Webhooks, messages to them, and their deliveries.

    ORG#<org_id>   WEBHOOKS                       count
    ORG#<org_id>   WHK#<webhook_id>               url, events, enabled, rev, secret, previous,
                                                  failures, failing_since, disabled_reason
    ORG#<org_id>   MSG#<message_id>               type, body, at, expires_at, sweep_*
    ORG#<org_id>   DLV#<message_id>#<webhook_id>  status, attempts, next_at, lease, leased_until,
                                                  sweep_*
    ORG#<org_id>   ATT#<webhook_id>#<attempt_id>  an attempt that was made, for the log
    ORG#<org_id>   IDEM#<hash>                    see platform.idempotency

A message is opened once: one transaction puts a delivery for each webhook that listens and removes
`sweep_at` from the message. A delivery's states, and the conditional write behind each arrow:

    pending ──lease──▶ pending, leased ──settle──▶ succeeded, failed, dropped
       ▲                      │
       └──settle, next_at─────┘

A `lease` is held until `leased_until`. `sweep_at` is the time at which the sweep should queue the
item, if nothing else has. For an attempt that no queue message waits for, it is `next_at` itself.
No item holds a secret: `secret` and `previous` name the root key and the version that a secret is
drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

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

if TYPE_CHECKING:
    from imagelayer.webhooks.records import (
        Attempt,
        Delivery,
        DeliveryStatus,
        DrawnSecret,
        Message,
        PreviousSecret,
        Webhook,
    )

MAX_WEBHOOKS = 20  # of an organization
MESSAGE_SECONDS = 72 * 3600  # as long as the media it reports on
ATTEMPT_SECONDS = 7 * 86_400
# How long after it is due something counts as lost by the queue.
OVERDUE_SECONDS = 120
_PURGE_AFTER_SECONDS = 86_400


class TooManyWebhooks(Exception):
    """The organization has reached its webhook limit."""


class WebhookStore:
    """Everything about webhooks; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self.idempotency = IdempotencyStore(client, table)

    def has_any(self, org_id: str) -> bool:
        """Whether the organization has a webhook at all."""
        found = self._table.get(f"ORG#{org_id}", "WEBHOOKS")
        return found is not None and found["count"] > 0

    def create_webhook(
        self, webhook: Webhook, record: IdempotencyRecord | None = None
    ) -> Ids | None:
        """Write a webhook. Returns the ids an earlier request with the same idempotency key
        created, else None. Raises TooManyWebhooks.

        The organization's counter moves in the same transaction, so of any number of racing calls
        exactly as many fit as are left.
        """
        key = _webhook_key(webhook["org_id"], webhook["id"])
        actions = [
            self._table.put_action(
                {**webhook, **key, "rev": 1}, condition="attribute_not_exists(#pk)"
            ),
            self._table.count_up_action(key["pk"], "WEBHOOKS", most=MAX_WEBHOOKS),
        ]
        try:
            return self.idempotency.commit(actions, record)
        except TransactionRefused:
            raise TooManyWebhooks from None

    def get_webhook(self, org_id: str, webhook_id: str) -> Webhook | None:
        """A webhook, or None."""
        return cast("Webhook | None", self._table.get(**_webhook_key(org_id, webhook_id)))

    def list_webhooks(self, org_id: str, *, limit: int, after: str | None = None) -> list[Webhook]:
        """Webhooks in order of creation, past `after`."""
        found = self._table.query(
            f"ORG#{org_id}", prefix="WHK#", limit=limit, after=f"WHK#{after}" if after else None
        )
        return cast("list[Webhook]", found)

    def update_webhook(
        self, webhook: Webhook, changes: Mapping[str, Any], forget: Sequence[str] = ()
    ) -> bool:
        """Set fields of a webhook and remove those to `forget`; False when another change came
        first. The condition is the `rev` that was read: of two changes the second is refused."""
        return try_transact(self._client, [self._update_action(webhook, changes, forget)])

    def rotate_webhook(
        self,
        webhook: Webhook,
        secret: DrawnSecret,
        previous: Sequence[PreviousSecret],
        record: IdempotencyRecord | None = None,
    ) -> Ids | None:
        """Swap the secret. Returns the ids an earlier request with the same idempotency key
        created, else None.

        The condition is `rev`, as in `update_webhook`. Raises TransactionRefused when another
        change came first.
        """
        fields = {"secret": dict(secret), "previous": [dict(each) for each in previous]}
        return self.idempotency.commit([self._update_action(webhook, fields)], record)

    def delete_webhook(self, webhook: Webhook) -> bool:
        """Remove a webhook; False when it was gone.

        Its `rev` is not checked: a concurrent change must not keep it alive. The counter follows
        and cannot refuse.
        """
        key = _webhook_key(webhook["org_id"], webhook["id"])
        return try_transact(
            self._client,
            [
                self._table.delete_action(**key, condition="attribute_exists(#pk)"),
                self._table.count_down_action(key["pk"], "WEBHOOKS"),
            ],
        )

    def record_failure(self, org_id: str, webhook_id: str, now: int) -> Webhook | None:
        """Count a failed attempt; returns the webhook as it is then, None when it is gone."""
        try:
            updated = self._table.update(
                **_webhook_key(org_id, webhook_id),
                expression="SET #failing_since = if_not_exists(#failing_since, :now) "
                "ADD #failures :one",
                condition="attribute_exists(#pk)",
                now=now,
                one=1,
            )
        except ConditionFailed:
            return None
        return cast("Webhook", updated)

    def reset_failures(self, org_id: str, webhook_id: str) -> None:
        """Forget a webhook's failures after a success."""
        try:
            self._table.update(
                **_webhook_key(org_id, webhook_id),
                expression="REMOVE #failing_since, #failures",
                condition="attribute_exists(#pk)",
            )
        except ConditionFailed:
            return

    def disable_webhook(self, webhook: Webhook, reason: str, announce: Sequence[Action]) -> bool:
        """Switch a webhook off and announce it, in one transaction; False when it was off before,
        so that it is announced once. `rev` grows: a concurrent change that was decided on the
        earlier state is refused."""
        off = self._table.update_action(
            **_webhook_key(webhook["org_id"], webhook["id"]),
            expression="SET #enabled = :off, #disabled_reason = :reason ADD #rev :one",
            condition="#enabled = :on",
            off=False,
            on=True,
            reason=reason,
            one=1,
        )
        return try_transact(self._client, [off, *announce])

    def message_action(self, message: Message) -> Action:
        """Put a message inside the transaction of what it reports."""
        return self._table.put_action(_message_item(message))

    def add_message(self, message: Message) -> bool:
        """Put a message by itself; False when it was there. Of racing calls one puts it."""
        try:
            self._table.put(_message_item(message), condition="attribute_not_exists(#pk)")
        except ConditionFailed:
            return False
        return True

    def add_message_for(self, message: Message, webhook_id: str) -> None:
        """Put a message for one webhook, with its delivery."""
        opened = {**_message_item(message), "webhook_id": webhook_id}
        del opened["sweep_at"], opened["sweep_shard"]
        delivery = _delivery_item(cast("Message", opened), webhook_id, message["at"])
        transact(self._client, [self._table.put_action(each) for each in (opened, delivery)])

    def message(self, org_id: str, message_id: str, now: int) -> Message | None:
        """A message that has not expired, or None."""
        found = self._table.get(**_message_key(org_id, message_id))
        return cast("Message", found) if found and found["expires_at"] > now else None

    def open_message(self, message: Message, webhook_ids: Sequence[str], now: int) -> None:
        """Put a delivery for each webhook, once.

        The condition is the message's `sweep_at`: of two workers that open it, the second is
        refused whole.
        """
        try_transact(
            self._client,
            [
                self._table.update_action(
                    **_message_key(message["org_id"], message["id"]),
                    expression="REMOVE #sweep_at, #sweep_shard",
                    condition="attribute_exists(#sweep_at)",
                ),
                *(
                    self._table.put_action(_delivery_item(message, each, now))
                    for each in webhook_ids
                ),
            ],
        )

    def resend_message(self, message: Message, webhook_id: str, now: int) -> bool:
        """Begin a delivery anew; False while an attempt is being made. A worker that leases it at
        the same moment either came first, or finds the new delivery and makes its first attempt."""
        try:
            self._table.put(
                {**_delivery_item(message, webhook_id, now), "by_hand": True},
                condition="attribute_not_exists(#lease) OR #leased_until <= :now",
                now=now,
            )
        except ConditionFailed:
            return False
        return True

    def lease_delivery(
        self, org_id: str, message_id: str, webhook_id: str, lease: str, now: int, until: int
    ) -> Delivery | None:
        """Lease a delivery for one attempt; None when there is nothing to do.

        SQS delivers at least once, the sweep may queue it as well, and a worker may die. Of several
        workers that find the delivery due one sets `lease`, and the others' condition fails until
        `leased_until`, which is later than any worker lives. A worker's own lease holds again, for
        a write whose answer was lost.
        """
        try:
            leased = self._table.update(
                **_delivery_key(org_id, message_id, webhook_id),
                expression="SET #lease = :lease, #leased_until = :until, #sweep_at = :overdue, "
                "#attempts = #attempts + :one",
                condition="#status = :pending AND #next_at <= :now AND "
                "(attribute_not_exists(#lease) OR #leased_until <= :now)",
                lease=lease,
                until=until,
                overdue=until + OVERDUE_SECONDS,
                pending="pending",
                now=now,
                one=1,
            )
        except ConditionFailed as failure:
            held = failure.item
            return cast("Delivery", held) if held and held.get("lease") == lease else None
        return cast("Delivery", leased)

    def settle_delivery(
        self,
        delivery: Delivery,
        status: DeliveryStatus,
        attempt: Attempt | None,
        next_at: int | None = None,
        *,
        queued: bool = True,
    ) -> bool:
        """End an attempt, with its entry in the log; `next_at` leaves the delivery pending until
        then. False when the lease was lost: another worker took over, and its result counts.

        Of a delivery that is `queued` the sweep looks for the next attempt only once it is overdue;
        otherwise the sweep queues it at `next_at`. Of two sweeps that find it due `postpone` lets
        one queue it. A resend in between puts a new delivery with a `sweep_at` of its own: a sweep
        that read the old one loses, and one that comes later queues the new one, which one worker
        leases.
        """
        values: dict[str, Any] = {"status": status, "lease": delivery["lease"]}
        if next_at is None:
            expression = (
                "SET #status = :status REMOVE #lease, #leased_until, #sweep_at, #sweep_shard"
            )
        else:
            expression = (
                "SET #status = :status, #next_at = :next, #sweep_at = :sweep_at "
                "REMOVE #lease, #leased_until"
            )
            values |= {"next": next_at, "sweep_at": next_at + (OVERDUE_SECONDS if queued else 0)}
        key = _delivery_key(delivery["org_id"], delivery["message_id"], delivery["webhook_id"])
        actions = [
            self._table.update_action(
                **key, expression=expression, condition="#lease = :lease", **values
            )
        ]
        if attempt is not None:
            actions.append(self._table.put_action(_attempt_item(delivery, attempt)))
        return try_transact(self._client, actions)

    def list_attempts(
        self, org_id: str, webhook_id: str, *, limit: int, after: str | None
    ) -> list[Attempt]:
        """Attempts at a webhook, newest first, past `after`; expired ones are among them."""
        prefix = f"ATT#{webhook_id}#"
        found = self._table.query(
            f"ORG#{org_id}",
            prefix=prefix,
            limit=limit,
            after=f"{prefix}{after}" if after else None,
            newest_first=True,
        )
        return cast("list[Attempt]", found)

    def due(self, shard: int, now: int) -> list[Message | Delivery]:
        """Messages and deliveries of one shard that no worker seems to be working on."""
        return cast("list[Message | Delivery]", self._table.due(shard, now))

    def postpone(self, due: Message | Delivery, sweep_at: int) -> bool:
        """Let the sweep look later; False when the item changed. Of two sweeps one succeeds."""
        if "message_id" in due:
            key = _delivery_key(due["org_id"], due["message_id"], due["webhook_id"])
        else:
            key = _message_key(due["org_id"], due["id"])
        try:
            self._table.update(
                **key,
                expression="SET #sweep_at = :next",
                condition="#sweep_at = :seen",
                next=sweep_at,
                seen=due["sweep_at"],
            )
        except ConditionFailed:
            return False
        return True

    def _update_action(
        self, webhook: Webhook, changes: Mapping[str, Any], forget: Sequence[str] = ()
    ) -> Action:
        sets = ", ".join(f"#{name} = :{name}" for name in changes)
        removes = f" REMOVE {', '.join(f'#{name}' for name in forget)}" if forget else ""
        return self._table.update_action(
            **_webhook_key(webhook["org_id"], webhook["id"]),
            expression=f"SET {sets}, #rev = :next{removes}",
            condition="#rev = :seen",
            next=webhook["rev"] + 1,
            seen=webhook["rev"],
            **changes,
        )


def _webhook_key(org_id: str, webhook_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"WHK#{webhook_id}"}


def _message_key(org_id: str, message_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"MSG#{message_id}"}


def _delivery_key(org_id: str, message_id: str, webhook_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"DLV#{message_id}#{webhook_id}"}


def _message_item(message: Message) -> Item:
    expires_at = message["at"] + MESSAGE_SECONDS
    return {
        **message,
        **_message_key(message["org_id"], message["id"]),
        "expires_at": expires_at,
        "purge_at": expires_at + _PURGE_AFTER_SECONDS,
        "sweep_at": message["at"] + OVERDUE_SECONDS,
        "sweep_shard": sweep_shard(message["id"]),
    }


def _delivery_item(message: Message, webhook_id: str, now: int) -> Item:
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


def _attempt_item(delivery: Delivery, attempt: Attempt) -> Item:
    expires_at = attempt["at"] + ATTEMPT_SECONDS
    return {
        **attempt,
        "pk": f"ORG#{delivery['org_id']}",
        "sk": f"ATT#{delivery['webhook_id']}#{attempt['id']}",
        "expires_at": expires_at,
        "purge_at": expires_at,
    }
