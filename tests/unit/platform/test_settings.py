"""A function refuses to start with a configuration that is not safe."""

from __future__ import annotations

import pytest

from imagelayer.platform.settings import SECRET_SCANNING_URL, TURNSTILE_URL, Misconfigured, Settings

PROD = {"STAGE": "prod", "BASE_URL": "https://imagelayer.example", "AWS_REGION": "eu-west-1"}


def test_a_complete_configuration_is_read() -> None:
    settings = Settings.read({**PROD, "BASE_URL": "https://imagelayer.example/", "X": "5"})
    assert (settings.stage, settings.base_url, settings.region) == (
        "prod",
        "https://imagelayer.example",
        "eu-west-1",
    )
    assert settings.need("X") == "5"
    assert (settings.number("X", 1), settings.number("Y", 7)) == (5, 7)
    assert not settings.is_local
    assert settings.turnstile_url == TURNSTILE_URL
    assert settings.secret_scanning_url == SECRET_SCANNING_URL
    assert settings.edge_secret_sha256 == ""


@pytest.mark.promise("tls-only", "captcha")
@pytest.mark.parametrize(
    "changes",
    [
        {"STAGE": ""},
        {"STAGE": "production"},
        {"STAGE": "LOCAL"},
        {"BASE_URL": ""},
        {"BASE_URL": "http://imagelayer.example"},
        {"BASE_URL": "imagelayer.example"},
        {"BASE_URL": "https://"},
        {"BASE_URL": "javascript:alert(1)//https://"},
        {"TURNSTILE_URL": "http://127.0.0.1:1234/siteverify"},
        {"TURNSTILE_URL": TURNSTILE_URL},
        {"SECRET_SCANNING_URL": "http://127.0.0.1:1234/keys"},
        {"SECRET_SCANNING_URL": SECRET_SCANNING_URL},
        {"STAGE": "dev", "TURNSTILE_URL": "https://evil.example"},
        {"OPENAI_BASE_URL": "http://gateway.example/v1"},
        {"GOOGLE_BASE_URL": "http://127.0.0.1:1234/v1beta"},
        {"BEDROCK_ENDPOINT_URL": "http://bedrock.example"},
        {"BEDROCK_ENDPOINT_URL": "bedrock.example"},
    ],
)
def test_an_insecure_configuration_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        Settings.read({**PROD, **changes})


@pytest.mark.parametrize("missing", ["STAGE", "BASE_URL"])
def test_there_is_no_default_for_what_decides_security(missing: str) -> None:
    with pytest.raises(Misconfigured):
        Settings.read({name: value for name, value in PROD.items() if name != missing})


def test_stand_ins_are_for_the_local_stage() -> None:
    local = Settings.read(
        {
            "STAGE": "local",
            "BASE_URL": "http://127.0.0.1:8000",
            "TURNSTILE_URL": "http://x/",
            "SECRET_SCANNING_URL": "http://y/",
        }
    )
    assert local.is_local
    assert (local.turnstile_url, local.secret_scanning_url) == ("http://x/", "http://y/")


def test_a_gateway_of_ones_own_is_configuration() -> None:
    gateway = "https://gateway.example/v1"
    assert Settings.read({**PROD, "OPENAI_BASE_URL": gateway}).need("OPENAI_BASE_URL") == gateway


@pytest.mark.parametrize(
    ("told", "providers"),
    [("", ()), (",,", ()), ("openai,,", ("openai",)), (",google,bedrock", ("google", "bedrock"))],
)
def test_providers_are_those_that_are_named(told: str, providers: tuple[str, ...]) -> None:
    assert Settings.read({**PROD, "IMAGE_PROVIDERS": told}).image_providers == providers


def test_a_setting_that_is_missing_or_empty_is_named() -> None:
    settings = Settings.read({**PROD, "EMPTY": ""})
    for name in ("EMPTY", "ABSENT"):
        with pytest.raises(Misconfigured, match=name):
            settings.need(name)


def test_settings_do_not_show_the_environment() -> None:
    assert "hunter2" not in repr(Settings.read({**PROD, "SOME_SECRET": "hunter2"}))
