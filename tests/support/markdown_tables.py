"""Tables of the documents."""

from __future__ import annotations

from pathlib import Path


def rows(path: Path, header: str) -> list[list[str]]:
    """The cells of the one table that begins with `header`."""
    text = path.read_text("utf-8")
    assert text.count(f"\n{header}\n") == 1, f"{path.name} has no table {header}"
    lines = text.partition(f"\n{header}\n")[2].splitlines()[1:]
    table: list[list[str]] = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table
