"""Finds phrases that docs/style.md rules out: in comments, docstrings, docs and published text.

`python -m dev.words [path …]` lists them; `tests/unit/docs/test_words.py` fails if there are any.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dev.settings import ROOT


@dataclass(frozen=True)
class Rule:
    """A phrase to avoid, and what to write in its place."""

    pattern: re.Pattern[str]
    instead: str


class Finding(NamedTuple):
    """Where a phrase stands in the repository."""

    path: str
    line: int
    found: str
    instead: str


def _rule(pattern: str, instead: str) -> Rule:
    return Rule(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead)


RULES = (
    _rule(r"(?:tell|tells|telling|told)\s+of", "report, notify, describe"),
    _rule(
        r"(?:is|are|was|were|be|been|being|gets?)\s+told|untold", "is notified, receives, is set"
    ),
    _rule(
        r"somebody(?:\s+else)?|nobody|whoever", "a person's role: the caller, an attacker; someone"
    ),
    _rule(r"meanwhile", "at the same time, since then, in between"),
    _rule(r"(?:stands?|stood)\s+there", "exists, is stored, was present"),
    _rule(r"dear(?:er)?\s+to", "slow to, expensive to"),
    _rule(
        r"living\s+(?:\w+\s+)?(?:balances?|keys?|ones?|secrets?|sessions?|tokens?|claims?|links?)",
        "unexpired, valid, active",
    ),
    _rule(r"asks\s+(?:\w+\s+)?(?:\w+\s+)?for", "requires, requests"),
    _rule(r"first\s+first", "soonest first, oldest first"),
    _rule(
        r"(?<!there )(?<!where )(?<!that )(?:is|are|was|were)\s+no\s+"
        r"(?!longer|older|newer|more|less|other|need|way|doubt|one|different|later|earlier|larger|wider)\w+",
        "is not a",
    ),
    _rule(r"here\s+included", "including this one"),
    _rule(r"as\s+many\s+\w+\s+as\s+it\s+may", "has reached its limit"),
    _rule(
        r"by\s+(?:now|then)\s+there\s+(?:is|are)|there\s+(?:is|are)\s+by\s+(?:now|then)", "existing"
    ),
    _rule(r"lying\s+anywhere|lies\s+nowhere", "being stored anywhere"),
    _rule(r"(?:is|was|were)\s+had", "was received"),
    _rule(r"in\s+a\s+good\s+\d+", "in about"),
    _rule(r"what\s+becomes?\s+of|what\s+became\s+of", "the outcome of"),
    _rule(r"can\s+have\s+otherwise|may\s+have\s+otherwise", "can change"),
    _rule(r"everything\s+there\s+is", "all"),
    _rule(r"vendors?(?:'s?)?", "provider"),
    _rule(
        r"(?:address|email|worker(?:'s)?|message(?:'s)?|job(?:'s)?|delivery(?:'s)?)\s+claims?|"
        r"its\s+(?:own\s+)?claim",
        "lease, reservation",
    ),
    _rule(
        r"\w*(?:colour|behaviour|honour|favour|organisation|licence|neighbour|centre|judgement)\w*|"
        r"\w*(?:recognis|normalis|authoris|serialis)\w*|cancelled|greys?|programmes?|misspelt",
        "American spelling",
    ),
)

FOLDERS = ("benchmarks", "dev", "docs", "events", "functions", "layers", "tests")
PROSE = {".md", ".toml", ".yaml", ".yml", ".html", ".sh", ".js", ".mjs", ".css"}
# Generated, or lists that quote: the style guide, this file, third parties.
SKIPPED = {"docs/style.md", "dev/words.py", "tests/unit/docs/test_words.py"}
_BUILT = {"node_modules", "__pycache__", ".aws-sam"}


def files() -> Iterator[Path]:
    """Every file whose words are ours."""
    yield from (path for path in sorted(ROOT.glob("*")) if path.is_file() and _ours(path))
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if _ours(path))


def _ours(path: Path) -> bool:
    name = str(path.relative_to(ROOT))
    return (
        (path.suffix in PROSE | {".py"} or path.name in {"Makefile", "openapi.json"})
        and name not in SKIPPED
        and not _BUILT.intersection(path.parts)
    )


def findings(path: Path) -> Iterator[Finding]:
    """The phrases of one file."""
    name = str(path.relative_to(ROOT))
    text = path.read_text("utf-8")
    texts = of_python(name, text) if path.suffix == ".py" else [(1, text)]
    for first, words in texts:
        for rule in RULES:
            for match in rule.pattern.finditer(words):
                line = first + words.count("\n", 0, match.start())
                yield Finding(name, line, " ".join(match[0].split()), rule.instead)


def of_python(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and names of tests; of the product, everything that it may say."""
    product = name.startswith(("layers/", "functions/"))
    yield from _comments(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if product and " " in node.value:
                yield node.lineno, node.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            if not product and (said := ast.get_docstring(node, clean=False)):
                yield node.body[0].lineno, said
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.lineno, node.name.replace("_", " ")


def _comments(text: str) -> Iterator[tuple[int, str]]:
    """Comments, those of adjacent lines as one text."""
    block: list[str] = []
    start = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start[0] != start + len(block):
            yield start, "\n".join(block)
            block = []
        if not block:
            start = token.start[0]
        block.append(token.string.lstrip("#"))
    if block:
        yield start, "\n".join(block)


def main(arguments: list[str]) -> int:
    """Print the findings below the paths given, or everywhere."""
    found = [
        each
        for path in files()
        if not arguments or str(path.relative_to(ROOT)).startswith(tuple(arguments))
        for each in findings(path)
    ]
    for each in found:
        print(f'{each.path}:{each.line}: "{each.found}": {each.instead}')
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
