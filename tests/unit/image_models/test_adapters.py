"""A provider that is not asked costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dev.settings import ROOT
from imagelayer.image_models.wiring import ImageModelsWiring
from imagelayer.platform.settings import Misconfigured, Settings
from imagelayer.platform.wiring import Platform

SETTINGS = Settings.read(
    {
        "STAGE": "local",
        "BASE_URL": "http://localhost",
        "PROVIDER_SECRET_ID": "keys",
        "GOOGLE_BASE_URL": "http://localhost/google",
    }
)
PROVIDERS = ("openai", "google", "bedrock")


def test_a_provider_is_made_once_and_only_when_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    providers = ImageModelsWiring(Platform(SETTINGS)).providers
    assert list(providers) == ["studio", *PROVIDERS]
    assert providers["google"]() is providers["google"]()
    with pytest.raises(Misconfigured, match="OPENAI_BASE_URL"):
        providers["openai"]()
    with pytest.raises(KeyError):
        providers["nobody"]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_adapter_imports_no_others(name: str) -> None:
    others = [f"imagelayer.image_models.{other}" for other in PROVIDERS if other != name]
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
