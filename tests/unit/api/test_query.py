"""A parameter is held to what the API description says of it; an unknown one is never lost."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from imagelayer.api.query import LIMIT, Parameter, cursor, read
from imagelayer.api.route import Route
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import is_id, new_id
from imagelayer.routes import ROUTES

SECRET = "SeKrEtVaLuE"
WITH_QUERY = [(route, each) for route in ROUTES.values() for each in route.query]
STRICT = [route for route in ROUTES.values() if not route.takes_any_query]
OPEN = [route for route in ROUTES.values() if route.takes_any_query]


def event(query: str) -> dict[str, Any]:
    """As the gateway sends a query: the values of a repeated name are joined with commas."""
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return {"rawQueryString": query, "queryStringParameters": joined} if joined else {}


def refusal(query: str, route: Route) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        read(event(query), route)
    assert refused.value.status == 422
    return {each.location: each.message for each in refused.value.errors}


def lawful(parameter: Parameter) -> list[str]:
    """Values that the schema of a parameter allows."""
    schema = parameter.schema
    if schema["type"] == "integer":
        return [str(schema["minimum"]), str(schema["maximum"]), f"0{schema['maximum']}"]
    if parameter.name == "cursor":
        return [new_id(schema["pattern"][1:4], 1, bytes)]
    return [*schema.get("enum", ()), *schema.get("examples", ())]


def broken(parameter: Parameter) -> list[str]:
    """Values that it does not allow."""
    schema = parameter.schema
    found = [SECRET, " ", "-1", "1.5", "\u0661", "1,1", "+1", "9" * 40, "null"]
    if schema["type"] == "integer":
        return [*found, str(schema["minimum"] - 1), str(schema["maximum"] + 1)]
    return [*found, *(f"{each}\n" for each in lawful(parameter)), "2026-02-30", "20260101"]


@pytest.mark.parametrize(
    ("route", "parameter"), WITH_QUERY, ids=[f"{r.key} {p.name}" for r, p in WITH_QUERY]
)
def test_a_parameter_is_held_to_its_schema_and_says_so(route: Route, parameter: Parameter) -> None:
    for value in lawful(parameter):
        assert parameter.text(read(event(urlencode({parameter.name: value})), route)) == value
    for value in broken(parameter):
        with pytest.raises(Problem) as refused:
            parameter.text({parameter.name: value})
        (error,) = refused.value.errors
        assert error.location == f"query.{parameter.name}"
        assert re.match(r"must be (a|one of|the|[a-z]+$)", error.message), error.message
        assert SECRET not in error.message


@pytest.mark.parametrize("route", STRICT, ids=lambda route: route.key)
def test_an_unknown_parameter_is_refused_with_those_that_are_known(route: Route) -> None:
    known = ", ".join(each.name for each in route.query) or "none"
    message = f"is not a known parameter; this route takes {known}"
    assert refusal(f"Limit={SECRET}&page=3", route) == {
        "query.Limit": message,
        "query.page": message,
    }


@pytest.mark.parametrize("route", OPEN, ids=lambda route: route.key)
def test_what_anyone_reads_and_openai_clients_call_takes_any_parameter(route: Route) -> None:
    read(event("utm_source=mail&api-version=2026-01-01&api-version=2"), route)


def test_most_routes_are_strict() -> None:
    assert len(STRICT) > 3 * len(OPEN)
    assert {route.tag for route in OPEN if route.auth != "none"} == {"OpenAI-compatible"}


@pytest.mark.parametrize(
    ("route", "parameter"), WITH_QUERY, ids=[f"{r.key} {p.name}" for r, p in WITH_QUERY]
)
def test_an_empty_parameter_is_absent_and_a_repeated_one_refused(
    route: Route, parameter: Parameter
) -> None:
    name = parameter.name
    assert read(event(f"{name}="), route) == {}
    assert parameter.text({name: ""}) is None
    value = lawful(parameter)[0]
    query = f"{urlencode({name: value})}&{urlencode({name: value})}"
    assert refusal(query, route) == {f"query.{name}": "is given more than once"}


def test_a_list_with_commas_is_one_value() -> None:
    route = ROUTES["GET /v1/organization/usage"]
    assert read(event("group_by=day,model"), route) == {"group_by": "day,model"}
    assert read(event("group_by=day%2Cmodel"), route) == {"group_by": "day,model"}


def test_a_crowd_of_unknown_parameters_is_cut() -> None:
    query = "&".join(f"{'n' * 5000}{number}=1" for number in range(500))
    errors = refusal(query, ROUTES["GET /v1/brands"])
    assert all(len(location) < 80 for location in errors)
    assert len(errors) <= 20


def test_a_cursor_is_an_id_of_the_list() -> None:
    for made in (new_id("brd", 1), new_id("gen", 1), "brd_", "brd_" + "u" * 26, "brd_" + "0" * 27):
        matches = re.fullmatch(cursor("brd").schema["pattern"], made) is not None
        assert matches == is_id("brd", made)
    assert LIMIT.number({}) == 20
