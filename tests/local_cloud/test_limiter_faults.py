"""When the limiter, or the whole database, cannot answer, every endpoint denies within two seconds
and nothing is done."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.api.route import Route
from imagelayer.routes import ROUTES
from tests.support import cloud_accounts
from tests.support.api_clients import CAPTCHA, PASSWORD, Visitor
from tests.support.cloud_clients import new_owner

WATCHED = (
    "AccountsTable",
    "KeysTable",
    "BrandsTable",
    "GenerationsTable",
    "CreditsTable",
    "WebhooksTable",
)


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    """Someone with one of everything."""
    visitor = new_owner(cloud)
    visitor.brand["upload"] = visitor.upload_demo_logo()["id"]
    visitor.brand["job"] = visitor.generate(size="256x256")
    visitor.brand["webhook"] = visitor.webhook()["id"]
    return visitor


def request_for(row: Route, owner: Visitor) -> tuple[str, dict[str, Any]]:
    """A request to the endpoint that would succeed if the limiter answered."""
    job = owner.brand["job"]
    path = row.path.format(
        key_id=owner.key["id"],
        brand_id=owner.brand["id"],
        upload_id=owner.brand["upload"],
        generation_id=job["id"],
        asset_id=job["assets"][0]["id"],
        session_id="ses_" + "0" * 26,
        user_id=owner.user_id,
        webhook_id=owner.brand["webhook"],
        message_id="msg_" + "0" * 26,
        model_id="studio",
        invitation_id="inv_" + "0" * 26,
    )
    bodies: dict[str, dict[str, Any]] = {
        "register": {"email": "denied@example.com", "turnstile_token": CAPTCHA},
        "verifyEmail": {
            "token": "0" * 64 + "." + "a" * 43,
            "name": "Denied",
            "organization_name": "Denied",
            "password": PASSWORD,
        },
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
        "createWebhook": {"url": "https://hooks.example.com/denied"},
        "updateWebhook": {"enabled": False},
        "rotateWebhook": {"grace_seconds": 0},
        "createKey": {"name": "denied", "scopes": ["assets:read"], "mode": "live"},
        "updateKey": {"name": "denied"},
        "rotateKey": {"grace_seconds": 0},
        "reportLeakedKeys": {},
        "createBrand": {"name": "denied", "palette": ["#000000"]},
        "updateBrand": {"name": "denied"},
        "createUpload": {"kind": "logo", "content_type": "image/png", "size_bytes": 10},
        "createGeneration": {"prompt": "denied"},
    }
    token = {"none": None, "user": owner.access_token, "key": owner.key["key"]}.get(
        row.auth, owner.key["key"]
    )
    return path, {"token": token, "json": bodies.get(row.operation)}


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


@dataclass(frozen=True)
class Denied:
    """What an endpoint answered, and after how long."""

    operation: str
    status: int
    code: str
    retry_after: str
    seconds: float


def ask(owner: Visitor, row: Route) -> Denied:
    path, parts = request_for(row, owner)
    answer = owner.call(row.method, path, **parts)
    return Denied(
        row.operation,
        answer.status_code,
        answer.json().get("code", ""),
        answer.headers.get("retry-after", "0"),
        answer.elapsed.total_seconds(),
    )


# What fails, for good: only what the limiter does, or every call to the database. A call that is
# not answered at all is the slowest way to fail.
OUTAGES: dict[str, dict[str, str]] = {
    "the limiter fails": {"operation": "UpdateItem", "error": "500"},
    "the limiter is throttled": {"operation": "UpdateItem", "error": "throttle"},
    "the database is unreachable": {"error": "timeout"},
}
MOST_SECONDS = 2.0
THREADS = 4


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("outage", OUTAGES)
def test_every_endpoint_denies_within_two_seconds_and_does_nothing_when(
    cloud: LocalCloud, owner: Visitor, outage: str
) -> None:
    rows = list(ROUTES.values())
    cloud_accounts.settle(cloud)
    mails = len(cloud.mail())
    before = dump(cloud, owner.org_id)
    with (
        cloud.faults([{"service": "dynamodb", **OUTAGES[outage]}]),
        ThreadPoolExecutor(THREADS) as pool,
    ):
        answers = list(pool.map(partial(ask, owner), rows))
        # A machine that is busy with something else may be slow once.
        late = [each for each in answers if each.seconds > MOST_SECONDS]
        again = [ask(owner, rows[answers.index(each)]) for each in late]
    assert len(answers) == len(ROUTES) > 50
    wrong = [
        each
        for each in [*answers, *again]
        if (each.status, each.code) != (503, "limiter_unavailable") or not int(each.retry_after)
    ]
    assert not wrong
    assert not [each for each in again if each.seconds > MOST_SECONDS]
    assert dump(cloud, owner.org_id) == before
    assert len(cloud.mail()) == mails
    assert owner.call("GET", "/v1/brands", token=owner.key["key"]).status_code == 200
