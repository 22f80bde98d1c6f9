"""Metrics: lines in CloudWatch's embedded format."""

from __future__ import annotations

import json

import pytest

from imagelayer.platform.settings import Settings
from imagelayer.platform.wiring import Platform


@pytest.mark.parametrize("function", ["login", "images"])
def test_functions_of_a_stack_count_in_one_series_and_each_line_names_its_function(
    function: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {"STAGE": "dev", "BASE_URL": "https://api.invalid", "STACK": "ours-dev"}
    platform = Platform(Settings.read({**environment, "FUNCTION": function}))
    platform.count("LimiterUnavailable")
    platform.count("LimiterUnavailable")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    for line in (first, second):
        line["_aws"].pop("Timestamp")
    assert first == second
    assert first == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "ImageLayer",
                    "Dimensions": [["stack"]],
                    "Metrics": [{"Name": "LimiterUnavailable", "Unit": "Count"}],
                }
            ],
        },
        "stack": "ours-dev",
        "service": function,
        "LimiterUnavailable": [1.0],
    }
