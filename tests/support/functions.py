"""Every function's handler in one process, over one moto account."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from botocore.exceptions import EndpointConnectionError

from dev.secret_scanning import SecretScanner
from imagelayer.access.leaked_keys import known_keys
from imagelayer.access.secret_scanning import ScannerKeys
from imagelayer.generations.large_answers import RESPONSE_BYTES
from imagelayer.identity.turnstile import Turnstile
from imagelayer.platform.settings import Settings
from imagelayer.platform.wiring import Part, Platform
from imagelayer.routes import ROUTES
from tests.support import aws, contract, role_calls
from tests.support.api import Account, Answer
from tests.support.events import function_of, http_event, route_of

BACKGROUND_FUNCTIONS = (
    "administration",
    "brand_intake",
    "cleanup",
    "generation_worker",
    "mail",
    "mail_feedback",
    "model_probe",
    "pepper_rotation",
    "signing_rotation",
    "webhook_delivery",
)

HTTP_FUNCTIONS = sorted({"fallback", *(route.function for route in ROUTES.values())})


@dataclass(frozen=True)
class Beginning:
    """What a product can begin with: everything there was at one moment."""

    snapshot: aws.Snapshot
    at: float  # of the monotonic clock
    names: dict[str, str]
    output: str = ""
    requests: int = 0
    accounts: tuple[Account, ...] = ()
    then: dict[str, Beginning] = field(default_factory=dict)  # with one more account, by its email


CAPTCHA_SOLVED = {"success": True, "hostname": "localhost", "action": "register"}


@cache
def empty() -> Beginning:
    """What the template makes and nothing else."""
    names = aws.create_all()
    return Beginning(aws.Snapshot.take(), time.monotonic(), names)


@cache
def _clients(function: str) -> aws.Clients:
    return aws.Clients()


@dataclass(frozen=True)
class _Session:
    """The session of one function, whose calls are compared with its role."""

    function: str

    def client(self, service: str, **options: Any) -> Any:
        client = aws.SESSION.client(service, **options)
        role_calls.watch(client, self.function)
        return client


@dataclass
class Functions:
    """The processes of all functions, their clock and what they write. A context manager."""

    names: dict[str, str] = field(default_factory=dict)
    siteverify: dict[str, Any] = field(default_factory=CAPTCHA_SOLVED.copy)
    scanner: SecretScanner = field(default_factory=SecretScanner)  # who reports leaked keys
    output: io.StringIO = field(default_factory=io.StringIO)  # what the functions print and log
    internal_errors_expected: bool = False
    parameters: dict[str, str] = field(default_factory=dict)  # overrides of the environment
    works_while_waiting: bool = True
    provider_calls: int = 0  # of the models that a test employs in a provider's place
    _requests: int = 0
    _waited: float = 0

    def __enter__(self) -> Self:
        self._saved = dict(os.environ)
        os.environ.update(
            AWS_ACCESS_KEY_ID="testing",
            AWS_SECRET_ACCESS_KEY="testing",
            AWS_DEFAULT_REGION=aws.REGION,
            AWS_REGION=aws.REGION,
            AWS_EC2_METADATA_DISABLED="true",
            POWERTOOLS_LOG_LEVEL="INFO",
        )
        aws.start()
        self._platforms: dict[str, Platform] = {}
        self._begin(empty())
        product = self

        def answer(_: Turnstile, fields: dict[str, str]) -> dict[str, Any]:
            return dict(product.siteverify)

        def public_keys(_: ScannerKeys) -> dict[str, str]:
            return known_keys(product.scanner.public_keys())

        self._replaced = [(Turnstile, Turnstile._ask), (ScannerKeys, ScannerKeys._ask)]
        Turnstile._ask = answer  # type: ignore[method-assign,assignment]
        ScannerKeys._ask = public_keys  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *_: object) -> None:
        for provider, ask in self._replaced:
            provider._ask = ask  # type: ignore[attr-defined]
        for function in (*HTTP_FUNCTIONS, *BACKGROUND_FUNCTIONS):
            _clients(function).unhook()
        aws.stop()
        os.environ.clear()
        os.environ.update(self._saved)
        print(self.output.getvalue())  # pytest shows it when the test failed

    def _begin(self, beginning: Beginning) -> None:
        """Be as it was then, with no process of any function running yet."""
        beginning.snapshot.restore()
        self.names = dict(beginning.names)
        role_calls.use_names(self.names)
        self.output.seek(0)
        self.output.truncate()
        self.output.write(beginning.output)
        self._requests = beginning.requests
        self._platforms.clear()
        self._beginning = beginning
        self._calls = aws.calls()

    def platform(self, function: str) -> Platform:
        """One function's platform, kept as a warm process would."""
        if function not in self._platforms:
            environment = aws.environment(function, self.names) | {"AWS_REGION": aws.REGION}
            overrides = {
                name: value for name, value in self.parameters.items() if name in environment
            }
            platform = Platform(Settings.read(environment | overrides))
            vars(platform)["session"] = _Session(function)
            vars(platform)["_clients"] = _clients(function)
            vars(platform)["clock"] = lambda: time.time() + self._waited
            vars(platform)["sleep"] = self._pause
            self._platforms[function] = platform
        return self._platforms[function]

    def part[P: Part](self, function: str, kind: type[P]) -> P:
        """A domain's wiring in one function."""
        return self.platform(function).part(kind)

    def _pause(self, seconds: float) -> None:
        """What a handler that waits does instead: time passes, and the worker works."""
        self._waited += seconds
        if self.works_while_waiting:
            self.work_queue()

    def work_queue(self) -> int:
        """What a handler that waits leaves time for; see `Queues`."""
        raise NotImplementedError

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function's handler with an event."""
        module = importlib.import_module(f"functions.{function}.app")
        platform = self.platform(function)
        handler = platform.log.registered_handler
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(self.output)
        targets: list[Any] = [importlib.import_module("imagelayer.http.app"), module]
        saved = [(target, target.current) for target in targets if hasattr(target, "current")]
        try:
            for target, _ in saved:
                target.current = lambda: platform
            with contextlib.redirect_stdout(self.output):
                return module.handler(event, object())
        finally:
            for target, original in saved:
                target.current = original

    def call(self, method: str, path: str, **parts: Any) -> Answer:
        """Send a request through the route's function."""
        self._requests += 1
        parts.setdefault("request_id", f"req-{self._requests}")
        route, _ = route_of(method, path)
        return self.answer(function_of(route), http_event(method, path, **parts))

    def answer(self, function: str, event: dict[str, Any]) -> Answer:
        """Send an event to a function; the response must be as the API's description says."""
        response = self.invoke(function, event)
        answer = Answer(
            response["statusCode"],
            {name.lower(): value for name, value in response["headers"].items()},
            response["body"],
            response.get("cookies", []),
        )
        # The stand-ins have no such limit.
        assert len(json.dumps(response)) <= RESPONSE_BYTES, "Lambda would refuse this response"
        assert answer.status != 500 or self.internal_errors_expected, self.output.getvalue()
        if event["routeKey"] in ROUTES:
            broken = contract.violations(
                event["routeKey"],
                answer.status,
                answer.headers,
                answer.text,
                event["requestContext"]["requestId"],
            )
            assert not broken, "\n".join([f"{event['routeKey']} -> {answer.status}", *broken])
        return answer

    def logs(self) -> list[dict[str, Any]]:
        """The structured lines that the functions wrote, metrics included."""
        return [json.loads(line) for line in self.output.getvalue().splitlines() if line]

    def security_events(self, event: str) -> list[dict[str, Any]]:
        """The security events of one name, oldest first."""
        return [line for line in self.logs() if line.get("event") == event]

    @contextlib.contextmanager
    def broken(self, service: str, operation: str = "") -> Iterator[None]:
        """No call of that kind reaches AWS while this lasts."""

        def fail(**_: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://unreachable.invalid")

        event = f"before-call.{service}" + (f".{operation}" if operation else "")
        functions = (*HTTP_FUNCTIONS, *BACKGROUND_FUNCTIONS)
        clients = [self.platform(name).client(service).meta.events for name in functions]
        for events in clients:
            events.register(event, fail)
        try:
            yield
        finally:
            for events in clients:
                events.unregister(event, fail)
