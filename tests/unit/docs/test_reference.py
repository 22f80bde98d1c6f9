"""The documents that list what the code defines list all of it, as it is, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from dev.settings import ROOT
from imagelayer.access import key_networks, key_secrets, leaked_keys
from imagelayer.access import key_store as keys
from imagelayer.access.schemas import Cidrs
from imagelayer.access.scopes import Scope
from imagelayer.api.route import MAX_BODY_BYTES, Route
from imagelayer.audit.security_log import EVENTS
from imagelayer.credits import parameters, usage
from imagelayer.credits import store as credits
from imagelayer.identity.link_tokens import SIGN_UP_SECONDS
from imagelayer.limits import counters
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.openai_api.routes import MAX_PICTURE_BYTES
from imagelayer.operations.plans import OVERRIDABLE
from imagelayer.operations.schemas import AnyAction, Event
from imagelayer.platform import idempotency
from imagelayer.platform.errors import CATALOGUE, DO_NOT_RETRY
from imagelayer.routes import ROUTES
from tests.support.markdown_tables import rows

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


LIMITS = rows(
    DOCS / "limits.md",
    "| limit | quota | window | burst | counted per | adjustable | where |",
)
# Whose calls a limit counts that counts beside the caller's own.
SHARED = {
    "organization-generations": "organization",
    "end-user-generations": "end user",
    "webhook-send": "organization",
}
SCANNED = r"il_(live|test)_[0-9A-Za-z]{38}"


def test_every_limit_is_documented_with_its_numbers() -> None:
    assert [row[:4] for row in LIMITS] == [
        [f"`{name}`", str(policy.quota), f"{policy.window} s", str(policy.burst)]
        for name, policy in POLICIES.items()
    ]


def test_every_endpoint_is_listed_with_the_limits_that_count_it() -> None:
    listed = {row[0].strip("`"): (row[4], row[6]) for row in LIMITS}
    for route in ROUTES.values():
        counted = {route.limit: "client address" if route.auth == "none" else "credential"}
        counted |= {limit: SHARED[limit] for limit in route.shared}
        for limit, per in counted.items():
            assert listed[limit][0] == per
            assert f"`{route.key}`" in listed[limit][1]


def test_the_limits_an_organization_may_change_are_marked() -> None:
    assert {row[0].strip("`"): row[5] for row in LIMITS} == {
        name: "yes" if name in OVERRIDABLE else "–" for name in POLICIES
    }


def test_a_scope_of_keys_is_listed_with_all_that_it_opens() -> None:
    def opened(scope: str) -> list[str]:
        return [
            f"`{each.key}`"
            for each in ROUTES.values()
            if each.scope == scope and each.auth != "user"
        ]

    assert rows(DOCS / "keys.md", "| scope | opens |") == [
        [f"`{scope}`", ", ".join(opened(scope))] for scope in get_args(Scope.__value__)
    ]


def test_every_route_that_takes_an_idempotency_key_is_listed_with_who_shares_it() -> None:
    header = "| route | shared by | a repetition is answered |"

    def shared_by(route: Route) -> str:
        return "the one who asks" if route.idempotent == "actor" else "the organization"

    assert sorted(row[:2] for row in rows(DOCS / "idempotency.md", header)) == sorted(
        [f"`{each.key}`", shared_by(each)] for each in ROUTES.values() if each.idempotent
    )


def test_what_is_not_worth_a_retry_is_named() -> None:
    text = " ".join((DOCS / "errors.md").read_text("utf-8").split())
    named = text.partition("carry `x-should-retry: false`")[0].rpartition(" - ")[2]
    assert set(re.findall(r"`(\w+)`", named)) == DO_NOT_RETRY


@pytest.mark.parametrize("page", ["keys.md", "operations.md"])
def test_the_pattern_for_scanners_finds_secret_keys_and_no_publishable_one(page: str) -> None:
    assert SCANNED in (DOCS / page).read_text("utf-8")
    for mode in ("live", "test"):
        assert re.fullmatch(SCANNED, key_secrets.new_secret("secret", mode))
        assert not re.fullmatch(SCANNED, key_secrets.new_secret("publishable", mode))


def test_every_action_of_the_operator_is_shown_as_it_is_taken() -> None:
    text = (DOCS / "operations.md").read_text("utf-8").replace("org_…", f"org_{'0' * 26}")
    shown = [
        json.loads(example) for example in re.findall(r"administer '(\{.*?\})'", text, re.DOTALL)
    ]
    taken = [Event.model_validate(each, strict=True).root for each in shown]
    assert {type(each) for each in taken} == set(get_args(AnyAction))


def length(shape: Any) -> int | None:
    """The most members of a list's shape."""
    described = TypeAdapter(shape).json_schema()
    most: int | None = described.get("maxItems")
    return most


@pytest.mark.parametrize(
    "said",
    [
        f"| API keys | {keys.MAX_KEYS} | organization |",
        f"| secrets of a key that work at once | {keys.VALID_SECRETS}, the current one included |",
        f"| networks of a key (`allowed_cidrs`) | {length(Cidrs)}; of IPv6 a "
        f"/{key_networks.LONGEST_IPV6_PREFIX} or wider |",
        f"| leaked keys in one report | {leaked_keys.MAX_REPORTED} |",
        f"| days in one usage report | {parameters.MAX_DAYS} |",
        f"| rows behind one usage report | {usage.MAX_ROWS:,} |",
        f"| unconfirmed sign-up | {SIGN_UP_SECONDS // 86_400} days after its newest mail |",
        f"| what an `Idempotency-Key` made | {idempotency.KEPT_SECONDS // 3600} hours |",
        f"counts its attempts | {idempotency.RETRY_SECONDS // 60} minutes |",
        f"| balances, ledger and usage | {credits.KEPT_SECONDS // 86_400} days after they can",
        f"for {counters.REMEMBER_MS // 1000} seconds at most",
    ],
)
def test_the_documented_bounds_are_those_in_force(said: str) -> None:
    assert said in (DOCS / "limits.md").read_text("utf-8")


def test_usage_is_documented_with_its_groups_and_its_longest_range() -> None:
    text = (DOCS / "credits.md").read_text("utf-8")
    assert f"some of {', '.join(f'`{group}`' for group in parameters.GROUPS)}," in text
    assert f"both included, {parameters.MAX_DAYS} at most" in text


def test_the_documented_body_limit_is_the_one_in_force() -> None:
    larger = {
        route.key: route.max_body_bytes
        for route in ROUTES.values()
        if route.max_body_bytes != MAX_BODY_BYTES
    }
    assert larger == {"POST /v1/images/edits": MAX_PICTURE_BYTES}
    documented = (DOCS / "limits.md").read_text("utf-8")
    assert f"| request body | {MAX_BODY_BYTES:,} bytes |" in documented
    assert f"| body of `POST /v1/images/edits` | {MAX_PICTURE_BYTES:,} bytes |" in documented


def anchors(page: Path) -> set[str]:
    """What GitHub lets one link to in a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(guide: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", guide.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            page = guide.parent / target if target else guide
            assert page.exists(), f"{guide.name} links to {target}"
            assert not anchor or anchor in anchors(page), f"{guide.name} links to {target}#{anchor}"
