"""Calls of AWS services: which are made again, and the one failure of those without an answer.

Everything that is not a clean answer becomes `StoreUnavailable`, and callers let it rise: the
request is denied, never waved through.
"""

from __future__ import annotations

import random
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

# Two callers who touch one item inside transactions collide without either being wrong; DynamoDB
# asks the caller to try again and the SDK does not (developer guide, "Transaction conflict
# handling"). A few short pauses are enough for hot items; after that the caller gets 503.
CONFLICT_ATTEMPTS = 8
CONFLICT_PAUSE_SECONDS = 0.02

# A call without a clean answer is made once more. Not by the SDK, which may wait a second in
# between: with the timeouts of `wiring`, a table that does not answer at all is a denial within
# two seconds. Every write is safe to repeat (docs/retries.md).
ATTEMPTS = 2
RETRY_PAUSE_SECONDS = 0.05
# DynamoDB developer guide, "Error handling": codes after which a call may be made again.
RETRYABLE = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)
# Why a transaction was canceled when an item of it was throttled (API reference,
# TransactionCanceledException): the transaction's own code says only that it was canceled.
THROTTLED = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError"})


class StoreUnavailable(Exception):
    """A data service did not give a clean answer; whether it acted is unknown."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"{operation}: {reason}")
        self.operation = operation
        self.reason = reason


def call(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    """One call of a service other than DynamoDB, whose SDK retries are enough.

    Raises StoreUnavailable with the service's error code as its reason.
    """
    try:
        answer: dict[str, Any] = getattr(client, operation)(**request)
    except ClientError as error:
        raise StoreUnavailable(operation, error.response["Error"]["Code"]) from None
    except BotoCoreError as error:
        raise StoreUnavailable(operation, type(error).__name__) from None
    return answer


def call_dynamodb(client: Any, operation: str, **request: Any) -> dict[str, Any]:
    """One call of DynamoDB, made again when its answer is not clean. Raises ClientError for a clean
    refusal, StoreUnavailable otherwise."""
    reason = "no attempt"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer: dict[str, Any] = getattr(client, operation)(**request)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in RETRYABLE and not _was_throttled(error):
                raise
            reason = code
        except BotoCoreError as error:
            reason = type(error).__name__
        else:
            return answer
        if attempt < ATTEMPTS:
            time.sleep(random.uniform(0, RETRY_PAUSE_SECONDS))  # noqa: S311
    raise StoreUnavailable(operation, reason)


def pause_after_conflict(attempt: int) -> None:
    """Wait a random time, longer with each attempt, so that losers do not collide in step."""
    time.sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt))  # noqa: S311


def _was_throttled(error: ClientError) -> bool:
    """Whether throttling alone canceled a transaction. A condition that failed has decided, and
    what met another transaction is tried again with more patience."""
    reasons = error.response.get("CancellationReasons", [])
    codes = {reason.get("Code") for reason in reasons} - {None, "None"}
    return bool(codes) and codes <= THROTTLED
