"""Runs the suites of `openai_clients/`, each with the client it is for."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.local_cloud import LocalCloud
from dev.settings import ROOT
from imagelayer.platform.table import Item
from tests.support.cloud_organizations import Shop

SUITE = ROOT / "tests/local_cloud/openai_clients"
COMMANDS: dict[str, list[Path | str]] = {
    "python 2": [ROOT / ".tools/openai-2/bin/python", "-I", SUITE / "suite.py"],
    "python 3": [ROOT / ".tools/openai-3/bin/python", "-I", SUITE / "suite.py"],
    "node 7": [ROOT / ".tools/node/bin/node", SUITE / "suite.mjs"],
}
MODEL = "gpt-image-2"
SUITE_SECONDS = 540


@dataclass(frozen=True)
class Run:
    """One client's suite: where it was run, with what, and what it said."""

    shop: Shop
    given: Mapping[str, Any]
    told: Mapping[str, Mapping[str, Any]]
    paid: Mapping[str, int]
    version: str

    def jobs(self, word: str = "") -> list[Item]:
        """The shop's jobs, or those of one case."""
        prompt = self.given[word] if word else ""
        jobs = self.shop.generations.list_generations(self.shop.org_id, limit=1000, after=None)
        return [dict(job) for job in jobs if prompt in job["prompt"]]

    def provider_calls(self, word: str) -> int:
        """How often the provider was asked by one case."""
        return len(provider_calls(self.shop.cloud, self.given[word]))


def run(client: str, shop: Shop, given: dict[str, Any], cases: Sequence[str]) -> Run:
    """Run cases of one client's suite to their end."""
    done = subprocess.run(
        [str(part) for part in COMMANDS[client]],
        env={"GIVEN": json.dumps({**given, "cases": cases}), "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        timeout=SUITE_SECONDS,
        check=True,
    )
    *told, last = [json.loads(line) for line in done.stdout.splitlines()]
    return Run(shop, given, {each["case"]: each for each in told}, last["paid"], last["version"])


def words(*names: str) -> dict[str, str]:
    """For each name a word that no other prompt has: by it the provider's stand-in knows what to
    do, and a test its jobs."""
    chosen = secrets.token_hex(4)
    return {name: f"{name}-{chosen}" for name in names}


def script(cloud: LocalCloud, rules: Sequence[Mapping[str, Any]]) -> None:
    """Tell the providers' stand-in what to do with which prompts."""
    cloud.http.post("/_local/models", json={"rules": rules}).raise_for_status()


def provider_calls(cloud: LocalCloud, word: str) -> list[dict[str, Any]]:
    """What the providers were asked for with that word."""
    return list(cloud.http.get("/_local/models/calls", params={"match": word}).json())
