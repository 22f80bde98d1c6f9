"""docs/data.md lists the tables of the template and the items of the stores."""

from __future__ import annotations

import re

from dev.settings import ROOT
from tests.support.markdown_tables import rows

DATA = ROOT / "docs/data.md"
PACKAGE = ROOT / "layers/common/imagelayer"
HEADER = "| table | `pk` | `sk` | holds | kept |"
PREFIX = re.compile(r"\b([A-Z]{2,})#")


def test_every_table_of_the_template_is_listed() -> None:
    template = (ROOT / "template.yaml").read_text("utf-8")
    declared = set(re.findall(r"^  (\w+)Table:$", template, re.MULTILINE))
    listed = {row[0] for row in rows(DATA, HEADER)} - {"", "six of them"}
    assert listed == declared


def test_every_kind_of_item_is_listed_and_no_other() -> None:
    code = "".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    written = set(PREFIX.findall(code))
    listed = set(PREFIX.findall(" ".join(cell for row in rows(DATA, HEADER) for cell in row[1:3])))
    assert listed == written
