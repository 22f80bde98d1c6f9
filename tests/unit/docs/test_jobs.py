"""The documents on jobs and on the `openai` client say what the code does."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from dev.settings import ROOT
from imagelayer.generations import jobs
from imagelayer.generations import service as generations
from imagelayer.generations import sweep as cleanup
from imagelayer.generations import worker as generation_worker
from imagelayer.generations.schemas import BrandedRequest
from imagelayer.image_models.registry import DEFAULT, known
from imagelayer.openai_api import images as openai_images
from imagelayer.openai_api.routes import MAX_PICTURE_BYTES
from imagelayer.openai_api.schemas import (
    GeneratedImage,
    ImageEditsForm,
    ImageEditsRequest,
    ImagesAnswer,
)
from imagelayer.platform.errors import CATALOGUE
from imagelayer.routes import ROUTES
from tests.support.markdown_tables import rows

OPENAI = ROOT / "docs/openai.md"


def text(page: str) -> str:
    """A page in one line."""
    return " ".join((ROOT / "docs" / page).read_text("utf-8").split())


def fields(shape: type[BaseModel]) -> set[str]:
    """The names of a shape's fields."""
    return set(shape.model_fields)


def test_every_field_of_the_images_routes_is_listed_once() -> None:
    taken = [row[0].strip("`") for row in rows(OPENAI, "| field | here |")]
    added = [row[0].strip("`") for row in rows(OPENAI, "| field | what |")]
    assert set(added) == fields(BrandedRequest)
    edits = fields(ImageEditsRequest) | fields(ImageEditsForm)
    assert set(taken) == edits - set(added)
    assert len(taken) + len(added) == len(edits)


def test_what_the_answers_have_beyond_openais_is_reported() -> None:
    openais = {"created", "data", "background", "output_format", "quality", "size"}
    openais |= {"url", "b64_json", "revised_prompt"}
    said = (
        text("openai.md").partition("more than OpenAI's: ")[2].partition(". Links")[0].split("`")
    )[1::2]
    answers = fields(ImagesAnswer) | fields(GeneratedImage)
    assert set(said) == answers - openais


def test_the_routes_of_the_client_are_listed() -> None:
    listed = [row[0].strip("`") for row in rows(OPENAI, "| route | what |")]
    ours = [route for route, each in ROUTES.items() if each.function == "images"]
    assert listed == [route for route in ours if "/jobs/" not in route]


def test_the_codes_of_the_errors_have_the_status_they_are_listed_under() -> None:
    listed = rows(OPENAI, "| status | class | for example |")
    assert len(listed) == 9
    for status, _, examples in listed:
        for code in examples.split("`")[1::2]:
            if code in CATALOGUE:
                found = CATALOGUE[code][0]
                assert str(found) == status or (status == "500 and up" and found >= 500)


(STUDIO,) = (model for model in known() if model.id == DEFAULT)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("openai.md", f"not finished after {openai_images.HOLD_SECONDS} seconds is answered"),
        ("openai.md", f"{openai_images.MAX_HOPS} times, about seven minutes in all"),
        ("openai.md", f"{STUDIO.max_prompt:,} characters for `studio`"),
        ("openai.md", f"from {STUDIO.min_side} to {STUDIO.max_side}: the image"),
        ("openai.md", f"within {STUDIO.min_side} to {STUDIO.max_side} pixels a side"),
        ("openai.md", f"A request may have {MAX_PICTURE_BYTES:,} bytes"),
        ("jobs.md", f"up to N seconds, {generations.MAX_WAIT_SECONDS} at most"),
    ],
)
def test_the_numbers_are_those_in_force(page: str, said: str) -> None:
    assert said in text(page)


def test_the_numbers_in_words_are_those_in_force() -> None:
    """If one of these changes, so must the pages."""
    hops, hold = openai_images.MAX_HOPS, openai_images.HOLD_SECONDS
    assert 6.5 < (hops + 1) * hold / 60 < 7.5  # "about seven minutes"
    assert generation_worker.PROVIDER_SECONDS == 3 * 60
    assert generation_worker.MAX_ATTEMPTS == 3
    assert generations.UNSENT_SECONDS == 2
    assert jobs.QUEUED_SECONDS == cleanup.REQUEUE_SECONDS == 2 * 60
    assert cleanup.MAX_REQUEUES == 6
