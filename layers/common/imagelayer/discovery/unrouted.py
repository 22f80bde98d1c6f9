"""What no route serves: which methods a path has, and which path a wrong one probably means.

A path is never served under another spelling: that would take a second router beside the
gateway's, and the permissions of every function (docs/decisions/0003, 0031). The answer names the
right path instead, as its template, so that nothing of the request is repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

_OF_EVERY_PATH = "OPTIONS"


def methods_of(path: str) -> list[str]:
    """The methods that are served at a path, in order; none if no route has it."""
    found = {
        method
        for template, methods in _paths().items()
        if _fits(template, path)
        for method in methods
    }
    if "GET" in found:
        found.add("HEAD")
    return sorted(found | {_OF_EVERY_PATH}) if found else []


def advice(path: str) -> str:
    """What to do about a path that no route has, as a sentence."""
    for differences, candidate in _respelled(path):
        for template in _paths():
            if _fits(template, candidate, any_case=True):
                exact = _fits(template, candidate)
                found = [*differences, *([] if exact else ["in lower case"])]
                return f"The path is {template}, {' and '.join(found)}."
    return "Every route is listed in /openapi.json."


def _respelled(path: str) -> list[tuple[list[str], str]]:
    """Spellings that the path may be a slip of, and what was changed, in words."""
    differences = []
    single = re.sub("/{2,}", "/", path)
    if single != path:
        differences.append("with single slashes")
    if single.endswith("/"):
        single = single.removesuffix("/")
        differences.append("without the slash at its end")
    found = [(differences, single), ([*differences, "with /v1 in front"], f"/v1{single}")]
    if single.lower().startswith("/v1/v1/"):
        found.append(([*differences, "with /v1 once"], single[3:]))
    return found


def _fits(template: str, path: str, *, any_case: bool = False) -> bool:
    """Whether a path is one of a template's; a variable takes any one segment."""
    parts, segments = template.split("/"), path.split("/")
    return len(parts) == len(segments) and all(
        bool(segment)
        if part.startswith("{")
        else part == (segment.lower() if any_case else segment)
        for part, segment in zip(parts, segments, strict=True)
    )


@cache
def _paths() -> Mapping[str, Sequence[str]]:
    """Path template -> methods, generated from the route tables by `make openapi`."""
    file = resources.files("imagelayer") / "static" / "paths.json"
    found: dict[str, list[str]] = json.loads(file.read_text("utf-8"))
    return found
