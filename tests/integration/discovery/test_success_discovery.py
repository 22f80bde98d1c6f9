"""What anybody may read."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import time

import pytest

from imagelayer.identity.tokens import verify_access
from imagelayer.platform.times import parse_rfc3339
from tests.support import contract
from tests.support.api import Account
from tests.support.product import Product


def test_health_tells_the_stage_and_nothing_else(product: Product) -> None:
    answer = product.call("GET", "/v1/health")
    assert (answer.status, answer.json) == (200, {"stage": "local", "status": "ok"})


def test_the_description_is_served_as_it_is_checked_with_the_deployments_address(
    product: Product,
) -> None:
    answer = product.call("GET", "/openapi.json")
    server = {"url": "http://front.invalid", "description": "This deployment"}
    assert json.loads(answer.text) == {**contract.description(), "servers": [server]}
    assert answer.headers["cache-control"] == "public, max-age=300"


def test_the_public_keys_verify_what_login_mints(product: Product, owner: Account) -> None:
    keys = product.call("GET", "/.well-known/jwks.json").json["keys"]
    by_kid = {key["kid"]: key for key in keys}
    claims = verify_access(owner.token, by_kid.get, issuer="http://front.invalid", now=time.time())
    assert claims.user_id == owner.user_id


@pytest.mark.promise("sessions-short")
def test_no_private_part_of_a_key_is_public(product: Product, owner: Account) -> None:
    keys = product.call("GET", "/.well-known/jwks.json").json["keys"]
    assert [set(key) for key in keys] == [{"crv", "kty", "x", "kid", "alg", "use"}]


def test_every_font_that_is_listed_may_be_a_brands(product: Product, owner: Account) -> None:
    faces = [
        {"family": font["family"], "weight": weight}
        for font in product.call("GET", "/v1/fonts").json["data"]
        for weight in font["weights"]
    ]
    for pair in itertools.batched(faces, 2, strict=False):
        typography = {"heading": pair[0], "body": pair[-1]}
        assert product.brand(owner, typography=typography)["typography"] == typography


def test_every_preset_that_is_listed_may_be_asked_for(product: Product, owner: Account) -> None:
    for preset in product.call("GET", "/v1/presets").json["data"]:
        body = {"prompt": "waves", "preset": preset["id"]}
        job = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
        assert job.status == 202
        assert (job.json["width"], job.json["height"]) == (preset["width"], preset["height"])


def test_before_the_first_login_there_is_no_key(product: Product) -> None:
    assert product.call("GET", "/.well-known/jwks.json").json == {"keys": []}


@pytest.mark.promise("report-vulnerability")
def test_security_txt_says_how_to_report_and_never_lapses(product: Product) -> None:
    answer = product.call("GET", "/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"].startswith("mailto:")
    assert fields["Canonical"] == "http://front.invalid/.well-known/security.txt"
    assert fields["Policy"] == "http://front.invalid/security"
    expires = parse_rfc3339(fields["Expires"])
    assert expires is not None
    assert 30 * 86_400 < expires - time.time() < 365 * 86_400


@pytest.mark.promise("report-vulnerability")
def test_the_security_page_is_a_page_that_loads_nothing(product: Product) -> None:
    answer = product.call("GET", "/security")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.lstrip().lower().startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    for header in ("strict-transport-security", "x-content-type-options", "x-frame-options"):
        assert header in answer.headers
