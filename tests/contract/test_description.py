"""The description reads well for people and for generators of clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_core import SchemaValidator, core_schema

from dev.openapi import TAGS
from imagelayer.routes import ROUTES
from tests.support.contract import description

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


def test_the_form_of_an_edit_is_described_as_the_form_it_is() -> None:
    content = description()["paths"]["/v1/images/edits"]["post"]["requestBody"]["content"]
    form, body = (
        schemas()[content[kind]["schema"]["$ref"].rpartition("/")[2]]["properties"]
        for kind in ("multipart/form-data", "application/json")
    )
    assert "image" not in body
    assert "images" not in form
    assert {"type": "string", "format": "binary"} in form["image"]["anyOf"]
