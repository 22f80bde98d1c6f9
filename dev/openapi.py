"""Writes the OpenAPI description from the route tables; `--check` only compares."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_origin

from jsonschema import Draft202012Validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from dev.openapi_parts import (
    COOKIE,
    DESCRIPTION,
    HEADERS,
    PATCHES,
    RULES,
    parameters,
    request_content,
)
from dev.settings import ROOT
from imagelayer.access.leaked_keys import MAX_REPORTED
from imagelayer.access.permissions import ENROLMENT_SCOPES
from imagelayer.api.problem_schemas import ProblemAnswer
from imagelayer.api.route import Route
from imagelayer.generations.schemas import OutputFormat
from imagelayer.http.cookies import REFRESH_COOKIE
from imagelayer.openai_api.schemas import ImagesAnswer
from imagelayer.platform.errors import CATALOGUE
from imagelayer.routes import ROUTES

TARGET = ROOT / "layers/common/imagelayer/static/openapi.json"
PATHS = TARGET.with_name("paths.json")
Schema = dict[str, Any]

_AUTH: Mapping[str, list[dict[str, list[str]]]] = {
    "none": [],
    "user": [{"accessToken": []}],
    "key": [{"apiKey": []}],
    "user_or_key": [{"apiKey": []}, {"accessToken": []}],
}
# What fields of one name mean in every shape that says nothing else of them.
FIELDS: Mapping[str, str] = {
    "id": "The id.",
    "name": "The name.",
    "email": "The email address.",
    "user": "The user who is logged in.",
    "organization": "The user's organization.",
    "data": "This page's entries.",
    "next_cursor": "Send it as `cursor` for the next page; null on the last one.",
    "created_at": "When it was created.",
    "updated_at": "When it was last changed.",
    "expires_at": "When it expires.",
    "org_id": "The organization.",
    "brand_id": "The brand.",
    "generation_id": "The generation.",
    "width": "Pixels.",
    "height": "Pixels.",
    "mode": "`live` or `test`.",
    "scopes": "What it can do.",
    "passed": "Whether it is within its limit.",
    "status": "The status.",
    "url": "The URL.",
    "object": "OpenAI's name for what this is.",
}
# What the values are that several shapes share.
ENUMS: Mapping[str, str] = {
    "AssetKind": "Which of a brand's logos: the main one, for dark backgrounds, or in one color.",
    "EndUserScope": "What an end user's session can be allowed to do.",
    "KeyKind": "`secret` keys stay on a server; `publishable` keys may be in a browser.",
    "LogoPosition": "Where the logo is placed; `auto` chooses the corner.",
    "Mode": "`live` costs credits; `test` is free and uses the built-in model, with a watermark.",
    "OutputFormat": "The image's file format.",
    "Role": "A member's role, which determines their permissions.",
    "Scope": "What an API key can be allowed to do.",
    "Treatment": "How the picture is colored in the brand's palette.",
    "WebhookEvent": "The type of an event that a webhook reports.",
}
# The subjects of the API, in the order of its reference.
TAGS: Mapping[str, str] = {
    "Sign-up": "Create an organization, confirm the address, accept an invitation.",
    "Login": "Access tokens for the dashboard and the sessions behind them.",
    "Passwords": "Change or reset the password.",
    "Second factor": "One-time codes of an authenticator, and recovery codes.",
    "Organization": "Settings, members, invitations, usage and security events.",
    "API keys": "Create, limit, rotate and revoke keys.",
    "End-user sessions": "Short-lived tokens for your own users.",
    "Brands": "Palette, type, tone and logos.",
    "Generations": "Request images and track their jobs.",
    "Assets": "The finished images.",
    "OpenAI-compatible": "Images and models as OpenAI's clients ask for them.",
    "Webhooks": "Events sent to your own server.",
    "Discovery": "What is open to anyone: health, keys, fonts, presets, this description.",
}
_END_USER: list[dict[str, list[str]]] = [{"sessionToken": []}]
_OUTCOMES = {
    302: "Follow Location to the image",
    303: "Follow Location: to wait, or to an answer that is larger than a response may be",
}
_BINARY: Schema = {"type": "string", "format": "binary"}


def problem_codes(route: Route) -> set[str]:
    """Every error code an endpoint can answer with, by what it does."""
    codes = {"rate_limited", "limiter_unavailable", "dependency_unavailable", "internal_error"}
    codes |= {"edge_required", *route.problems, *_caller_codes(route)}
    if route.body is not None:
        codes |= {"body_too_large", "validation_failed", "malformed_json", "unsupported_media_type"}
    if route.query or not route.takes_any_query:
        codes.add("validation_failed")
    if "{" in route.path or route.operation == "revokeEndUserSessions":
        codes.add("not_found")
    if route.idempotent:
        # not_found: what an earlier request made is gone.
        codes |= {"bad_request", "idempotency_in_flight", "idempotency_mismatch", "not_found"}
    return codes


def _caller_codes(route: Route) -> set[str]:
    """What a credential can be refused with."""
    if route.auth == "none":
        return set()
    # A session token is recognized, and held to its origins, before it is refused or not; a key is
    # held to its networks likewise.
    codes = {"unauthenticated", "insufficient_scope", "origin_not_allowed", "address_not_allowed"}
    if route.auth != "key" and route.scope not in ENROLMENT_SCOPES:
        codes.add("second_factor_required")
    return codes


class _Generator(GenerateJsonSchema):
    """JSON Schema without titles, which would only repeat the names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Never: a title made of the field's name says nothing."""
        return False


