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

# Run in a fresh interpreter: nothing is imported yet, and any connection or client ends it.
GUARD = """
import importlib, os, socket, sys

def refuse(*_, **__):
    raise SystemExit("importing {name} reached for the network")

class Refused(socket.socket):
    connect = connect_ex = sendto = sendmsg = refuse  # urllib3 binds one to look for IPv6

socket.socket = Refused
for attribute in ("create_connection", "getaddrinfo", "gethostbyname"):
    setattr(socket, attribute, refuse)
assert not [name for name in os.environ if name.startswith("AWS_")]
importlib.import_module("{name}")
if "boto3.session" in sys.modules:
    sys.modules["boto3.session"].Session.client = refuse
if "botocore.session" in sys.modules:
    sys.modules["botocore.session"].Session.create_client = refuse
clients = [name for name in sys.modules if name in {heavy}]
if clients:
    raise SystemExit("importing {name} imports " + ", ".join(clients))
"""


def run(name: str, path: str, heavy: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return subprocess.run(
        [sys.executable, "-c", GUARD.format(name=name, heavy=heavy)],
        env={**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_alone_without_network_or_aws_session(name: str) -> None:
    result = run(name, str(LAYER), ("boto3", "botocore.session", "botocore.client"))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("function", HANDLERS)
def test_a_handler_imports_without_network_configuration_or_boto(function: str) -> None:
    path = f"{LAYER}:{ROOT / 'functions' / function}"
    heavy = (
        "boto3",
        "botocore.session",
        "botocore.client",
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
    assert "reached for the network" in run("greedy", str(tmp_path), ()).stderr
