"""Importing the layer touches no network and makes no AWS client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.settings import ROOT

LAYER = ROOT / "layers/common"
MODULES = sorted(
    ".".join(path.relative_to(LAYER).with_suffix("").parts).removesuffix(".__init__")
    for path in (LAYER / "imagelayer").rglob("*.py")
)
HANDLERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))

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
    )
    result = run("app", path, heavy)
    assert result.returncode == 0, result.stderr


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