def _components() -> dict[str, Schema]:
    """The schema of every shape by its name; requests as they are sent, answers as they arrive."""
    modes: dict[type, JsonSchemaMode] = {ProblemAnswer: "serialization"}
    for route in ROUTES.values():
        if route.answer:
            modes[_model(route.answer())] = "serialization"
        for shape in filter(None, (route.body, route.form)):
            modes[_model(shape())] = "validation"
    inputs = sorted(modes.items(), key=lambda each: each[0].__name__)
    _, found = models_json_schema(
        inputs, ref_template="#/components/schemas/{model}", schema_generator=_Generator
    )
    described = {name: _described(name, schema) for name, schema in found["$defs"].items()}
    return dict(sorted(described.items()))


def _described(name: str, schema: Schema) -> Schema:
    """A schema without its title, each field with its sentence."""
    schema.pop("title", None)
    if name in ENUMS:
        schema.setdefault("description", ENUMS[name])
    prose = _field_docs().get(name, {})
    for field, about in schema.get("properties", {}).items():
        text = prose.get(field) or FIELDS.get(field)
        if text:
            about.setdefault("description", text)
        if about.get("default", ...) is None:
            del about["default"]  # as good as left out, and some clients would make it required
    for patch in PATCHES.get(name, ()):
        patch(schema)
    schema.update(RULES.get(name, {}))
    _widen(schema)
    return schema


def _widen(value: Any) -> None:
    """Give integers that 32 bits do not hold the format of 64: many clients would cut them."""
    if isinstance(value, dict):
        if value.get("type") == "integer" and not value.get("maximum", 2**31) < 2**31:
            value["format"] = "int64"
        for each in value.values():
            _widen(each)
    elif isinstance(value, list):
        for each in value:
            _widen(each)


