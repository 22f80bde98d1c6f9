"""A request that has no body is answered without pydantic: importing it is most of a cold start."""

from __future__ import annotations

import os
import subprocess
import sys

from dev.settings import ROOT
from imagelayer.routes import ROUTES

WITHOUT_BODY = sorted(route for route, row in ROUTES.items() if not row.body)

# In a fresh interpreter: sign up, forget every module of the product, refuse pydantic and all
# schemas from then on, and ask for everything that has no body.
PROGRAM = """
import sys
from importlib.abc import MetaPathFinder
from tests.support import aws
from tests.support.endpoint_requests import LOG_OUT, credentials, request
from tests.support.product import Product

class Refuse(MetaPathFinder):
    @staticmethod
    def refuses(name):
        return name.split(".")[0] in {"pydantic", "pydantic_core"} or name.endswith("schemas")

    def find_spec(self, name, path, target=None):
        if self.refuses(name):
            raise ImportError(f"{name} is imported")

ROUTES = sorted(sys.argv[1:], key=lambda route: (route == LOG_OUT, not route.startswith("GET")))
with Product() as product:
    owner = product.account("dev@example.com")
    headers = {route: credentials(product, owner, route) for route in ROUTES}
    body = {"prompt": "waves", "size": "256x256"}
    created = product.call("POST", "/v1/generations", headers=owner.headers, body=body)
    product.work_queue()
    ids = {
        "brand_id": product.brand(owner)["id"],
        "generation_id": created.json["id"],
        "webhook_id": product.webhook(owner)["id"],
        "key_id": product.key(owner, "assets:read")["id"],
        "model_id": "studio",
    }
    requests = {route: request(route, ids) for route in ROUTES}
    ours = ("imagelayer", "functions", "pydantic", "pydantic_core")
    for name in list(sys.modules):
        if name.split(".")[0] in ours or name.removeprefix("tests.support.") in (
            "contract", "events", "functions", "product", "queues", "stored_data"
        ):
            del sys.modules[name]
    from tests.support.product import Product as Fresh
    # What the test's own helper needed is forgotten too.
    for name in list(sys.modules):
        if Refuse.refuses(name) or name == "imagelayer.access.leaked_keys":
            del sys.modules[name]
    sys.meta_path.insert(0, Refuse())
    fresh = Fresh(names=product.names, internal_errors_expected=True)
    fresh._platforms = {}
    for route in ROUTES:
        method, path, parts = requests[route]
        answer = fresh.call(method, path, headers=headers[route], **parts)
        print(route, "->", answer.status)
        assert answer.status < 500, fresh.output.getvalue()
    # Otherwise the test would prove nothing: a request with a body does import them.
    body = {"token": "x" * 60}
    assert fresh.call("POST", "/v1/auth/verify-email", body=body).status == 500
"""


def test_no_request_without_a_body_imports_pydantic_or_a_shape() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers/common'}"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *WITHOUT_BODY],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    answered = [line.partition(" -> ")[0] for line in result.stdout.splitlines() if " -> " in line]
    assert sorted(answered) == WITHOUT_BODY
