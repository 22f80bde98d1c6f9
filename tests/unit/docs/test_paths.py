"""Files, modules and make targets that the documents name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.settings import ROOT

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("[be]*/README.md")])
PACKAGE = ROOT / "layers/common/imagelayer"
ROOTS = (ROOT, ROOT / "layers/common", PACKAGE, ROOT / "tests/local_cloud")
TOP = ("functions", "layers", "tests", "dev", "docs", "benchmarks", "events", "requirements")
FILE = re.compile(r"[\w./-]+\.(?:py|toml|json|yaml|sh|html|conf)")
NAME = re.compile(r"(\w+)\.([A-Z][A-Z_]+)")
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def quoted(page: Path) -> list[str]:
    """What a page sets as code within a sentence."""
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", prose)


def exists(name: str) -> bool:
    """A path from a folder that the documents count from, or the name of a file of the layer."""
    return any((root / name).exists() for root in ROOTS) or (
        "/" not in name and any(PACKAGE.rglob(name))
    )


@EVERY_PAGE
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    named = [
        each
        for each in quoted(page)
        if (FILE.fullmatch(each) and not each.startswith("/"))
        or re.fullmatch(rf"(?:{'|'.join(TOP)})/[\w./-]*", each)
    ]
    assert [each for each in named if not exists(each) and each not in ELSEWHERE] == []


# In each function's folder; made while the layer is built; made by the operator.
ELSEWHERE = {"app.py", "fonts.conf", "deploy.yaml"}


@EVERY_PAGE
def test_the_constants_that_a_page_names_exist(page: Path) -> None:
    named = [found for each in quoted(page) if (found := NAME.fullmatch(each))]
    for found in named:
        modules = [*PACKAGE.rglob(f"{found[1]}.py")]
        assert modules, f"{page.name} names {found[0]}"
        assert any(
            re.search(rf"^{found[2]}\b", each.read_text("utf-8"), re.MULTILINE) for each in modules
        )


@EVERY_PAGE
def test_the_make_targets_that_a_page_names_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"


@EVERY_PAGE
def test_the_modules_that_a_page_runs_exist(page: Path) -> None:
    for module in re.findall(r"python -m ((?:dev|benchmarks)[\w.]*)", page.read_text("utf-8")):
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), f"{page.name}: {module}"
