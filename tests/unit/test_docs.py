"""The documents that list what the code defines list all of it, as it is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.settings import ROOT
from imagelayer.endpoints import ENDPOINTS, MAX_BODY_BYTES
from imagelayer.errors import CATALOGUE
from imagelayer.rate_limits import POLICIES
from imagelayer.security_events import EVENTS
from tests.support.tables import rows

DOCS = ROOT / "docs"
GUIDES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


def test_every_security_event_is_documented() -> None:
    listed = rows(DOCS / "security/events.md", "| event | when |")
    assert listed == [[f"`{event}`", when] for event, when in EVENTS.items()]


def test_every_error_code_is_documented() -> None:
    listed = rows(DOCS / "errors.md", "| code | status | title | when |")
    assert [row[:3] for row in listed] == [
        [f"`{code}`", str(status), title] for code, (status, title) in CATALOGUE.items()
    ]


def test_every_limit_is_documented_with_its_numbers() -> None:
    header = "| limit | quota | window | burst | counted per | where |"
    listed = rows(DOCS / "limits.md", header)
    assert [row[:4] for row in listed] == [
        [f"`{name}`", str(policy.quota), f"{policy.window} s", str(policy.burst)]
        for name, policy in POLICIES.items()
    ]


def test_every_endpoint_is_listed_with_the_limit_that_counts_it() -> None:
    header = "| limit | quota | window | burst | counted per | where |"
    listed = {row[0].strip("`"): row[4:] for row in rows(DOCS / "limits.md", header)}
    for endpoint in ENDPOINTS.values():
        per, where = listed[endpoint.limit]
        assert f"`{endpoint.route}`" in where
        assert per == ("client address" if endpoint.auth == "none" else "credential")


def test_the_documented_body_limit_is_the_one_in_force() -> None:
    assert {endpoint.max_body_bytes for endpoint in ENDPOINTS.values()} == {MAX_BODY_BYTES}
    assert f"{MAX_BODY_BYTES:,} bytes" in (DOCS / "limits.md").read_text("utf-8")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", guide.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (guide.parent / target).exists(), f"{guide.name} links to {target}"
