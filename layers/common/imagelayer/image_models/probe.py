"""Warns before a provider shuts down a model that is offered.

Providers end image models every few months, some with a month's notice. Each day the registry's
dates and what the providers publish are compared with the calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

from imagelayer.image_models.registry import Model, Registry
from imagelayer.platform.frozen import frozen

# Days before the end on which a warning is given; in between an alarm has time to clear.
NOTICE_DAYS = (30, 7, 1, 0)

type Source = Literal["registry", "provider"]


@frozen
class Lifecycle:
    """What a provider says of a model: the day of its shutdown, if known, and whether it exists."""

    shutdown_date: date | None = None
    exists: bool = True


class LifecycleUnknown(Exception):
    """The provider did not say; `reason` is for the log and never the provider's text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen
class ModelProbe:
    """The use case of the daily event. `lifecycles` give the lifecycle of a provider's model by the
    provider's id of it, or raise LifecycleUnknown; `warn` and `count` reach the operator."""

    registry: Registry
    lifecycles: Mapping[str, Callable[[str], Lifecycle]]
    warn: Callable[[str, Mapping[str, Any]], None]
    count: Callable[[str], None]

    def probe(self, now: float) -> dict[str, int]:
        """Check every model that is offered; returns how many were checked, warned of, and unknown
        to their provider.

        A model that the registry itself lists as shut down is no longer offered, so it is not
        reported.
        """
        today = datetime.fromtimestamp(now, UTC).date()
        asked = warned = unknown = 0
        for model in self.registry.models.values():
            lifecycle_of = self.lifecycles.get(model.provider)
            if lifecycle_of is None or (model.shutdown_date and model.shutdown_date < today):
                continue
            asked += 1
            try:
                said = lifecycle_of(model.provider_model_id)
            except LifecycleUnknown as fault:
                unknown += 1
                self._warn("model_lifecycle_unknown", model, {"reason": fault.reason})
                said = Lifecycle()
            for event, more in _news(model, said, today):
                warned += 1
                self._warn(event, model, more)
        return {"models": asked, "warnings": warned, "unknown": unknown}

    def _warn(self, event: str, model: Model, more: Mapping[str, Any]) -> None:
        about = {"model": model.id, "provider": model.provider, "replacement": model.replacement}
        self.warn(event, {**about, **more})
        self.count("ModelShutdownNear")


def _news(model: Model, said: Lifecycle, today: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the operator should know today."""
    if not said.exists:
        yield "model_is_gone", {"source": "provider"}
        return
    ends = said.shutdown_date
    if ends and ends != model.shutdown_date:
        # Reported every day until the registry says so too: callers learn it from the registry.
        yield "model_shutdown_not_in_registry", _when(ends, today, "provider")
    elif model.shutdown_date and (model.shutdown_date - today).days in NOTICE_DAYS:
        yield "model_shutdown_near", _when(model.shutdown_date, today, "registry")


def _when(ends: date, today: date, source: Source) -> dict[str, Any]:
    return {"date": ends.isoformat(), "days": (ends - today).days, "source": source}
