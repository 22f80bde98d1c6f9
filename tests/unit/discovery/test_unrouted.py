"""Which methods a path has, and which path a wrong one probably means."""

from __future__ import annotations

import re

import pytest

from imagelayer.discovery import unrouted
from imagelayer.routes import ROUTES

PATHS = sorted({route.path for route in ROUTES.values()})
ID = "gen_01JABCDEFGHJKMNPQRSTVWXYZ0"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/models", ["GET", "HEAD", "OPTIONS"]),
        ("/v1/brands", ["GET", "HEAD", "OPTIONS", "POST"]),
        (f"/v1/brands/{ID}", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]),
        ("/v1/auth/login", ["OPTIONS", "POST"]),
        # The gateway chooses per method: what the literal path lacks, the variable takes.
        ("/v1/keys/self", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]),
        ("/v1/nope", []),
        ("/v1/brands/", []),
        ("/v1/brands//assets", []),
        ("/", []),
        ("", []),
    ],
)
def test_a_path_has_the_methods_of_every_route_that_takes_it(path: str, methods: list[str]) -> None:
    assert unrouted.methods_of(path) == methods


@pytest.mark.parametrize("path", PATHS)
def test_every_slip_of_a_known_path_is_led_back_to_it(path: str) -> None:
    right = re.sub(r"{\w+}", ID, path)
    slips = {
        f"{right}/": "without the slash at its end",
        right.replace("/", "//", 1): "with single slashes",
    }
    if right[1].isalpha():
        slips[f"/{right[1].upper()}{right[2:]}"] = "in lower case"
    if path.startswith("/v1/"):
        slips |= {right.removeprefix("/v1"): "with /v1 in front", f"/v1{right}": "with /v1 once"}
    for slip, difference in slips.items():
        assert unrouted.methods_of(slip) == [], slip
        named = re.fullmatch(rf"The path is (\S+), {difference}\.", unrouted.advice(slip))
        assert named is not None, slip
        # `/v1/keys/self` is one of `/v1/keys/{key_id}` too.
        assert re.fullmatch(re.sub(r"{\w+}", "[^/]+", named[1]), right), slip


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/images/generations", "The path is /v1/images/generations, with /v1 in front."),
        (
            "//Images/generations/",
            "The path is /v1/images/generations, with single slashes and without the slash at its "
            "end and with /v1 in front and in lower case.",
        ),
        (
            f"/v1/generations/{ID}/",
            "The path is /v1/generations/{generation_id}, without the slash at its end.",
        ),
        ("/v1/chat/completions", "Every route is listed in /openapi.json."),
        ("/", "Every route is listed in /openapi.json."),
        ("/" * 5000, "Every route is listed in /openapi.json."),
        ("/v1/il_live_secret", "Every route is listed in /openapi.json."),
    ],
)
def test_the_advice_names_the_path_and_repeats_nothing_of_the_request(
    path: str, advice: str
) -> None:
    assert unrouted.advice(path) == advice
