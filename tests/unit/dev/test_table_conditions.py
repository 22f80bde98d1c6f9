"""What the local cloud evaluates policies on: DynamoDB's condition keys, as AWS documents them."""

from __future__ import annotations

from typing import Any

import pytest

from dev.worker.table_conditions import context_of

KEY = {"pk": {"S": "SECRET#1"}, "sk": {"S": "SECRET"}}
ATTRIBUTES, LEADING = "dynamodb:Attributes", "dynamodb:LeadingKeys"


@pytest.mark.parametrize(
    ("request_", "attributes", "leading"),
    [
        ({"Key": KEY}, ["pk", "sk"], ["SECRET#1"]),
        ({"Item": {**KEY, "role": {"S": "owner"}}}, ["pk", "role", "sk"], ["SECRET#1"]),
        # Each parameter that can name an attribute.
        ({"Key": KEY, "UpdateExpression": "SET a = :a"}, ["a", "pk", "sk"], ["SECRET#1"]),
        (
            {"Key": KEY, "ConditionExpression": "attribute_exists(pk) AND b <= :b"},
            ["b", "pk", "sk"],
            ["SECRET#1"],
        ),
        ({"Key": KEY, "ProjectionExpression": "c, d.e[0].f"}, ["c", "d", "pk", "sk"], ["SECRET#1"]),
        ({"Key": KEY, "AttributesToGet": ["g"]}, ["g", "pk", "sk"], ["SECRET#1"]),
        # Placeholders, also inside functions; not values, and not later parts of a path.
        (
            {
                "Key": KEY,
                "UpdateExpression": "set #x = if_not_exists(#x, :h) + :h, y.#i = :i remove z",
                "ExpressionAttributeNames": {"#x": "count", "#i": "inner"},
            },
            ["count", "pk", "sk", "y", "z"],
            ["SECRET#1"],
        ),
        (
            {
                "KeyConditionExpression": "#p = :p AND begins_with(sk, :s)",
                "ExpressionAttributeNames": {"#p": "pk"},
                "ExpressionAttributeValues": {":p": {"S": "USER#1"}, ":s": {"S": "SES#"}},
            },
            ["pk", "sk"],
            ["USER#1"],
        ),
    ],
)
def test_a_request_names_its_partition_and_its_attributes(
    request_: dict[str, Any], attributes: list[str], leading: list[str]
) -> None:
    context = context_of(request_)
    assert context[ATTRIBUTES] == attributes
    assert context[LEADING] == leading


def test_a_query_of_an_index_names_no_partition_of_the_table() -> None:
    context = context_of({"IndexName": "sweep", "KeyConditionExpression": "sweep_shard = :s"})
    assert LEADING not in context
