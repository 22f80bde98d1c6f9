"""Wires the webhooks domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.platform.queue import Queue
    from imagelayer.webhooks.delivery import WebhookWorker
    from imagelayer.webhooks.outbox import WebhookOutbox
    from imagelayer.webhooks.service import Webhooks
    from imagelayer.webhooks.signing import RootKeySource
    from imagelayer.webhooks.store import WebhookStore
    from imagelayer.webhooks.sweep import WebhookSweep


class WebhooksWiring(Part):
    """Webhooks, messages to them, and their deliveries."""

    @cached_property
    def webhook_store(self) -> WebhookStore:
        from imagelayer.webhooks.store import WebhookStore

        return WebhookStore(self.platform.client("dynamodb"), self.platform.table("WEBHOOKS_TABLE"))

    @cached_property
    def _webhook_queue(self) -> Queue:
        from imagelayer.platform.queue import Queue

        return Queue(
            lambda: self.platform.client("sqs"), self.platform.settings.need("WEBHOOK_QUEUE_URL")
        )

    @cached_property
    def webhook_outbox(self) -> WebhookOutbox:
        """The sending side of webhooks."""
        from imagelayer.webhooks.outbox import WebhookOutbox

        return WebhookOutbox(self.webhook_store, self._webhook_queue, self.platform.warn)

    @cached_property
    def webhooks(self) -> Webhooks:
        """The use cases of webhooks."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.limits.wiring import LimitsWiring
        from imagelayer.webhooks.service import Webhooks

        return Webhooks(
            store=self.webhook_store,
            counters=self.part(LimitsWiring).counters,
            queue=self._webhook_queue,
            roots=self._webhook_roots,
            security=self.part(AuditWiring).security,
            loopback=self.platform.settings.webhook_loopback,
            warn=self.platform.warn,
        )

    @cached_property
    def webhook_worker(self) -> WebhookWorker:
        """The worker of the delivery queue."""
        import random
        import secrets

        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.webhooks.delivery import WebhookWorker
        from imagelayer.webhooks.sender import WebhookHttp

        return WebhookWorker(
            store=self.webhook_store,
            queue=self._webhook_queue,
            outbox=self.webhook_outbox,
            sender=WebhookHttp(loopback=self.platform.settings.webhook_loopback),
            roots=self._webhook_roots,
            security=self.part(AuditWiring).security,
            warn=self.platform.warn,
            clock=self.platform.clock,
            random=random.random,
            token=secrets.token_hex,
        )

    @cached_property
    def sweep(self) -> WebhookSweep:
        """Attempts after long pauses, and what the queue lost."""
        from imagelayer.webhooks.sweep import WebhookSweep

        return WebhookSweep(
            self.webhook_store, self._webhook_queue, self.platform.warn, self.platform.clock
        )

    @cached_property
    def _webhook_roots(self) -> RootKeySource:
        from imagelayer.platform.key_ring import StoredKeyRing
        from imagelayer.webhooks.signing import RootKeys

        return StoredKeyRing(
            RootKeys, self.platform.secrets, self.platform.settings.need("WEBHOOK_SECRET_ID")
        )