@cache
def _field_docs() -> dict[str, dict[str, str]]:
    """`{shape: {field: sentence}}` from the strings under the fields of every `*schemas.py`, those
    of base classes included. Read here, because pydantic would read the source at each start."""
    classes: dict[str, tuple[list[str], dict[str, str]]] = {}
    for path in sorted((ROOT / "layers/common/imagelayer").glob("*/*schemas.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
                classes[node.name] = (bases, _docs_of(node))

    def collected(name: str) -> dict[str, str]:
        bases, own = classes.get(name, ([], {}))
        inherited = [collected(base) for base in bases]
        return {**{k: v for each in inherited for k, v in each.items()}, **own}

    return {name: collected(name) for name in classes}


def _docs_of(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, text in pairwise(node.body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = str(text.value.value)
    return found


def build() -> Schema:
    """The whole description, OpenAPI 3.1."""
    components = _components()
    paths: dict[str, Any] = {}
    for route in ROUTES.values():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ImageLayer",
            "version": "1",
            "summary": "On-brand generated images, behind signed links that expire.",
            "description": DESCRIPTION,
            "contact": {"name": "The operator of the deployment"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        # A deployment that serves this document puts its own address here.
        "servers": [
            {
                "url": "https://{host}",
                "description": "A deployment of ImageLayer",
                "variables": {
                    "host": {
                        "default": "api.example.com",
                        "description": "The domain of the deployment",
                    }
                },
            }
        ],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": HEADERS,
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
                "refreshCookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": REFRESH_COOKIE,
                    "description": "The refresh token, which login sets as an HttpOnly cookie.",
                },
            },
        },
    }


def _operation(route: Route) -> Schema:
    operation: Schema = {
        "operationId": route.operation,
        "summary": route.summary,
        **({"description": route.description} if route.description else {}),
        "tags": [route.tag],
        "security": _security(route),
        "x-rate-limit": {
            "policy": route.policy.name,
            "quota": route.policy.quota,
            "window_seconds": route.policy.window,
            "burst": route.policy.burst,
            "per": "address" if route.auth == "none" else "credential",
            **({"shared": list(route.shared)} if route.shared else {}),
        },
        "responses": {
            **{
                str(status): _success(route, status)
                for status in sorted((route.status, *route.also))
            },
            **_redirected(route),
            **_problems(route),
        },
    }
    if route.scope:
        operation["x-scope"] = route.scope
    if taken := parameters(route):
        operation["parameters"] = taken
    if route.body is not None:
        shapes = {"application/json": _ref(route.body())}
        if route.signed:
            shapes["application/json"] |= {"minItems": 1, "maxItems": MAX_REPORTED}
        if route.form is not None:
            shapes = {"multipart/form-data": _ref(route.form()), **shapes}
        operation["requestBody"] = {
            "required": _is_required(route),
            "content": request_content(shapes),
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    """Whose credentials a route takes; an empty object means that it also does without."""
    if route.operation in COOKIE:
        return [{"refreshCookie": []}, *([{}] if COOKIE[route.operation] == "optional" else [])]
    return _AUTH[route.auth] + (_END_USER if route.end_user else [])


def _is_required(route: Route) -> bool:
    """Whether a request without a body is refused."""
    shape: Any = route.body() if route.body else None
    if shape is None or get_origin(shape) is list:
        return True
    if not Draft202012Validator(RULES.get(shape.__name__, {})).is_valid({}):
        return True
    return any(field.is_required() for field in shape.model_fields.values())


def _success(route: Route, status: int) -> Schema:
    response: Schema = {
        "description": _OUTCOMES.get(status, route.summary),
        "headers": _headers("RateLimit", "RateLimit-Policy"),
    }
    if status != 303 and route.answer is not None:
        response["content"] = {route.content_type: {"schema": _ref(route.answer())}}
        if route.answer() is ImagesAnswer:
            # With `stream`: an event for each image.
            response["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    elif status == 200:
        kind = "object" if route.content_type == "application/json" else "string"
        response["content"] = {route.content_type: {"schema": {"type": kind}}}
    if route.idempotent:
        response["headers"] |= _headers("Idempotent-Replayed")
    if status in (302, 303) or route.operation == "createGeneration":
        response["headers"] |= _headers("Location")
    if route.operation == "createGeneration":
        response["headers"] |= _headers("Preference-Applied")
    if route.cookie or route.operation == "endAllSessions":
        response["headers"] |= _headers("Set-Cookie")
    return response


def _redirected(route: Route) -> dict[str, Schema]:
    """What a client gets that follows a redirect to the storage."""
    if route.status != 302:
        return {}
    formats = get_args(OutputFormat.__value__)
    return {
        "200": {
            "description": "The image, from the storage that the redirect leads to",
            "headers": {},
            "content": {f"image/{each}": {"schema": _BINARY} for each in formats},
        }
    }


def _problems(route: Route) -> dict[str, Schema]:
    by_status: dict[int, list[str]] = {}
    for code in sorted(problem_codes(route)):
        by_status.setdefault(CATALOGUE[code][0], []).append(code)
    return {
        str(status): {
            "description": "; ".join(CATALOGUE[code][1] for code in codes),
            "x-codes": codes,
            "headers": _headers(
                *(["Retry-After"] if status in (429, 503) else []),
                *(["WWW-Authenticate"] if status == 401 else []),
                *(["RateLimit", "RateLimit-Policy"] if status == 429 else []),
            )
            | (_counted() if status != 429 and status < 500 else {}),
            "content": {
                "application/problem+json": {"schema": _ref(ProblemAnswer)},
            },
        }
        for status, codes in sorted(by_status.items())
    }


def _counted() -> Schema:
    """The limit's headers where a refusal may come before the limit counts."""
    names = ("RateLimit", "RateLimit-Policy")
    return {name: {"$ref": f"#/components/headers/{name}-Counted"} for name in names}


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def _model(shape: Any) -> type:
    """A shape itself, or what a list is of."""
    found: type = get_args(shape)[0] if get_origin(shape) is list else shape
    return found


def _ref(shape: Any) -> Schema:
    reference = {"$ref": f"#/components/schemas/{_model(shape).__name__}"}
    return {"type": "array", "items": reference} if get_origin(shape) is list else reference


def paths() -> dict[str, list[str]]:
    """The methods of each path, for the function that answers what no route serves: it has no
    other use for the description, which is a hundred times as long."""
    found: dict[str, list[str]] = {}
    for route in ROUTES.values():
        found.setdefault(route.path, []).append(route.method)
    return {path: sorted(found[path]) for path in sorted(found)}


def main(arguments: list[str]) -> int:
    """Write the description and the list of paths, or with `--check` report whether the written
    ones are current."""
    wanted = {TARGET: build(), PATHS: paths()}
    stale = []
    for target, document in wanted.items():
        text = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
        if "--check" not in arguments:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        elif not target.exists() or target.read_text("utf-8") != text:
            stale.append(target.name)
    for name in stale:
        print(f"{name} does not match the route tables; run `make openapi`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
