"""The caller's words come first and are never the ones left out."""

from __future__ import annotations

from copy import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagelayer.image_models.prompting import CLOSING, color_name, words
from tests.support.provider_stubs import MODELS, order

MODEL = MODELS["stable-image-core"]
BRANDED = order(
    MODEL,
    prompt="A lighthouse at dawn",
    guidelines="flat shapes. calm, confident. avoid people",
    palette=("#FF6B35", "#1A2B4C"),
)


def test_a_prompt_is_the_callers_words_then_the_brands() -> None:
    assert words(BRANDED) == (
        "A lighthouse at dawn\n\n"
        "Brand guidelines: flat shapes. calm, confident. avoid people.\n\n"
        "Color palette: orange (#FF6B35), dark blue (#1A2B4C).\n\n" + CLOSING
    )


def test_without_a_brand_nothing_of_one_is_said() -> None:
    plain = replace(BRANDED, guidelines="", palette=())
    assert words(plain) == f"A lighthouse at dawn\n\n{CLOSING}"


@pytest.mark.parametrize(
    ("limit", "kept", "left_out"),
    [
        (1000, ["Brand guidelines", "avoid people", "#1A2B4C", CLOSING], []),
        (200, ["Brand guidelines: flat", "#1A2B4C", CLOSING], ["avoid people"]),
        (160, ["#1A2B4C", CLOSING], ["Brand guidelines"]),
        (100, [CLOSING], ["#1A2B4C"]),
        (30, [], [CLOSING]),
    ],
)
def test_what_does_not_fit_is_left_out_from_the_guidelines_to_the_closing(
    limit: int, kept: list[str], left_out: list[str]
) -> None:
    model = replace(MODEL, max_prompt=limit)
    made = words(replace(BRANDED, model=model))
    assert made.startswith("A lighthouse at dawn")
    assert [part for part in kept if part not in made] == []
    assert [part for part in left_out if part in made] == []


def test_words_are_not_cut_in_two() -> None:
    model = replace(MODEL, max_prompt=15)
    assert words(replace(BRANDED, model=model)) == "A lighthouse at"


TEXT = st.text(max_size=300)
COLORS = st.lists(st.from_regex(r"\A#[0-9A-F]{6}\Z"), max_size=6).map(tuple)


@given(TEXT, TEXT, COLORS, st.integers(1, 800))
def test_a_prompt_never_exceeds_what_the_model_takes(
    prompt: str, guidelines: str, palette: tuple[str, ...], limit: int
) -> None:
    model = replace(MODEL, max_prompt=limit)
    made = words(
        replace(BRANDED, model=model, prompt=prompt, guidelines=guidelines, palette=palette)
    )
    assert len(made) <= limit
    if len(prompt) <= limit:
        assert made.startswith(prompt)
    else:
        assert prompt.startswith(made)


@pytest.mark.parametrize(
    ("color", "name"),
    [
        ("#FFFFFF", "white"),
        ("#000000", "black"),
        ("#808080", "gray"),
        ("#D9D9D9", "light gray"),
        ("#FF0000", "red"),
        ("#E5007D", "pink"),
        ("#FF6B35", "orange"),
        ("#FFD700", "yellow"),
        ("#2E8B57", "green"),
        ("#40E0D0", "turquoise"),
        ("#1A2B4C", "dark blue"),
        ("#ADD8E6", "light blue"),
        ("#6A0DAD", "purple"),
        ("#8B4513", "brown"),
    ],
)
def test_a_color_is_called_what_a_person_would_call_it(color: str, name: str) -> None:
    assert color_name(color) == name
