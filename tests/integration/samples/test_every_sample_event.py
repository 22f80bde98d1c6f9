"""Every file in events/ runs through its function's handler with the outcome it is named for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dev.settings import ROOT
from imagelayer.routes import ROUTES
from tests.support import aws, sample_data
from tests.support.functions import HTTP_FUNCTIONS
from tests.support.product import Product

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
    "registration_invitation_page": 200,
    "registration_accept_invitation": 200,
    "registration_accept_invitation_wrong_token": 400,
    "login_login": 200,
    "login_wrong_password": 401,
    "login_unconfirmed": 401,
    "login_refresh": 200,
    "login_logout": 204,
    "login_me": 200,
    "login_malformed_code": 422,
    "login_sessions": 200,
    "login_end_session": 204,
    "login_end_all_sessions": 204,
    "password_page": 200,
    "password_forgot": 202,
    "password_reset": 204,
    "password_reset_wrong_token": 400,
    "password_change": 204,
    "password_change_too_easy": 422,
    "password_change_wrong_password": 403,
    "second_factor_start": 201,
    "second_factor_start_wrong_password": 403,
    "second_factor_confirm_not_started": 409,
    "second_factor_recovery_codes_not_set_up": 409,
    "second_factor_disable_not_set_up": 409,
    "session_mint": 201,
    "session_mint_bad_origin": 422,
    "session_mint_by_dashboard": 403,
    "session_revoke": 200,
    "session_revoke_two_selectors": 422,
    "organization_get": 200,
    "organization_update": 200,
    "organization_update_without_a_second_factor": 409,
    "organization_members": 200,
    "organization_change_role": 200,
    "organization_remove_member": 200,
    "organization_last_owner_leaves": 409,
    "organization_invite": 201,
    "organization_invite_by_key": 403,
    "organization_invitations": 200,
    "organization_withdraw": 204,
    "organization_security_events": 200,
    "organization_usage": 200,
    "key_rotation_create": 201,
    "key_rotation_create_unknown_field": 422,
    "key_rotation_create_publishable": 201,
    "key_rotation_update": 200,
    "key_rotation_update_bad_network": 422,
    "key_rotation_list": 200,
    "key_rotation_self": 200,
    "key_rotation_get": 200,
    "key_rotation_get_missing": 404,
    "key_rotation_rotate": 201,
    "key_rotation_revoke": 204,
    "webhooks_create": 201,
    "webhooks_create_private_address": 422,
    "webhooks_list": 200,
    "webhooks_get": 200,
    "webhooks_get_missing": 404,
    "webhooks_update": 200,
    "webhooks_delete": 204,
    "webhooks_rotate": 201,
    "webhooks_test": 202,
    "webhooks_attempts": 200,
    "webhooks_resend": 202,
    "leaked_keys_report": 200,
    "leaked_keys_report_changed": 403,
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
    "generation_create_by_end_user": 202,
    "generation_create_from_another_origin": 403,
    "generation_get_of_another": 404,
    "generation_list": 200,
    "generation_get": 200,
    "generation_cancel": 200,
    "generation_cancel_finished": 409,
    "generation_delete": 204,
    "images_create": 200,
    "images_create_transparent": 422,
    "images_create_unknown_model": 422,
    "images_edit": 200,
    "images_edit_link": 422,
    "images_wait": 200,
    "images_wait_missing": 404,
    "images_models": 200,
    "images_model": 200,
    "images_model_missing": 404,
    "asset_delivery_get": 200,
    "asset_delivery_content": 302,
    "asset_delivery_missing": 404,
    "asset_delivery_of_another": 404,
    "discovery_health": 200,
    "discovery_openapi": 200,
    "discovery_jwks": 200,
    "discovery_security_txt": 200,
    "discovery_security_page": 200,
    "discovery_fonts": 200,
    "discovery_presets": 200,
    "fallback_unknown_path": 404,
    "fallback_wrong_method": 405,
    "fallback_options": 204,
    "brand_intake_uploaded": "ready",
    "brand_intake_not_announced": "pending",
    "generation_worker_queued": ([], "succeeded"),
    "generation_worker_finished_job": ([], "queued"),
    "generation_worker_not_ours": (["c80e8021-a70a-42c7-a470-796e1186f753"], "queued"),
    "cleanup_schedule": {
        "requeued": 0,
        "released": 0,
        "deleted": 0,
        "failed": 0,
    },
    "mail_schedule": {"sent": 0, "withheld": 0, "dropped": 0, "failed": 0},
    "model_probe_daily": {"models": 0, "warnings": 0, "unknown": 0},
    # What failed, and the outcome of the delivery: no one listens at its address.
    "webhook_delivery_message": ([], "pending"),
    "webhook_delivery_attempt": ([], "failed"),
    "webhook_delivery_not_ours": (["5b0f7d3e-6a1c-4a58-9d3f-2f1c6b8e7a03"], "pending"),
    "webhook_delivery_schedule": {"asked": 0, "failed": 0},
    # What it answers with, or the code of its refusal.
    "administration_create_owner": ["email", "organization_name"],
    "administration_grant_credits": ["granted", "id"],
    "administration_set_plan": ["keys", "plan"],
    "administration_show_plan": ["monthly_credits", "plan", "pools"],
    "administration_audit": ["balanced", "wrong"],
    "administration_dead_letters": ["data"],
    "administration_no_such_limit": "validation_failed",
    # What failed, and the addresses that got mail.
    "mail_verification": ([], ["newcomer@example.com"]),
    "mail_invitation": ([], ["guest@example.com"]),
    "mail_key_created": ([], ["dev@example.com"]),
    "mail_key_leaked": ([], ["dev@example.com"]),
    "mail_quota": ([], ["dev@example.com"]),
    "mail_withdrawn_invitation": ([], []),
    "mail_one_of_unknown_kind": (["0d5f6a70-6f3e-4bb1-8a0a-7d0d2b6d5a05"], ["dev@example.com"]),
    "mail_feedback_bounce": ["bounce"],
    "mail_feedback_complaint": ["complaint"],
    "mail_feedback_transient": [],
    # How many public keys are trusted, and whether the pending version is the current one now.
    "signing_rotation_create": (3, False),
    "signing_rotation_set": (2, False),
    "signing_rotation_test": (2, False),
    "signing_rotation_finish": (2, True),
    # How many earlier peppers the newest version keeps, and whether it is the current one now.
    "pepper_rotation_create": (1, False),
    "pepper_rotation_set": (1, False),
    "pepper_rotation_test": (1, False),
    "pepper_rotation_finish": (1, True),
}


@pytest.fixture(scope="module")
def lived() -> sample_data.World:
    """What the samples speak of, made once by a product of its own."""
    with Product() as product:
        return sample_data.live(product)


@pytest.fixture
def world(lived: sample_data.World, product: Product) -> Product:
    """The product with the organization that the samples speak of."""
    lived.build(product)
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
    mails = len(world.mails())
    reported = world.invoke(function, event)
    match function:
        case "administration":
            effect: Any = reported.get("error", {}).get("code") or sorted(reported)
        case "brand_intake":
            effect = world.item("BrandsTable", "UPLOAD#")["status"]
        case "generation_worker":
            queued = f"GEN#{sample_data.QUEUED}"
            (job,) = [each for each in world.items("GenerationsTable") if each["sk"] == queued]
            effect = failures(reported), job["status"]
        case "mail" if "Records" in event:
            sent = [mail.destinations["ToAddresses"] for mail in world.mails()[mails:]]
            effect = failures(reported), [address for each in sent for address in each]
        case "webhook_delivery" if "Records" in event:
            effect = failures(reported), world.item("WebhooksTable", "DLV#")["status"]
        case "mail_feedback":
            items = world.items("AccountsTable")
            effect = [each["reason"] for each in items if each["sk"] == "SUPPRESSED"]
        case "signing_rotation":
            keys = world.call("GET", "/.well-known/jwks.json").json["keys"]
            effect = len(keys), is_current("SigningSecret")
        case "pepper_rotation":
            version = event["ClientRequestToken"]
            content = json.loads(secret("PepperSecret", VersionId=version)["SecretString"])
            effect = len(content["previous"]), is_current("PepperSecret")
        case _:
            effect = reported
    assert effect == expected


def failures(reported: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in reported["batchItemFailures"]]


def secret(name: str, **which: str) -> Any:
    return aws.client("secretsmanager").get_secret_value(SecretId=name, **which)


def is_current(name: str) -> bool:
    """Whether the version that the samples rotate to has become the current one."""
    current = secret(name, VersionStage="AWSCURRENT")["VersionId"]
    return bool(current == sample_data.PENDING_VERSION)


def test_samples_hold_no_credentials_but_the_samples_own() -> None:
    tokens = (
        sample_data.API_KEY,
        sample_data.access_token(),
        sample_data.session_token(),
    )
    known = {*(f"Bearer {token}" for token in tokens), None}
    cookies = {f"__Host-il_refresh={sample_data.refresh_cookie()}"}
    for path in FILES:
        event = json.loads(path.read_text("utf-8"))
        assert event.get("headers", {}).get("authorization") in known
        assert set(event.get("cookies", [])) <= cookies


def test_every_route_has_a_sample_that_it_serves() -> None:
    served = {
        json.loads(path.read_text("utf-8"))["routeKey"]
        for path in FILES
        if function_of(path) in HTTP_FUNCTIONS and EXPECTED[path.stem] < 400
    }
    # These three want a code that an authenticator shows at the time.
    coded = {
        "POST /v1/auth/totp/confirm",
        "POST /v1/auth/totp/recovery-codes",
        "POST /v1/auth/totp/disable",
    }
    assert served == {*ROUTES, "$default"} - coded
