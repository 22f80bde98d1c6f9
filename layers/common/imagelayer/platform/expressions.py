"""The parts of a DynamoDB request that belong to an expression.

In an expression `#name` is the attribute `name`, and `:name` the value passed under that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from imagelayer.platform.attribute_values import encode

_NAME = re.compile(r"#(\w+)")


def key(pk: str, sk: str) -> dict[str, Any]:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def write(
    expression: str | None, condition: str | None, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Of a write, its update and its condition; a refusal returns the stored item."""
    request: dict[str, Any] = {}
    if expression:
        request["UpdateExpression"] = expression
    if condition:
        request["ConditionExpression"] = condition
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return request | placeholders(f"{expression or ''} {condition or ''}", values)


def placeholders(expressions: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The names in the expressions, and the values."""
    request: dict[str, Any] = {}
    names = set(_NAME.findall(expressions))
    if names:
        request["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        request["ExpressionAttributeValues"] = {
            f":{name}": encode(value) for name, value in values.items()
        }
    return request
