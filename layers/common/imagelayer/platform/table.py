"""One DynamoDB table as Python values in and out, with its failures named.

Expressions are written by hand where the decision is made: `#name` is the attribute `name` and
`:name` the value passed under that name. Stores import from here what they need of a table; the
parts are in `attribute_values`, `expressions`, `aws_calls` and `transactions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from imagelayer.platform import expressions
from imagelayer.platform.attribute_values import Item, decode_item, encode_item, item_of
from imagelayer.platform.aws_calls import (
    CONFLICT_ATTEMPTS,
    StoreUnavailable,
    call_dynamodb,
    pause_after_conflict,
)
from imagelayer.platform.transactions import (
    Action,
    Outcome,
    TransactionContended,
    TransactionRefused,
    transact,
    try_transact,
)

__all__ = [
    "SWEEP_SHARDS",
    "Action",
    "ConditionFailed",
    "Item",
    "Outcome",
    "StoreUnavailable",
    "Table",
    "TransactionContended",
    "TransactionRefused",
    "sweep_shard",
    "transact",
    "try_transact",
]

BATCH_READ_ITEMS = 100  # BatchGetItem, DynamoDB API reference

# What the sweep should look at is found in an index of a few partitions, by the moment it is due.
SWEEP_INDEX = "sweep"
SWEEP_SHARDS = 4
# Enough for one run of the sweep; the next run sees the rest.
SWEEP_PAGE = 200


class ConditionFailed(Exception):
    """The condition of a write did not hold. `item` is what is stored, or None."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition failed")
        self.item = item


def sweep_shard(item_id: str, *, kind: str = "") -> str:
    """The index partition of an item; the last character of an id is random. Items of another kind
    have partitions of their own, so that neither kind waits behind the other."""
    return f"{kind}{ord(item_id[-1]) % SWEEP_SHARDS}"


class Table:
    """A table whose key is `pk` and `sk`, both strings."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """Read one item, strongly consistent."""
        answer = self._call("get_item", Key=expressions.key(pk, sk), ConsistentRead=True)
        return item_of(answer)

    def get_many(self, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """Read items by their keys, strongly consistent, in no order; missing ones are left out.

        Keys that DynamoDB leaves unprocessed are requested again; if that does not help, this
        fails like a throttled read.
        """
        found: list[Item] = []
        for start in range(0, len(keys), BATCH_READ_ITEMS):
            batch = keys[start : start + BATCH_READ_ITEMS]
            wanted = {
                self._name: {
                    "Keys": [expressions.key(pk, sk) for pk, sk in batch],
                    "ConsistentRead": True,
                }
            }
            for attempt in range(CONFLICT_ATTEMPTS):
                answer = call_dynamodb(self._client, "batch_get_item", RequestItems=wanted)
                found += [decode_item(item) for item in answer["Responses"].get(self._name, [])]
                wanted = answer.get("UnprocessedKeys") or {}
                if not wanted:
                    break
                pause_after_conflict(attempt)
            else:
                raise StoreUnavailable("batch_get_item", "UnprocessedKeys")
        return found

    def put(self, item: Item, *, condition: str | None = None, **values: Any) -> None:
        """Write one item. Raises ConditionFailed."""
        self._call("put_item", Item=encode_item(item), **expressions.write(None, condition, values))

    def update(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Item:
        """Update one item and return it whole as it is afterwards. Raises ConditionFailed."""
        answer = self._call(
            "update_item",
            Key=expressions.key(pk, sk),
            ReturnValues="ALL_NEW",
            **expressions.write(expression, condition, values),
        )
        return decode_item(answer.get("Attributes", {}))

    def delete(self, pk: str, sk: str, *, condition: str | None = None, **values: Any) -> None:
        """Delete one item. Raises ConditionFailed."""
        self._call(
            "delete_item", Key=expressions.key(pk, sk), **expressions.write(None, condition, values)
        )

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
            condition += " AND begins_with(#sk, :prefix)"
            values["prefix"] = prefix
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            **expressions.placeholders(condition, values),
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if after is not None:
            request["ExclusiveStartKey"] = expressions.key(pk, after)
        return self._pages(request, limit)

    def query_range(
        self, pk: str, first: str, last: str, *, limit: int | None = None
    ) -> list[Item]:
        """Items of one partition whose sort key lies between `first` and `last`, both included."""
        condition = "#pk = :pk AND #sk BETWEEN :first AND :last"
        return self._pages(
            {
                "KeyConditionExpression": condition,
                **expressions.placeholders(condition, {"pk": pk, "first": first, "last": last}),
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
                **expressions.placeholders(
                    f"#{name} #{upto[0]}", {"value": value, "upto": upto[1]}
                ),
            },
            limit=SWEEP_PAGE,
        )

    def due(self, shard: int, now: int, *, kind: str = "") -> list[Item]:
        """Items of one index partition that the sweep should look at, read afresh.

        The index lags, so each hit is read again from the table before anything is decided.
        """
        hits = self.query_index(SWEEP_INDEX, "sweep_shard", f"{kind}{shard}", ("sweep_at", now))
        fresh = (self.get(hit["pk"], hit["sk"]) for hit in hits)
        return [item for item in fresh if item is not None and item.get("sweep_at", now + 1) <= now]

    def transact(self, actions: Sequence[Action]) -> None:
        """Do all actions or none. Raises TransactionRefused or StoreUnavailable."""
        transact(self._client, actions)

    def put_action(self, item: Item, *, condition: str | None = None, **values: Any) -> Action:
        """A conditional put inside a transaction."""
        return self._action("Put", {"Item": encode_item(item)}, None, condition, values)

    def update_action(
        self, pk: str, sk: str, expression: str, *, condition: str | None = None, **values: Any
    ) -> Action:
        """A conditional update inside a transaction."""
        return self._action(
            "Update", {"Key": expressions.key(pk, sk)}, expression, condition, values
        )

    def delete_action(
        self, pk: str, sk: str, *, condition: str | None = None, **values: Any
    ) -> Action:
        """A conditional delete inside a transaction."""
        return self._action("Delete", {"Key": expressions.key(pk, sk)}, None, condition, values)

    def check_action(self, pk: str, sk: str, *, condition: str, **values: Any) -> Action:
        """A condition on an item that the transaction leaves alone."""
        return self._action(
            "ConditionCheck", {"Key": expressions.key(pk, sk)}, None, condition, values
        )

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
            **expressions.write(expression, condition, values),
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
        attempt = 0
        while True:
            try:
                return call_dynamodb(self._client, operation, TableName=self._name, **request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    raise ConditionFailed(item_of(error.response)) from None
                # A transaction holds the item: nothing was written, and the SDK does not retry.
                if code != "TransactionConflictException" or attempt + 1 == CONFLICT_ATTEMPTS:
                    raise StoreUnavailable(operation, code) from None
            pause_after_conflict(attempt)
            attempt += 1
