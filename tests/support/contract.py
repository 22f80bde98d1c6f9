"""Holds every response against the OpenAPI description that the product serves."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from dev.settings import ROOT
from imagelayer.http.app import SECURITY_HEADERS
from imagelayer.routes import ROUTES

DESCRIPTION = ROOT / "layers/common/imagelayer/static/openapi.json"


@cache
def description() -> dict[str, Any]:
    """The OpenAPI description as it is served."""
    document: dict[str, Any] = json.loads(DESCRIPTION.read_text("utf-8"))
    return document


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """A part of the description, or the component that it refers to."""
    if "$ref" not in node:
        return node
    found: Any = description()
    for step in node["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


@cache
def _components() -> dict[str, Any]:
    """The schemas, closed: a field that is not described is a broken contract."""
    components: dict[str, Any] = copy.deepcopy(description()["components"])
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return components


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        {**json.loads(schema), "components": _components()},
        format_checker=FormatChecker(),
    )


def schema_errors(schema: dict[str, Any], value: Any) -> list[str]:
    """How `value` breaks a schema of the description."""
    return [
        f"{error.json_path}: {error.message}"
        for error in _validator(json.dumps(schema)).iter_errors(value)
    ]


def violations(
    route: str, status: int, headers: dict[str, str], text: str, request_id: str
) -> list[str]:
    """Everything about one response that the description does not allow."""
    row = ROUTES[route]
    operation = description()["paths"][row.path][row.method.lower()]
    documented = operation["responses"].get(str(status))
    if documented is None:
        return [f"{route} answered {status}, which is not documented: {text[:300]}"]
    found = [
        f"{name} is {headers.get(name.lower())!r}"
        for name, value in SECURITY_HEADERS.items()
        if headers.get(name.lower()) != value
        and not (name == "Cache-Control" and row.function == "discovery")
        and not (name == "Content-Security-Policy" and row.content_type == "text/html")
    ]
    if not headers.get("content-security-policy", "").startswith("default-src 'none'; "):
        found.append("Content-Security-Policy is not closed by default")
    found += [
        f"the documented header {name} is missing"
        for name, header in documented["headers"].items()
        if resolved(header).get("required") and name.lower() not in headers
    ]
    if headers.get("x-request-id") != request_id:
        found.append("x-request-id is not the request's")
    contents = documented.get("content")
    if not contents:
        return found + ([f"a body was not expected: {text[:80]}"] if text else [])
    media_type = headers.get("content-type", "").partition(";")[0]
    if media_type not in contents:
        return [*found, f"content type {media_type!r} is not documented"]
    if media_type.endswith("json"):
        body = json.loads(text)
        found += schema_errors(contents[media_type]["schema"], body)
        if status >= 400:
            found += _problem_violations(documented, status, body, headers, request_id)
    return found


def _problem_violations(
    documented: dict[str, Any],
    status: int,
    body: dict[str, Any],
    headers: dict[str, str],
    request_id: str,
) -> list[str]:
    found = []
    if body["code"] not in documented["x-codes"]:
        found.append(f"code {body['code']} is not documented for {status}")
    if body["status"] != status or body["request_id"] != request_id:
        found.append("status or request_id in the body is not the response's")
    if body["error"]["code"] != body["code"] or body["error"]["message"] != body["detail"]:
        found.append("the two readers are told different things")
    if status in (429, 503) and not headers["retry-after"].isdigit():
        found.append("Retry-After is no number of seconds")
    return found
