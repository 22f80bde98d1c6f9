"""Items as Python values, and as the attribute values in which DynamoDB stores them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Item = dict[str, Any]


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


def item_of(answer: Mapping[str, Any]) -> Item | None:
    """The item that an answer, or the reason of a refusal, carries; None without one."""
    return decode_item(answer["Item"]) if answer.get("Item") else None
