"""CPU time from process start to a served request: reads and writes of each function, as ratios.

Two references run beside them: boto3 with a DynamoDB client alone, and the naive full set, which
also declares a pydantic model, a Powertools resolver with validation and a logger, verifies a
token, and reads one item, since no request of ours makes fewer calls. Both use the development
environment with its bytecode warm and none of our settings. Each function runs in a fresh process
on nothing but its built layer, with its own environment, against the local cloud's DynamoDB, and
serves one real request. CPU time is user plus system of the whole process, so the emulator's work
does not count and other processes disturb little. Each process ends at once when it is done, the
references too: what an interpreter clears up on its way out does not belong to a start. Runs
alternate between the cases and the median counts.

`python -m benchmarks.cold_start [--before BUILD] [--cloud URL] [--runs N] [--only TEXT]`, where
BUILD is the `.aws-sam/local` of an older version, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.imports import layer_sizes
from dev.local_cloud import LocalCloud
from dev.settings import ROOT, ROOT_KEY
from imagelayer.identity.passwords import Peppers, hash_password
from tests.support.api_clients import CAPTCHA, PASSWORD, Visitor
from tests.support.cloud_clients import new_address, new_owner
from tests.support.events import http_event

RUNS = 15
OWNERS = 4  # an account's logins and password checks are limited
BUILT = ROOT / ".aws-sam" / "local"
RENEW_SECONDS = 300  # half an access token's life
# A hash at cost 12 is work, not start, and would drown what is measured here.
BCRYPT_COST = 4
TARGETS = {"read": 1.2, "write": 1.5, "login": 1.7}
NAIVE_TARGET = 0.8
END = """
import os, sys
sys.stdout.flush()
os._exit(0)
"""
SERVE = """
import json, sys
sys.path[:0] = sys.argv[2:]
import app
answer = app.handler(json.loads(sys.stdin.read()), None)
assert answer["statusCode"] == int(sys.argv[1]), answer
"""
REFERENCE = """
import boto3
boto3.client("dynamodb")
"""
NAIVE = """
import json, os, sys
import boto3, jwt
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

class Ask(BaseModel):
    prompt: str
    size: str

client = boto3.client("dynamodb")
log = Logger(service="naive")
app = APIGatewayHttpResolver(enable_validation=True)
key = Ed25519PrivateKey.from_private_bytes(bytes(32))
token = jwt.encode({"sub": "someone"}, key, algorithm="EdDSA")

@app.post("/v1/generations")
def create(ask: Ask) -> dict[str, str]:
    jwt.decode(token, key.public_key(), algorithms=["EdDSA"])
    nothing = {"pk": {"S": "-"}, "sk": {"S": "-"}}
    client.get_item(TableName=os.environ["COUNTERS_TABLE"], Key=nothing)
    return {"prompt": ask.prompt}

answer = app.resolve(json.loads(sys.stdin.read()), None)
assert answer["statusCode"] == 200, answer
"""


@dataclass(frozen=True)
class Case:
    """One request. `event` makes it anew for each run, given the run's number."""

    function: str
    kind: str  # of TARGETS
    event: Callable[[int], dict[str, Any]]
    status: int
    # What sets it apart from another case of its route, and the runs that make it so.
    note: str = ""
    rehearsals: int = 0

    @property
    def name(self) -> str:
        """The function and the route."""
        return f"{self.function} {self.event(0)['routeKey']}{self.note}"


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
        "BCRYPT_COST": str(BCRYPT_COST),
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
        "AWS_REGION": info["region"],
        "AWS_DEFAULT_REGION": info["region"],
        # Through the proxy, which stands for TLS: the queues refuse plain transport.
        "AWS_ENDPOINT_URL": info["aws_endpoint"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.environ["PATH"],
    }


def weaken_passwords(cloud: LocalCloud, owners: list[Visitor]) -> None:
    """Store the owners' passwords at the cost that is measured with."""
    environment = environment_of("login", cloud)
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=environment["PEPPER_SECRET_ID"]
    )
    peppers = Peppers.of(json.loads(secret["SecretString"])["current"])
    for owner in owners:
        cloud.client("dynamodb").update_item(
            TableName=environment["ACCOUNTS_TABLE"],
            Key={"pk": {"S": f"USER#{owner.user_id}"}, "sk": {"S": "USER"}},
            UpdateExpression="SET password_hash = :hash",
            ConditionExpression="attribute_exists(password_hash)",
            ExpressionAttributeValues={
                ":hash": {"S": hash_password(PASSWORD, peppers, cost=BCRYPT_COST)}
            },
        )


