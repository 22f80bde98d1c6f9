"""What happens reaches every endpoint that listens, signed, once; what fails is tried again."""

from __future__ import annotations

import json
import time
from copy import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from imagelayer.platform.queue import MAX_DELAY_SECONDS
from imagelayer.platform.table import SWEEP_SHARDS
from imagelayer.platform.times import parse_rfc3339
from imagelayer.webhooks.delivery import (
    DISABLE_AFTER_FAILURES,
    DISABLE_AFTER_SECONDS,
    JITTER,
    LEASE_SECONDS,
    RETRY_SECONDS,
)
from imagelayer.webhooks.events import WEBHOOK_EVENTS
from imagelayer.webhooks.sender import KINDS, Receipt
from imagelayer.webhooks.store import ATTEMPT_SECONDS, MESSAGE_SECONDS, OVERDUE_SECONDS
from imagelayer.webhooks.sweep import SWEEP_SECONDS
from imagelayer.webhooks.wiring import WebhooksWiring
from tests.support.api import Account
from tests.support.product import Product
from tests.support.webhook_receivers import Post, call

DAY = 86_400


@pytest.mark.parametrize("event", WEBHOOK_EVENTS)
def test_what_happens_reaches_an_endpoint_signed_and_is_in_its_log(
    product: Product, owner: Account, post: Post, event: str
) -> None:
    webhook = product.webhook(owner)
    message_id = post.send(owner, event)
    post.run()
    (sent,) = post.receivers.got
    assert sent.url == webhook["url"]
    assert sent.id == message_id
    assert abs(int(sent.headers["webhook-timestamp"]) - sent.at) <= 1
    sent.verify(webhook["secret"])
    assert (sent.json["type"], sent.json["data"]) == (event, {"id": "gen_x"})
    assert parse_rfc3339(sent.json["timestamp"]) == int(post.receivers.clock())
    (attempt,) = post.attempts(owner, webhook["id"])
    assert attempt == {
        "id": attempt["id"],
        "message_id": message_id,
        "event": event,
        "attempt": 1,
        "outcome": "succeeded",
        "status_code": 200,
        "error": None,
        "duration_ms": 0,
        "created_at": attempt["created_at"],
        "next_attempt_at": None,
    }
    assert post.later == post.messages() == []


@pytest.mark.promise("org-scoped")
def test_only_endpoints_of_the_organization_that_listen_are_notified(
    product: Product, owner: Account, stranger: Account, post: Post
) -> None:
    told = product.webhook(owner, url="https://one.example.com/", events=["generation.failed"])
    also = product.webhook(owner, url="https://two.example.com/")
    product.webhook(owner, url="https://other.example.com/", events=["generation.succeeded"])
    product.webhook(owner, url="https://off.example.com/", enabled=False)
    product.webhook(stranger, url="https://stranger.example.com/")
    post.send(owner, "generation.failed")
    post.run()
    assert {each.url for each in post.receivers.got} == {told["url"], also["url"]}
    assert len({each.id for each in post.receivers.got}) == 1


def test_without_an_endpoint_nothing_is_written_or_sent(
    product: Product, owner: Account, post: Post
) -> None:
    outbox = post.worker.outbox
    announcement = outbox.announce(owner.org_id, "generation.failed", {}, time.time())
    assert announcement.actions == ()
    announcement.send()
    outbox.announce_once(owner.org_id, "quota.alert", {}, time.time(), "once")
    assert post.messages() == []
    assert product.items("WebhooksTable") == []


def test_an_endpoint_is_not_notified_of_what_happened_before_it_was_made(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner, url="https://early.example.com/")
    post.receivers.clock.seconds = -60
    post.send(owner)
    product.webhook(owner, url="https://late.example.com/")
    for each in product.items("WebhooksTable"):
        if "early" in each.get("url", ""):
            product.edit("WebhooksTable", each, created_at=each["created_at"] - 120)
    post.run()
    assert [each.url for each in post.receivers.got] == ["https://early.example.com/"]


