"""Nothing that clients rely on was taken away: accepted requests still are, fields are still there.

`recorded/before_pydantic.json` holds request bodies that were accepted and the paths of the fields
that answers had, as the integration tests saw them before pydantic validated request bodies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from imagelayer.api.validation import validate
from imagelayer.platform.errors import Problem
from imagelayer.routes import ROUTES
from tests.support.contract import description

RECORDED = json.loads(
    Path(__file__).with_name("recorded").joinpath("before_pydantic.json").read_bytes()
)
ACCEPTED = [(route, body) for route, bodies in RECORDED["accepted"].items() for body in bodies]
ANSWERED = [
    (route, status, path)
    for route, answers in RECORDED["answered"].items()
    for status, paths in answers.items()
    for path in paths
]
# What was taken away on purpose, and why. A sign-up takes an address alone, and names and password
# come with its confirmation: otherwise an account could get a password or a name from someone who
# does not read the mailbox (docs/decisions/0006).
REFUSED_NOW = {
    "POST /v1/auth/register": {"password", "name", "organization_name"},
    "POST /v1/auth/verify-email": set(),
}
LOST_NOW = {("POST /v1/auth/verify-email", "200", "password_token")}
# A number as JSON clients that have one kind of number send it.
WHOLE_FLOATS = {
    "POST /v1/generations": {"prompt": "waves", "n": 2.0, "seed": 7.0},
    "POST /v1/auth/session": {"end_user_id": "user-1", "expires_in": 900.0},
    "POST /v1/keys/{key_id}/rotate": {"grace_seconds": 1e3},
    "POST /v1/brands/{brand_id}/assets": {
        "kind": "logo",
        "content_type": "image/png",
        "size_bytes": 5.0,
    },
    "POST /v1/images/generations": {"prompt": "waves", "n": 1.0},
}


def accepts(route: str, body: Any) -> None:
    shape = ROUTES[route].body
    assert shape is not None
    validate(body, shape())


def property_of(schema: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The schema of a field or of a list's members, through references and choices."""
    if "$ref" in schema:
        target = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return property_of(target, name)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if found := property_of(choice, name):
            return found
    if name == "[]":
        return schema.get("items")
    found = schema.get("properties", {}).get(name)
    free = schema.get("additionalProperties")
    return found or (free if isinstance(free, dict) else None)


def is_described(route: str, status: str, path: str) -> bool:
    row = ROUTES[route]
    responses = description()["paths"][row.path][row.method.lower()]["responses"]
    schema: dict[str, Any] | None = responses[status]["content"]["application/json"]["schema"]
    for name in path.replace("[]", ".[]").strip(".").split("."):
        if schema is None:
            return False
        schema = property_of(schema, name)
    return schema is not None


@pytest.mark.parametrize("route", sorted(RECORDED["accepted"]))
def test_a_body_that_was_accepted_still_is(route: str) -> None:
    for each, body in ACCEPTED:
        if each == route and route not in REFUSED_NOW:
            accepts(route, body)


@pytest.mark.parametrize("route", REFUSED_NOW)
def test_a_body_of_the_earlier_sign_up_is_refused(route: str) -> None:
    bodies = [body for each, body in ACCEPTED if each == route]
    assert bodies
    for body in bodies:
        with pytest.raises(Problem) as refused:
            accepts(route, body)
        unknown = {f"body.{name}" for name in REFUSED_NOW[route] & set(body)}
        assert unknown <= {each.location for each in refused.value.errors}


@pytest.mark.parametrize("route", sorted(RECORDED["answered"]))
def test_a_field_that_an_answer_had_is_still_described(route: str) -> None:
    lost = [
        (status, path)
        for each, status, path in ANSWERED
        if each == route
        and "application/json" in _content(route, status)
        and path
        and (route, status, path) not in LOST_NOW
        and not is_described(route, status, path)
    ]
    assert lost == []


# Had no body, and says now what is left of the member: 204 cannot.
STATUS_NOW = {("DELETE /v1/organization/members/{user_id}", "204"): "200"}


def _content(route: str, status: str) -> dict[str, Any]:
    row, status = ROUTES[route], STATUS_NOW.get((route, status), status)
    responses = description()["paths"][row.path][row.method.lower()]["responses"]
    content: dict[str, Any] = responses[status].get("content", {})
    return content


def test_a_field_that_no_answer_had_is_not_found() -> None:
    """Otherwise the test above would prove nothing."""
    assert is_described("GET /v1/brands", "200", "data[].logos.logo.width")
    assert not is_described("GET /v1/brands", "200", "data[].made_up")


@pytest.mark.parametrize("route", WHOLE_FLOATS)
def test_a_whole_float_is_an_integer(route: str) -> None:
    accepts(route, WHOLE_FLOATS[route])


@pytest.mark.parametrize("number", [1.5, True, "2", [2], 1e300])
def test_what_is_not_an_integer_is_none(number: Any) -> None:
    with pytest.raises(Problem) as refused:
        accepts("POST /v1/generations", {"prompt": "waves", "n": number})
    assert [each.location for each in refused.value.errors] == ["body.n"]
