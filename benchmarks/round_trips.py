"""Sequential AWS calls per request, counted at the wire by the local cloud's proxy."""

from __future__ import annotations

from typing import Any

from dev.local_cloud import LocalCloud
from tests.support.api_clients import PASSWORD
from tests.support.cloud_clients import new_owner


def main(cloud: LocalCloud) -> None:
    """Make each request three times and print the calls of the last, which met a warm process."""
    owner = new_owner(cloud)
    job = owner.generate(size="256x256", brand_id=owner.brand["id"])
    asset = f"/v1/assets/{job['assets'][0]['id']}"
    ask = {"prompt": "round trips", "size": "256x256", "brand_id": owner.brand["id"]}
    log_in = {"email": owner.email, "password": PASSWORD}
    mint = {"end_user_id": "round-trips"}
    session = owner.call("POST", "/v1/auth/session", token=owner.key["key"], json=mint).json()
    cases: tuple[tuple[str, str, str | None, dict[str, Any] | None], ...] = (
        ("GET", "/v1/health", None, None),
        ("POST", "/v1/auth/login", None, log_in),
        ("GET", "/v1/auth/me", owner.access_token, None),
        ("POST", "/v1/auth/password/forgot", None, {"email": owner.email}),
        ("POST", "/v1/auth/session", owner.key["key"], mint),
        ("POST", "/v1/generations", session["session_token"], {**ask, "brand_id": None}),
        ("GET", "/v1/keys/self", owner.key["key"], None),
        ("GET", "/v1/brands", owner.access_token, None),
        ("POST", "/v1/generations", owner.key["key"], ask),
        ("GET", f"/v1/generations/{job['id']}", owner.key["key"], None),
        ("GET", asset, owner.key["key"], None),
        ("GET", f"{asset}/content", owner.key["key"], None),
    )
    print(f"{'request':32s} calls")
    for method, path, token, body in cases:
        for _ in range(3):
            answer = owner.call(method, path, token=token, json=body)
        made = [each["operation"] for each in cloud.calls(answer.headers["x-request-id"])]
        shown = f"{method} {path}".replace(job["id"], "{id}").replace(asset, "/v1/assets/{id}")
        print(f"{shown:32s} {len(made)}  {', '.join(made)}")
