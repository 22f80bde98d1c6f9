"""Every endpoint with a request that it would serve, generated from the one table."""

from __future__ import annotations

import re
from typing import Any

from imagelayer.endpoints import ENDPOINTS
from imagelayer.ids import new_id
from tests.support.product import CAPTCHA, PASSWORD

PREFIXES = {
    "key_id": "key",
    "brand_id": "brd",
    "upload_id": "upl",
    "generation_id": "gen",
    "asset_id": "ast",
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/auth/register": {
        "email": "new@example.com",
        "password": PASSWORD,
        "name": "Dev",
        "organization_name": "Org",
        "turnstile_token": CAPTCHA,
    },
    "POST /v1/auth/verify-email": {"token": "x" * 60},
    "POST /v1/auth/verify-email/resend": {"email": "new@example.com"},
    "POST /v1/auth/login": {"email": "new@example.com", "password": PASSWORD},
    "POST /v1/keys": {"name": "k", "scopes": ["assets:read"], "mode": "live"},
    "POST /v1/keys/{key_id}/rotate": {"grace_seconds": 0},
    "POST /v1/brands": {"name": "Brand", "palette": ["#112233"]},
    "PATCH /v1/brands/{brand_id}": {"style": "calm"},
    "POST /v1/brands/{brand_id}/assets": {
        "kind": "logo",
        "content_type": "image/png",
        "size_bytes": 100,
    },
    "POST /v1/generations": {"prompt": "waves", "size": "256x256"},
}
WITH_BODY = [route for route, endpoint in ENDPOINTS.items() if endpoint.body]
WITH_CREDENTIALS = [route for route, endpoint in ENDPOINTS.items() if endpoint.auth != "none"]
FOR_USERS = [route for route in WITH_CREDENTIALS if ENDPOINTS[route].auth != "key"]
FOR_KEYS = [route for route in WITH_CREDENTIALS if ENDPOINTS[route].auth == "user_or_key"]
WITH_ID = [route for route in FOR_USERS if "{" in route]


def request(route: str, ids: dict[str, str] | None = None) -> tuple[str, str, dict[str, Any]]:
    """Method, path and parts of a lawful request; ids that are not given exist nowhere."""
    method, _, path = route.partition(" ")
    for name in re.findall(r"{(\w+)}", path):
        identifier = (ids or {}).get(name) or new_id(PREFIXES[name], 1_800_000_000, bytes)
        path = path.replace(f"{{{name}}}", identifier)
    return method, path, {"body": BODIES[route]} if route in BODIES else {}
