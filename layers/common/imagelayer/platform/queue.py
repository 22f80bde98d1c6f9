"""One SQS queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from imagelayer.platform.aws_calls import call
from imagelayer.platform.frozen import frozen

MAX_DELAY_SECONDS = 900  # SendMessage, SQS API reference


@frozen
class QueueMessage:
    """A message that lies in a queue; `body` is None when it is not JSON."""

    id: str
    body: Any
    sent_at: float


class Queue:
    """Sends JSON messages; delivery is at least once, so consumers lease their work."""

    def __init__(self, client: Callable[[], Any], url: str) -> None:
        """`client` is called with the first message: most calls send none."""
        self._client = client
        self._url = url

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0, group: str = "") -> None:
        """Send one message, which is delivered after the delay. Raises StoreUnavailable.

        Of messages with a `group` no group can keep the others waiting for long (SQS developer
        guide, "Fair queues").
        """
        options: dict[str, Any] = {}
        if delay_seconds:
            options["DelaySeconds"] = min(delay_seconds, MAX_DELAY_SECONDS)
        if group:
            options["MessageGroupId"] = group
        self._call("send_message", MessageBody=json.dumps(message), **options)

    def peek(self, most: int) -> list[QueueMessage]:
        """Messages without taking them, up to `most`. Raises StoreUnavailable.

        Each is hidden from another look for half a minute, so that none is seen twice.
        """
        seen: dict[str, QueueMessage] = {}
        while len(seen) < most:
            answer = self._call(
                "receive_message",
                MaxNumberOfMessages=10,
                VisibilityTimeout=30,
                WaitTimeSeconds=1,  # without, only some of the servers are asked
                MessageSystemAttributeNames=["SentTimestamp"],
            )
            messages = [_message(message) for message in answer.get("Messages", [])]
            if not messages:
                break
            seen.update({each.id: each for each in messages})
        return list(seen.values())[:most]

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return call(self._client(), operation, QueueUrl=self._url, **request)


def _message(message: Mapping[str, Any]) -> QueueMessage:
    try:
        body = json.loads(message["Body"])
    except ValueError:
        body = None
    return QueueMessage(
        message["MessageId"], body, int(message["Attributes"]["SentTimestamp"]) / 1000
    )
