"""A member's departure, with what they leave behind that goes on working.

API keys and webhook endpoints are the organization's and stay (docs/decisions/0009). The member who
created them may still know their secrets, so the answer to a removal names them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imagelayer.access.key_store import KeyStore
from imagelayer.platform.frozen import frozen
from imagelayer.platform.principals import Origin, Principal
from imagelayer.webhooks.store import MAX_WEBHOOKS, WebhookStore


@frozen
class Offboarding:
    """The use case of a departure. `remove` ends membership and account."""

    remove: Callable[[Principal, Origin, str], None]
    keys: KeyStore
    webhooks: WebhookStore

    def remove_member(self, principal: Principal, origin: Origin, user_id: str) -> dict[str, Any]:
        """Remove a member, or leave; returns the keys and webhooks that they made.

        Read after the removal, when they can make no more. Raises Problem 403, 404 or 409. Should
        reading fail, the removal holds: both lists show `created_by` too.
        """
        self.remove(principal, origin, user_id)
        keys = [
            key
            for key in self.keys.list_all_keys(principal.org_id)
            if user_id in (key["created_by"], key.get("rotated_by"))
        ]
        makers = {user_id, *(key["id"] for key in keys)}
        webhooks = [
            webhook
            for webhook in self.webhooks.list_webhooks(principal.org_id, limit=MAX_WEBHOOKS)
            if webhook["created_by"] in makers
        ]
        return {
            "id": user_id,
            "keys": [
                {
                    "id": key["id"],
                    "name": key["name"],
                    "mode": key["mode"],
                    "enabled": key["enabled"],
                }
                for key in keys
            ],
            "webhooks": [
                {
                    "id": webhook["id"],
                    "description": webhook["description"],
                    "enabled": webhook["enabled"],
                }
                for webhook in webhooks
            ],
        }
