"""One DynamoDB table as Python values in and out, with its failures named.

Expressions are written by hand where the decision is made: `#name` is the attribute `name` and
`:name` the value passed under that name. Everything that is not a clean answer becomes
`StoreUnavailable`, and callers let it rise: the request is denied, never waved through.
"""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

Item = dict[str, Any]
Outcome = tuple[bool, Item | None]  # whether an action's condition failed, and the current item
_NAME = re.compile(r"#(\w+)")

# What the sweep should look at is found in an index of a few partitions, by the moment it is due.
SWEEP_INDEX = "sweep"
SWEEP_SHARDS = 4
# Enough for one run of the sweep; the next run sees the rest.
SWEEP_PAGE = 200

# Two callers who touch one item inside transactions collide without either being wrong; DynamoDB
# asks the caller to try again and the SDK does not (developer guide, "Transaction conflict
# handling"). A few short pauses are enough for hot items; after that the caller gets 503.
CONFLICT_ATTEMPTS = 8
CONFLICT_PAUSE_SECONDS = 0.02

# A call without a clean answer is made once more. Not by the SDK, which may wait a second in
# between: with the timeouts of `wiring`, a table that does not answer at all is a denial within
# two seconds. Every write is safe to repeat (docs/retries.md).
ATTEMPTS = 2
RETRY_PAUSE_SECONDS = 0.05
# DynamoDB developer guide, "Error handling": codes after which a call may be made again.
RETRYABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
# Why a transaction was canceled when an item of it was throttled (API reference,
# TransactionCanceledException): the transaction's own code says only that it was canceled.
THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})
BATCH_READ_ITEMS = 100  # BatchGetItem, DynamoDB API reference


class StoreUnavailable(Exception):
    """A data service did not give a clean answer; whether it acted is unknown."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation = operation
        self.reason = reason


class ConditionFailed(Exception):
    """The condition of a write did not hold. `item` is what is stored, or None."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


class TransactionContended(StoreUnavailable):
    """A transaction kept meeting others; nothing was written.

    `met[i]` tells whether another transaction held the i-th action's item at the last attempt.
    """

    def __init__(self, met: list[bool]) -> None:
        super().__init__("transact_write_items", "TransactionConflict")
        self.met = met


class TransactionRefused(Exception):
    """A transaction was canceled because conditions failed.

    `refused[i]` tells whether the i-th action's condition failed, `items[i]` what was stored.
    """

    def __init__(self, refused: list[bool], items: list[Item | None]) -> None:
        super().__init__("transaction refused")
        self.refused = refused
        self.items = items

    def by_part(self, parts: Mapping[str, Sequence[Action]]) -> dict[str, list[Outcome]]:
        """The outcome of each action by the name of its part, where the transaction began with
        these parts in this order."""
        outcomes = zip(self.refused, self.items, strict=True)
        return {name: list(islice(outcomes, len(actions))) for name, actions in parts.items()}


def encode(value: Any) -> dict[str, Any]:
    """A Python value as a DynamoDB attribute value."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            return {"N": str(value)}
        case float():
            return {"N": repr(value)}
        case bytes():
            return {"B": value}
        case list() | tuple():
            return {"L": [encode(each) for each in value]}
        case dict():
            return {"M": {name: encode(each) for name, each in value.items()}}
    raise TypeError(f"cannot store {type(value).__name__}")


def decode(value: Mapping[str, Any]) -> Any:
    """The inverse of `encode`; whole numbers come back as int, others as float."""
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return content
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case "NULL":
            return None
        case "L":
            return [decode(each) for each in content]
        case "M":
            return {name: decode(each) for name, each in content.items()}
    raise TypeError(f"cannot read {kind}")


def encode_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Encode a whole item; None attributes are left out."""
    return {name: encode(value) for name, value in item.items() if value is not None}


def decode_item(item: Mapping[str, Any]) -> Item:
    """Decode a whole item."""
    return {name: decode(value) for name, value in item.items()}


@dataclass(frozen=True)
class Action:
    """One member of a transaction; make them with `Table.put_action` and its siblings."""

    kind: str
    request: dict[str, Any] = field(repr=False)


def sweep_shard(item_id: str) -> str:
    """The index partition of an item; the last character of an id is random."""
    return str(ord(item_id[-1]) % SWEEP_SHARDS)


