"""A short way from a DynamoDB client to moto's handler, past the HTTP request between them.

botocore writes a request, moto parses it, writes a response, and botocore parses that: three
quarters of what a call costs in a test. Validation of parameters, every `before-call` hook, the
handler's own checks, and errors stay as they are. `test_moto.py` compares both ways.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.parsers import JSONParser
from moto.core.exceptions import ServiceException
from moto.core.models import botocore_stubber
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

# What tables are worked with; whatever else is asked takes the long way.
OPERATIONS = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
_BINARY = (b'"B":', b'"BS":')  # would need base64 both ways
_parser = JSONParser()


def install(events: Any, account: str, region: str) -> None:
    """Answer the calls of the clients that these hooks belong to, while moto is on."""

    def answer(model: Any, params: dict[str, Any], **_: Any) -> tuple[Any, Any] | None:
        body = params["body"]
        known = model.service_model.service_name == "dynamodb" and model.name in OPERATIONS
        if not (known and botocore_stubber.enabled) or any(each in body for each in _BINARY):
            return None
        return _Handler(model, json.loads(body), account, region).answer()

    # Last of all hooks: one that fails a call is asked before.
    events.register_last("before-call", answer)


class _Handler(DynamoHandler):
    """moto's handler of one call, without the request that it would read it from."""

    def __init__(self, model: Any, body: dict[str, Any], account: str, region: str) -> None:
        super().__init__()
        self.model = model
        self.body = self.params = body
        self.current_account, self.region = account, region
        self.headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{model.name}",
        }
        self.querystring: dict[str, Any] = {}
        self.response_headers: dict[str, Any] = {}

    def answer(self) -> tuple[AWSResponse, dict[str, Any]]:
        """The answer as botocore hands it on: parsed, with a status."""
        try:
            result = getattr(self, camelcase_to_underscores(self.model.name))().result
        except ServiceException as error:
            status, headers, body = self.serialized(ActionResult(error))
            return self._refusal(int(status), headers, body)
        except HTTPException as error:
            return self._refusal(int(error.code or 500), {}, error.description)
        described = self.model.output_shape.members
        answer = {
            name: value for name, value in result.items() if name in described and value is not None
        }
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
        return AWSResponse("", 200, HTTPHeaders(), None), answer

    def _refusal(
        self, status: int, headers: dict[str, Any], body: Any
    ) -> tuple[AWSResponse, dict[str, Any]]:
        response = {"status_code": status, "headers": headers, "body": str(body).encode()}
        parsed = _parser.parse(response, self.model.output_shape)
        described = self.model.service_model.shape_for_error_code(parsed["Error"]["Code"])
        if described is not None:
            parsed.update(_parser.parse(response, described))
        return AWSResponse("", status, HTTPHeaders(), None), parsed
