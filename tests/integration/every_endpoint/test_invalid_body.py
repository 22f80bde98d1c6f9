"""Bad input to every endpoint that takes a body: the right status, nothing written or leaked."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.routes import ROUTES
from tests.support.api import Account
from tests.support.endpoint_requests import WITH_BODY, credentials, request
from tests.support.product import Product

SECRET = "SeKrEtVaLuE"
FORM = {"content-type": "application/x-www-form-urlencoded"}
LATIN_1 = "application/json; charset=iso-8859-1"
TOO_BIG = object()  # for the endpoint it is sent to
BAD: dict[str, tuple[Any, dict[str, str], int, str]] = {
    "no json": ("{nope", {}, 400, "malformed_json"),
    "cut off": ('{"email": "dev@exam', {}, 400, "malformed_json"),
    "too deep": ("[" * 20_000, {}, 400, "malformed_json"),
    "a list": ("[]", {}, 422, "validation_failed"),
    "null": ("null", {}, 422, "validation_failed"),
    "a text": (f'"{SECRET}"', {}, 422, "validation_failed"),
    "unknown field": ({"made_up": SECRET}, {}, 422, "validation_failed"),
    "too big": (TOO_BIG, {}, 413, "body_too_large"),
    "form": ("a=b", FORM, 415, "unsupported_media_type"),
    "plain": ("{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    "gzip": ("{}", {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
    "latin-1": ("{}", {"content-type": LATIN_1}, 415, "unsupported_media_type"),
    "lossy": ('{"name": "caf\ufffd"}', {}, 400, "malformed_json"),
    "twice": ('{"name": "a", "name": "b"}', {}, 422, "validation_failed"),
    "xml": ("<a/>", {"content-type": "application/xml"}, 415, "unsupported_media_type"),
}


@pytest.mark.promise("body-limits", "errors-sanitized")
@pytest.mark.parametrize("route", WITH_BODY)
def test_a_bad_body_is_refused_in_the_one_shape_and_changes_nothing(
    product: Product, owner: Account, route: str
) -> None:
    good = credentials(product, owner, route)
    before = product.counts()
    method, path, _ = request(route)
    for number, (bad, (body, headers, status, code)) in enumerate(BAD.items()):
        sent = {**good, **headers}
        ip = f"203.0.113.{number}"
        too_big = '{"a":"' + "x" * ROUTES[route].max_body_bytes + '"}'
        text = too_big if body is TOO_BIG else body
        answer = product.call(method, path, body=text, headers=sent, ip=ip)
        assert (answer.status, answer.json["code"]) == (status, code), bad
        assert SECRET not in answer.text, bad
        assert not answer.cookies, bad
    assert product.counts() == before


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize("route", WITH_BODY)
def test_every_field_of_a_wrong_type_is_named_at_once(
    product: Product, owner: Account, route: str
) -> None:
    good = credentials(product, owner, route)
    before = product.counts()
    method, path, _ = request(route)
    body_of = ROUTES[route].body
    assert body_of is not None
    shape = body_of()
    # A mask may have any shape, because it is refused whatever it is.
    fields = [name for name, field in shape.model_fields.items() if field.annotation is not Any]
    for number, wrong in enumerate(([[SECRET]], {SECRET: SECRET}, -1.5)):
        body = dict.fromkeys(fields, wrong)
        ip = f"203.0.113.{number}"
        answer = product.call(method, path, body=body, headers=good, ip=ip)
        assert answer.status == 422, wrong
        named = {each["location"].split(".")[1] for each in answer.json["errors"]}
        assert named == set(body), wrong
        assert SECRET not in answer.text
    assert product.counts() == before
