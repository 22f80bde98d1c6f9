"""Reduces the AWS SDK's data in a built layer to what the functions read.

botocore describes every service: operations, shapes and their documentation as JSON, which a client
parses when it is made. Kept are the services below with the operations the functions call, without
documentation, and not compressed. boto3's own data describes resources, which nothing here uses.
A call that is not listed fails like one the service does not have.

Of code it changes one module, where the change cannot be noticed: pydantic_core.core_schema
declares 79 TypedDicts. Type checkers alone read their fields, and Python 3.13 compiles each when
the module is imported, which took 13 ms of the CPU of every request with a body.

    python prune.py LAYER/python
"""

from __future__ import annotations

import ast
import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

OPERATIONS: Mapping[str, frozenset[str]] = {
    "bedrock": frozenset({"GetFoundationModel"}),
    "bedrock-runtime": frozenset({"InvokeModel"}),
    "dynamodb": frozenset(
        {
            "BatchGetItem",
            "DeleteItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    # The client itself needs CreateBucket, for the address of a presigned form, and HeadBucket, for
    # the region of a bucket that is elsewhere.
    "s3": frozenset({"CreateBucket", "DeleteObject", "GetObject", "HeadBucket", "PutObject"}),
    "secretsmanager": frozenset(
        {"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"}
    ),
    "sesv2": frozenset({"SendEmail"}),
    "sqs": frozenset({"ReceiveMessage", "SendMessage"}),
}
# What `endpoints.json` calls the services: by the first label of their host names.
_ENDPOINT_PREFIXES = frozenset(
    {"bedrock", "bedrock-runtime", "dynamodb", "email", "s3", "secretsmanager", "sqs"}
)
_DECLARATIONS = ("pydantic_core", "core_schema.py")
_READ = ("service-2.json", "endpoint-rule-set-1.json")


def prune(target: Path) -> None:
    """Prune the packages in `target`, a layer's `python` folder."""
    data = target / "botocore" / "data"
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in OPERATIONS:
            shutil.rmtree(folder)
    for service, operations in OPERATIONS.items():
        # The client takes the latest version, and so do we.
        *older, version = sorted((data / service).iterdir())
        for folder in older:
            shutil.rmtree(folder)
        for path in version.iterdir():
            if path.name.removesuffix(".gz") not in _READ:
                path.unlink()
        for name in _READ:
            content = without_documentation(_take(version / f"{name}.gz"))
            if name == "service-2.json":
                content = only(content, operations)
            _write(version / name, content)
    endpoints = data / "endpoints.json"
    _write(endpoints, known_endpoints(json.loads(endpoints.read_text("utf-8"))))
    for unread in ("data", "examples"):
        shutil.rmtree(target / "boto3" / unread, ignore_errors=True)
    declarations = target.joinpath(*_DECLARATIONS)
    declarations.write_text(without_fields(declarations.read_text("utf-8")), "utf-8")


def only(description: Mapping[str, Any], operations: Iterable[str]) -> dict[str, Any]:
    """A service's description with some of its operations and the shapes they refer to.

    Raises KeyError for an operation that the service does not have.
    """
    kept = {name: description["operations"][name] for name in sorted(operations)}
    shapes: dict[str, Any] = {}
    waiting = _references(list(kept.values()))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = description["shapes"][name]
            waiting |= _references(shapes[name])
    return {**description, "operations": kept, "shapes": shapes}


def without_documentation(node: Any) -> Any:
    """The same with empty texts for readers, since botocore requires some of them. A member that is
    called `documentation` is an object, not a text."""
    if isinstance(node, dict):
        return {
            name: "" if _is_text(name, value) else without_documentation(value)
            for name, value in node.items()
        }
    return [without_documentation(each) for each in node] if isinstance(node, list) else node


def without_fields(source: str) -> str:
    """A module whose TypedDicts declare no fields; every line stays where it is."""
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef) or "TypedDict" not in map(ast.unparse, node.bases):
            continue
        first, last = node.body[0].lineno - 1, node.body[-1].end_lineno or 0
        lines[first:last] = ["    pass\n", *["\n"] * (last - first - 1)]
    return "".join(lines)


def known_endpoints(endpoints: Mapping[str, Any]) -> dict[str, Any]:
    """Every partition and region, with the services that are called."""
    partitions = [
        {
            **partition,
            "services": {
                name: service
                for name, service in partition["services"].items()
                if name in _ENDPOINT_PREFIXES
            },
        }
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _references(node: Any) -> set[str]:
    """The names of the shapes that a part of a description refers to."""
    if isinstance(node, list):
        return {name for each in node for name in _references(each)}
    if not isinstance(node, dict):
        return set()
    named = {node["shape"]} if isinstance(node.get("shape"), str) else set()
    return named | {name for each in node.values() for name in _references(each)}


def _is_text(name: str, value: Any) -> bool:
    return name == "documentation" and isinstance(value, str)


def _take(path: Path) -> Any:
    content = json.loads(gzip.decompress(path.read_bytes()))
    path.unlink()
    return content


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
