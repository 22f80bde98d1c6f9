"""What GitHub's secret scanning sends, for the tests of leaked keys."""

from __future__ import annotations

import json
from typing import Any

from tests.support.api import Answer
from tests.support.product import Product

PATH = "/v1/leaked-keys"
PLACE = "https://github.com/octo/shop/blob/0f3c/.env"


def leak(token: str, **changes: Any) -> dict[str, Any]:
    """One entry of a report."""
    found = {"token": token, "type": "imagelayer_key", "url": PLACE, "source": "content"}
    return {**found, **changes}


def send(product: Product, body: str, headers: dict[str, str] | None = None) -> Answer:
    """Send a report's body, signed unless other headers are given."""
    signed = product.scanner.sign(body.encode()) if headers is None else headers
    return product.call("POST", PATH, body=body, headers=signed)


def report(product: Product, *tokens: str, **changes: Any) -> Answer:
    """Report keys that were found in public."""
    return send(product, json.dumps([leak(token, **changes) for token in tokens]))


def labels(answer: Answer) -> list[str]:
    """What a report was answered, in its order."""
    assert answer.status == 200, answer.text
    return [each["label"] for each in answer.json]
