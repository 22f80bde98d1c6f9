"""Every endpoint with a request that it would serve, generated from the one table."""

from __future__ import annotations

import re
from typing import Any

from imagelayer.platform.ids import new_id
from imagelayer.routes import ROUTES
from tests.support.api import ALL_SCOPES, CAPTCHA, PASSWORD, Account, bearer
from tests.support.product import Product

PREFIXES = {
    "key_id": "key",
    "brand_id": "brd",
    "upload_id": "upl",
    "generation_id": "gen",
    "asset_id": "ast",
    "session_id": "ses",
    "user_id": "usr",
    "invitation_id": "inv",
    "webhook_id": "whk",
    "message_id": "msg",
    "model_id": "mdl",
}
# A PNG of one pixel.
PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
BODIES: dict[str, Any] = {
    "POST /v1/auth/register": {"email": "new@example.com", "turnstile_token": CAPTCHA},
    "POST /v1/auth/verify-email": {
        "token": "x" * 60,
        "name": "Dev",
        "organization_name": "Org",
        "password": PASSWORD,
    },
    "POST /v1/auth/verify-email/resend": {"email": "new@example.com"},
    "POST /v1/auth/login": {"email": "new@example.com", "password": PASSWORD},
    "POST /v1/auth/invitations/accept": {"token": "x" * 90, "name": "Dev", "password": PASSWORD},
    "POST /v1/auth/password/forgot": {"email": "new@example.com"},
    "POST /v1/auth/password/reset": {"token": "x" * 60, "password": PASSWORD},
    "POST /v1/auth/password/change": {"current_password": PASSWORD, "password": f"{PASSWORD}!"},
    "POST /v1/auth/totp": {"password": PASSWORD},
    "POST /v1/auth/totp/confirm": {"totp_code": "123456"},
    "POST /v1/auth/totp/recovery-codes": {"password": PASSWORD, "totp_code": "123456"},
    "POST /v1/auth/totp/disable": {"password": PASSWORD, "totp_code": "123456"},
    "POST /v1/auth/session": {"end_user_id": "user-1"},
    "POST /v1/auth/session/revoke": {"end_user_id": "user-1"},
    "PATCH /v1/organization": {"name": "Another name"},
    "PATCH /v1/organization/members/{user_id}": {"role": "viewer"},
    "POST /v1/organization/invitations": {"email": "friend@example.com", "role": "viewer"},
    "POST /v1/organization/webhooks": {"url": "https://hooks.example.com/imagelayer"},
    "PATCH /v1/organization/webhooks/{webhook_id}": {"enabled": False},
    "POST /v1/organization/webhooks/{webhook_id}/rotate": {"grace_seconds": 0},
    "POST /v1/keys": {"name": "k", "scopes": ["assets:read"], "mode": "live"},
    "PATCH /v1/keys/{key_id}": {"name": "another name"},
    "POST /v1/keys/{key_id}/rotate": {"grace_seconds": 0},
    "POST /v1/leaked-keys": [{"token": "il_live_x"}],
    "POST /v1/brands": {"name": "Brand", "palette": ["#112233"]},
    "PATCH /v1/brands/{brand_id}": {"style": "calm"},
    "POST /v1/brands/{brand_id}/assets": {
        "kind": "logo",
        "content_type": "image/png",
        "size_bytes": 100,
    },
    "POST /v1/generations": {"prompt": "waves", "size": "256x256"},
    "POST /v1/images/generations": {"prompt": "waves", "size": "256x256"},
    "POST /v1/images/edits": {
        "prompt": "waves",
        "size": "256x256",
        "images": [{"image_url": PICTURE}],
    },
}
# A signed body is refused for its signature before anything else (`leaked_keys`).
WITH_BODY = [key for key, route in ROUTES.items() if route.body and not route.signed]
WITH_CREDENTIALS = [key for key, route in ROUTES.items() if route.auth != "none"]
# Logging out everywhere comes last: what came after it would be refused whatever it is.
LOG_OUT = "DELETE /v1/auth/sessions"
FOR_USERS = sorted(
    (route for route in WITH_CREDENTIALS if ROUTES[route].auth != "key"), key=LOG_OUT.__eq__
)
# Those that a key reaches by a scope; what a key may always know of itself requires none.
FOR_KEYS = [
    route for route in WITH_CREDENTIALS if ROUTES[route].auth != "user" and ROUTES[route].scope
]
FOR_END_USERS = [route for route in WITH_CREDENTIALS if ROUTES[route].end_user]
# Those that name something of an organization's; models are everybody's.
WITH_ID = [route for route in FOR_USERS if "{" in route and "{model_id}" not in route]
# Those of the whole organization; what belongs to one thing is asked for by that thing's id.
LISTS = [
    route
    for route in WITH_CREDENTIALS
    if "cursor" in {each.name for each in ROUTES[route].query} and "{" not in route
]


def credentials(product: Product, owner: Account, route: str) -> dict[str, str]:
    """Headers with which a route would serve its organization's owner."""
    match ROUTES[route].auth:
        case "none":
            return {}
        case "key":
            return bearer(product.key(owner, *ALL_SCOPES))
        case _:
            return owner.headers


def request(route: str, ids: dict[str, str] | None = None) -> tuple[str, str, dict[str, Any]]:
    """Method, path and parts of a lawful request; ids that are not given exist nowhere."""
    method, _, path = route.partition(" ")
    for name in re.findall(r"{(\w+)}", path):
        identifier = (ids or {}).get(name) or new_id(PREFIXES[name], 1_800_000_000, bytes)
        path = path.replace(f"{{{name}}}", identifier)
    return method, path, {"body": BODIES[route]} if route in BODIES else {}
