"""The saved queries name fields that the functions' lines have."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.http import app
from tests.support.api import Account
from tests.support.log_queries import OF_GATEWAY, QUERIES, SYSTEM, fields, messages
from tests.support.product import Product
from tests.support.provider_stubs import LIVING, ProviderStubs

NOT_A_MESSAGE: dict[str, Any] = {
    "messageId": "a8f3",
    "body": "{}",
    "attributes": {"ApproximateReceiveCount": "1"},
}


def test_every_query_names_fields_of_the_lines_that_it_is_about(
    product: Product,
    providers: ProviderStubs,
    owner: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert product.call("GET", "/v1/nope").status == 404
    with product.broken("dynamodb", "Query"):
        assert product.call("GET", "/v1/brands", headers=owner.headers).status == 503
    product.internal_errors_expected = True
    with monkeypatch.context() as patch:
        patch.setattr(app, "client_address", None)  # cannot be called
        assert product.call("GET", "/v1/health").status == 500
    assert product.call("GET", "/v1/brands").status == 401
    for function in ("generation_worker", "mail", "webhook_delivery"):
        product.invoke(function, {"Records": [NOT_A_MESSAGE | {"eventSource": "aws:sqs"}]})
    product.invoke("cleanup", {})
    providers.fail("bad_key")
    body = {"prompt": "waves", "size": "512x512", "model": next(iter(LIVING.values()))}
    assert product.call("POST", "/v1/generations", headers=owner.headers, body=body).status == 202
    product.work_queue()

    lines = product.logs()
    for query in QUERIES.keys() - OF_GATEWAY:
        wanted = messages(query)
        about = [line for line in lines if line.get("message") in wanted]
        assert {line["message"] for line in about} == wanted, query
        have = {name for line in about for name in line}
        assert fields(query) - SYSTEM <= have, query
