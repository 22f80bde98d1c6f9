"""The recipes of `docs/clients.md` as programs: run as they are written there, in the clients' own
environments, for other sizes and numbers of images."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dev.settings import ROOT
from imagelayer.platform.table import Item
from tests.support.cloud_organizations import Shop

PAGE = ROOT / "docs/clients.md"
FOLDER = ROOT / "tests/local_cloud/openai_clients"
COMMANDS = {
    "js": [str(ROOT / ".tools/node/bin/node"), str(FOLDER / "recipes.mjs")],
    "python": [str(ROOT / ".tools/clients/bin/python"), "-I", str(FOLDER / "recipes.py")],
}
PROMPT, EDIT_PROMPT, SIZE = "Layered hills at sunrise", "as it is", "1536x1024"
BLOCK = re.compile(r"^```(js|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECONDS = 420


@dataclass(frozen=True)
class Recipe:
    """One code block of the page."""

    client: str
    language: str
    code: str

    @property
    def edits(self) -> bool:
        """Whether it starts from a picture."""
        return f'"{EDIT_PROMPT}"' in self.code

    def variant(self, prompt: str, **wanted: Any) -> str:
        """The same code for another prompt and, where given, another `size`, `n`, `model` or
        `output_format`, each in the place where the page has its own."""
        code = self.code.replace(f'"{EDIT_PROMPT if self.edits else PROMPT}"', json.dumps(prompt))
        code = code.replace(f'"{SIZE}"', json.dumps(wanted.get("size", SIZE)))
        code = code.replace("studio", wanted.get("model", "studio"))
        if "output_format" in wanted:
            value = json.dumps(wanted["output_format"])
            brand = r'("?)brand_id\1(: |=)BRAND'
            code, found = re.subn(brand, rf"\g<0>, \1output_format\1\2{value}", code)
            assert found == 1, self.client
        if "n" in wanted:
            code, found = re.subn(r'(\b(?:openai_)?n"?(?:: |=))4\b', rf"\g<1>{wanted['n']}", code)
            assert found == 1, self.client
        return code


def recipes() -> list[Recipe]:
    """All of the page, in its order."""
    found = []
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        client = section.partition("\n")[0]
        for language, code in re.findall(
            r"^```(js|python)\n(.*?)^```", section, re.DOTALL | re.MULTILINE
        ):
            found.append(Recipe(client, language, code))
    return found


@dataclass
class Cell:
    """One run of a recipe: what it is to make, and what came of it."""

    recipe: Recipe
    shop: Shop
    size: str = SIZE
    n: int = 1
    output_format: str = "png"
    model: str = "studio"
    prompt: str = field(default_factory=lambda: f"hills {secrets.token_hex(6)}")
    way: str = ""  # another address of the local cloud
    pictures: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    @property
    def base_url(self) -> str:
        """Where the client finds us: at another host than S3, by which clients decide whether a
        header goes along."""
        return (self.way or self.shop.cloud.base_url).replace("127.0.0.1", "localhost")

    @property
    def code(self) -> str:
        """The program."""
        if self.recipe.edits:
            return self.recipe.variant(self.prompt)
        wanted: dict[str, Any] = {"size": self.size, "n": self.n}
        if self.output_format != "png":
            wanted["output_format"] = self.output_format
        if self.model != "studio":
            wanted["model"] = self.model
        return self.recipe.variant(self.prompt, **wanted)

    def jobs(self) -> list[Item]:
        """The jobs that it made."""
        return [job for job in self.shop.jobs() if job["prompt"] == self.prompt]

    def row(self) -> str:
        """A line of the table."""
        asked = f"{self.recipe.client:24} {self.size:10} n={self.n} {self.output_format:5}"
        charged = sum(job["credits"] for job in self.jobs())
        answered = f"answered {len(self.pictures)}, charged {charged}"
        return f"{asked} {self.model:12} {answered} {self.error}".rstrip()


def run(cells: Iterable[Cell], photo: bytes) -> None:
    """Run the programs of one language in one process, in which each client has its turn."""
    cells = list(cells)
    (language,) = {cell.recipe.language for cell in cells}
    given = [
        {
            "client": cell.recipe.client,
            "code": cell.code,
            "base": cell.base_url,
            "key": cell.shop.key,
            "brand": cell.shop.brand_id,
            "photo": photo.hex(),
        }
        for cell in cells
    ]
    done = subprocess.run(
        COMMANDS[language],
        input=json.dumps(given),
        # Without the first, LiteLLM fetches a list of prices when it is imported.
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "GENKIT_ENV": "prod", "PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    for line in done.stdout.splitlines():
        told = json.loads(line)
        cell = cells[told["cell"]]
        cell.pictures, cell.error = told["pictures"], told["error"]


def table(cells: Sequence[Cell]) -> str:
    """client x size x n x format: answered, charged."""
    return "\n".join(cell.row() for cell in cells)
