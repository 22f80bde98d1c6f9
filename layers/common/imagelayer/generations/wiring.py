"""Wires the generations domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.generations.acceptance import Acceptance
    from imagelayer.generations.assets import Assets
    from imagelayer.generations.large_answers import LargeAnswers
    from imagelayer.generations.service import Generations
    from imagelayer.generations.store import GenerationStore
    from imagelayer.generations.sweep import GenerationSweep
    from imagelayer.generations.worker import GenerationWorker
    from imagelayer.platform.objects import ObjectStore
    from imagelayer.platform.queue import Queue


class GenerationsWiring(Part):
    """Generations and their images."""

    @cached_property
    def generation_store(self) -> GenerationStore:
        from imagelayer.generations.store import GenerationStore

        return GenerationStore(
            self.platform.client("dynamodb"), self.platform.table("GENERATIONS_TABLE")
        )

    @cached_property
    def media(self) -> ObjectStore:
        from imagelayer.platform.objects import ObjectStore

        return ObjectStore(
            lambda: self.platform.client("s3"), self.platform.settings.need("MEDIA_BUCKET")
        )

    @cached_property
    def queue(self) -> Queue:
        from imagelayer.platform.queue import Queue

        return Queue(
            lambda: self.platform.client("sqs"), self.platform.settings.need("GENERATION_QUEUE_URL")
        )

    @cached_property
    def assets(self) -> Assets:
        """Finished images."""
        from imagelayer.generations.assets import Assets

        return Assets(self.generation_store, self.media)

    @cached_property
    def large_answers(self) -> LargeAnswers:
        """Answers that no response can hold."""
        from imagelayer.generations.large_answers import LargeAnswers

        return LargeAnswers(self.generation_store, self.media)

    @cached_property
    def generations(self) -> Generations:
        """The use cases of generations."""
        from imagelayer.credits.wiring import CreditsWiring
        from imagelayer.generations.service import Generations
        from imagelayer.generations.wait_budget import WaitBudget
        from imagelayer.image_models.wiring import ImageModelsWiring
        from imagelayer.limits.wiring import LimitsWiring
        from imagelayer.webhooks.wiring import WebhooksWiring

        return Generations(
            store=self.generation_store,
            acceptance=self._acceptance,
            credits=self.part(CreditsWiring).credit_store,
            queue=self.queue,
            assets=self.assets,
            media=self.media,
            registry=self.part(ImageModelsWiring).registry,
            webhooks=self.part(WebhooksWiring).webhook_outbox,
            wait_budget=WaitBudget(self.part(LimitsWiring).counters),
            quota_alerts=self.part(CreditsWiring).quota_alerts,
            warn=self.platform.warn,
            clock=self.platform.clock,
            sleep=self.platform.sleep,
        )

    @cached_property
    def _acceptance(self) -> Acceptance:
        from imagelayer.access.wiring import AccessWiring
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.brands.snapshots import BrandSnapshots
        from imagelayer.brands.wiring import BrandsWiring
        from imagelayer.credits.wiring import CreditsWiring
        from imagelayer.generations.acceptance import Acceptance
        from imagelayer.limits.wiring import LimitsWiring

        return Acceptance(
            store=self.generation_store,
            brands=BrandSnapshots(self.part(BrandsWiring).brand_store),
            credits=self.part(CreditsWiring).credit_store,
            wallet=self.part(CreditsWiring).wallet,
            counters=self.part(LimitsWiring).counters,
            end_user_sessions=self.part(AccessWiring).end_user_session_store,
            quota_alerts=self.part(CreditsWiring).quota_alerts,
            security=self.part(AuditWiring).security,
        )

    @cached_property
    def generation_worker(self) -> GenerationWorker:
        """The worker of the generation queue."""
        from imagelayer.brands.wiring import BrandsWiring
        from imagelayer.credits.wiring import CreditsWiring
        from imagelayer.generations.worker import GenerationWorker
        from imagelayer.image_models.wiring import ImageModelsWiring
        from imagelayer.webhooks.wiring import WebhooksWiring

        return GenerationWorker(
            store=self.generation_store,
            credits=self.part(CreditsWiring).credit_store,
            brand_objects=self.part(BrandsWiring).brand_objects,
            media=self.media,
            registry=self.part(ImageModelsWiring).registry,
            providers=self.part(ImageModelsWiring).providers,
            webhooks=self.part(WebhooksWiring).webhook_outbox,
            quota_alerts=self.part(CreditsWiring).quota_alerts,
            count=self.platform.count,
            clock=self.platform.clock,
        )

    @cached_property
    def sweep(self) -> GenerationSweep:
        """Jobs that are stuck or have expired."""
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.credits.wiring import CreditsWiring
        from imagelayer.generations.sweep import GenerationSweep
        from imagelayer.webhooks.wiring import WebhooksWiring

        return GenerationSweep(
            store=self.generation_store,
            credits=self.part(CreditsWiring).credit_store,
            media=self.media,
            queue=self.queue,
            webhooks=self.part(WebhooksWiring).webhook_outbox,
            security=self.part(AuditWiring).security,
            warn=self.platform.warn,
            clock=self.platform.clock,
        )
