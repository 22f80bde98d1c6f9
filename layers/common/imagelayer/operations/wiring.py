"""Wires the operations domain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from imagelayer.platform.wiring import Part

if TYPE_CHECKING:
    from imagelayer.operations.administration import Operator, Owners
    from imagelayer.operations.dead_letters import DeadLetters
    from imagelayer.operations.plans import Plans
    from imagelayer.operations.sweep import Cleanup


class OperationsWiring(Part):
    """The operator's actions and the sweep."""

    @cached_property
    def operator(self) -> Operator:
        """The use case of the operator's actions."""
        from imagelayer.operations.administration import Operator

        return Operator(self.plans, self._dead_letters, self._owners)

    def _owners(self) -> Owners:
        from imagelayer.identity.wiring import IdentityWiring

        return self.part(IdentityWiring).owners

    def _dead_letters(self) -> DeadLetters:
        from imagelayer.generations.wiring import GenerationsWiring
        from imagelayer.operations.dead_letters import DeadLetters
        from imagelayer.platform.queue import Queue

        queue = Queue(
            lambda: self.platform.client("sqs"), self.platform.settings.need("DEAD_LETTERS_URL")
        )
        return DeadLetters(queue, self.part(GenerationsWiring).generation_store)

    @cached_property
    def plans(self) -> Plans:
        """The operator's decisions about organizations."""
        from imagelayer.access.wiring import AccessWiring
        from imagelayer.audit.wiring import AuditWiring
        from imagelayer.credits.wiring import CreditsWiring
        from imagelayer.identity.wiring import IdentityWiring
        from imagelayer.operations.plans import Plans

        return Plans(
            self.part(IdentityWiring).organization_store,
            self.part(CreditsWiring).credit_store,
            self.part(AccessWiring).key_store,
            self.part(AuditWiring).security,
            self.part(CreditsWiring).monthly_credits,
        )

    @cached_property
    def sweep(self) -> Cleanup:
        """The scheduled sweep."""
        from imagelayer.generations.wiring import GenerationsWiring
        from imagelayer.operations.sweep import Cleanup

        return Cleanup([self.part(GenerationsWiring).sweep])
