"""docs/webhooks.md says what the code does, and its code verifies what is sent."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from dev.settings import ROOT
from imagelayer.generations.announcements import announce_end
from imagelayer.routes import ROUTES
from imagelayer.webhooks.delivery import (
    DISABLE_AFTER_FAILURES,
    DISABLE_AFTER_SECONDS,
    RETRY_SECONDS,
)
from imagelayer.webhooks.events import WEBHOOK_EVENTS
from imagelayer.webhooks.outbox import MAX_BODY_BYTES, WebhookOutbox
from imagelayer.webhooks.sender import KINDS, TIMEOUT_SECONDS
from imagelayer.webhooks.service import MAX_SECRETS
from imagelayer.webhooks.signing import RootKeys, sign
from imagelayer.webhooks.store import ATTEMPT_SECONDS, MAX_WEBHOOKS, MESSAGE_SECONDS
from imagelayer.webhooks.targets import FIRST_HIGH_PORT, MAX_URL
from tests.support.markdown_tables import rows

PAGE = ROOT / "docs" / "webhooks.md"
TEXT = " ".join(PAGE.read_text("utf-8").split())
NUMBERS = {4: "Four", 5: "five", 8: "eight"}


def test_every_event_is_listed() -> None:
    listed = rows(PAGE, "| event | when | `data` |")
    assert [row[0].strip("`") for row in listed] == list(WEBHOOK_EVENTS)


def test_the_fields_of_a_generations_event_are_listed_in_their_order() -> None:
    class Store:
        def has_any(self, org_id: str) -> bool:
            return True

        def message_action(self, message: Any) -> Any:
            return message["body"]

    store: Any = Store()
    job: Any = {
        "id": "gen_1", "org_id": "org_1", "model": "studio", "mode": "live", "n": 1,
        "credits": 1, "created_at": 1, "expires_at": 2,
    }  # fmt: skip
    outbox = WebhookOutbox(store, store, lambda _what: None)
    (body,) = announce_end(outbox, job, "succeeded", 3.0).actions
    sent = re.findall(r'"(\w+)":', str(body).partition('"data":')[2])
    listed = rows(PAGE, "| event | when | `data` |")[0][2]
    assert re.findall(r"`(\w+)`", listed) == sent


def test_every_error_of_the_log_is_listed() -> None:
    listed = {row[0].strip("`") for row in rows(PAGE, "| error | what |")}
    assert listed == {*KINDS, "http_error", "redirect", "gone"}


def test_the_schedule_is_the_one_in_force() -> None:
    listed = rows(PAGE, "| attempt | seconds after the one before |")
    assert listed == [[str(at), str(each)] for at, each in enumerate(RETRY_SECONDS, start=2)]


def test_every_route_is_listed() -> None:
    listed = {row[0].strip("`") for row in rows(PAGE, "| route | what |")}
    assert listed == {each.key for each in ROUTES.values() if each.function == "webhooks"}


@pytest.mark.parametrize(
    "said",
    [
        f"may have {MAX_WEBHOOKS} endpoints",
        f"within {TIMEOUT_SECONDS:.0f} seconds",
        f"A message lives {MESSAGE_SECONDS // 3600} hours",
        f"smaller than {MAX_BODY_BYTES:,} bytes",
        f"{MAX_URL:,} characters at most",
        f"Port 443, or one from {FIRST_HIGH_PORT}",
        f"tried again, {NUMBERS[DISABLE_AFTER_FAILURES]} times in all",
        f"nothing for {NUMBERS[DISABLE_AFTER_SECONDS // 86_400]} days, "
        f"{NUMBERS[DISABLE_AFTER_FAILURES]} attempts or more",
        f"{NUMBERS[MAX_SECRETS]} secrets sign at once at most",
        "attempts of the last seven days",
    ],
)
def test_the_documented_bounds_are_those_in_force(said: str) -> None:
    assert said in TEXT
    assert ATTEMPT_SECONDS == 7 * 86_400


@pytest.mark.parametrize(
    "said",
    [
        f"| webhooks | {MAX_WEBHOOKS} | organization | |",
        f"| URL of a webhook | {MAX_URL:,} characters |",
        f"| body of a webhook | {MAX_BODY_BYTES:,} bytes |",
        f"| secrets of a webhook that sign at once | {MAX_SECRETS}, the current one included |",
        f"| message to a webhook, its entry in the log | {MESSAGE_SECONDS // 3600} hours, "
        f"{ATTEMPT_SECONDS // 86_400} days |",
    ],
)
def test_the_page_of_limits_says_the_same(said: str) -> None:
    assert said in (ROOT / "docs" / "limits.md").read_text("utf-8")


def test_the_python_that_is_shown_takes_what_we_send_and_nothing_else() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    scope: dict[str, Any] = {}
    exec(compile(shown, str(PAGE), "exec"), scope)  # noqa: S102 - the page's own code
    roots, body, now = RootKeys.of("root"), b'{"type":"webhook.test"}', int(time.time())
    secret = roots.secret("org_1", "whk_1", {"root": roots.current, "version": 1})
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign([secret], "msg_1", now, body),
    }
    assert scope["receive"](body, headers, secret) == {"type": "webhook.test"}
    with pytest.raises(WebhookVerificationError):
        scope["receive"](body + b" ", headers, secret)
