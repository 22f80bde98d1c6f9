"""When the limiter cannot answer, every endpoint denies and nothing is done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.endpoints import ENDPOINTS, Endpoint
from tests.local_cloud.visitors import new_owner
from tests.support.visitor import CAPTCHA, PASSWORD, Visitor

# Only these may ask for mail; tests/local_cloud/test_roles.py shows that no other can.
MAILING = {"registration", "login", "password", "second_factor", "organization", "key_rotation"}
WATCHED = ("AccountsTable", "KeysTable", "BrandsTable", "GenerationsTable", "CreditsTable")


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    """Somebody with one of everything."""
    visitor = new_owner(cloud)
    visitor.brand["upload"] = visitor.upload_demo_logo()["id"]
    visitor.brand["job"] = visitor.generate(size="256x256")
    return visitor


def request_for(endpoint: Endpoint, owner: Visitor) -> tuple[str, dict[str, Any]]:
    """A request to the endpoint that would succeed if the limiter answered."""
    job = owner.brand["job"]
    path = endpoint.path.format(
        key_id=owner.key["id"],
        brand_id=owner.brand["id"],
        upload_id=owner.brand["upload"],
        generation_id=job["id"],
        asset_id=job["assets"][0]["id"],
        session_id="ses_" + "0" * 26,
        user_id=owner.user_id,
        invitation_id="inv_" + "0" * 26,
    )
    bodies: dict[str, dict[str, Any]] = {
        "register": {
            "email": "denied@example.com",
            "password": PASSWORD,
            "name": "Denied",
            "organization_name": "Denied",
            "turnstile_token": CAPTCHA,
        },
        "verifyEmail": {"token": "0" * 26 + "." + "a" * 43},
        "resendVerification": {"email": owner.email},
        "login": {"email": owner.email, "password": PASSWORD},
        "acceptInvitation": {"token": "x" * 90, "name": "Denied", "password": PASSWORD},
        "forgotPassword": {"email": owner.email},
        "resetPassword": {"token": "0" * 26 + "." + "a" * 43, "password": PASSWORD},
        "changePassword": {"current_password": PASSWORD, "password": f"{PASSWORD}, again"},
        "startTotp": {"password": PASSWORD},
        "confirmTotp": {"totp_code": "123456"},
        "renewRecoveryCodes": {"password": PASSWORD, "totp_code": "123456"},
        "disableTotp": {"password": PASSWORD, "totp_code": "123456"},
        "createEndUserSession": {"end_user_id": "denied"},
        "revokeEndUserSessions": {"all": True},
        "updateOrganization": {"name": "denied"},
        "changeRole": {"role": "viewer"},
        "createInvitation": {"email": "denied@example.com", "role": "viewer"},
        "createKey": {"name": "denied", "scopes": ["assets:read"], "mode": "live"},
        "rotateKey": {"grace_seconds": 0},
        "createBrand": {"name": "denied", "palette": ["#000000"]},
        "updateBrand": {"name": "denied"},
        "createUpload": {"kind": "logo", "content_type": "image/png", "size_bytes": 10},
        "createGeneration": {"prompt": "denied"},
    }
    token = {"none": None, "user": owner.access_token, "key": owner.key["key"]}.get(
        endpoint.auth, owner.key["key"]
    )
    return path, {"token": token, "json": bodies.get(endpoint.operation)}


def dump(cloud: LocalCloud, org_id: str) -> str:
    """The organization's items, apart from what metering itself writes, and all accounts."""
    dynamodb = cloud.client("dynamodb")
    items = {}
    for name in WATCHED:
        pages = dynamodb.get_paginator("scan").paginate(TableName=cloud.info["tables"][name])
        items[name] = sorted(
            json.dumps(item, sort_keys=True)
            for page in pages
            for item in page["Items"]
            if org_id in json.dumps(item) or name == "AccountsTable"
        )
    return json.dumps(items)


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("error", ["500", "throttle"])
@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda each: each.operation)
def test_a_limiter_that_fails_denies_with_503_and_does_nothing(
    cloud: LocalCloud, owner: Visitor, endpoint: Endpoint, error: str
) -> None:
    path, parts = request_for(endpoint, owner)
    before = dump(cloud, owner.org_id)
    mails = len(cloud.mail()) if endpoint.function in MAILING else 0
    with cloud.faults([{"service": "dynamodb", "operation": "UpdateItem", "error": error}]):
        answer = owner.call(endpoint.method, path, **parts)
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "limiter_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert dump(cloud, owner.org_id) == before
    assert mails == (len(cloud.mail()) if endpoint.function in MAILING else 0)


@pytest.mark.promise("limits-fail-closed")
def test_a_limiter_that_hangs_denies_as_well(cloud: LocalCloud, owner: Visitor) -> None:
    with cloud.faults([{"service": "dynamodb", "operation": "UpdateItem", "error": "timeout"}]):
        answer = owner.call("GET", "/v1/brands", token=owner.key["key"])
    assert answer.status_code == 503
    assert owner.call("GET", "/v1/brands", token=owner.key["key"]).status_code == 200
