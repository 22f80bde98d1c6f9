"""Traces are made where the template turns them on, and nothing of X-Ray is loaded elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dev.settings import ROOT

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
SCRIPT = """
import json, sys
from imagelayer.platform.tracing import traced

@traced
def handler(event, context):
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError
    config = Config(retries={"total_max_attempts": 1})
    client = Session().client("dynamodb", endpoint_url="http://127.0.0.1:9", config=config)
    try:
        client.get_item(TableName="table", Key={"pk": {"S": "a key of an item"}})
    except EndpointConnectionError:
        pass
    if event["fails"]:
        raise ValueError("a prompt about otters")
    return {"answer": "a secret"}

sent = []
if sys.argv[1] == "Active":
    from aws_xray_sdk.core import xray_recorder
    class Emitter:
        def send_entity(self, entity):
            sent.append(entity.serialize())
        def set_daemon_address(self, address):
            pass
    xray_recorder.configure(emitter=Emitter(), context_missing="LOG_ERROR")
try:
    answer = handler({"fails": sys.argv[2] == "fails"}, None)
except ValueError as fault:
    answer = str(fault)
print(json.dumps({
    "answer": answer,
    "sent": sent,
    "loaded": [name for name in sys.modules if "xray" in name or name == "wrapt"],
}))
"""


def run(tracing: str, how: str = "works") -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "layers/common"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TRACING": tracing,
        "FUNCTION": "brand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        # As in Lambda.
        "LAMBDA_TASK_ROOT": "/var/task",
        "_X_AMZN_TRACE_ID": TRACE,
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tracing, how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("tracing", ["PassThrough", ""])
def test_without_tracing_a_handler_answers_and_loads_nothing_of_x_ray(tracing: str) -> None:
    seen = run(tracing)
    assert seen["answer"] == {"answer": "a secret"}
    assert (seen["sent"], seen["loaded"]) == ([], [])


@pytest.mark.parametrize("how", ["works", "fails"])
def test_with_tracing_an_invocation_is_a_segment_with_its_aws_calls_and_no_contents(
    how: str,
) -> None:
    seen = run("Active", how)
    assert seen["answer"] == ({"answer": "a secret"} if how == "works" else "a prompt about otters")
    sent = "".join(seen["sent"])
    assert '"name": "## handler"' in sent
    assert '"operation": "GetItem"' in sent
    assert ('"Fault": "ValueError"' in sent) == (how == "fails")
    for content in ("a secret", "otters", "a key of an item"):
        assert content not in sent
