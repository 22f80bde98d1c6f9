"""Messages of the webhook queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


# A dataclass, which pydantic validates; `platform.frozen` it does not know.
@dataclass(frozen=True)
class DeliveryTask:
    """A queue message: a message to open or, with a `webhook_id`, a delivery to attempt."""

    org_id: str
    message_id: str
    webhook_id: str = ""
    not_before: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As it is sent to the queue."""
        body: dict[str, Any] = {"org_id": self.org_id, "message_id": self.message_id}
        if self.webhook_id:
            body |= {"webhook_id": self.webhook_id, "not_before": self.not_before}
        return body
