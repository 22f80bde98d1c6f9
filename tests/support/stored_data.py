"""What tables and buckets hold, read and edited behind the product's back."""

from __future__ import annotations

import json
from typing import Any

from imagelayer.access.key_secrets import hash_secret
from imagelayer.access.key_store import state_hash
from imagelayer.platform.attribute_values import decode_item, encode_item
from tests.support import aws
from tests.support.functions import Functions


class StoredData(Functions):
    """Items and objects."""

    def dump(self) -> str:
        """Every item of every table, as text."""
        dynamodb = aws.client("dynamodb")
        return json.dumps(
            {
                table: dynamodb.scan(TableName=table)["Items"]
                for table in aws.resources("AWS::DynamoDB::Table")
            },
            default=str,
        )

    def dump_of(self, table: str) -> list[dict[str, Any]]:
        """Every item of one table in a fixed order, for comparing before and after."""
        return sorted(self.items(table), key=lambda item: (item["pk"], item["sk"]))

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of one table, decoded."""
        scanned = aws.client("dynamodb").scan(TableName=table)["Items"]
        return [decode_item(item) for item in scanned]

    def item(self, table: str, sk: str) -> dict[str, Any]:
        """The one item whose sort key starts with `sk`."""
        (found,) = [item for item in self.items(table) if item["sk"].startswith(sk)]
        return found

    def secret(self, key: str) -> dict[str, Any]:
        """The item of one API key's secret."""
        wanted = f"SECRET#{hash_secret(key)}"
        (found,) = [item for item in self.items("KeysTable") if item["pk"] == wanted]
        return found

    def edit(self, table: str, item: dict[str, Any], **values: Any) -> dict[str, Any]:
        """Put an item back with other values, as if time or someone else had changed it."""
        edited = {**item, **values}
        aws.client("dynamodb").put_item(TableName=table, Item=encode_item(edited))
        return edited

    def edit_secret(self, item: dict[str, Any], **values: Any) -> dict[str, Any]:
        """Put the item of an API key's secret back with other values, as the functions that manage
        keys do: the hash of its state follows."""
        edited = {**item, **values}
        hashed = state_hash(
            edited["valid_until"],
            disabled=bool(edited.get("disabled")),
            terms=edited.get("terms"),
        )
        return self.edit("KeysTable", edited, state_hash=hashed)

    def delete(self, table: str, item: dict[str, Any]) -> None:
        """Delete an item behind the product's back."""
        key = encode_item({"pk": item["pk"], "sk": item["sk"]})
        aws.client("dynamodb").delete_item(TableName=table, Key=key)

    def counts(self) -> dict[str, int]:
        """How many items each table holds: what a refused call leaves alone. Limits count it,
        and the organization's security events report it."""
        return {
            table: len(self.items(table))
            for table in aws.resources("AWS::DynamoDB::Table")
            if table not in {"CountersTable", "EventsTable"}
        }

    def objects(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        listed = aws.client("s3").list_objects_v2(Bucket=self.names[bucket])
        return [entry["Key"] for entry in listed.get("Contents", [])]
