"""DynamoDB's condition keys for IAM, as far as ministack leaves them out.

ministack evaluates conditions, but gives a request on a table only the attributes of a projection.
On AWS it also has `dynamodb:LeadingKeys`, the partition keys that it names, and
`dynamodb:Attributes`, the top-level attributes that it names in any parameter: keys, item, update,
condition, projection. Members of a transaction are authorized one by one, each with its own.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

import json
import re
from typing import Any, Self

_EXPRESSIONS = (
    "UpdateExpression",
    "ConditionExpression",
    "ProjectionExpression",
    "KeyConditionExpression",
    "FilterExpression",
)
_OPERATIONS = ("ConditionCheck", "Put", "Update", "Delete", "Get")
# An attribute or a placeholder of one: not a value, not inside a path, not a function's name.
_NAME = re.compile(r"(?<![\w.:#])#?[A-Za-z_]\w*(?!\w|\s*\()")
_KEYWORDS = {"SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN"}
# Every table's key is `pk` and `sk`.
_PARTITION_KEY = "pk"


class _Arn(str):
    """A table's ARN with the context of the transaction's member that names the table."""

    __slots__ = ("context",)
    context: dict[str, Any]

    def __new__(cls, arn: str, context: dict[str, Any]) -> Self:
        made = super().__new__(cls, arn)
        made.context = context
        return made


def context_of(request: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of one operation on one table."""
    names = request.get("ExpressionAttributeNames") or {}
    attributes: set[str] = set(request.get("AttributesToGet") or [])
    keys = [request[name] for name in ("Key", "Item") if isinstance(request.get(name), dict)]
    for key in keys:
        attributes |= set(key)
    for parameter in _EXPRESSIONS:
        for name in _NAME.findall(request.get(parameter) or ""):
            if name.upper() not in _KEYWORDS:
                attributes.add(names.get(name, name))
    leading = [key[_PARTITION_KEY].get("S", "") for key in keys if _PARTITION_KEY in key]
    if request.get("KeyConditionExpression"):
        leading += _queried(request, names)
    context: dict[str, Any] = {"dynamodb:Attributes": sorted(attributes)} if attributes else {}
    if leading:
        context["dynamodb:LeadingKeys"] = leading
    if "ReturnValues" in request:
        context["dynamodb:ReturnValues"] = request["ReturnValues"]
    return context


def _queried(request: dict[str, Any], names: dict[str, str]) -> list[str]:
    """The partition that a query reads; none where it is an index's."""
    values = request.get("ExpressionAttributeValues") or {}
    for name, value in re.findall(r"(#?\w+)\s*=\s*(:\w+)", request["KeyConditionExpression"]):
        if names.get(name, name) == _PARTITION_KEY:
            return [values.get(value, {}).get("S", "")]
    return []


def enforce_table_conditions() -> None:
    """Let ministack's evaluator see them."""
    from ministack.core import (  # type: ignore[import-not-found, unused-ignore]
        iam_actions,
        iam_evaluator,
    )

    given, members, enforce = (
        iam_actions.dynamodb_service_context,
        iam_actions.dynamodb_transaction_checks,
        iam_evaluator.enforce,
    )

    def service_context(body: bytes) -> dict[str, Any]:
        request = _parsed(body)
        # A batch read is one action on many keys.
        batch = [
            {**each, "Key": key}
            for each in (request.get("RequestItems") or {}).values()
            if isinstance(each, dict)
            for key in each.get("Keys", [])
        ]
        context: dict[str, Any] = given(body)
        for name in ("dynamodb:Attributes", "dynamodb:LeadingKeys", "dynamodb:ReturnValues"):
            found = [each[name] for each in map(context_of, batch or [request]) if name in each]
            if found and isinstance(found[0], list):
                context[name] = sorted({value for values in found for value in values})
            elif found:
                context[name] = found[0]
        return context

    def transaction_checks(action: str, body: bytes, *place: str) -> list[tuple[str, str]]:
        items = _parsed(body).get("TransactItems") or []
        requests = [each[kind] for each in items for kind in _OPERATIONS if kind in each]
        checks = members(action, body, *place)
        return [
            (member, _Arn(arn, context_of(request)))
            for (member, arn), request in zip(checks, requests, strict=bool(checks))
        ]

    def enforce_with_context(*called: Any, **named: Any) -> Any:
        own = getattr(named.get("resource_arn"), "context", None)
        if own is not None:
            named["service_context"] = {**(named.get("service_context") or {}), **own}
        return enforce(*called, **named)

    iam_actions.dynamodb_service_context = service_context
    iam_actions.dynamodb_transaction_checks = transaction_checks
    iam_evaluator.enforce = enforce_with_context


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}
