"""Writes the OpenAPI description from the route tables; `--check` only compares."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec

from dev.settings import ROOT
from imagelayer.access.permissions import ENROLMENT_SCOPES
from imagelayer.api.route import Route
from imagelayer.api.schemas import ProblemAnswer
from imagelayer.credits.usage import GROUPS
from imagelayer.generations.generations import MAX_WAIT_SECONDS
from imagelayer.image_models.registry import DEFAULT
from imagelayer.openai_api.images import MAX_HOPS
from imagelayer.openai_api.schemas import ImagesAnswer
from imagelayer.platform.errors import CATALOGUE
from imagelayer.platform.idempotency import REPLAYED
from imagelayer.routes import ROUTES

TARGET = ROOT / "layers/common/imagelayer/static/openapi.json"
Schema = dict[str, Any]

_ID_PREFIXES = {
    "key_id": "key",
    "brand_id": "brd",
    "upload_id": "upl",
    "generation_id": "gen",
    "asset_id": "ast",
    "session_id": "ses",
    "user_id": "usr",
    "invitation_id": "inv",
    "webhook_id": "whk",
    "message_id": "msg",
}
_AUTH: Mapping[str, list[dict[str, list[str]]]] = {
    "none": [],
    "user": [{"accessToken": []}],
    "key": [{"apiKey": []}],
    "user_or_key": [{"apiKey": []}, {"accessToken": []}],
}
# Of requests that wait: how long, and what our own redirects carry.
_WAITING: Mapping[str, Schema] = {
    "wait": {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS, "default": 0},
    "hop": {"type": "integer", "minimum": 0, "maximum": MAX_HOPS, "default": 0},
    "as": {"type": "string", "enum": ["url", "b64_json"]},
    "stream": {"type": "string", "enum": ["true"]},
}
_END_USER: list[dict[str, list[str]]] = [{"sessionToken": []}]


def problem_codes(row: Route) -> set[str]:
    """Every error code an endpoint can answer with, by what it does."""
    codes = {"rate_limited", "limiter_unavailable", "dependency_unavailable", "internal_error"}
    codes |= {"edge_required", *row.problems, *_caller_codes(row)}
    if row.body is not None:
        codes |= {"body_too_large", "validation_failed"}
        if not row.signed:
            codes |= {"malformed_json", "unsupported_media_type"}
    if row.query:
        codes.add("validation_failed")
    if "{" in row.path or row.operation == "revokeEndUserSessions":
        codes.add("not_found")
    if row.idempotent:
        # not_found: what an earlier request made is gone.
        codes |= {"bad_request", "idempotency_in_flight", "idempotency_mismatch", "not_found"}
    return codes


def _caller_codes(row: Route) -> set[str]:
    """What a credential can be refused with."""
    if row.auth == "none":
        return set()
    # A session token is recognised, and held to its origins, before it is refused or not; a key is
    # held to its networks likewise.
    codes = {"unauthenticated", "insufficient_scope", "origin_not_allowed", "address_not_allowed"}
    if row.auth != "key" and row.scope not in ENROLMENT_SCOPES:
        codes.add("second_factor_required")
    return codes


def build() -> Schema:
    """The whole description, OpenAPI 3.1."""
    shapes = {
        _struct(shape()) for each in ROUTES.values() for shape in (each.body, each.answer) if shape
    }
    _, components = msgspec.json.schema_components(
        sorted({*shapes, ProblemAnswer}, key=lambda shape: shape.__name__),
        ref_template="#/components/schemas/{name}",
    )
    paths: dict[str, Any] = {}
    for row in ROUTES.values():
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ImageLayer",
            "version": "1",
            "summary": "On-brand generated images, behind signed links that expire.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The address this description is served from"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: il_live_… or il_test_…",
                },
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A dashboard access token from login or refresh, "
                    "valid for ten minutes.",
                },
                "sessionToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An end user's session token from POST /v1/auth/session.",
                },
            },
        },
    }


def _operation(row: Route) -> Schema:
    operation: Schema = {
        "operationId": row.operation,
        "summary": row.summary,
        **({"description": row.description} if row.description else {}),
        "tags": [row.function],
        "security": _AUTH[row.auth] + (_END_USER if row.end_user else []),
        "x-rate-limit": {
            "policy": row.policy.name,
            "quota": row.policy.quota,
            "window_seconds": row.policy.window,
            "burst": row.policy.burst,
            "per": "address" if row.auth == "none" else "credential",
            **({"shared": list(row.shared)} if row.shared else {}),
        },
        "responses": {
            **{str(status): _success(row, status) for status in sorted((row.status, *row.also))},
            **_problems(row),
        },
    }
    if row.scope:
        operation["x-scope"] = row.scope
    parameters = _parameters(row)
    if parameters:
        operation["parameters"] = parameters
    if row.body is not None:
        kinds = ["application/json", *(["multipart/form-data"] if row.forms else [])]
        operation["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": _ref(row.body())} for kind in kinds},
        }
    return operation


def _example(name: str) -> str:
    """An id as a path has it; models alone are named by people."""
    return DEFAULT if name == "model_id" else f"{_ID_PREFIXES[name]}_{'0' * 26}"


def _parameters(row: Route) -> list[Schema]:
    found: list[Schema] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "examples": [_example(name)]},
        }
        for name in re.findall(r"{(\w+)}", row.path)
    ]
    if "limit" in row.query:
        found.append(
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            }
        )
    if "cursor" in row.query:
        found.append({"name": "cursor", "in": "query", "schema": {"type": "string"}})
    for name in ("start", "end"):
        if name in row.query:
            found.append(
                {"name": name, "in": "query", "schema": {"type": "string", "format": "date"}}
            )
    if "group_by" in row.query:
        found.append(
            {
                "name": "group_by",
                "in": "query",
                "description": f"Comma-separated: any of {', '.join(GROUPS)}.",
                "schema": {"type": "string", "default": "day", "examples": ["day,model"]},
            }
        )
    found += [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in _WAITING.items()
        if name in row.query
    ]
    if row.operation == "createGeneration":
        found.append(
            {
                "name": "Prefer",
                "in": "header",
                "description": "`wait=N`: wait up to N seconds for the generation to finish, "
                f"{MAX_WAIT_SECONDS} at most (RFC 7240).",
                "schema": {"type": "string", "examples": ["wait=20"]},
            }
        )
    if row.signed:
        found += [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
            for name in ("Github-Public-Key-Identifier", "Github-Public-Key-Signature")
        ]
    if row.idempotent:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes retries safe: the same key with the same request creates "
                "once. Kept for 24 hours.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 257},
            }
        )
    return found


def _success(row: Route, status: int) -> Schema:
    response: Schema = {"description": row.summary, "headers": _headers("RateLimit")}
    if status == 303:
        response["description"] = "Not finished yet: follow Location to wait"
    elif row.answer is not None:
        response["content"] = {row.content_type: {"schema": _ref(row.answer())}}
        if row.answer() is ImagesAnswer:
            # With `stream`: an event for each image.
            response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    elif status == 200:
        kind = "object" if row.content_type == "application/json" else "string"
        response["content"] = {row.content_type: {"schema": {"type": kind}}}
    if row.idempotent:
        response["headers"]["Idempotent-Replayed"] = {
            "description": "Sent when an earlier request with the same key created the resource.",
            "schema": {"type": "string", "enum": list(REPLAYED.values())},
        }
    if status in (302, 303) or row.operation == "createGeneration":
        response["headers"] |= _headers("Location")
    return response


def _problems(row: Route) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for code in sorted(problem_codes(row)):
        by_status.setdefault(CATALOGUE[code][0], []).append(code)
    return {
        str(status): {
            "description": "; ".join(CATALOGUE[code][1] for code in codes),
            "x-codes": codes,
            "headers": _headers(
                *(["Retry-After"] if status in (429, 503) else []),
                *(["WWW-Authenticate"] if status == 401 else []),
            ),
            "content": {
                "application/problem+json": {"schema": _ref(ProblemAnswer)},
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _headers(*names: str) -> Schema:
    always = {"required": True, "schema": {"type": "string"}}
    return {name: dict(always) for name in ("x-request-id", *names)}


def _struct(shape: Any) -> type:
    """A shape itself, or what a list is of."""
    found: type = get_args(shape)[0] if get_origin(shape) is list else shape
    return found


def _ref(shape: Any) -> Schema:
    reference = {"$ref": f"#/components/schemas/{_struct(shape).__name__}"}
    return {"type": "array", "items": reference} if get_origin(shape) is list else reference


def main(arguments: list[str]) -> int:
    """Write the description, or with `--check` report whether the written one is current."""
    text = json.dumps(build(), indent=1, ensure_ascii=False, sort_keys=False) + "\n"
    if "--check" not in arguments:
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        TARGET.write_text(text, "utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text("utf-8") == text:
        return 0
    print("openapi.json does not match the route tables; run `make openapi`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
