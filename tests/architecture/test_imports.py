"""Importing the layer touches no network and makes no AWS client, and loads little."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.settings import ROOT
from imagelayer.routes import ROUTES
from tests.support.events import http_event

LAYER = ROOT / "layers/common"
MODULES = sorted(
    ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")
    for path in (LAYER / "imagelayer").rglob("*.py")
)
HANDLERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
HTTP_HANDLERS = sorted({route.function for route in ROUTES.values()})
# What a request imports when it has a body, a token, a log line or an event to count.
LATE = (
    "aws_lambda_powertools",
    "cryptography.hazmat.bindings._rust",
    "jwt",
    "pydantic",
    *(each for each in MODULES if each.endswith(".records")),
)

# Run in a fresh interpreter: nothing of ours is imported yet, and any connection or client ends it.
GUARD = """
import importlib, os, socket, sys

def refuse(*_, **__):
    raise SystemExit("importing reached for the network")

class Refused(socket.socket):
    connect = connect_ex = sendto = sendmsg = refuse  # urllib3 binds one to look for IPv6

socket.socket = Refused
for attribute in ("create_connection", "getaddrinfo", "gethostbyname"):
    setattr(socket, attribute, refuse)
assert not [name for name in os.environ if name.startswith("AWS_")]

def guarded(name, heavy):
    importlib.import_module(name)
    if "boto3.session" in sys.modules:
        sys.modules["boto3.session"].Session.client = refuse
    if "botocore.session" in sys.modules:
        sys.modules["botocore.session"].Session.create_client = refuse
    clients = [each for each in sys.modules if each in heavy]
    if clients:
        raise SystemExit(f"importing {name} imports " + ", ".join(clients))
"""
ONE = "guarded(sys.argv[1], sys.argv[2].split())"
# A child process for each name. Loaded before: what makes imports slow, none of it ours or heavy.
EACH = """
import aws_lambda_powertools, jwt, numpy, PIL.Image, pydantic
import cryptography.hazmat.primitives.ciphers.aead
strangers = [each for each in sys.modules if each in HEAVY or each.startswith("imagelayer")]
assert not strangers, strangers
for name in sys.stdin.read().split():
    if not (child := os.fork()):
        guarded(name, HEAVY)
        os._exit(0)
    print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
HEAVY = ("boto3", "botocore.session", "botocore.client")


def interpreter(
    program: str, *arguments: str, path: str, names: str = ""
) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(
        [sys.executable, "-c", GUARD + program, *arguments],
        env={**kept, "PYTHONPATH": path},
        input=names,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(name: str, path: str, heavy: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return interpreter(ONE, name, " ".join(heavy), path=path)


def imported(names: list[str], path: str) -> tuple[dict[str, int], str]:
    """Import each module in a process of its own: its exit code by name, and what was said."""
    result = interpreter(f"HEAVY = {HEAVY!r}\n" + EACH, path=path, names=" ".join(names))
    codes = dict(line.split() for line in result.stdout.splitlines())
    return {name: int(codes.get(name, "-1")) for name in names}, result.stderr


def test_every_module_imports_alone_without_network_or_aws_session() -> None:
    codes, said = imported(MODULES, str(LAYER))
    assert {name for name, code in codes.items() if code} == set(), said


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_imports_without_network_configuration_or_boto(function: str) -> None:
    path = f"{LAYER}:{ROOT / 'functions' / function}"
    heavy = (
        *HEAVY,
        # What only some of its requests need.
        "disposable_email_domains",
        "email_validator",
        "pyotp",
        "segno",
        "zxcvbn",
        *(LATE if function in HTTP_HANDLERS else ()),
    )
    result = run("app", path, heavy)
    assert result.returncode == 0, result.stderr


READ = """
import gc, json
import app
from imagelayer.platform import wiring

class Client:
    def __getattr__(self, operation):
        return lambda **request: {"Attributes": {"tat_public_read": {"N": "1"}}}

wiring.Platform.client = lambda self, service: Client()
paused = not gc.isenabled()
os.environ.update({"STAGE": "local", "BASE_URL": "http://localhost", "FUNCTION": "registration"})
os.environ["COUNTERS_TABLE"] = "counters"
answer = app.handler(json.loads(sys.stdin.read()), None)
late = [each for each in sys.modules if each in sys.argv[1].split()]
print(json.dumps([answer["statusCode"], late, paused, gc.isenabled(), gc.get_freeze_count() > 0]))
"""


def test_a_read_loads_nothing_late_and_pauses_the_collector_until_its_answer() -> None:
    event = json.dumps(http_event("GET", "/verify-email"))
    path = f"{LAYER}:{ROOT / 'functions/registration'}"
    result = interpreter(READ, " ".join((*LATE, "dataclasses")), path=path, names=event)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [200, [], True, True, True]


def test_a_token_is_verified_without_what_pyjwt_has_for_certificates() -> None:
    result = run("imagelayer.identity.tokens", str(LAYER), ("cryptography.x509.name",))
    assert result.returncode == 0, result.stderr


def test_only_what_pydantic_validates_and_what_no_request_loads_is_a_dataclass() -> None:
    # `platform.frozen` says what compiling each class costs a start.
    importers = {
        str(path.relative_to(LAYER / "imagelayer"))
        for path in (LAYER / "imagelayer").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
    }
    allowed = {"webhooks/messages.py", "credits/ledger.py"}
    assert {name for name in importers if not name.startswith("render/")} == allowed


@pytest.mark.parametrize(
    "function", [name for name in HANDLERS if name not in ("generation_worker", "brand_intake")]
)
def test_a_handler_that_does_not_render_imports_nothing_of_the_render_layer(function: str) -> None:
    path = f"{LAYER}:{ROOT / 'functions' / function}"
    result = run("app", path, ("PIL", "numpy", "isal"))
    assert result.returncode == 0, result.stderr


def test_the_guard_itself_catches_a_module_that_connects(tmp_path: Path) -> None:
    greedy = "import socket\nsocket.create_connection(('192.0.2.1', 80))\n"
    (tmp_path / "greedy.py").write_text(greedy, "utf-8")
    (tmp_path / "modest.py").write_text("import json\n", "utf-8")
    (tmp_path / "heavy.py").write_text("import boto3\n", "utf-8")
    assert "reached for the network" in run("greedy", str(tmp_path), ()).stderr
    codes, said = imported(["greedy", "modest", "heavy"], str(tmp_path))
    assert {name: bool(code) for name, code in codes.items()} == {
        "greedy": True,
        "modest": False,
        "heavy": True,
    }
    assert "reached for the network" in said
    assert "importing heavy imports" in said
