"""Runs last by its name: after everything, nothing anywhere holds a secret that was used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.local_cloud import LocalCloud
from tests.support.cloud_clients import ALL, new_owner
from tests.support.cloud_organizations import SHOP_KEYS


@pytest.mark.promise("keys-hashed")
@pytest.mark.promise("passwords-bcrypt")
def test_no_table_queue_bucket_or_log_holds_a_password_key_or_token(cloud: LocalCloud) -> None:
    owner = new_owner(cloud)
    owner.generate(size="256x256", brand_id=owner.brand["id"])
    used = {secret for visitor in ALL for secret in visitor.secrets} | SHOP_KEYS
    assert len(used) > 5
    places = {
        **{name: _table(cloud, name) for name in cloud.info["tables"]},
        **{name: _bucket(cloud, name) for name in cloud.info["buckets"]},
        **{name: _queue(cloud, name) for name in cloud.info["queues"]},
        "logs": _logs(cloud),
    }
    assert owner.org_id in places["GenerationsTable"]
    assert "security_event" in places["logs"]
    assert owner.org_id in places["MediaBucket"]
    for place, text in places.items():
        for secret in used:
            assert secret not in text, f"{place} holds a secret that starts with {secret[:12]}"
    for visitor in ALL:
        assert visitor.email not in places["logs"]


@pytest.mark.promise("no-training")
def test_a_prompt_is_in_its_job_and_nowhere_else(cloud: LocalCloud) -> None:
    owner = new_owner(cloud)
    owner.generate(size="256x256", brand_id=owner.brand["id"])
    jobs = [item for item in _items(cloud, "GenerationsTable") if "prompt" in item]
    # Shorter ones could be words of anything.
    prompts = {job["prompt"]["S"] for job in jobs if len(job["prompt"]["S"]) >= 10}
    assert "warm paper waves at sunrise" in prompts
    places = {
        **{name: _table(cloud, name) for name in cloud.info["tables"]},
        **{name: _bucket(cloud, name) for name in cloud.info["buckets"]},
        **{name: _queue(cloud, name) for name in cloud.info["queues"]},
        "logs": _logs(cloud),
    }
    del places["GenerationsTable"]
    for place, text in places.items():
        for prompt in prompts:
            assert prompt not in text, f"{place} holds a prompt that starts with {prompt[:12]}"


def _items(cloud: LocalCloud, name: str) -> list[dict[str, Any]]:
    pages = cloud.client("dynamodb").get_paginator("scan")
    found = pages.paginate(TableName=cloud.info["tables"][name])
    return [item for page in found for item in page["Items"]]


def _table(cloud: LocalCloud, name: str) -> str:
    return json.dumps(_items(cloud, name), default=str)


def _bucket(cloud: LocalCloud, name: str) -> str:
    s3, bucket = cloud.client("s3"), cloud.info["buckets"][name]
    text = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            found = s3.get_object(Bucket=bucket, Key=each["Key"])
            text.append(each["Key"] + json.dumps(found["Metadata"]))
            text.append(found["Body"].read().decode("latin-1"))
    return "".join(text)


def _queue(cloud: LocalCloud, name: str) -> str:
    answer = cloud.client("sqs").receive_message(
        QueueUrl=cloud.info["queues"][name], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return json.dumps(answer.get("Messages", []))


def _logs(cloud: LocalCloud) -> str:
    logs = cloud.client("logs")
    text = []
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            name = group["logGroupName"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                text += [event["message"] for event in page["events"]]
    return "\n".join(text)
