"""What a broken rule is called: the rule itself, in words, at its place, and never the value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from imagelayer.access.schemas import CreateEndUserSessionRequest, CreateKeyRequest
from imagelayer.api.validation import validate
from imagelayer.brands.schemas import CreateBrandRequest
from imagelayer.generations.schemas import CreateGenerationRequest
from imagelayer.identity.schemas import TotpRequest, UpdateOrganizationRequest
from imagelayer.openai_api.schemas import ImageEditsForm, ImageEditsRequest
from imagelayer.platform.errors import Problem

SECRET = "SeKrEtVaLuE"
STAT = {"type": "stat", "value": "73 %", "label": "of teams"}


def broken(shape: type[BaseModel], fields: dict[str, Any], **how: Any) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        validate(fields, shape, **how)
    return {error.location: error.message for error in refused.value.errors}


@pytest.mark.parametrize(
    ("fields", "location", "message"),
    [
        ({"output_format": "jpg"}, "output_format", "must be one of png, jpeg, webp, avif"),
        ({"size": "1024X1024"}, "size", "must be WIDTHxHEIGHT in pixels, such as 1024x1024"),
        ({"n": 9}, "n", "must be a whole number from 1 to 4"),
        ({"n": 0}, "n", "must be a whole number from 1 to 4"),
        ({"n": "2"}, "n", "must be a whole number from 1 to 4"),
        ({"seed": 1.5}, "seed", "must be a whole number from 0 to 4294967295"),
        ({"prompt": ""}, "prompt", "must not be empty"),
        ({"prompt": "x" * 32_001}, "prompt", "must have at most 32000 characters"),
        ({"prompt": 7}, "prompt", "must be a string"),
        ({"apply_brand_guidelines": "yes"}, "apply_brand_guidelines", "must be true or false"),
        ({"text": "words"}, "text", "must be an object"),
        ({"text": {"headline": 7}}, "text.headline", "must be a string"),
        ({"template": {"type": "poster"}}, "template.type", "must be one of stat, quote,"),
        ({"template": {"value": "1"}}, "template.type", "is required"),
        ({"template": {"type": "stat", "value": "1"}}, "template.label", "is required"),
        ({"template": {"type": "quote", "quote": "x"}}, "template.author", "is required"),
        ({"template": {"type": "quote", "author": "x"}}, "template.quote", "is required"),
        ({"template": {**STAT, "value": "x" * 17}}, "template.value", "must have at most 16"),
    ],
)
def test_the_rule_is_named_at_its_place(
    fields: dict[str, Any], location: str, message: str
) -> None:
    errors = broken(CreateGenerationRequest, {"prompt": "waves", **fields})
    assert list(errors) == [f"body.{location}"]
    assert errors[f"body.{location}"].startswith(message)


@pytest.mark.parametrize(
    ("shape", "fields", "location", "message"),
    [
        (CreateBrandRequest, {"palette": []}, "palette", "must have at least 1 item"),
        (CreateBrandRequest, {"palette": ["#000000"] * 9}, "palette", "must have at most 8 items"),
        (CreateBrandRequest, {"palette": ["red"]}, "palette.0", "must be #RRGGBB, such as #1B4DFF"),
        (CreateBrandRequest, {"name": "<b>"}, "name", "must be text on one line without < or >"),
        (CreateKeyRequest, {"scopes": ["nope"]}, "scopes.0", "must be one of assets:read, brands:"),
        (CreateKeyRequest, {"mode": "LIVE"}, "mode", "must be one of live, test"),
        (UpdateOrganizationRequest, {"name": None}, "name", "must be a string"),
        (TotpRequest, {"totp_code": "12345"}, "totp_code", "must be six digits"),
        (
            CreateEndUserSessionRequest,
            {"end_user_id": "a b"},
            "end_user_id",
            "must be visible ASCII",
        ),
    ],
)
def test_the_rules_of_other_shapes_have_their_words(
    shape: type[BaseModel], fields: dict[str, Any], location: str, message: str
) -> None:
    assert broken(shape, fields)[f"body.{location}"].startswith(message)


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize(
    "fields",
    [
        {"template": {"type": SECRET}},
        {"template": {"type": "stat", SECRET: SECRET}},
        {"text": {SECRET: SECRET}},
        {"output_format": SECRET, "size": SECRET, "seed": SECRET, "logo": [SECRET]},
        {"template": SECRET, "text": [SECRET], "brand_id": {SECRET: SECRET}},
    ],
)
def test_neither_a_value_nor_a_nested_name_is_repeated(fields: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        validate({"prompt": "waves", **fields}, CreateGenerationRequest)
    assert SECRET not in f"{refused.value.detail} {refused.value.errors}"


def test_an_unknown_field_is_named_at_the_top_alone() -> None:
    errors = broken(CreateGenerationRequest, {"prompt": "x", "color": 1, "text": {"size": 9}})
    assert errors == {
        "body.color": "is not a known field",
        "body.text": "has a field that is not known",
    }


@pytest.mark.parametrize("code", ["123456", "123 456", " 123456", "123-456"])
def test_a_code_is_taken_as_people_paste_it(code: str) -> None:
    assert validate({"totp_code": code}, TotpRequest).totp_code == "123456"


def test_a_form_takes_objects_as_json_text_or_as_parts() -> None:
    as_text = validate(
        {"prompt": "x", "template": '{"type": "stat", "value": "1", "label": "x"}'},
        ImageEditsForm,
        strict=False,
    )
    as_parts = validate(
        {"prompt": "x", "template": {"type": "stat", "value": "1", "label": "x"}},
        ImageEditsForm,
        strict=False,
    )
    assert as_text == as_parts
    errors = broken(ImageEditsForm, {"prompt": "x", "template": "{stat"}, strict=False)
    assert errors == {"body.template": "must be an object"}


@pytest.mark.promise("body-limits")
@pytest.mark.parametrize(
    "crowd",
    [
        {"images": [{}] * 100_000},
        {"text": {str(number): 1 for number in range(100_000)}},
        {str(number): 1 for number in range(100_000)},
        {"images": [{str(number): 1 for number in range(100_000)}]},
    ],
)
def test_a_crowd_of_faults_is_one_fault(crowd: dict[str, Any]) -> None:
    """Otherwise a few megabytes become a million errors, gigabytes of memory and no answer."""
    errors = broken(ImageEditsRequest, {"prompt": "waves", **crowd})
    assert list(errors) == ["body"]


def test_no_more_than_a_hundred_faults_are_listed() -> None:
    errors = broken(CreateGenerationRequest, {str(number): 1 for number in range(1000)})
    assert len(errors) == 100


def test_one_picture_too_many_is_one_fault() -> None:
    errors = broken(ImageEditsRequest, {"prompt": "waves", "images": [{}] * 900})
    assert errors == {"body.images": "must have at most 16 items"}
