"""Signatures that any Standard Webhooks library takes, and secrets that lie nowhere."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from imagelayer.webhooks.signing import PREFIX, RootKeys, UnknownRoot, sign

ROOTS = RootKeys.of("root-one")
FIRST = {"root": ROOTS.current, "version": 1}
BODY = b'{"type":"webhook.test","timestamp":"2027-01-15T08:00:00Z","data":{"id":"whk_1"}}'


# The vectors of the Standard Webhooks libraries and of OpenAI's documentation.
@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp", "body", "signature"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            '{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
            "wh_685c059ae39c8190af8c71ed1022a24d",
            1750861210,
            '{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": '
            '1750861210, "type": "response.completed", "data": {"id": "resp_123"}}',
            "v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=",
        ),
    ],
)
def test_a_message_is_signed_as_the_standards_vectors_say(
    secret: str, message_id: str, timestamp: int, body: str, signature: str
) -> None:
    assert sign([secret], message_id, timestamp, body.encode()) == signature


def headers(secrets: list[str], now: int, message_id: str = "msg_1") -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secrets, message_id, now, BODY),
    }


def test_the_standards_own_library_takes_our_signature_and_no_other() -> None:
    secret = ROOTS.secret("org_1", "whk_1", FIRST)
    sent = headers([secret], int(time.time()))
    assert Webhook(secret).verify(BODY, sent) == json.loads(BODY)
    assert Webhook(secret).sign("msg_1", datetime.fromtimestamp(1_800_000_000, UTC), BODY.decode())
    for changed in (
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int(time.time()) + 1)},
        {"webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY, sent | changed)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace(b"whk_1", b"whk_2"), sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers([secret], int(time.time()) - 600))


def test_while_a_secret_is_rotated_both_the_old_and_the_new_one_verify() -> None:
    old, new = (
        ROOTS.secret("org_1", "whk_1", {"root": ROOTS.current, "version": version})
        for version in (1, 2)
    )
    sent = headers([new, old], int(time.time()))
    assert len(sent["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, sent)


def test_a_secret_has_32_bytes_and_is_the_same_each_time_it_is_drawn() -> None:
    secret = ROOTS.secret("org_1", "whk_1", FIRST)
    assert len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) == 32
    assert RootKeys.of("root-one").secret("org_1", "whk_1", FIRST) == secret


def test_another_organization_endpoint_version_or_root_has_another_secret() -> None:
    other = RootKeys.of("root-two")
    drawn = {
        ROOTS.secret("org_1", "whk_1", FIRST),
        ROOTS.secret("org_2", "whk_1", FIRST),
        ROOTS.secret("org_1", "whk_2", FIRST),
        ROOTS.secret("org_1", "whk_1", FIRST | {"version": 2}),
        other.secret("org_1", "whk_1", {"root": other.current, "version": 1}),
    }
    assert len(drawn) == 5


def test_an_earlier_root_still_draws_what_it_drew_and_an_unknown_one_nothing() -> None:
    both = RootKeys.of("root-two", "root-one")
    assert both.current != ROOTS.current
    secret = ROOTS.secret("org_1", "whk_1", FIRST)
    assert both.secret("org_1", "whk_1", FIRST) == secret
    with pytest.raises(UnknownRoot):
        RootKeys.of("root-two").secret("org_1", "whk_1", FIRST)


@pytest.mark.promise("keys-hashed")
def test_root_keys_do_not_show_themselves() -> None:
    assert "root-one" not in repr(ROOTS)
    assert "root-one" not in ROOTS.current


@pytest.mark.parametrize("secret", ["", "il_live_x", "whsec_not base64!"])
def test_what_is_not_a_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64's own and ours are both ValueErrors
        sign([secret], "msg_1", 1, BODY)
