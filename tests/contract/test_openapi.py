"""The description, the template, the endpoint table and the handlers say the same."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any, get_args

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from dev import openapi
from dev.settings import ROOT
from imagelayer.access.permissions import ENROLMENT_SCOPES, ROLE_SCOPES
from imagelayer.access.scopes import Scope
from imagelayer.discovery import unrouted
from imagelayer.http import App
from imagelayer.platform.errors import CATALOGUE
from imagelayer.platform.settings import Settings
from imagelayer.platform.wiring import Platform
from imagelayer.routes import ROUTES
from tests.support import aws, contract

HTTP_FUNCTIONS = sorted({route.function for route in ROUTES.values()})
EVERY_ENDPOINT = pytest.mark.parametrize("route", ROUTES)


def operations() -> dict[str, dict[str, Any]]:
    """Route -> operation of the description."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in contract.description()["paths"].items()
        for method, operation in methods.items()
    }


def template_routes() -> dict[str, str]:
    """Route -> logical name of the function that the template gives it to."""
    found: dict[str, str] = {}
    for name, resource in aws.DOCUMENT["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "HttpApi":
                given = event["Properties"]
                route = f"{given['Method']} {given['Path']}" if "Path" in given else "$default"
                assert route not in found, f"two functions answer {route}"
                found[route] = name
    return found


def app(function: str) -> App[Any]:
    module = importlib.import_module(f"functions.{function}.app")
    assert isinstance(module.app, App)
    return module.app


def test_the_description_is_valid_openapi_3_1() -> None:
    assert contract.description()["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(contract.description()).validate()


def test_the_served_description_is_the_one_that_the_endpoints_make() -> None:
    assert json.loads(json.dumps(openapi.build())) == contract.description()


def test_description_template_and_endpoints_have_the_same_routes() -> None:
    assert set(operations()) == set(ROUTES)
    heads = {route.replace("GET ", "HEAD ", 1) for route in ROUTES if route.startswith("GET ")}
    assert set(template_routes()) == {*ROUTES, *heads, "$default"}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("GET ")])
def test_head_is_served_by_the_function_that_serves_get(route: str) -> None:
    assert template_routes()[route.replace("GET ", "HEAD ", 1)] == template_routes()[route]


def test_what_answers_the_rest_knows_the_methods_of_every_path_and_no_other() -> None:
    assert template_routes()["$default"] == "FallbackFunction"
    served: dict[str, set[str]] = {}
    for method, _, path in (route.partition(" ") for route in template_routes()):
        served.setdefault(path, set()).add(method)
    for path, methods in served.items():
        if path:  # of $default it is none
            assert unrouted.methods_of(path) == sorted(methods | others(path) | {"OPTIONS"}), path
    assert set(unrouted._paths()) == set(contract.description()["paths"])


def others(path: str) -> set[str]:
    """The methods that a variable's route serves where a literal path has none: the gateway
    chooses per method."""
    return {
        method
        for method, _, template in (route.partition(" ") for route in template_routes())
        if "{" in template and re.fullmatch(re.sub(r"{\w+}", "[^/{}]+", template), path)
    }


@EVERY_ENDPOINT
def test_the_template_gives_each_route_to_its_function(route: str) -> None:
    logical = "".join(part.title() for part in ROUTES[route].function.split("_")) + "Function"
    assert template_routes()[route] == logical
    properties = aws.DOCUMENT["Resources"][logical]["Properties"]
    assert properties["CodeUri"] == f"functions/{ROUTES[route].function}/"


@pytest.mark.parametrize("function", HTTP_FUNCTIONS)
def test_a_handler_binds_its_functions_routes_and_no_other(function: str) -> None:
    expected = {route for route, each in ROUTES.items() if each.function == function}
    assert app(function).routes == expected


def test_a_handler_cannot_bind_a_route_of_another_function() -> None:
    with pytest.raises(LookupError):
        app("brand").route("POST /v1/keys")
    with pytest.raises(KeyError):
        app("brand").route("GET /v1/made-up")


@EVERY_ENDPOINT
def test_an_operation_documents_its_body_scope_limit_and_credentials(route: str) -> None:
    row, operation = ROUTES[route], operations()[route]
    assert ("requestBody" in operation) == (row.body is not None)
    assert operation.get("x-scope") == row.scope
    assert operation["x-rate-limit"]["policy"] == row.limit
    reads_cookie = row.operation in ("refresh", "logout")
    assert bool(operation["security"]) == (row.auth != "none" or reads_cookie)
    named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", row.path))
    statuses = {int(status) for status in operation["responses"]}
    assert {row.status, 429, 500, 503} <= statuses
    assert (401 in statuses) >= (row.auth != "none")
    assert (413 in statuses) == (row.body is not None)


@EVERY_ENDPOINT
def test_an_operation_names_the_kinds_of_credential_that_it_takes(route: str) -> None:
    row = ROUTES[route]
    named = {name for each in operations()[route]["security"] for name in each}
    assert named <= set(contract.description()["components"]["securitySchemes"])
    assert ("apiKey" in named) == (row.auth in ("key", "user_or_key"))
    assert ("accessToken" in named) == (row.auth in ("user", "user_or_key"))
    assert ("sessionToken" in named) == row.end_user
    assert ("refreshCookie" in named) == (row.operation in ("refresh", "logout"))


