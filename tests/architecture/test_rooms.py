"""The order of the domains: what may import what, and what each domain and function consists of."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.settings import ROOT
from imagelayer.routes import ROUTES

LAYER = ROOT / "layers/common"
WITH_ROUTES = sorted(path.parent.name for path in (LAYER / "imagelayer").glob("*/routes.py"))
FUNCTIONS = {path.parent.name: path for path in sorted((ROOT / "functions").glob("*/app.py"))}
HTTP_FUNCTIONS = sorted({route.function for route in ROUTES.values()})


def lint(layer: Path) -> subprocess.CompletedProcess[str]:
    """Check a layer by the contracts of pyproject.toml."""
    tool = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [tool, "--config", ROOT / "pyproject.toml", "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(layer)},
        cwd=layer,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def broken(output: str) -> list[str]:
    """The names of the contracts that a report calls broken."""
    return re.findall(r"^(.+) BROKEN", output, re.MULTILINE)


def imports(path: Path) -> set[str]:
    """Every module that a file imports or imports from, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_the_contracts_are_kept() -> None:
    result = lint(LAYER)
    assert result.returncode == 0, result.stdout
    assert broken(result.stdout) == []


BREACHES = {
    "an import upward": (
        "identity/upward.py",
        "from imagelayer.generations import jobs\n",
        "Imports point down one order of floors",
    ),
    "an import across one floor": (
        "brands/across.py",
        "from imagelayer.credits import wallet\n",
        "Imports point down one order of floors",
    ),
    "an import past a door": (
        "mail/intruder.py",
        "from imagelayer.identity import passwords\n",
        "Others enter identity by its doors",
    ),
    "AWS in a domain's rules": (
        "brands/aws.py",
        "import boto3\n",
        "Only the platform and the image models import the AWS SDK",
    ),
    "rules that wire": (
        "brands/wires.py",
        "from imagelayer.platform.wiring import Platform\n",
        "Rules do not wire: only wiring, the edge and functions know wiring",
    ),
}


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A copy of the layer's modules, to be broken."""
    source = LAYER / "imagelayer"
    shutil.copytree(
        source, tmp_path / "imagelayer", ignore=shutil.ignore_patterns("__pycache__", "static")
    )
    return tmp_path


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(layer: Path, breach: str) -> None:
    module, source, contract = BREACHES[breach]
    (layer / "imagelayer" / module).write_text(source, "utf-8")
    result = lint(layer)
    assert result.returncode == 1
    assert contract in broken(result.stdout), result.stdout


def test_a_new_folder_on_no_floor_is_found(layer: Path) -> None:
    (layer / "imagelayer/attic").mkdir()
    (layer / "imagelayer/attic/__init__.py").touch()
    result = lint(layer)
    assert result.returncode == 1
    assert "imagelayer.attic" in result.stdout


@pytest.mark.parametrize("domain", WITH_ROUTES)
def test_a_domain_with_routes_has_their_shapes_and_is_wired_to_their_functions(
    domain: str,
) -> None:
    folder = LAYER / "imagelayer" / domain
    assert (folder / "schemas.py").exists()
    routes = importlib.import_module(f"imagelayer.{domain}.routes").ROUTES
    for function in {route.function for route in routes.values()}:
        wirings = {name for name in imports(FUNCTIONS[function]) if name.endswith("Wiring")}
        own = f"imagelayer.{domain}.wiring."
        # Discovery has nothing to wire: it reads what others have, by their wiring.
        assert domain == "discovery" or any(name.startswith(own) for name in wirings), function


@pytest.mark.parametrize("function", HTTP_FUNCTIONS)
def test_a_function_binds_the_routes_of_its_domains_and_knows_no_others(function: str) -> None:
    path = FUNCTIONS[function]
    app = importlib.import_module(f"functions.{function}.app").app
    assert app.routes == {key for key, route in ROUTES.items() if route.function == function}
    domains = {name.split(".")[1] for name in imports(path) if name.endswith(".routes")}
    routes: set[str] = set()
    for domain in domains:
        own = importlib.import_module(f"imagelayer.{domain}.routes").ROUTES
        assert any(route.function == function for route in own.values()), domain
        routes |= own.keys()
    assert app.routes <= routes


@pytest.mark.parametrize(
    "path",
    [*FUNCTIONS.values(), *sorted((LAYER / "imagelayer/http").glob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_neither_a_function_nor_the_edge_imports_the_table_of_all_routes(path: Path) -> None:
    assert "imagelayer.routes" not in imports(path)
