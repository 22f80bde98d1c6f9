"""The architecture page draws the floors that are checked; the README lists every function."""

from __future__ import annotations

import re
import tomllib

from dev.settings import ROOT
from tests.support.markdown_tables import rows

PAGE = ROOT / "docs/architecture.md"
PACKAGE = ROOT / "layers/common/imagelayer"


def test_the_floors_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    floors = next(each for each in contracts["contracts"] if each["id"] == "floors")["layers"]
    drawn = re.search(r"```\n(routes .*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert drawn is not None
    lines = [line.partition("  ")[0] for line in drawn[1].strip().splitlines()]
    assert lines == [floor.replace(" | ", " · ") for floor in floors]


def test_every_package_is_listed_with_what_it_owns() -> None:
    listed = {
        name for row in rows(PAGE, "| package | owns |") for name in re.findall(r"`(\w+)`", row[0])
    }
    assert listed == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def test_every_function_is_listed_with_what_it_is_for() -> None:
    listed = [
        row[0].strip("`")
        for row in rows(ROOT / "README.md", "| function | started by | what it is for |")
    ]
    assert sorted(listed) == sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))


def test_the_tour_is_short() -> None:
    assert len(PAGE.read_text("utf-8").splitlines()) <= 120
