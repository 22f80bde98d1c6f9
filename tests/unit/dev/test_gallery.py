"""The gallery shows every style and option, and the same code draws the same bytes."""

from __future__ import annotations

import re
from copy import replace
from typing import get_args

from pydantic import TypeAdapter

from dev import gallery
from dev.settings import ROOT
from imagelayer.design.designs import Treatment
from imagelayer.design.fonts import FAMILIES
from imagelayer.design.presets import PRESETS
from imagelayer.design.schemas import Template
from imagelayer.render.studio import STYLES

FOLDER = ROOT / "docs/images/gallery"
MARKS = next(sheet for sheet in gallery.SHEETS if sheet.file == "marks")


def test_a_sheet_is_drawn_twice_to_the_same_bytes_and_counts_its_pictures() -> None:
    drawn: list[None] = []
    once = gallery.draw_sheet(MARKS, lambda: drawn.append(None))
    assert gallery.draw_sheet(MARKS) == once
    assert len(drawn) == MARKS.count
    # The control: captions and arrangement are part of the bytes.
    assert gallery.draw_sheet(replace(MARKS, columns=2)) != once


def test_the_page_is_the_one_the_code_writes_and_has_every_sheet() -> None:
    written = (ROOT / "docs/gallery.md").read_text("utf-8")
    assert written == gallery.page()
    shown = re.findall(r"\(images/gallery/([\w.-]+)\)", written)
    assert sorted(shown) == sorted(path.name for path in FOLDER.iterdir())


def test_the_pictures_are_light_enough_to_clone() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 3_000_000


def test_no_template_treatment_style_preset_or_family_is_left_out() -> None:
    described = TypeAdapter(Template).json_schema()
    assert set(gallery.TEMPLATES) == set(described["discriminator"]["mapping"])
    assert set(gallery.TREATMENTS) == set(get_args(Treatment.__value__))
    counts = {sheet.file: sheet.count for sheet in gallery.SHEETS}
    assert counts["styles"] == 2 * len(STYLES)
    assert counts["presets"] == len(PRESETS)
    assert counts["typefaces"] == len(FAMILIES)
