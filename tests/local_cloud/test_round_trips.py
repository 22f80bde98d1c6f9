"""Sequential AWS calls per request, counted at the wire by the proxy."""

from __future__ import annotations

import pytest

from dev.local_cloud import LocalCloud
from tests.support.api_clients import Visitor
from tests.support.cloud_clients import new_owner


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    return new_owner(cloud)


def operations(cloud: LocalCloud, request_id: str) -> list[str]:
    return [f"{each['service']}:{each['operation']}" for each in cloud.calls(request_id)]


def test_an_asset_read_takes_at_most_two_calls(cloud: LocalCloud, owner: Visitor) -> None:
    job = owner.generate(size="256x256")
    for token in (owner.key["key"], owner.access_token):
        path = f"/v1/assets/{job['assets'][0]['id']}"
        for _ in range(2):  # a cold process fetches a public key and does not know the limit yet
            owner.call("GET", path, token=token)
        answer = owner.call("GET", path, token=token)
        made = operations(cloud, answer.headers["x-request-id"])
        assert made == ["dynamodb:UpdateItem", "dynamodb:GetItem"]


def test_accepting_a_generation_takes_at_most_three_calls(
    cloud: LocalCloud, owner: Visitor
) -> None:
    for _ in range(2):  # the first opens the month's balance, and meets the brand
        owner.generate(size="256x256", brand_id=owner.brand["id"])
    answer = owner.call(
        "POST",
        "/v1/generations",
        token=owner.key["key"],
        headers={"Idempotency-Key": "round-trips"},
        json={"prompt": "three calls", "brand_id": owner.brand["id"], "size": "256x256"},
    )
    assert answer.status_code == 202
    assert operations(cloud, answer.headers["x-request-id"]) == [
        "dynamodb:UpdateItem",
        "dynamodb:TransactWriteItems",
        "sqs:SendMessage",
    ]
