"""Routes of credits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagelayer.api.route import Route, route_table
from imagelayer.credits.parameters import END, GROUP_BY, START
from imagelayer.platform.lazy import lazy

if TYPE_CHECKING:
    from imagelayer.credits import schemas
else:
    schemas = lazy("imagelayer.credits.schemas")

ROUTES = route_table(
    Route(
        "GET /v1/organization/usage",
        tag="Organization",
        function="organization",
        operation="getUsage",
        summary="Get usage and remaining credits",
        description="Usage is grouped by day, key, model, brand, end user or mode.",
        auth="user_or_key",
        limit="usage-read",
        status=200,
        answer=lambda: schemas.UsageReport,
        scope="usage:read",
        query=(START, END, GROUP_BY),
    ),
)
