"""CPU time from process start to a served request, each HTTP function, as a ratio.

Reference: `import boto3; boto3.client("dynamodb")` alone, in the same run, with the boto3 of the
development environment and its bytecode warm. Each function runs in a fresh process on nothing but
its built layer, with its own environment, against the local cloud's DynamoDB, and serves one real
request. CPU time is user plus system of the whole process, so the emulator's work does not count
and other processes disturb little. Runs alternate between the cases; the median is told.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from typing import Any

from dev.local_cloud import LocalCloud
from dev.settings import ROOT, ROOT_KEY
from tests.support.api_clients import CAPTCHA, PASSWORD, Visitor
from tests.support.cloud_clients import new_address
from tests.support.events import http_event

RUNS = 15
BUILT = ROOT / ".aws-sam" / "local"
LAYER = BUILT / "CommonLayer" / "python"
SERVE = """
import json, sys
sys.path[:0] = sys.argv[2:]
import app
answer = app.handler(json.loads(sys.stdin.read()), None)
assert answer["statusCode"] == int(sys.argv[1]), answer
"""
REFERENCE = 'import boto3; boto3.client("dynamodb")'


def cpu_ms(command: list[str], environment: dict[str, str], stdin: str = "") -> float:
    """User and system time of one fresh process, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, env=environment, input=stdin, text=True, check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def logical_id(function: str) -> str:
    """The template's name of a function."""
    return "".join(part.title() for part in function.split("_")) + "Function"


def environment_of(function: str, cloud: LocalCloud) -> dict[str, str]:
    """What the deployed function sees, with root credentials and without the edge."""
    info = cloud.info
    deployed = cloud.client("lambda").get_function_configuration(
        FunctionName=info["functions"][logical_id(function)]
    )
    return {
        **deployed["Environment"]["Variables"],
        "EDGE_SECRET_SHA256": "",
        # A hash at cost 12 is work, not start, and would drown what is measured here.
        "BCRYPT_COST": "4",
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_REGION": info["region"],
        "AWS_DEFAULT_REGION": info["region"],
        # Through the proxy, which stands for TLS: the queues refuse plain transport.
        "AWS_ENDPOINT_URL": info["aws_endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.environ["PATH"],
    }


def requests_of(owner: Visitor, asset_id: str) -> dict[str, tuple[dict[str, Any], int]]:
    """One real request for each HTTP function, and the status that says it was served."""
    key = {"authorization": f"Bearer {owner.key['key']}"}
    token = {"authorization": f"Bearer {owner.access_token}"}
    sign_up = {
        "email": "",
        "password": PASSWORD,
        "name": "Cold Start",
        "organization_name": "Cold",
        "turnstile_token": CAPTCHA,
    }
    log_in = {"email": owner.email, "password": PASSWORD}
    ask = {"prompt": "cold start", "size": "256x256"}
    return {
        "discovery": (http_event("GET", "/v1/health"), 200),
        "registration": (http_event("POST", "/v1/auth/register", body=sign_up), 202),
        "login": (http_event("POST", "/v1/auth/login", body=log_in), 200),
        "key_rotation": (http_event("GET", "/v1/keys/self", headers=key), 200),
        "brand": (http_event("GET", "/v1/brands", headers=token), 200),
        "generation": (
            http_event("POST", "/v1/generations", body=ask, headers=key),
            202,
        ),
        "asset_delivery": (http_event("GET", f"/v1/assets/{asset_id}", headers=key), 200),
        "session": (
            http_event("POST", "/v1/auth/session", body={"end_user_id": "cold"}, headers=key),
            201,
        ),
        "organization": (http_event("GET", "/v1/organization", headers=token), 200),
        "password": (
            http_event("POST", "/v1/auth/password/forgot", body={"email": owner.email}),
            202,
        ),
        "second_factor": (
            http_event("POST", "/v1/auth/totp", body={"password": PASSWORD}, headers=token),
            201,
        ),
    }


def main(cloud: LocalCloud) -> None:
    """Measure and print a table."""
    python = sys.executable
    owner, _ = (
        Visitor(cloud.base_url, cloud.mail, new_address(), f"owner{each}@example.com").sign_up()
        for each in range(2)
    )
    owner.make_key()
    asset_id = owner.generate(size="256x256")["assets"][0]["id"]
    cases = requests_of(owner, asset_id)
    times: dict[str, list[float]] = {name: [] for name in ("reference", *cases)}
    environments = {function: environment_of(function, cloud) for function in cases}
    for run in range(RUNS + 1):
        times["reference"].append(cpu_ms([python, "-c", REFERENCE], environments["discovery"]))
        for function, (event, status) in cases.items():
            if function in ("registration", "login"):
                # Another address each run; two owners, because an account's logins are limited.
                names = {"registration": f"cold{run}", "login": f"owner{run % 2}"}
                body = json.loads(event["body"]) | {"email": f"{names[function]}@example.com"}
                event["body"] = json.dumps(body)
            event["requestContext"]["http"]["sourceIp"] = new_address()
            command = [python, "-I", "-S", "-c", SERVE, str(status)]
            command += [str(BUILT / logical_id(function)), str(LAYER)]
            times[function].append(cpu_ms(command, environments[function], json.dumps(event)))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    print(f"{'':16s} CPU ms (median of {RUNS})   min   max  ratio")
    for name, values in times.items():
        kept = values[1:]
        ratio = medians[name] / medians["reference"]
        print(f"{name:16s} {medians[name]:22.0f} {min(kept):5.0f} {max(kept):5.0f}  {ratio:5.2f}")