class Table:
    """A table whose key is `pk` and `sk`, both strings."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """Read one item, strongly consistent."""
        answer = self._call("get_item", Key=_key(pk, sk), ConsistentRead=True)
        return decode_item(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """Read items by their keys, strongly consistent, in no order; missing ones are left out.

        Keys that DynamoDB leaves unprocessed are requested again; if that does not help, this
        fails like a throttled read.
        """
        found: list[Item] = []
        for start in range(0, len(keys), BATCH_READ_ITEMS):
            batch = keys[start : start + BATCH_READ_ITEMS]
            wanted = {
                self._name: {"Keys": [_key(pk, sk) for pk, sk in batch], "ConsistentRead": True}
            }
            for attempt in range(CONFLICT_ATTEMPTS):
                answer = _send(self._client, "batch_get_item", RequestItems=wanted)
                found += [decode_item(item) for item in answer["Responses"].get(self._name, [])]
                wanted = answer.get("UnprocessedKeys") or {}
                if not wanted:
                    break
                _pause(attempt)
            else:
                raise StoreUnavailable("batch_get_item", "UnprocessedKeys")
        return found

    def put(self, item: Item, *, condition: str | None = None, **values: Any) -> None:
        """Write one item. Raises ConditionFailed."""
        self._call("put_item", Item=encode_item(item), **_expressions(None, condition, values))

    def update(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Item:
        """Update one item and return it whole as it is afterwards. Raises ConditionFailed."""
        answer = self._call(
            "update_item",
            Key=_key(pk, sk),
            ReturnValues="ALL_NEW",
            **_expressions(expression, condition, values),
        )
        return decode_item(answer.get("Attributes", {}))

    def delete(self, pk: str, sk: str, *, condition: str | None = None, **values: Any) -> None:
        """Delete one item. Raises ConditionFailed."""
        self._call("delete_item", Key=_key(pk, sk), **_expressions(None, condition, values))

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[Item]:
        """Items of one partition whose sort key starts with `prefix`, past the key `after`."""
        condition, values = "#pk = :pk", {"pk": pk}
        if prefix:
            condition, values = (
                f"{condition} AND begins_with(#sk, :prefix)",
                {
                    **values,
                    "prefix": prefix,
                },
            )
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            **_placeholders(condition, values),
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if after is not None:
            request["ExclusiveStartKey"] = _key(pk, after)
        return self._pages(request, limit)

    def query_range(
        self, pk: str, first: str, last: str, *, limit: int | None = None
    ) -> list[Item]:
        """Items of one partition whose sort key lies between `first` and `last`, both included."""
        condition = "#pk = :pk AND #sk BETWEEN :first AND :last"
        return self._pages(
            {
                "KeyConditionExpression": condition,
                **_placeholders(condition, {"pk": pk, "first": first, "last": last}),
                "ConsistentRead": True,
            },
            limit,
        )

    def query_index(self, index: str, name: str, value: str, upto: tuple[str, int]) -> list[Item]:
        """Items of a secondary index with `name = value` and the number `upto[0] <= upto[1]`."""
        return self._pages(
            {
                "IndexName": index,
                "KeyConditionExpression": f"#{name} = :value AND #{upto[0]} <= :upto",
                **_placeholders(f"#{name} #{upto[0]}", {"value": value, "upto": upto[1]}),
            },
            limit=SWEEP_PAGE,
        )

    def due(self, shard: int, now: int) -> list[Item]:
        """Items of one index partition that the sweep should look at, read afresh.

        The index lags, so each hit is read again from the table before anything is decided.
        """
        hits = self.query_index(SWEEP_INDEX, "sweep_shard", str(shard), ("sweep_at", now))
        fresh = (self.get(hit["pk"], hit["sk"]) for hit in hits)
        return [item for item in fresh if item is not None and item.get("sweep_at", now + 1) <= now]

    def put_action(self, item: Item, *, condition: str | None = None, **values: Any) -> Action:
        """A conditional put inside a transaction."""
        return self._action("Put", {"Item": encode_item(item)}, None, condition, values)

    def update_action(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Action:
        """A conditional update inside a transaction."""
        return self._action("Update", {"Key": _key(pk, sk)}, expression, condition, values)

    def delete_action(
        self, pk: str, sk: str, *, condition: str | None = None, **values: Any
    ) -> Action:
        """A conditional delete inside a transaction."""
        return self._action("Delete", {"Key": _key(pk, sk)}, None, condition, values)

    def check_action(self, pk: str, sk: str, *, condition: str, **values: Any) -> Action:
        """A condition on an item that the transaction leaves alone."""
        return self._action("ConditionCheck", {"Key": _key(pk, sk)}, None, condition, values)

    def count_up_action(
        self, pk: str, sk: str, *, most: int, also: str = "", **values: Any
    ) -> Action:
        """Raise the item's `count` by one, up to `most`, and only if `also` holds.

        With it, of any number of racing transactions exactly as many fit as are left.
        """
        room = "attribute_not_exists(#count) OR #count < :most"
        return self.update_action(
            pk,
            sk,
            "SET #count = if_not_exists(#count, :none) + :one",
            condition=f"({room}) AND {also}" if also else room,
            none=0,
            one=1,
            most=most,
            **values,
        )

    def count_down_action(self, pk: str, sk: str) -> Action:
        """Lower the item's `count` by one; never refuses."""
        return self.update_action(pk, sk, "SET #count = if_not_exists(#count, :one) - :one", one=1)

    def _action(
        self,
        kind: str,
        request: dict[str, Any],
        expression: str | None,
        condition: str | None,
        values: Mapping[str, Any],
    ) -> Action:
        request = {
            "TableName": self._name,
            **request,
            **_expressions(expression, condition, values),
        }
        return Action(kind, request)

    def _pages(self, request: dict[str, Any], limit: int | None) -> list[Item]:
        found: list[Item] = []
        while True:
            if limit is not None:
                request["Limit"] = limit - len(found)
            page = self._call("query", **request)
            found += [decode_item(item) for item in page["Items"]]
            last = page.get("LastEvaluatedKey")
            if last is None or (limit is not None and len(found) >= limit):
                return found
            request["ExclusiveStartKey"] = last

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                return _send(self._client, operation, TableName=self._name, **request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    raise ConditionFailed(_old_item(error.response)) from None
                # A transaction holds the item: nothing was written, and the SDK does not retry.
                if code == "TransactionConflictException" and attempt + 1 < CONFLICT_ATTEMPTS:
                    _pause(attempt)
                    continue
                raise StoreUnavailable(operation, code) from None
        raise StoreUnavailable(operation, "TransactionConflictException")


def transact(client: Any, actions: Sequence[Action]) -> None:
    """Do all actions or none. Raises TransactionRefused or StoreUnavailable.

    The client token makes a repeated call act once (API reference, TransactWriteItems: for ten
    minutes). It stays the same over the repeats of one call here and is new for each `transact`.
    """
    items = [{action.kind: action.request} for action in actions]
    token = str(uuid.uuid4())
    met: list[bool] = []
    for attempt in range(CONFLICT_ATTEMPTS):
        try:
            _send(client, "transact_write_items", TransactItems=items, ClientRequestToken=token)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code") for reason in reasons]
            if "ConditionalCheckFailed" in codes:
                raise TransactionRefused(
                    [code == "ConditionalCheckFailed" for code in codes],
                    [_old_item(reason) for reason in reasons],
                ) from None
            if "TransactionConflict" not in codes:
                code = error.response["Error"]["Code"]
                raise StoreUnavailable("transact_write_items", code) from None
            met = [code == "TransactionConflict" for code in codes]
            if attempt + 1 < CONFLICT_ATTEMPTS:
                _pause(attempt)
            continue
        return
    raise TransactionContended(met)


def try_transact(client: Any, actions: Sequence[Action]) -> bool:
    """Do all actions, or none and return False because a condition failed.

    Raises StoreUnavailable.
    """
    try:
        transact(client, actions)
    except TransactionRefused:
        return False
    return True


def call(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    """One call of a service other than DynamoDB, whose SDK retries are enough.

    Raises StoreUnavailable with the service's error code as its reason.
    """
    try:
        answer: dict[str, Any] = getattr(client, operation)(**request)
    except ClientError as error:
        raise StoreUnavailable(operation, error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise StoreUnavailable(operation, type(error).__name__) from None
    return answer


def _send(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    """One call, made again when its answer is not clean. Raises ClientError for a clean refusal,
    StoreUnavailable otherwise."""
    reason = "no attempt"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer: dict[str, Any] = getattr(client, operation)(**request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in RETRYABLE and not _was_throttled(error):
                raise
            reason = code
        except BotoCoreError as error:
            reason = type(error).__name__
        else:
            return answer
        if attempt < ATTEMPTS:
            time.sleep(random.uniform(0, RETRY_PAUSE_SECONDS))  # noqa: S311
    raise StoreUnavailable(operation, reason)


def _was_throttled(error: ClientError) -> bool:
    """Whether throttling alone canceled a transaction. A condition that failed has decided, and
    what met another transaction is tried again with more patience."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code") for reason in reasons} - {None, "None"}
    return bool(codes) and codes <= THROTTLED


def _pause(attempt: int) -> None:
    """Wait a random time, longer with each attempt, so that losers do not collide in step."""
    time.sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt))  # noqa: S311


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _old_item(source: Mapping[str, Any]) -> Item | None:
    return decode_item(source["Item"]) if source.get("Item") else None


def _expressions(
    expression: str | None, condition: str | None, values: Mapping[str, Any]
) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if expression:
        request["UpdateExpression"] = expression
    if condition:
        request["ConditionExpression"] = condition
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return request | _placeholders(f"{expression or ''} {condition or ''}", values)


def _placeholders(expressions: str, values: Mapping[str, Any]) -> dict[str, Any]:
    placeholders: dict[str, Any] = {}
    names = set(_NAME.findall(expressions))
    if names:
        placeholders["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        placeholders["ExpressionAttributeValues"] = {
            f":{name}": encode(value) for name, value in values.items()
        }
    return placeholders