@EVERY_ENDPOINT
def test_an_operation_documents_every_way_in_which_it_refuses_a_good_credential(
    route: str,
) -> None:
    row, responses = ROUTES[route], operations()[route]["responses"]
    codes = set(responses.get("403", {}).get("x-codes", []))
    credentialed = {"insufficient_scope", "origin_not_allowed", "address_not_allowed"}
    assert (codes >= credentialed) == (row.auth != "none")
    if row.auth in ("user", "user_or_key") and row.scope not in ENROLMENT_SCOPES:
        assert "second_factor_required" in codes


@EVERY_ENDPOINT
def test_an_operation_documents_the_headers_it_takes_and_those_it_always_sends(route: str) -> None:
    row, operation = ROUTES[route], operations()[route]
    taken = {each["name"] for each in operation.get("parameters", []) if each["in"] == "header"}
    signed = {"Github-Public-Key-Identifier", "Github-Public-Key-Signature"}
    assert taken == (
        ({"Idempotency-Key"} if row.idempotent else set())
        | (signed if row.signed else set())
        | ({"Prefer"} if row.operation == "createGeneration" else set())
        | ({"x-imagelayer-key"} if row.end_user else set())
    )
    sent = operation["responses"][str(row.status)]["headers"]
    always = {name for name, header in sent.items() if contract.resolved(header).get("required")}
    sets_cookie = row.cookie or row.operation == "endAllSessions"
    assert sent.keys() - always == (
        ({"Idempotent-Replayed"} if row.idempotent else set())
        | ({"Preference-Applied"} if row.operation == "createGeneration" else set())
        | ({"Set-Cookie"} if sets_cookie else set())
    )
    assert always >= {"x-request-id", "RateLimit", "RateLimit-Policy"}
    conflicts = set(operation["responses"].get("409", {}).get("x-codes", []))
    assert ("idempotency_in_flight" in conflicts) == bool(row.idempotent)


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)


@pytest.mark.promise("org-scoped")
@EVERY_ENDPOINT
def test_every_endpoint_but_the_public_ones_requires_credentials(route: str) -> None:
    public = route.startswith("GET /.well-known/") or route in (
        "GET /v1/health",
        "GET /v1/fonts",
        "GET /v1/presets",
        "GET /openapi.json",
        "GET /security",
        "GET /verify-email",
        "GET /reset-password",
        "GET /accept-invitation",
        "POST /v1/auth/register",
        "POST /v1/auth/verify-email",
        "POST /v1/auth/verify-email/resend",
        "POST /v1/auth/invitations/accept",
        "POST /v1/auth/login",
        "POST /v1/auth/refresh",
        "POST /v1/auth/logout",
        "POST /v1/auth/password/forgot",
        "POST /v1/auth/password/reset",
        "POST /v1/leaked-keys",  # its body is signed
    )
    assert ROUTES[route].signed == (route == "POST /v1/leaked-keys")
    assert (ROUTES[route].auth == "none") == public


@pytest.mark.promise("keys-scoped")
@EVERY_ENDPOINT
def test_every_endpoint_that_takes_credentials_requires_a_scope_that_exists(route: str) -> None:
    row = ROUTES[route]
    if row.auth == "none":
        assert row.scope is None
    elif route == "GET /v1/keys/self":
        assert row.auth == "key"  # what a key may always know: itself
        assert row.scope is None
    else:
        assert row.scope in ROLE_SCOPES["owner"]
    if row.auth == "user_or_key" or (row.auth == "key" and row.scope):
        assert row.scope in get_args(Scope.__value__)


@EVERY_ENDPOINT
def test_an_endpoint_names_error_codes_of_the_catalogue(route: str) -> None:
    assert openapi.problem_codes(ROUTES[route]) <= set(CATALOGUE)


def test_every_code_that_the_source_raises_is_in_the_catalogue() -> None:
    layer = ROOT / "layers/common/imagelayer"
    source = "".join(path.read_text("utf-8") for path in layer.rglob("*.py"))
    raised = set(re.findall(r'Problem\(\s*"(\w+)"', source))
    assert raised <= set(CATALOGUE)
    assert {"malformed_json", "validation_failed", "unauthenticated", "not_found"} <= raised


def test_one_code_means_one_status_everywhere() -> None:
    for route, operation in operations().items():
        for status, response in operation["responses"].items():
            for code in response.get("x-codes", []):
                assert CATALOGUE[code][0] == int(status), route


@pytest.mark.parametrize(
    "function", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
)
def test_a_functions_environment_is_a_configuration_that_may_run(function: str) -> None:
    names: dict[str, str] = {name: name for name in aws.DOCUMENT["Resources"]}
    wiring = Platform(Settings.read(aws.environment(function, names)))
    assert wiring.settings.need("FUNCTION") == function
