"""The description reads well for people and for generators of clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_core import SchemaValidator, core_schema

from dev.openapi import TAGS
from imagelayer.access.leaked_keys import MAX_REPORTED
from imagelayer.platform.errors import Problem
from imagelayer.platform.idempotency import read_key
from imagelayer.routes import ROUTES
from tests.support.contract import description, resolved, schema_errors

# Names of the web platform, which generated types would hide (HTML, DOM, File API …).
OF_THE_WEB = {
    "Animation", "Attr", "Blob", "Cache", "Comment", "Credential", "Document", "Element", "Error",
    "Event", "File", "Font", "FontFace", "FormData", "Headers", "History", "Image", "ImageData",
    "Key", "Location", "Lock", "Node", "Notification", "Option", "Plugin", "Range", "Request",
    "Response", "Selection", "Session", "Storage", "Text", "Touch", "URL", "Window", "Worker",
}  # fmt: skip
SHARED = {"AssetKind", "EndUserScope", "KeyKind", "LogoPosition", "Mode", "OutputFormat", "Role"}
SHARED |= {"Scope", "Treatment", "WebhookEvent"}


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = description()["components"]["schemas"]
    return found


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a part of the description."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def patterns() -> list[str]:
    found = {
        node["pattern"] for node in nodes(description()) if isinstance(node.get("pattern"), str)
    }
    return sorted(found)


@pytest.mark.parametrize("pattern", patterns())
def test_a_pattern_needs_no_look_around(pattern: str) -> None:
    """Rust's engine has RE2's syntax: what compiles here compiles in Go as well."""
    SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def test_a_pattern_with_look_around_would_not_compile() -> None:
    with pytest.raises(Exception, match="look-around"):
        SchemaValidator(core_schema.str_schema(pattern=r"^a$(?!\n)", regex_engine="rust-regex"))


def test_no_component_hides_a_name_of_the_web() -> None:
    assert set(schemas()) & OF_THE_WEB == set()


def test_a_shared_enum_is_written_once() -> None:
    written: dict[tuple[str, ...], int] = {}
    for node in nodes(description()):
        if isinstance(node.get("enum"), list) and len(node["enum"]) > 1:
            members = tuple(node["enum"])
            written[members] = written.get(members, 0) + 1
    for name in SHARED:
        assert written[tuple(schemas()[name]["enum"])] == 1, name


def test_every_operation_has_a_subject_and_every_subject_a_sentence() -> None:
    assert {route.tag for route in ROUTES.values()} == set(TAGS)
    assert [tag["name"] for tag in description()["tags"]] == list(TAGS)
    assert all(tag["description"] for tag in description()["tags"])


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_component_is_described(name: str) -> None:
    assert schemas()[name].get("description")


def test_only_a_page_speaks_of_pages() -> None:
    said = {
        name
        for name, schema in schemas().items()
        if "page" in schema.get("properties", {}).get("data", {}).get("description", "")
    }
    paged = {
        name for name, schema in schemas().items() if "next_cursor" in schema.get("required", [])
    }
    assert said <= paged


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_field_is_described(name: str) -> None:
    fields = schemas()[name].get("properties", {})
    assert [field for field, about in fields.items() if not about.get("description")] == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("RegisterAnswer", "status"),
        ("VerifyEmailAnswer", "status"),
        ("Health", "status"),
        ("ModelDetails", "object"),
        ("ModelList", "object"),
        ("Generation", "error"),
    ],
)
def test_what_an_answer_always_has_is_required(name: str, field: str) -> None:
    assert field in schemas()[name]["required"]


def test_what_a_request_may_leave_out_is_not_required() -> None:
    assert schemas()["CreateGenerationRequest"]["required"] == ["prompt"]
    assert schemas()["StatTemplate"]["required"] == ["type", "value", "label"]
    assert "required" not in schemas()["UpdateBrandRequest"]


def test_a_body_that_may_be_left_out_is_not_required() -> None:
    paths = description()["paths"]
    assert not paths["/v1/keys/{key_id}/rotate"]["post"]["requestBody"]["required"]
    assert paths["/v1/keys"]["post"]["requestBody"]["required"]


def bodies_of_an_edit() -> dict[str, Any]:
    """Media type -> schema, in the order of the description."""
    content = description()["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]
    return {kind: resolved(about["schema"]) for kind, about in content.items()}


def test_the_form_of_an_edit_is_described_as_the_form_it_is() -> None:
    form, body = (bodies_of_an_edit()[kind] for kind in ("multipart/form-data", "application/json"))
    assert "image" not in body["properties"]
    assert "images" not in form["properties"]
    file = form["properties"]["image"]
    assert (file["type"], file["format"]) == ("string", "binary")


def test_an_edit_has_its_picture() -> None:
    form, body = (bodies_of_an_edit()[kind] for kind in ("multipart/form-data", "application/json"))
    assert "image" in form["required"]
    assert "images" in body["required"]
    assert (body["properties"]["images"]["minItems"], body["properties"]["images"]["maxItems"]) == (
        1,
        1,
    )


def test_the_form_comes_first_because_it_alone_carries_a_file() -> None:
    """Generators that support one media type of a body take the first."""
    assert next(iter(bodies_of_an_edit())) == "multipart/form-data"


def operations() -> Iterator[dict[str, Any]]:
    for methods in description()["paths"].values():
        yield from methods.values()


@pytest.mark.parametrize("operation", [*operations()], ids=lambda each: each["operationId"])
def test_every_parameter_and_header_is_described(operation: dict[str, Any]) -> None:
    taken = operation.get("parameters", [])
    sent = [
        resolved(header)
        for answer in operation["responses"].values()
        for header in answer["headers"].values()
    ]
    assert [each for each in (*taken, *sent) if not each.get("description")] == []


@pytest.mark.parametrize("operation", [*operations()], ids=lambda each: each["operationId"])
def test_every_operation_has_a_success(operation: dict[str, Any]) -> None:
    assert any(status.startswith("2") for status in operation["responses"])


def test_the_address_of_a_deployment_is_a_variable_with_a_host() -> None:
    (server,) = description()["servers"]
    assert server["url"] == "https://{host}"
    assert server["variables"]["host"]["default"]


def test_the_introduction_names_who_to_turn_to() -> None:
    about = description()["info"]
    assert about["description"]
    assert about["contact"]


@pytest.mark.parametrize(
    ("sent", "valid"),
    [
        ({"kind": "secret", "scopes": ["usage:read"]}, True),
        ({"scopes": ["usage:read"]}, True),
        ({"kind": "secret", "scopes": []}, False),
        ({}, False),
        ({"kind": "publishable"}, True),
        ({"kind": "publishable", "scopes": []}, True),
        ({"kind": "publishable", "scopes": ["usage:read"]}, False),
    ],
)
def test_which_scopes_a_new_key_needs_is_in_the_description(
    sent: dict[str, Any], valid: bool
) -> None:
    body = {"name": "k", "mode": "test", **sent}
    schema = {"$ref": "#/components/schemas/CreateKeyRequest"}
    assert (schema_errors(schema, body) == []) == valid


@pytest.mark.parametrize(
    ("sent", "valid"),
    [
        ({"size": "256x256"}, True),
        ({"preset": "open-graph"}, True),
        ({"size": "256x256", "preset": None}, True),
        ({"size": "256x256", "preset": "open-graph"}, False),
        ({"preset": "no-such"}, False),
        ({"text": {"headline": "Hi"}}, True),
        ({"text": {}}, False),
        ({"text": {"headline": None}}, False),
        (
            {"text": {"headline": "Hi"}, "template": {"type": "stat", "value": "1", "label": "x"}},
            False,
        ),
    ],
)
@pytest.mark.parametrize("shape", ["CreateGenerationRequest", "ImagesRequest"])
def test_which_fields_of_an_image_exclude_each_other_is_in_the_description(
    shape: str, sent: dict[str, Any], valid: bool
) -> None:
    body = {"prompt": "waves", **sent}
    assert (schema_errors({"$ref": f"#/components/schemas/{shape}"}, body) == []) == valid


@pytest.mark.parametrize(
    ("sent", "valid"),
    [
        ({"end_user_id": "user-1"}, True),
        ({"key_id": "key_1", "all": False}, True),
        ({"all": True}, True),
        ({}, False),
        ({"all": False}, False),
        ({"end_user_id": None}, False),
        ({"end_user_id": "user-1", "key_id": "key_1"}, False),
        ({"end_user_id": "user-1", "all": True}, False),
    ],
)
def test_that_one_kind_of_sessions_is_named_is_in_the_description(
    sent: dict[str, Any], valid: bool
) -> None:
    schema = {"$ref": "#/components/schemas/RevokeEndUserSessionsRequest"}
    assert (schema_errors(schema, sent) == []) == valid


@pytest.mark.parametrize("shape", ["ImagesRequest", "ImageEditsRequest", "ImageEditsForm"])
def test_what_is_always_refused_is_not_offered(shape: str) -> None:
    fields = schemas()[shape]["properties"]
    assert "mask" not in fields
    assert "transparent" not in json.dumps(fields["background"])


def test_an_integer_that_32_bits_do_not_hold_says_so() -> None:
    integers = [node for node in nodes(schemas()) if node.get("type") == "integer"]
    wide = [node for node in integers if node.get("maximum", 2**31) >= 2**31]
    assert wide
    assert {node.get("format") for node in wide} == {"int64"}


def test_a_form_has_no_null() -> None:
    form = bodies_of_an_edit()["multipart/form-data"]
    assert '"type": "null"' not in json.dumps(form["properties"])


def test_a_body_that_is_refused_when_empty_is_required() -> None:
    operation = description()["paths"]["/v1/auth/session/revoke"]["post"]
    assert operation["requestBody"]["required"]


@pytest.mark.parametrize(
    ("key", "valid"),
    [
        ("a", True), ("a" * 255, True), ('"a"', True), ('"' + "a" * 255 + '"', True), ('"', True),
        ('"a', True), ('""', False), ("", False), ("a" * 256, False), ("a b", False), ("ü", False),
    ],
)  # fmt: skip
def test_the_form_of_an_idempotency_key_is_the_one_that_is_read(key: str, valid: bool) -> None:
    operation = description()["paths"]["/v1/brands"]["post"]
    (schema,) = (
        each["schema"] for each in operation["parameters"] if each["name"] == "Idempotency-Key"
    )
    assert (schema_errors(schema, key) == []) == valid
    try:
        read_key({"idempotency-key": key})
    except Problem:
        assert not valid
    else:
        assert valid


def test_as_many_leaked_keys_are_described_as_one_report_may_have() -> None:
    operation = description()["paths"]["/v1/leaked-keys"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert (schema["minItems"], schema["maxItems"]) == (1, MAX_REPORTED)


def test_a_query_parameter_may_be_sent_empty() -> None:
    """It counts as left out."""
    queries = [
        each
        for operation in operations()
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    ]
    assert queries
    assert all(each["allowEmptyValue"] for each in queries)