def cases_of(cloud: LocalCloud, owners: list[Visitor]) -> Iterator[Case]:
    """A read and a write of each HTTP function that has them."""
    owner = owners[0]
    job = owner.generate(size="256x256")
    webhook = f"/v1/organization/webhooks/{owner.webhook()['id']}"
    brand = f"/v1/brands/{owner.brand['id']}"
    key = {"authorization": f"Bearer {owner.key['key']}"}

    def token() -> dict[str, str]:
        return {"authorization": f"Bearer {owner.access_token}"}

    def case(
        function: str,
        kind: str,
        route: str,
        status: int = 200,
        headers: Callable[[], dict[str, str]] | dict[str, str] | None = None,
        body: Callable[[int], Any] | Any = None,
    ) -> Case:
        def event(run: int) -> dict[str, Any]:
            sent = body(run) if callable(body) else body
            shown = headers() if callable(headers) else headers
            method, _, path = route.partition(" ")
            # Another address each run: calls without credentials are limited by it.
            return http_event(method, path, body=sent, headers=shown, ip=new_address())

        return Case(function, kind, event, status)

    def sign_up(_: int) -> dict[str, str]:
        return {"email": f"{new_address()}@example.com", "turnstile_token": CAPTCHA}

    homes = [new_address() for _ in owners]

    def log_in(run: int, ip: str) -> dict[str, Any]:
        body = {"email": owners[run % OWNERS].email, "password": PASSWORD}
        return http_event("POST", "/v1/auth/login", body=body, ip=ip)

    def enrol(run: int) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {owners[run % OWNERS].access_token}"}
        body = {"password": PASSWORD}
        return http_event("POST", "/v1/auth/totp", body=body, headers=headers, ip=new_address())

    def report(_: int) -> dict[str, Any]:
        body = json.dumps(
            [{"token": "il_live_unknown", "type": "imagelayer", "url": "", "source": ""}]
        )
        signed = cloud.http.post("/_local/secret-scanning/sign", content=body).json()
        return http_event("POST", "/v1/leaked-keys", body=body, headers=signed, ip=new_address())

    ask = {"prompt": "cold start", "size": "256x256"}
    yield case("discovery", "read", "GET /v1/health")
    yield case("asset_delivery", "read", f"GET /v1/assets/{job['assets'][0]['id']}", headers=key)
    yield case("key_rotation", "read", "GET /v1/keys/self", headers=key)
    yield case("brand", "read", "GET /v1/brands", headers=key)
    yield case("brand", "read", f"GET {brand}", headers=token)
    yield case("generation", "read", f"GET /v1/generations/{job['id']}", headers=key)
    yield case("images", "read", "GET /v1/models", headers=key)
    yield case("webhooks", "read", "GET /v1/organization/webhooks", headers=token)
    yield case("organization", "read", "GET /v1/organization", headers=token)
    yield case("organization", "read", "GET /v1/organization/usage", headers=key)
    yield case("login", "read", "GET /v1/auth/me", headers=token)
    yield case("registration", "read", "GET /verify-email")
    yield case("password", "read", "GET /reset-password")
    yield case(
        "key_rotation", "write", f"PATCH /v1/keys/{owner.key['id']}", 200, token, {"name": "cold"}
    )
    yield case("brand", "write", f"PATCH {brand}", 200, key, {"name": "Cold"})
    yield case("generation", "write", "POST /v1/generations", 202, key, ask)
    yield case("session", "write", "POST /v1/auth/session", 201, key, {"end_user_id": "cold"})
    yield case("webhooks", "write", f"PATCH {webhook}", 200, token, {"description": "cold"})
    yield case("organization", "write", "PATCH /v1/organization", 200, token, {"name": "Cold"})
    yield case(
        "password", "write", "POST /v1/auth/password/forgot", 202, None, {"email": owner.email}
    )
    yield Case("second_factor", "write", enrol, 201)
    yield Case("leaked_keys", "write", report, 200)
    yield case("registration", "login", "POST /v1/auth/register", 202, None, sign_up)
    yield Case(
        "login",
        "login",
        lambda run: log_in(run, homes[run % OWNERS]),
        200,
        " from a known place",
        rehearsals=OWNERS,
    )
    yield Case("login", "login", lambda run: log_in(run, new_address()), 200, " from a new place")