def test_what_must_be_reported_once_is_sent_once_however_often_it_is_requested(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    for occasion in ("2026-11 80", "2026-11 80", "2026-11 100"):
        post.worker.outbox.announce_once(
            owner.org_id, "quota.alert", {"percent": 80}, post.receivers.clock(), occasion
        )
    post.run()
    assert len(post.receivers.got) == 2


def test_a_failure_is_tried_again_by_the_schedule_with_the_same_id_and_a_new_timestamp(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    message_id = post.send(owner)
    post.run()
    for number, pause in enumerate(RETRY_SECONDS, start=1):
        assert len(post.receivers.got) == number
        post.pass_time(pause - 2)
        assert len(post.receivers.got) == number, "too early"
        post.pass_time(3)
    assert len(post.receivers.got) == len(RETRY_SECONDS) + 1 == 8
    assert {each.id for each in post.receivers.got} == {message_id}
    assert len({each.body for each in post.receivers.got}) == 1
    stamps = [int(each.headers["webhook-timestamp"]) for each in post.receivers.got]
    assert len(set(stamps)) == len(stamps)
    post.pass_time(3 * DAY)
    assert len(post.receivers.got) == 8
    log = post.attempts(owner, webhook["id"])
    assert [each["attempt"] for each in log] == list(range(1, 9))
    assert {(each["outcome"], each["status_code"], each["error"]) for each in log} == {
        ("failed", 500, "http_error")
    }
    assert [each["next_attempt_at"] is None for each in log] == [False] * 7 + [True]
    delivery = product.item("WebhooksTable", "DLV#")
    assert (delivery["status"], delivery["attempts"]) == ("failed", 8)
    assert "sweep_at" not in delivery


def test_a_long_pause_is_ended_by_the_sweep_and_nothing_waits_in_the_queue(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.receivers.answers = [500, Receipt(503, "7200"), 200]
    post.send(owner)
    post.run()
    post.pass_time(6)
    assert len(post.receivers.got) == 2
    assert post.later == post.messages() == []
    delivery = product.item("WebhooksTable", "DLV#")
    assert delivery["sweep_at"] == delivery["next_at"]
    post.receivers.clock.seconds += delivery["next_at"] - 1 - post.receivers.clock()
    assert post.sweep() == {"asked": 0, "failed": 0}
    post.receivers.clock.seconds += 1
    assert post.sweep() == {"asked": 1, "failed": 0}
    assert post.sweep() == {"asked": 0, "failed": 0}
    post.run()
    assert len(post.receivers.got) == 3


def test_what_arrives_before_it_is_due_is_not_sent_on(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.receivers.answers = [500]
    post.send(owner)
    post.run()
    post.deliver(post.later)
    assert post.messages() == []
    assert len(post.receivers.got) == 1
    post.receivers.clock.seconds += RETRY_SECONDS[0] + OVERDUE_SECONDS + 1
    assert post.sweep() == {"asked": 1, "failed": 0}
    post.run()
    assert len(post.receivers.got) == 2


@pytest.mark.parametrize("wait", [299, 300, 898, 899, 900, 901, 36_000])
def test_the_queue_holds_what_it_can_hold_until_it_is_due_and_no_less(
    product: Product, owner: Account, post: Post, wait: int
) -> None:
    product.webhook(owner)
    post.receivers.answers = [Receipt(429, str(wait)), 200]
    post.send(owner)
    post.run()
    (delivery,) = [each for each in product.items("WebhooksTable") if each["sk"].startswith("DLV#")]
    left = delivery["next_at"] - post.receivers.clock()
    for message in post.later:
        assert left < message["delay"] <= MAX_DELAY_SECONDS
    assert (len(post.later) == 1) == (left + 1 <= MAX_DELAY_SECONDS)
    overdue = OVERDUE_SECONDS if post.later else 0
    assert delivery["sweep_at"] == delivery["next_at"] + overdue


@pytest.mark.parametrize("about_to_be_disabled", [False, True])
@pytest.mark.parametrize("answer", [500, 410, Receipt(429, "890")])
def test_no_message_leads_to_more_than_four_invocations_before_the_sweep_goes_on(
    product: Product, owner: Account, post: Post, answer: int | Receipt, about_to_be_disabled: bool
) -> None:
    """Lambda stops a function that invokes itself through a queue about 16 times. The longest chain
    opens a message and makes three attempts, whatever the receivers answer."""
    for number in range(5):
        product.webhook(owner, url=f"https://{number}.example.com/")
    post.receivers.answers = [answer]
    for each in product.items("WebhooksTable"):
        if about_to_be_disabled and each["sk"].startswith("WHK#"):
            since = int(post.receivers.clock()) - DISABLE_AFTER_SECONDS
            product.edit(
                "WebhooksTable", each, failures=DISABLE_AFTER_FAILURES, failing_since=since
            )
    post.send(owner)
    invocations, sent = 0, post.messages()
    while sent:
        post.receivers.clock.seconds += MAX_DELAY_SECONDS
        post.deliver(sent)
        invocations, sent = invocations + 1, post.messages()
    assert 2 <= invocations <= 4
    assert post.receivers.got


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 300), (0.5, 330), (1.0, 360)])
def test_a_pause_is_up_to_a_fifth_longer_by_chance(
    product: Product, owner: Account, post: Post, chance: float, pause: int
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    wiring = product.part("webhook_delivery", WebhooksWiring)
    vars(wiring)["webhook_worker"] = replace(post.worker, random=lambda: chance)
    post.send(owner)
    post.run()
    post.pass_time(RETRY_SECONDS[0] * (1 + JITTER) + 1)
    newest = post.attempts(owner, webhook["id"])[-1]
    made, following = (parse_rfc3339(newest[name]) for name in ("created_at", "next_attempt_at"))
    assert made is not None
    assert following is not None
    assert pause <= following - made <= pause + 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_receiver_that_says_when_to_come_again_is_not_asked_before(
    product: Product, owner: Account, post: Post, status: int
) -> None:
    product.webhook(owner)
    in_an_hour = format_datetime(
        datetime.fromtimestamp(post.receivers.clock() + 3600, UTC), usegmt=True
    )
    for said, seconds in (("3600", 3600), (in_an_hour, 3600), ("nonsense", 5), ("-1", 5)):
        post.receivers.got.clear()
        post.receivers.answers = [Receipt(status, said), 200]
        post.send(owner)
        post.run()
        post.pass_time(seconds - 4)
        assert len(post.receivers.got) == 1, said
        post.pass_time(10)
        assert len(post.receivers.got) == 2, said
        post.receivers.clock.seconds = 0


def test_a_receiver_cannot_put_a_message_off_for_ever(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.receivers.answers = [Receipt(503, "999999999999999999"), 200]
    post.send(owner)
    post.run()
    post.pass_time(RETRY_SECONDS[-1] + 1)
    assert len(post.receivers.got) == 2


def test_other_statuses_do_not_set_the_pace(product: Product, owner: Account, post: Post) -> None:
    product.webhook(owner)
    post.receivers.answers = [Receipt(500, "3600"), 200]
    post.send(owner)
    post.run()
    post.pass_time(6)
    assert len(post.receivers.got) == 2


@pytest.mark.parametrize("answer", [*KINDS, 301, 302, 307, 308, 400, 401, 404, 500, 199])
def test_whatever_is_not_a_2xx_is_a_failure_and_is_distinguished(
    product: Product, owner: Account, post: Post, answer: int | str
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [answer]
    post.send(owner)
    post.run()
    (attempt,) = post.attempts(owner, webhook["id"])
    assert attempt["outcome"] == "failed"
    if isinstance(answer, str):
        assert (attempt["status_code"], attempt["error"]) == (None, answer)
    else:
        assert attempt["status_code"] == answer
        assert attempt["error"] == ("redirect" if 300 <= answer < 400 else "http_error")
    assert attempt["next_attempt_at"] is not None


@pytest.mark.parametrize("answer", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(product: Product, owner: Account, post: Post, answer: int) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [answer]
    post.send(owner)
    post.run()
    assert post.attempts(owner, webhook["id"])[0]["outcome"] == "succeeded"
    assert post.later == []


def test_how_long_a_receiver_took_is_reported(product: Product, owner: Account, post: Post) -> None:
    webhook = product.webhook(owner)
    post.receivers.seconds = 1.5
    post.send(owner)
    post.run()
    assert post.attempts(owner, webhook["id"])[0]["duration_ms"] == 1500


def test_a_receiver_that_is_gone_is_switched_off_at_once_and_the_others_are_notified(
    product: Product, owner: Account, post: Post
) -> None:
    gone = product.webhook(owner, url="https://gone.example.com/", events=["generation.failed"])
    other = product.webhook(owner, url="https://other.example.com/", events=["webhook.disabled"])
    post.receivers.answers = [410, 200]
    post.send(owner, "generation.failed")
    post.run()
    post.pass_time(OVERDUE_SECONDS + 1)  # the sweep sends the announcement
    seen = post.webhook(owner, gone["id"])
    assert (seen["enabled"], seen["disabled_reason"]) == (False, "gone")
    first, second = post.receivers.got
    assert (first.url, second.url) == (gone["url"], other["url"])
    assert second.json["data"]["id"] == gone["id"]
    second.verify(other["secret"])
    (event,) = product.security_events("webhook.disabled")
    assert (event["org_id"], event["reason"]) == (owner.org_id, f"{gone['id']} gone")
    assert post.attempts(owner, gone["id"])[0]["error"] == "gone"
    assert post.later == []


def fail_for(post: Post, owner: Account, days: float) -> None:
    """Send something that fails, all its attempts, and again until so many days have passed."""
    began = post.receivers.clock()
    while post.receivers.clock() - began < days * DAY:
        post.send(owner)
        post.run()
        for pause in RETRY_SECONDS:
            post.pass_time(pause + 1)


def test_five_days_of_nothing_but_failures_switch_an_endpoint_off(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    fail_for(post, owner, 4.5)
    before = post.webhook(owner, webhook["id"])
    assert (before["enabled"], before["disabled_reason"]) == (True, None)
    assert before["failing_since"] is not None
    fail_for(post, owner, 1)
    after = post.webhook(owner, webhook["id"])
    assert (after["enabled"], after["disabled_reason"]) == (False, "failing")
    assert len(product.security_events("webhook.disabled")) == 1
    assert DISABLE_AFTER_SECONDS == 5 * DAY
    # What is on its way is not sent any more, and nothing new is.
    sent = len(post.receivers.got)
    post.send(owner)
    post.run()
    post.pass_time(RETRY_SECONDS[-1] * 2)
    assert len(post.receivers.got) == sent


def test_one_success_in_between_starts_the_count_afresh(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    fail_for(post, owner, 4)
    post.receivers.answers = [200, 500]
    post.send(owner)
    post.run()
    assert post.webhook(owner, webhook["id"])["failing_since"] is None
    fail_for(post, owner, 4)
    assert post.webhook(owner, webhook["id"])["enabled"]


def test_two_failures_far_apart_switch_nothing_off(
    product: Product, owner: Account, post: Post
) -> None:
    """An endpoint that receives few events must not be judged by them."""
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    for _ in range(2):
        post.send(owner)
        post.run()
        post.later.clear()
        post.receivers.clock.seconds += 6 * DAY
    assert post.webhook(owner, webhook["id"])["enabled"]
    assert DISABLE_AFTER_FAILURES == 8


def test_an_endpoint_that_is_switched_on_again_starts_afresh(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [410, 200]
    post.send(owner)
    post.run()
    changed = call(product, owner, "PATCH", f"/{webhook['id']}", body={"enabled": True}).json
    assert (changed["enabled"], changed["disabled_reason"]) == (True, None)
    assert changed["failing_since"] is None
    assert post.webhook(owner, webhook["id"]) == changed
    post.receivers.clock.seconds += 1
    post.send(owner)
    post.run()
    assert post.attempts(owner, webhook["id"])[-1]["outcome"] == "succeeded"


@pytest.mark.parametrize("enabled", [True, False])
def test_a_test_event_goes_to_its_endpoint_alone_once_whether_or_not_it_is_switched_on(
    product: Product, owner: Account, post: Post, enabled: bool
) -> None:
    webhook = product.webhook(owner, enabled=enabled)
    product.webhook(owner, url="https://other.example.com/")
    post.receivers.answers = [500]
    asked = call(product, owner, "POST", f"/{webhook['id']}/test")
    assert asked.status == 202
    post.run()
    post.pass_time(DAY)
    (sent,) = post.receivers.got
    assert (sent.id, sent.url) == (asked.json["id"], webhook["url"])
    sent.verify(webhook["secret"])
    assert sent.json["type"] == asked.json["event"] == "webhook.test"
    assert sent.json["data"] == {"id": webhook["id"]}
    (attempt,) = post.attempts(owner, webhook["id"])
    assert (attempt["error"], attempt["next_attempt_at"]) == ("http_error", None)
    # Whether a test fails says nothing about the endpoint.
    assert post.webhook(owner, webhook["id"])["failing_since"] is None


def test_a_message_is_sent_once_more_on_demand_with_attempts_of_its_own(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    message_id = post.send(owner)
    post.run()
    post.pass_time(1)  # attempts of one millisecond have no order
    post.receivers.answers = [500, 200]
    again = call(product, owner, "POST", f"/{webhook['id']}/messages/{message_id}/resend")
    assert (again.status, again.json["id"]) == (202, message_id)
    post.run()
    post.pass_time(6)
    assert [each.id for each in post.receivers.got] == [message_id] * 3
    log = post.attempts(owner, webhook["id"])
    assert [(each["attempt"], each["outcome"]) for each in log] == [
        (1, "succeeded"),
        (1, "failed"),
        (2, "succeeded"),
    ]


def test_a_message_can_be_sent_to_an_endpoint_that_was_made_later_or_is_switched_off(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    message_id = post.send(owner)
    post.run()
    late = product.webhook(owner, url="https://late.example.com/", enabled=False)
    path = f"/{late['id']}/messages/{message_id}/resend"
    assert call(product, owner, "POST", path).status == 202
    post.run()
    assert post.receivers.got[-1].url == late["url"]


def test_a_message_that_is_being_sent_is_not_sent_once_more(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    message_id = post.send(owner)
    post.run()
    delivery = product.item("WebhooksTable", "DLV#")
    busy = {"status": "pending", "lease": "x", "leased_until": int(time.time()) + 60}
    product.edit("WebhooksTable", delivery, **busy)
    path = f"/{webhook['id']}/messages/{message_id}/resend"
    answer = call(product, owner, "POST", path)
    assert (answer.status, answer.json["code"]) == (409, "conflict")


def test_a_message_that_ran_out_cannot_be_sent_and_is_missing(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    message_id = post.send(owner)
    item = product.item("WebhooksTable", "MSG#")
    assert item["expires_at"] - item["at"] == MESSAGE_SECONDS
    product.edit("WebhooksTable", item, expires_at=int(time.time()))
    path = f"/{webhook['id']}/messages/{message_id}/resend"
    assert call(product, owner, "POST", path).status == 404
    post.receivers.clock.seconds += 1
    post.run()
    assert post.receivers.got == []


def test_a_test_event_of_one_endpoint_is_missing_for_another(
    product: Product, owner: Account, post: Post
) -> None:
    webhook, other = (product.webhook(owner) for _ in range(2))
    message_id = call(product, owner, "POST", f"/{webhook['id']}/test").json["id"]
    path = f"/{other['id']}/messages/{message_id}/resend"
    assert call(product, owner, "POST", path).status == 404


def test_a_rotated_secret_signs_beside_the_old_one_until_its_grace_ends(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    rotated = call(
        product, owner, "POST", f"/{webhook['id']}/rotate", body={"grace_seconds": 3600}
    ).json
    assert rotated["secret"] != webhook["secret"]
    post.send(owner)
    post.run()
    for secret in (webhook["secret"], rotated["secret"]):
        post.receivers.got[-1].verify(secret)
    post.receivers.clock.seconds = 3602
    post.send(owner)
    post.run()
    header = post.receivers.got[-1].headers["webhook-signature"]
    assert header.count("v1,") == 1


def test_without_a_grace_the_old_secret_signs_nothing_more(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    path = f"/{webhook['id']}/rotate"
    rotated = call(product, owner, "POST", path, body={"grace_seconds": 0}).json
    post.send(owner)
    post.run()
    post.receivers.got[-1].verify(rotated["secret"])
    assert post.receivers.got[-1].headers["webhook-signature"].count("v1,") == 1


def test_the_log_is_paged_newest_first_and_forgets_after_seven_days(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    for _ in range(5):
        post.send(owner)
        post.run()
        post.receivers.clock.seconds += 1
    path, seen, cursor = f"/{webhook['id']}/attempts", [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = call(product, owner, "GET", path, query=query).json
        seen += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len({each["id"] for each in seen}) == 5
    assert [each["id"] for each in seen] == sorted((each["id"] for each in seen), reverse=True)
    for item in product.items("WebhooksTable"):
        if item["sk"].startswith("ATT#"):
            assert item["expires_at"] - item["at"] == ATTEMPT_SECONDS == 7 * DAY
            product.edit("WebhooksTable", item, expires_at=int(time.time()))
    assert call(product, owner, "GET", path).json["data"] == []


@pytest.mark.promise("no-training", "keys-hashed")
def test_neither_log_nor_queue_holds_a_url_a_secret_or_a_body(
    product: Product, owner: Account, post: Post
) -> None:
    url = "https://hooks.example.com/in?token=hush-hush"
    webhook = product.webhook(owner, url=url)
    rotated = call(product, owner, "POST", f"/{webhook['id']}/rotate", body={}).json
    post.receivers.answers = [500]
    post.send(owner, note="tell-tale")
    queued = json.dumps(post.messages())
    post.send(owner, note="tell-tale")
    post.run()
    written = product.output.getvalue() + queued + json.dumps(post.later)
    for hidden in ("hush-hush", "hooks.example.com", "tell-tale", "whsec_"):
        assert hidden not in written
    tables = product.dump()
    for secret in (webhook["secret"], rotated["secret"]):
        assert secret not in tables
        assert secret.removeprefix("whsec_") not in tables
    attempts = [each for each in product.items("WebhooksTable") if each["sk"].startswith("ATT#")]
    assert "tell-tale" not in json.dumps(attempts)


def sweep(product: Product) -> dict[str, int]:
    swept: dict[str, int] = product.invoke("webhook_delivery", {})
    return swept


def test_a_message_that_the_queue_lost_is_found_by_the_sweep(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.send(owner)
    assert len(post.messages()) == 1  # and lost
    assert sweep(product) == {"asked": 0, "failed": 0}
    post.receivers.clock.seconds += OVERDUE_SECONDS + 1
    assert sweep(product) == {"asked": 1, "failed": 0}
    assert sweep(product) == {"asked": 0, "failed": 0}
    post.run()
    assert len(post.receivers.got) == 1
    post.receivers.clock.seconds += 10 * OVERDUE_SECONDS
    assert sweep(product) == {"asked": 0, "failed": 0}


def test_a_sweep_goes_on_while_more_is_due_and_it_has_time(
    product: Product, owner: Account, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a receiver with much to be sent to it does not keep the others waiting."""
    for module in ("imagelayer.platform.table", "imagelayer.webhooks.sweep"):
        monkeypatch.setattr(f"{module}.SWEEP_PAGE", 2)
    product.webhook(owner)
    for _ in range(24):
        post.send(owner)
    post.messages()  # lost
    post.receivers.clock.seconds += OVERDUE_SECONDS + 1
    first = post.sweep()["asked"]
    assert first > 2 * SWEEP_SHARDS
    while post.sweep()["asked"]:
        pass
    assert len({each["message_id"] for each in post.messages()}) == 24
    for each in product.items("WebhooksTable"):
        if each["sk"].startswith("MSG#"):
            product.edit("WebhooksTable", each, sweep_at=int(post.receivers.clock()))
    wiring = product.part("webhook_delivery", WebhooksWiring)
    late = replace(wiring.sweep, clock=lambda: post.receivers.clock() + SWEEP_SECONDS)
    assert late.sweep(post.receivers.clock())["asked"] <= 2 * SWEEP_SHARDS


def test_a_delivery_that_the_queue_lost_is_found_by_the_sweep_in_every_state(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.receivers.answers = [500, 200]
    post.send(owner)
    (opening,) = post.messages()
    post.deliver([opening])
    assert len(post.messages()) == 1  # the first attempt's, lost
    post.receivers.clock.seconds += OVERDUE_SECONDS + 1
    assert sweep(product)["asked"] == 1
    post.run()
    assert len(post.receivers.got) == 1
    post.later.clear()  # the second attempt's
    post.receivers.clock.seconds += RETRY_SECONDS[0] + OVERDUE_SECONDS + 1
    assert sweep(product)["asked"] == 1
    post.run()
    assert len(post.receivers.got) == 2


def test_a_worker_that_died_in_its_attempt_is_made_up_for_with_the_same_id(
    product: Product, owner: Account, post: Post
) -> None:
    """Its request may have arrived: the receiver tells by `webhook-id`."""
    webhook = product.webhook(owner)
    message_id = post.send(owner)
    (opening,) = post.messages()
    post.deliver([opening])
    (task,) = post.messages()
    now = int(post.receivers.clock())
    args = (owner.org_id, message_id, webhook["id"])
    assert post.worker.store.lease_delivery(*args, "dead", now, now + LEASE_SECONDS)
    post.deliver([task])  # while the dead worker's lease holds
    assert post.receivers.got == []
    post.receivers.clock.seconds += LEASE_SECONDS + 1
    post.deliver([task])
    assert [each.id for each in post.receivers.got] == [message_id]
    (attempt,) = post.attempts(owner, webhook["id"])
    assert attempt["attempt"] == 2


def test_a_worker_whose_lease_was_taken_over_has_no_word_any_more(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    message_id = post.send(owner)
    (opening,) = post.messages()
    post.deliver([opening])
    store, now = post.worker.store, int(post.receivers.clock())
    args = (owner.org_id, message_id, webhook["id"])
    slow = store.lease_delivery(*args, "slow", now, now + LEASE_SECONDS)
    later = now + LEASE_SECONDS
    other = store.lease_delivery(*args, "other", later, later + LEASE_SECONDS)
    assert slow is not None
    assert other is not None
    assert not store.settle_delivery(slow, "succeeded", None)
    assert product.item("WebhooksTable", "DLV#")["status"] == "pending"
    assert store.settle_delivery(other, "succeeded", None)


def test_opening_a_message_twice_sends_it_once(
    product: Product, owner: Account, post: Post
) -> None:
    product.webhook(owner)
    post.send(owner)
    (opening,) = post.messages()
    post.deliver([opening, opening])
    post.deliver([opening])
    post.run()
    assert len(post.receivers.got) == 1


def test_a_deleted_endpoint_gets_nothing_more_and_its_log_is_missing(
    product: Product, owner: Account, post: Post
) -> None:
    webhook = product.webhook(owner)
    post.receivers.answers = [500]
    post.send(owner)
    post.run()
    assert call(product, owner, "DELETE", f"/{webhook['id']}").status == 204
    post.pass_time(RETRY_SECONDS[0] + 1)
    assert len(post.receivers.got) == 1
    assert product.item("WebhooksTable", "DLV#")["status"] == "dropped"
    assert call(product, owner, "GET", f"/{webhook['id']}/attempts").status == 404
