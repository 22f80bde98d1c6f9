"""The quickstart calls routes that exist, with bodies that they accept."""

from __future__ import annotations

import ast
import json
import re

from dev.settings import ROOT
from imagelayer.routes import ROUTES

TEXT = (ROOT / "docs/quickstart.md").read_text("utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))


def test_every_path_is_a_route() -> None:
    templates = [re.sub(r"{\w+}", "[^/]+", route.path) for route in ROUTES.values()]
    paths = [
        *re.findall(r"\bpost \"?(/[^\s\"]+)", SHELL),
        *re.findall(r"\$BASE(/v1/[^\s?]*)", SHELL),
    ]
    called = [re.sub(r"\$(?:\w+|\([^)]*\)+)", "x", each).strip('"') for each in paths]
    assert len(called) > 7
    assert [each for each in called if not any(re.fullmatch(t, each) for t in templates)] == []


def test_every_body_has_the_fields_of_its_route_alone() -> None:
    bodies = re.findall(r"post (/v1/\S+)(?: -H \"[^\"]*\")? -d '(\{.*?\})'", SHELL, re.DOTALL)
    assert len(bodies) >= 4
    for path, body in bodies:
        shape = ROUTES[f"POST {path}"].body
        assert shape is not None
        shape().model_validate(json.loads(body))


def test_the_example_in_python_is_python() -> None:
    for example in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        ast.parse(example)