def naive_event() -> str:
    """A request for the naive function, signature checked and body validated."""
    event = http_event("POST", "/v1/generations", body={"prompt": "cold", "size": "256x256"})
    event["requestContext"] |= {"stage": "$default"}
    return json.dumps(event)


def measure(
    cloud: LocalCloud, builds: dict[str, Path], runs: int, only: str
) -> tuple[list[Case], dict[tuple[str, str], list[float]]]:
    """Milliseconds by case and build, of which the first round is dropped."""
    owners = [new_owner(cloud) for _ in range(OWNERS)]
    weaken_passwords(cloud, owners)
    cases = [each for each in cases_of(cloud, owners) if only in each.name]
    environments = {each.function: environment_of(each.function, cloud) for each in cases}
    plain = environment_of("discovery", cloud)
    del plain["PYDANTIC_DISABLE_PLUGINS"]
    times: dict[tuple[str, str], list[float]] = {}

    def note(name: str, build: str, spent: float) -> None:
        times.setdefault((name, build), []).append(spent)

    def serve(each: Case, folder: Path, run: int) -> float:
        command = [sys.executable, "-I", "-S", "-c", SERVE + END, str(each.status)]
        command += [str(folder / logical_id(each.function))]
        command += [str(folder / "CommonLayer" / "python")]
        return cpu_ms(command, environments[each.function], json.dumps(each.event(run)))

    for each in cases:
        for run in range(each.rehearsals):
            serve(each, builds["now"], run)
    logged_in = time.monotonic()
    for number in range(runs + 1):
        if time.monotonic() - logged_in > RENEW_SECONDS:
            for owner in owners:
                owner.log_in()
            weaken_passwords(cloud, owners)  # the login has stored them at the deployed cost
            logged_in = time.monotonic()
        note("boto3", "", cpu_ms([sys.executable, "-c", REFERENCE + END], plain))
        note("naive", "", cpu_ms([sys.executable, "-c", NAIVE + END], plain, naive_event()))
        for each in cases:
            for build, folder in builds.items():
                note(each.name, build, serve(each, folder, number))
    return cases, {key: values[1:] for key, values in times.items()}


def main(
    cloud: LocalCloud, *, before: Path | None = None, runs: int = RUNS, only: str = ""
) -> None:
    """Measure and print a table."""
    builds = {"before": before} if before else {}
    builds["now"] = BUILT
    cases, times = measure(cloud, builds, runs, only)
    medians = {key: statistics.median(values) for key, values in times.items()}
    boto3, naive = medians["boto3", ""], medians["naive", ""]
    print(f"CPU ms, median of {runs}; in brackets the least and the most\n")
    columns = [f"{name} | {name} / boto3" for name in builds]
    print(f"| function and request | kind | {' | '.join(columns)} | target | now / naive |")
    print("| --- | --- |" + " ---: | ---: |" * len(builds) + " ---: | ---: |")
    for name, median in (("*boto3*", boto3), ("*naive full set*", naive)):
        least, most = (pick(times[name.strip("*").split()[0], ""]) for pick in (min, max))
        shown = f"{median:.0f} ({least:.0f}, {most:.0f})"
        print(f"| {name} | | {' | | ' * (len(builds) - 1)}{shown} | {median / boto3:.2f} | | |")
    for each in cases:
        cells = []
        for build in builds:
            spent = times[each.name, build]
            median = medians[each.name, build]
            cells += [f"{median:.0f} ({min(spent):.0f}, {max(spent):.0f})", f"{median / boto3:.2f}"]
        target, ratio = TARGETS[each.kind], medians[each.name, "now"] / naive
        missed = " **over**" if medians[each.name, "now"] / boto3 > target else ""
        over = " **over**" if ratio > NAIVE_TARGET else ""
        print(
            f"| {each.name} | {each.kind} | {' | '.join(cells)} "
            f"| {target}{missed} | {ratio:.2f}{over} |"
        )
    for build, folder in builds.items():
        sizes = ", ".join(f"{name} {size:.1f} MB" for name, size in layer_sizes(folder).items())
        print(f"\nlayers {build}: {sizes}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, default=os.environ.get("COLD_START_BEFORE"))
    parser.add_argument("--cloud", default=os.environ.get("LOCAL_CLOUD_URL"))
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    running = LocalCloud.attach(given.cloud) if given.cloud else LocalCloud()
    with running as local_cloud:
        main(local_cloud, before=given.before, runs=given.runs, only=given.only)
