"""SAM's own code, run in its environment: the translator, which CloudFormation runs too, and the
parser of `--parameter-overrides`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dev.build import sam, tool_env

_EXPAND = """
import json, sys
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

document = yaml_parse(sys.stdin.read())
for resource in document["Resources"].values():
    for name in ("CodeUri", "ContentUri"):  # what `sam package` does
        if name in resource["Properties"]:
            resource["Properties"][name] = "s3://bucket/key"
values = {name: str(each.get("Default", "")) for name, each in document["Parameters"].items()}
json.dump(Translator({}, Parser()).translate(document, values), sys.stdout)
"""
_PARSE = """
import json, sys
import click
from samcli.cli.types import CfnParameterOverridesType

def parsed(arguments):
    try:
        return CfnParameterOverridesType().convert(tuple(arguments), None, None)
    except click.ClickException:
        return None

json.dump([parsed(each) for each in json.load(sys.stdin)], sys.stdout)
"""
_SETTINGS = """
import json, sys
from pathlib import Path
from samcli.cli.types import CfnParameterOverridesType, CfnTags
from samcli.lib.config.samconfig import SamConfig

path, environment = Path(sys.argv[1]), sys.argv[2]
settings = SamConfig(path.parent, path.name).get_all(["deploy"], "parameters", environment)
overrides = settings.pop("parameter_overrides", "")
settings["parameter_overrides"] = CfnParameterOverridesType().convert(overrides, None, None)
settings["tags"] = CfnTags().convert(settings["tags"], None, None) if "tags" in settings else {}
json.dump(settings, sys.stdout)
"""


@cache
def expand(template: str) -> dict[str, Any]:
    """The template of these bytes with SAM's resources replaced by those they stand for."""
    return dict(_run(_EXPAND, template))


def parse_overrides(command_lines: Sequence[Sequence[str]]) -> list[dict[str, str] | None]:
    """What SAM makes of each list of `Name=value` arguments; None where it refuses them."""
    return list(_run(_PARSE, json.dumps(command_lines)))


def deploy_settings(path: Path, environment: str) -> dict[str, Any]:
    """What `sam deploy --config-file … --config-env …` takes from a file."""
    return dict(_run(_SETTINGS, "", str(path), environment))


def _run(program: str, given: str, *arguments: str) -> Any:
    finished = subprocess.run(
        [sam().with_name("python"), "-c", program, *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**tool_env(), "AWS_DEFAULT_REGION": "us-east-1"},
    )
    assert finished.returncode == 0, finished.stderr[-2000:]
    return json.loads(finished.stdout)
