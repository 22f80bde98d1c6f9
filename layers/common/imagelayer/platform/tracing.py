"""X-Ray traces of invocations and of their AWS calls, where the template's `Tracing` is Active.

Otherwise nothing of X-Ray is imported. Traces hold no answers and no exceptions of ours: both could
hold a prompt, an address or a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer


def traced[**Arguments, Answer](
    handler: Callable[Arguments, Answer], environment: Mapping[str, str] = os.environ
) -> Callable[Arguments, Answer]:
    """A Lambda handler whose invocations are segments of a trace."""

    @wraps(handler)
    def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        if environment.get("TRACING") != "Active":
            return handler(*arguments, **named)
        # Made with the first invocation, before any client: making it patches botocore.
        tracer = _tracer(environment["FUNCTION"])
        faults: list[Exception] = []

        @wraps(handler)
        def held(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer | None:
            try:
                return handler(*arguments, **named)
            except Exception as fault:  # noqa: BLE001
                # Raised outside the segment, which would record its text and stack.
                tracer.put_annotation("Fault", type(fault).__name__)
                faults.append(fault)
                return None

        capture: Any = tracer.capture_lambda_handler
        answer = capture(held, capture_response=False, capture_error=False)(*arguments, **named)
        if faults:
            raise faults[0]
        return cast(Answer, answer)

    return call


@cache
def _tracer(service: str) -> Tracer:
    from aws_lambda_powertools import Tracer

    return Tracer(service=service, patch_modules=("botocore",))
