"""Every file in events/ runs through its function's handler with the outcome it is named for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dev.settings import ROOT
from tests.integration.samples import sample_world
from tests.support.product import HTTP_FUNCTIONS, Product

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
FILES = sorted((ROOT / "events").glob("*.json"))

# File -> status for HTTP, and for the others what the function reports and changes.
EXPECTED: dict[str, Any] = {
    "registration_register": 202,
    "registration_register_disposable": 422,
    "registration_register_malformed": 400,
    "registration_verify_email": 200,
    "registration_verify_email_wrong_token": 400,
    "registration_resend": 202,
    "registration_page": 200,
    "login_login": 200,
    "login_wrong_password": 401,
    "login_unverified": 403,
    "login_refresh": 200,
    "login_logout": 204,
    "login_me": 200,
    "key_rotation_create": 201,
    "key_rotation_create_unknown_field": 422,
    "key_rotation_list": 200,
    "key_rotation_self": 200,
    "key_rotation_get": 200,
    "key_rotation_get_missing": 404,
    "key_rotation_rotate": 201,
    "key_rotation_revoke": 204,
    "brand_create": 201,
    "brand_create_bad_palette": 422,
    "brand_list": 200,
    "brand_get": 200,
    "brand_get_no_credentials": 401,
    "brand_update": 200,
    "brand_delete": 204,
    "brand_announce_logo": 201,
    "brand_get_upload": 200,
    "generation_create": 202,
    "generation_create_bad_size": 422,
    "generation_list": 200,
    "generation_get": 200,
    "asset_delivery_get": 200,
    "asset_delivery_content": 302,
    "asset_delivery_missing": 404,
    "discovery_health": 200,
    "discovery_openapi": 200,
    "discovery_jwks": 200,
    "discovery_security_txt": 200,
    "discovery_security_page": 200,
    "brand_intake_uploaded": "ready",
    "brand_intake_not_announced": "pending",
    "generation_worker_queued": ([], "succeeded"),
    "generation_worker_finished_job": ([], "queued"),
    "generation_worker_not_ours": (["c80e8021-a70a-42c7-a470-796e1186f753"], "queued"),
    "cleanup_schedule": {"requeued": 0, "released": 0, "deleted": 0, "failed": 0},
}


@pytest.fixture
def world(product: Product) -> Product:
    """The product with the organization that the samples speak of."""
    sample_world.build(product)
    return product


def function_of(path: Path) -> str:
    return max((name for name in FUNCTIONS if path.stem.startswith(f"{name}_")), key=len)


def test_every_sample_has_an_expected_outcome_and_every_function_a_sample() -> None:
    assert {path.stem for path in FILES} == set(EXPECTED)
    assert {function_of(path) for path in FILES} == set(FUNCTIONS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_sample_does_what_its_name_says(world: Product, path: Path) -> None:
    event, function = json.loads(path.read_text("utf-8")), function_of(path)
    expected = EXPECTED[path.stem]
    if function in HTTP_FUNCTIONS:
        answer = world.answer(function, event)
        assert answer.status == expected, answer.text
        return
    reported = world.invoke(function, event)
    if function == "brand_intake":
        assert world.item("BrandsTable", "UPLOAD#")["status"] == expected
    elif function == "generation_worker":
        failures = [each["itemIdentifier"] for each in reported["batchItemFailures"]]
        (job,) = [
            item
            for item in world.items("GenerationsTable")
            if item["sk"] == f"GEN#{sample_world.QUEUED}"
        ]
        assert (failures, job["status"]) == expected
    else:
        assert reported == expected


def test_samples_hold_no_credentials_but_the_samples_own() -> None:
    known = {f"Bearer {sample_world.API_KEY}", f"Bearer {sample_world.access_token()}", None}
    for path in FILES:
        headers = json.loads(path.read_text("utf-8")).get("headers", {})
        assert headers.get("authorization") in known
