"""What Lambda and API Gateway do around a handler and ministack does not; `site` loads it.

ministack runs each function in a worker process of its own interpreter. In a worker this module

* hides the interpreter's site-packages, so that a function sees its layers and nothing else;
* sets `_X_AMZN_TRACE_ID` for each invocation, as Lambda does, from the event's trace header;
* moves request cookies into the payload's `cookies` list, as HTTP APIs do;
* writes a line to stderr after each invocation: ministack waits 50 ms for one before it answers.

In ministack itself it watches for the death of the process that started it, makes workers share
their layers, adds DynamoDB's condition keys to what policies are evaluated on, and routes OPTIONS
requests as API Gateway does without a CORS configuration.
"""

from __future__ import annotations

import functools
import importlib
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

Handler = Callable[[Any, Any], Any]


def _trace_header(event: Any) -> str:
    headers = event.get("headers") if isinstance(event, dict) else None
    header = (headers or {}).get("x-amzn-trace-id")
    return header or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"


def _with_cookies(event: Any) -> Any:
    if not isinstance(event, dict) or event.get("version") != "2.0" or "cookies" in event:
        return event
    headers = event.get("headers") or {}
    cookie = headers.get("cookie")
    if not cookie:
        return event
    rest = {name: value for name, value in headers.items() if name != "cookie"}
    return {**event, "headers": rest, "cookies": [part.strip() for part in cookie.split(";")]}


def _like_lambda(handler: Handler) -> Handler:
    @functools.wraps(handler)
    def invoke(event: Any, context: Any) -> Any:
        os.environ["_X_AMZN_TRACE_ID"] = _trace_header(event)
        try:
            return handler(_with_cookies(event), context)
        finally:
            print(file=sys.stderr)

    return invoke


class _HandlerModule:
    """The handler's module, whose functions are handed out wrapped."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return _like_lambda(value) if callable(value) else value


def _wrap_first_import() -> None:
    """The worker imports exactly one module by name: the handler's."""
    original = importlib.import_module

    def import_module(name: str, package: str | None = None) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__")
        module = original(name, package)
        if caller != "__main__":
            return module
        importlib.import_module = original
        return _HandlerModule(module)

    importlib.import_module = import_module


def _hide_host_packages() -> None:
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [
        path
        for path in sys.path
        if "site-packages" not in path and os.path.abspath(path or ".") != own
    ]


def _stop_with(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


if "_LAMBDA_FUNCTION_ARN" in os.environ:
    _hide_host_packages()
    _wrap_first_import()
elif parent := os.environ.get("IMAGELAYER_PARENT"):
    # Only this folder is on a worker's path.
    from preflights import route_preflights  # type: ignore[import-not-found, unused-ignore]
    from shared_layers import share_layers  # type: ignore[import-not-found, unused-ignore]
    from table_conditions import (  # type: ignore[import-not-found, unused-ignore]
        enforce_table_conditions,
    )

    _stop_with(int(parent))
    share_layers()
    enforce_table_conditions()
    route_preflights()
