"""What `sam build` made carries everything its handlers import, and no more than it may."""

from __future__ import annotations

import pytest

import prune
from dev import imports, template
from dev.local_cloud import LocalCloud
from dev.settings import ROOT, host_architecture

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


@pytest.fixture(autouse=True)
def built(cloud: LocalCloud) -> None:
    """The local cloud runs what it built."""
    assert cloud.base_url


def test_every_handler_imports_with_its_built_layers_alone() -> None:
    built = imports.built_functions()
    assert sorted(function.code.name.lower() for function in built) == sorted(
        name.replace("_", "") + "function" for name in FUNCTIONS
    )
    missing = {function.name: imports.import_alone(function) for function in built}
    assert not {name: problem for name, problem in missing.items() if problem}


def test_the_layers_stay_within_their_sizes_and_one_architecture() -> None:
    sizes = imports.layer_sizes()
    assert sizes.keys() == imports.LAYER_LIMITS_MB.keys()
    for layer, size in sizes.items():
        print(f"{layer}: {size:.1f} MB unzipped")
        assert size < imports.LAYER_LIMITS_MB[layer]
        assert imports.machines_of(imports.BUILD_DIR, layer) == {host_architecture()}


def test_text_is_shaped_with_the_fonts_of_the_built_layer() -> None:
    assert not imports.shape_alone()
    fonts = imports.layer_dir(
        imports.BUILD_DIR, template.load(imports.BUILD_DIR / "template.yaml"), "RenderLayer"
    )
    assert len(list((fonts / "fonts").glob("*.ttf"))) > 50


def test_a_client_of_every_service_works_with_the_pruned_data_of_the_built_layer() -> None:
    assert imports.clients_alone() == prune.OPERATIONS
