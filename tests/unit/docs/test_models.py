"""docs/models.md says of codes, parameters, records and numbers what the code says."""

from __future__ import annotations

import json
import re

import pytest

from dev.settings import ROOT
from imagelayer.generations.worker import MAX_ATTEMPTS, PROVIDER_SECONDS
from imagelayer.image_models.calls import MAX_ANSWER_BYTES, RETRIES
from imagelayer.image_models.image_model import FAILURES
from imagelayer.image_models.pictures import MAX_BYTES
from imagelayer.image_models.probe import NOTICE_DAYS
from imagelayer.image_models.schemas import ModelEntry, read_models
from imagelayer.platform.secrets import KEEP_SECONDS
from imagelayer.render.decoder import MAX_PIXELS
from tests.support import aws
from tests.support.markdown_tables import rows

PAGE = ROOT / "docs" / "models.md"
TEXT = PAGE.read_text("utf-8")
PROBE = (ROOT / "layers/common/imagelayer/image_models/probe.py").read_text("utf-8")


def test_every_code_of_a_failure_is_listed() -> None:
    assert [row[0] for row in rows(PAGE, "| code | it means |")] == [
        f"`{code}`" for code in FAILURES
    ]


def test_every_parameter_of_a_provider_is_listed_with_its_default() -> None:
    listed = {
        row[0].strip("`"): row[1].strip("`") for row in rows(PAGE, "| parameter | default | what |")
    }
    declared = aws.DOCUMENT["Parameters"]
    providers = ("OpenAi", "Google", "Bedrock", "Custom")
    assert listed == {
        name: each["Default"] or "empty"
        for name, each in declared.items()
        if name.startswith(providers)
    }


def test_every_member_of_a_record_is_explained() -> None:
    explained = {
        name for row in rows(PAGE, "| member | |") for name in re.findall(r"`(\w+)`", row[0])
    }
    assert explained == set(ModelEntry.model_fields) - {"source"}


def test_the_example_is_a_model() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    (model,) = read_models(json.dumps(json.loads(example)))
    assert model.provider == "openai"


def test_every_line_of_the_probe_is_listed() -> None:
    listed = {row[0].strip("`") for row in rows(PAGE, "| line | when |")}
    assert listed == set(re.findall(r'"(model_\w+)"', PROBE))


@pytest.mark.parametrize(
    "said",
    [
        f"{MAX_ANSWER_BYTES // 1024**2} MB of answer",
        f"{MAX_BYTES // 1024**2} MB of picture",
        f"{MAX_PIXELS // 1_000_000} megapixels",
        "asked again at most twice" if RETRIES == 2 else "",
        "within three minutes" if PROVIDER_SECONDS == 180 else "",
        "after three attempts" if MAX_ATTEMPTS == 3 else "",
        "30, 7 and 1 days before" if NOTICE_DAYS == (30, 7, 1, 0) else "",
        "within\nfive minutes" if KEEP_SECONDS == 300 else "",
    ],
)
def test_the_documented_bounds_are_those_in_force(said: str) -> None:
    assert said
    assert said in TEXT
