"""A provider that is not asked costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dev.settings import ROOT
from imagelayer.image_models.image_model import ImageModel
from imagelayer.image_models.lazily import Lazily
from imagelayer.image_models.studio import Studio

VENDORS = ("openai", "google", "bedrock")


def test_a_provider_is_made_once_and_only_when_it_is_asked() -> None:
    made: list[str] = []

    def maker(name: str) -> ImageModel:
        made.append(name)
        return Studio()

    found = Lazily({name: lambda name=name: maker(name) for name in VENDORS})  # type: ignore[misc]
    assert made == []
    assert found["google"] is found["google"]
    assert made == ["google"]
    assert list(found) == list(VENDORS)
    with pytest.raises(KeyError):
        found["nobody"]


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendors_adapter_imports_no_others(name: str) -> None:
    others = [f"imagelayer.image_models.{other}" for other in VENDORS if other != name]
    heavy = others + ([] if name == "bedrock" else ["botocore"])
    script = (
        f"import sys, imagelayer.image_models.{name}\n"
        f"assert not [each for each in {heavy} if each in sys.modules]"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "layers/common")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
