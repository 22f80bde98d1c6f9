"""Works a batch of queue messages off: each is validated, worked on, counted and reported.

SQS delivers again only the messages that failed (partial batch response). What is logged about a
failure is its type and the message's id: its text or stack could hold a prompt, an address or a
URL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    ExceptionInfo,
    FailureResponse,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from imagelayer.platform.wiring import Platform

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def consume[Message](
    event: Mapping[str, Any],
    platform: Platform,
    shape: type[Message],
    work: Callable[[Message, SQSRecord], str],
    *,
    metric: str,
    failure: str,
) -> dict[str, Any]:
    """Work the messages of an event off; returns those that failed.

    `shape` is a pydantic model or a dataclass, `work` returns an outcome, which is counted as
    `metric` and the outcome, and raises for a message that is to be delivered again. `failure` is
    what is logged then.
    """

    def handle(record: SQSRecord) -> None:
        outcome = work(read(record.body, shape), record)
        platform.count(f"{metric}{outcome.title()}")

    processor = _Processor(platform, failure)
    return dict(process_partial_response(dict(event), handle, processor))


def read[Message](body: str, shape: type[Message]) -> Message:
    """A message's body as `shape`. Raises ValueError, without the body, for anything else."""
    from pydantic import ValidationError

    json.loads(body)  # what is not JSON at all is logged as such: JSONDecodeError
    try:
        message: Message = _adapter(cast(Any, shape)).validate_json(body, strict=True)
    except ValidationError:
        raise ValueError(f"the message is not a valid {shape.__name__}") from None
    return message


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)


class _Processor(BatchProcessor):
    def __init__(self, platform: Platform, failure: str) -> None:
        super().__init__(EventType.SQS, raise_on_entire_batch_failure=False)
        self._platform = platform
        self._failure = failure

    def failure_handler(self, record: Any, exception: ExceptionInfo) -> FailureResponse:
        kind = exception[0] or Exception
        self._platform.log.error(self._failure, cause=kind.__name__, message_id=record["messageId"])
        # Without its text, of which Powertools makes a string.
        return super().failure_handler(record, (kind, Exception(), exception[2]))
