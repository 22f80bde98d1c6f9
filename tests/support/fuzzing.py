"""Schemathesis on the whole product in one process: what it sends, and who sends it.

It sends what the API description allows and what it forbids, and compares each answer with the
description. The product's functions are behind a WSGI application; what a gateway would match, it
matches by the route table.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import schemathesis
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema

from imagelayer.routes import ROUTES
from tests.support.contract import description
from tests.support.events import function_of, route_of
from tests.support.functions import Functions

SEED = 20_251_128
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
)
SIGN = "sign this"  # in place of a signature
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass
class Gateway:
    """A WSGI application in front of the functions.

    `sign_in` adds the caller's credentials to an event; `notice` sees every answer.
    """

    product: Functions
    sign_in: Callable[[dict[str, Any]], None]
    notice: Callable[[str, dict[str, Any]], None]
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)  # by route and status
    _requests: int = 0

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        self._requests += 1
        event = self._event(environ)
        route = event["routeKey"]
        response = self.product.invoke(function_of(route), event)
        status = response["statusCode"]
        self.answered[route, status] += 1
        self.notice(route, response)
        headers = [*response["headers"].items()]
        headers += [("Set-Cookie", cookie) for cookie in response.get("cookies", [])]
        start(f"{status} -", headers)
        return [response["body"].encode()]

    def _event(self, environ: dict[str, Any]) -> dict[str, Any]:
        method = environ["REQUEST_METHOD"]
        raw_path = environ["REQUEST_URI"].partition("?")[0]
        key, parameters = route_of(method, raw_path)
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": key,
            "rawPath": raw_path,
            "rawQueryString": environ["QUERY_STRING"],
            "headers": headers,
            "requestContext": {
                "requestId": f"req-{self._requests}",
                "http": {"method": method, "path": raw_path, "sourceIp": "198.51.100.7"},
            },
            "isBase64Encoded": bool(data),
            "pathParameters": {name: unquote(value) for name, value in parameters.items()},
        }
        if data:
            event["body"] = base64.b64encode(data).decode()
        if headers.get("github-public-key-signature") == SIGN:
            signed = self.product.scanner.sign(data)
            headers |= {name.lower(): value for name, value in signed.items()}
        if cookies := headers.pop("cookie", ""):
            event["cookies"] = cookies.split("; ")
        query: dict[str, str] = {}
        for name, value in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        if query:
            event["queryStringParameters"] = query
        self.sign_in(event)
        return event


@dataclass
class Report:
    """What a run sent, and where the product and its description did not agree."""

    cases: int = 0
    failures: dict[str, str] = field(default_factory=dict)  # by route and title
    errors: list[str] = field(default_factory=list)


def fuzz(
    gateway: Gateway,
    routes: Iterable[str],
    *,
    examples: int,
    coverage: bool,
    prepare: Callable[[Case], None],
    is_expected: Callable[[Case, Response | None, Failure], bool],
    change: Callable[[dict[str, Any]], None] = lambda _description: None,
) -> Report:
    """Send `examples` at random to each route, and with `coverage` what tries the bounds of each
    parameter and field.

    `prepare` changes a case before it is sent; a failure that `is_expected` is left out. `change`
    is for controls: it changes the description that the product is compared with.
    """
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "continue-on-failure": True,
            "checks": {
                "enabled": False,
                **{name: {"enabled": True} for name in CHECKS},
            },
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
                "with-security-parameters": False,
            },
            "phases": {
                "examples": {"enabled": False},
                "coverage": {"enabled": coverage, "unexpected-methods": ["put"]},
                "fuzzing": {"enabled": True},
                "stateful": {"enabled": False},
            },
        }
    )
    compared = _only(routes)
    change(compared)
    schema = schemathesis.openapi.from_dict(compared, config=config)
    schema.app = gateway

    def before_call(context: Any, case: Case, kwargs: dict[str, Any]) -> None:
        prepare(case)

    schemathesis.hook(before_call)
    report = Report()
    try:
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _note(report, event, is_expected)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                report.errors.append(str(getattr(event, "value", None) or event.exception))
    finally:
        schemathesis.hooks.unregister_all()
    return report


def _note(
    report: Report,
    event: events.ScenarioFinished,
    is_expected: Callable[[Case, Response | None, Failure], bool],
) -> None:
    recorder = event.recorder
    report.cases += len(recorder.interactions)
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            failure = check.failure_info.failure
            answer = recorder.interactions[case_id].response
            key = f"{recorder.label}: {failure.title} {told(answer)}"
            sent = recorder.cases[case_id].value
            if is_expected(sent, answer, failure):
                continue
            report.failures.setdefault(
                key,
                f"{failure.message}\n    {check.failure_info.code_sample[:900]}\n    "
                f"{answer.status_code if answer else ''} {answer.text[:400] if answer else ''}"
                f"\n    {sent.meta.phase.data if sent.meta else ''}",
            )


def told(answer: Response | None) -> str:
    """The status of an answer, and what a problem complains about."""
    if answer is None:
        return ""
    try:
        body = json.loads(answer.content)
        places = sorted({each["location"] for each in body["errors"]})
        return f"{answer.status_code} {body['code']} {' '.join(places)}"
    except (ValueError, TypeError, LookupError):
        return str(answer.status_code)


def _only(routes: Iterable[str]) -> dict[str, Any]:
    """The description with those routes alone."""
    wanted = [ROUTES[route] for route in routes]
    whole: dict[str, Any] = json.loads(json.dumps(description()))
    paths: dict[str, Any] = {}
    for route in wanted:
        method = route.method.lower()
        paths.setdefault(route.path, {})[method] = whole["paths"][route.path][method]
    return {**whole, "paths": paths, "servers": [{"url": "/"}]}
