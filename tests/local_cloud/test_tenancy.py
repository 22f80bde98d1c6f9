"""A foreign id looks exactly like a missing one."""

from __future__ import annotations

from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.routes import ROUTES
from tests.support.cloud_clients import new_owner

BODIES: dict[str, dict[str, Any]] = {
    "changeRole": {"role": "viewer"},
    "rotateKey": {"grace_seconds": 0},
    "updateBrand": {"name": "Taken over"},
    "updateWebhook": {"enabled": False},
    "rotateWebhook": {"grace_seconds": 0},
    "createUpload": {"kind": "logo", "content_type": "image/png", "size_bytes": 10},
}
MISSING = "00000000000000000000000000"


@pytest.mark.promise("org-scoped")
@pytest.mark.promise("brand-isolated")
def test_every_route_answers_a_foreign_id_like_a_missing_one(cloud: LocalCloud) -> None:
    owner, stranger = new_owner(cloud), new_owner(cloud)
    upload = owner.upload_demo_logo()
    job = owner.generate(size="256x256", brand_id=owner.brand["id"])
    webhook = owner.webhook()
    ids = {
        "webhook_id": webhook["id"],
        "message_id": owner.call(
            "POST", f"/v1/organization/webhooks/{webhook['id']}/test", token=owner.access_token
        ).json()["id"],
        "key_id": owner.key["id"],
        "brand_id": owner.brand["id"],
        "upload_id": upload["id"],
        "generation_id": job["id"],
        "asset_id": job["assets"][0]["id"],
        "user_id": owner.user_id,
        "session_id": owner.call("GET", "/v1/auth/sessions", token=owner.access_token).json()[
            "data"
        ][0]["id"],
        "invitation_id": owner.call(
            "POST",
            "/v1/organization/invitations",
            token=owner.access_token,
            json={"email": f"friend-of-{owner.email}", "role": "viewer"},
        ).json()["id"],
    }
    tried = 0
    for route in ROUTES.values():
        if "{" not in route.path or "{model_id}" in route.path:  # models are everybody's
            continue
        tokens = [stranger.access_token]
        if route.auth == "user_or_key":
            tokens.append(stranger.key["key"])
        for token in tokens:
            body = BODIES.get(route.operation)
            foreign = stranger.call(
                route.method, route.path.format_map(ids), token=token, json=body
            )
            missing_ids = {
                name: value.partition("_")[0] + "_" + MISSING for name, value in ids.items()
            }
            missing = stranger.call(
                route.method, route.path.format_map(missing_ids), token=token, json=body
            )
            assert foreign.status_code == missing.status_code == 404, (route.key, foreign.text)
            answers = [answer.json() for answer in (foreign, missing)]
            for answer in answers:
                del answer["request_id"]
            assert answers[0] == answers[1]
            tried += 1
    assert tried >= 15
    named = stranger.call(
        "POST",
        "/v1/generations",
        token=stranger.key["key"],
        json={"prompt": "a foreign brand", "brand_id": owner.brand["id"]},
    )
    assert named.status_code == 404
    for path in (
        "/v1/keys",
        "/v1/brands",
        "/v1/generations",
        "/v1/auth/sessions",
        "/v1/organization/members",
        "/v1/organization/invitations",
        "/v1/organization/security-events",
        "/v1/organization/webhooks",
    ):
        listed = stranger.call("GET", path, token=stranger.access_token).json()["data"]
        assert not {each["id"] for each in listed} & set(ids.values())
    # And all of it is still there for its owner.
    for path in (
        f"/v1/keys/{ids['key_id']}",
        f"/v1/brands/{ids['brand_id']}",
        f"/v1/assets/{ids['asset_id']}",
        f"/v1/organization/webhooks/{ids['webhook_id']}",
        "/v1/auth/me",
    ):
        assert owner.call("GET", path, token=owner.access_token).status_code == 200
