"""Routes of audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.query import page_of
from imagelayer.api.route import Route, route_table
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.audit import schemas
else:
    schemas = lazy("imagelayer.audit.schemas")

ROUTES = route_table(
    Route(
        "GET /v1/organization/security-events",
        tag="Organization",
        function="organization",
        operation="listSecurityEvents",
        summary="List security events",
        description="Newest first, kept for 90 days.",
        auth="user",
        limit="organization-read",
        status=200,
        answer=lambda: schemas.SecurityEventList,
        scope="events:read",
        query=page_of("evt"),
    ),
)
