"""Does every handler import with nothing but its built layers? And how large are they?

The local cloud's interpreter could hide a package that a layer lacks, and so could this one's, so
each handler is imported by a Python that has no site-packages at all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dev import template
from dev.settings import ROOT

BUILD_DIR: Final = ROOT / ".aws-sam" / "local"
# The fonts are 54 MB of the render layer, Chinese, Japanese and Korean 38 of them. Lambda allows a
# function and its layers 250 together.
LAYER_LIMITS_MB: Final = {"CommonLayer": 60.0, "RenderLayer": 150.0}
_MEGABYTE: Final = 1_000_000
_ELF_MACHINES: Final = {0x3E: "x86_64", 0xB7: "arm64"}

_SCRIPT: Final = """
import importlib, sys
sys.path[:0] = sys.argv[2:]
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
assert callable(handler), "the handler cannot be called"
strangers = [path for path in sys.path if "site-packages" in path]
assert not strangers, strangers
"""


@dataclass(frozen=True, slots=True)
class BuiltFunction:
    """A function as `sam build` left it."""

    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    environment: dict[str, str]


def built_functions(build_dir: Path = BUILD_DIR) -> list[BuiltFunction]:
    """Every function of the built template with the layers it carries."""
    document = template.load(build_dir / "template.yaml")
    shared = document.get("Globals", {}).get("Function", {})
    return [
        _built(build_dir, document, name, {**shared, **body["Properties"]}, shared)
        for name, body in document["Resources"].items()
        if body["Type"] == "AWS::Serverless::Function"
    ]


def _built(
    build_dir: Path, document: Any, name: str, properties: dict[str, Any], shared: dict[str, Any]
) -> BuiltFunction:
    # SAM joins the layers of Globals and of the function, and so does this.
    own = document["Resources"][name]["Properties"].get("Layers", [])
    named = list(dict.fromkeys(item["Ref"] for item in [*shared.get("Layers", []), *own]))
    layers = tuple(layer_dir(build_dir, document, item) for item in named)
    variables = {
        **shared.get("Environment", {}).get("Variables", {}),
        **properties.get("Environment", {}).get("Variables", {}),
    }
    return BuiltFunction(
        name=name,
        handler=properties["Handler"],
        code=build_dir / properties["CodeUri"],
        layers=layers,
        environment={key: _stand_in(key, value) for key, value in variables.items()},
    )


def _stand_in(name: str, value: Any) -> str:
    """A value that resembles what the deployment would set."""
    if isinstance(value, str | int | float):
        return str(value)
    if name.endswith(("_COST", "_CREDITS", "_DAY", "_SECONDS")):
        return "12"
    return "https://example.com" if name.endswith("_URL") else ("local" if name == "STAGE" else "")


def layer_dir(build_dir: Path, document: Any, logical_id: str) -> Path:
    """Where a layer was built."""
    return build_dir / str(document["Resources"][logical_id]["Properties"]["ContentUri"])


def layer_sizes(build_dir: Path = BUILD_DIR) -> dict[str, float]:
    """Unzipped size of every layer in megabytes."""
    document = template.load(build_dir / "template.yaml")
    return {
        name: _size(layer_dir(build_dir, document, name))
        for name, body in document["Resources"].items()
        if body["Type"] == "AWS::Serverless::LayerVersion"
    }


def machines_of(build_dir: Path, layer: str) -> set[str]:
    """The architectures of a layer's shared objects."""
    folder = layer_dir(build_dir, template.load(build_dir / "template.yaml"), layer)
    return {_machine(path) for path in folder.rglob("*.so*") if path.is_file()}


def _machine(path: Path) -> str:
    with path.open("rb") as file:
        header = file.read(20)
    code = int.from_bytes(header[18:20], "little")
    return _ELF_MACHINES.get(code, f"machine {code}") if header[:4] == b"\x7fELF" else "no ELF"


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _MEGABYTE


def import_alone(function: BuiltFunction) -> str:
    """Import a handler with its layers alone; the empty string, or what went wrong."""
    paths = [function.code, *(layer / "python" for layer in function.layers)]
    env = {
        **function.environment,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PATH": os.defpath,
    }
    interpreter = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", "-c", _SCRIPT, function.handler, *map(str, paths)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")


_SHAPING_SCRIPT: Final = """
import sys
sys.path[:0] = sys.argv[1:]
from imagelayer.render import pango
pango.assert_shaping()
"""


def shape_alone(build_dir: Path = BUILD_DIR) -> str:
    """Start the text engine with the built layers alone, far from the repository's fonts; the empty
    string, or what went wrong."""
    document = template.load(build_dir / "template.yaml")
    layers = [layer_dir(build_dir, document, name) for name in LAYER_LIMITS_MB]
    interpreter = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001
    paths = [str(layer / "python") for layer in layers]
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", "-c", _SHAPING_SCRIPT, *paths],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")


_CLIENTS_SCRIPT: Final = """
import json, sys
sys.path[:0] = sys.argv[1:]
from boto3.session import Session
session = Session("none", "none", region_name="eu-central-1")
clients = {name: session.client(name) for name in session.get_available_services()}
clients["s3"].generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "key"})
clients["s3"].generate_presigned_post(Bucket="bucket", Key="key")
print(json.dumps({
    name: sorted(client.meta.service_model.operation_names) for name, client in clients.items()
}))
"""


def clients_alone(build_dir: Path = BUILD_DIR) -> dict[str, set[str]]:
    """Make a client of every service that the built layer describes; returns their operations.
    Raises CalledProcessError."""
    layer = layer_dir(build_dir, template.load(build_dir / "template.yaml"), "CommonLayer")
    interpreter = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001
    done = subprocess.run(
        [interpreter, "-I", "-S", "-B", "-c", _CLIENTS_SCRIPT, str(layer / "python")],
        env={"PATH": os.defpath, "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name: set(operations) for name, operations in json.loads(done.stdout).items()}


def main() -> int:
    """Print both tables; non-zero when something is missing or too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-dir", type=Path, default=BUILD_DIR)
    parser.add_argument("--sizes-only", action="store_true")
    arguments = parser.parse_args()
    good = True
    for name, size in layer_sizes(arguments.build_dir).items():
        limit = LAYER_LIMITS_MB.get(name, 250.0)
        fits, machines = size < limit, machines_of(arguments.build_dir, name)
        good &= fits and len(machines) == 1
        mark, code = "✓" if fits else "✗", " and ".join(sorted(machines))
        print(f"  {mark} {name:<28}{size:7.1f} MB unzipped of {limit:.0f}, {code}")
    for function in [] if arguments.sizes_only else built_functions(arguments.build_dir):
        problem = import_alone(function)
        good &= not problem
        layers = " + ".join(path.name for path in function.layers)
        print(f"  {'✗' if problem else '✓'} {function.name:<28}{layers}")
        if problem:
            print(problem, file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
