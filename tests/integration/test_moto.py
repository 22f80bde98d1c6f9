"""The short way to moto's tables answers as the long one does, refusals included."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import aws, direct_dynamodb
from tests.support.product import Product

TABLE = "KeysTable"
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
ITEM = {**KEY, "n": {"N": "1"}, "m": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}]}}}}
HELD = {"ConditionExpression": "attribute_not_exists(pk)"}
OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
VALUES = {":two": {"N": "2"}, ":five": {"N": "5"}}

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("put_item", {"Item": ITEM}),
    ("put_item", {"Item": KEY, **HELD, **OLD}),
    (
        "update_item",
        {
            "Key": KEY,
            "UpdateExpression": "SET n = :two",
            "ConditionExpression": "n = :five",
            "ExpressionAttributeValues": VALUES,
            **OLD,
        },
    ),
    (
        "update_item",
        {
            "Key": KEY,
            "UpdateExpression": "SET n = :two",
            "ExpressionAttributeValues": {":two": {"N": "2"}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    ("update_item", {"Key": KEY, "UpdateExpression": "SET n = "}),
    ("get_item", {"Key": KEY, "ConsistentRead": True}),
    ("get_item", {"Key": {**KEY, "sk": {"S": "missing"}}}),
    ("get_item", {"TableName": "no-table", "Key": KEY}),
    (
        "query",
        {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "a"}},
            "Limit": 1,
        },
    ),
    ("scan", {}),
    ("put_item", {"Item": {**KEY, "sk": {"S": "binary"}, "b": {"B": b"bytes"}}}),
    ("delete_item", {"Key": KEY, "ReturnValues": "ALL_OLD"}),
    ("delete_item", {"Key": KEY, "ConditionExpression": "attribute_exists(pk)"}),
]
TRANSACTIONS: list[list[dict[str, Any]]] = [
    [{"Put": {"TableName": TABLE, "Item": ITEM}}],
    [
        {"ConditionCheck": {"TableName": TABLE, "Key": KEY, **HELD, **OLD}},
        {"Put": {"TableName": TABLE, "Item": {**KEY, "sk": {"S": "c"}}}},
    ],
]


def answers(client: Any) -> list[Any]:
    """What each call comes to, without what HTTP adds."""
    found = [attempt(client, name, {"TableName": TABLE, **call}) for name, call in CALLS]
    found += [
        attempt(client, "transact_write_items", {"TransactItems": items}) for items in TRANSACTIONS
    ]
    found.append(attempt(client, "batch_get_item", {"RequestItems": {TABLE: {"Keys": [KEY]}}}))
    return found


def attempt(client: Any, operation: str, request: dict[str, Any]) -> Any:
    try:
        answer = getattr(client, operation)(**request)
    except ClientError as error:
        answer = error.response
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_both_ways_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with Product():
        short = answers(aws.client("dynamodb"))
    monkeypatch.setattr(direct_dynamodb, "OPERATIONS", frozenset())
    with Product():
        long = answers(aws.client("dynamodb"))
    assert short == long
    refusals = [each["Error"]["Code"] for each in short if "Error" in each]
    assert refusals == [
        "ConditionalCheckFailedException",
        "ConditionalCheckFailedException",
        "ValidationException",
        "ResourceNotFoundException",
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
    ]
