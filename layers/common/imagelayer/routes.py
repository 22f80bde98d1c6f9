"""Every route of the API, for what must know all of them: the description, the docs, the tests.

No function imports this module: each imports the rows of its own domain.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagelayer.access.routes import ROUTES as ACCESS
from imagelayer.api.route import Route
from imagelayer.audit.routes import ROUTES as AUDIT
from imagelayer.brands.routes import ROUTES as BRANDS
from imagelayer.credits.routes import ROUTES as CREDITS
from imagelayer.discovery.routes import ROUTES as DISCOVERY
from imagelayer.generations.routes import ROUTES as GENERATIONS
from imagelayer.identity.routes import ROUTES as IDENTITY
from imagelayer.openai_api.routes import ROUTES as OPENAI_API
from imagelayer.webhooks.routes import ROUTES as WEBHOOKS

ROUTES: Mapping[str, Route] = {
    **DISCOVERY,
    **IDENTITY,
    **ACCESS,
    **AUDIT,
    **CREDITS,
    **WEBHOOKS,
    **BRANDS,
    **GENERATIONS,
    **OPENAI_API,
}
