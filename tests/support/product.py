"""The whole product in one process: every function's handler over moto, driven like its users."""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass, field
from typing import Any, Self

import boto3
from moto import mock_aws
from moto.ses.models import ses_backends

from imagelayer.endpoints import ENDPOINTS
from imagelayer.providers.turnstile import Turnstile
from imagelayer.settings import Settings
from imagelayer.wiring import Wiring
from tests.support import aws
from tests.support.events import http_event, route_of

CAPTCHA = "XXXX.DUMMY.TOKEN.XXXX"
PASSWORD = "correct horse battery staple"  # noqa: S105


@dataclass(frozen=True)
class Answer:
    """A parsed response."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: list[str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


@dataclass
class Account:
    """A verified, logged-in owner."""

    email: str
    token: str
    cookie: str
    org_id: str
    user_id: str

    @property
    def headers(self) -> dict[str, str]:
        """What a dashboard sends."""
        return {"authorization": f"Bearer {self.token}"}


@dataclass
class Product:
    """Handlers over one moto account. Use as a context manager."""

    names: dict[str, str] = field(default_factory=dict)
    siteverify: dict[str, Any] = field(
        default_factory=lambda: {"success": True, "hostname": "localhost", "action": "register"}
    )
    _requests: int = 0

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
        self._mock = mock_aws()
        self._mock.start()
        self.names = aws.create_all()
        self._wirings: dict[str, Wiring] = {}
        self._ask = Turnstile._ask
        product = self

        def answer(_: Turnstile, fields: dict[str, str]) -> dict[str, Any]:
            return dict(product.siteverify)

        Turnstile._ask = answer  # type: ignore[method-assign,assignment]
        return self

    def __exit__(self, *_: object) -> None:
        Turnstile._ask = self._ask  # type: ignore[method-assign]
        self._mock.stop()
        os.environ.clear()
        os.environ.update(self._saved)

    def wiring(self, function: str) -> Wiring:
        """One function's wiring, kept as a warm process would."""
        if function not in self._wirings:
            environment = aws.environment(function, self.names) | {"AWS_REGION": aws.REGION}
            self._wirings[function] = Wiring(Settings.read(environment))
        return self._wirings[function]

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function's handler with an event."""
        module = importlib.import_module(f"functions.{function}.app")
        wired = self.wiring(function)
        targets: list[Any] = [importlib.import_module("imagelayer.http.app"), module]
        saved = [(target, target.current) for target in targets if hasattr(target, "current")]
        try:
            for target, _ in saved:
                target.current = lambda: wired
            return module.handler(event, object())
        finally:
            for target, original in saved:
                target.current = original

    def call(self, method: str, path: str, **parts: Any) -> Answer:
        """Send a request through the route's function."""
        self._requests += 1
        parts.setdefault("request_id", f"req-{self._requests}")
        route, _ = route_of(method, path)
        function = ENDPOINTS[route].function
        response = self.invoke(function, http_event(method, path, **parts))
        return Answer(
            response["statusCode"],
            {name.lower(): value for name, value in response["headers"].items()},
            response["body"],
            response.get("cookies", []),
        )

    def mails(self) -> list[Any]:
        """Captured mails, oldest first."""
        return list(ses_backends[aws.ACCOUNT][aws.REGION].sent_messages)

    def register(self, email: str, **changes: Any) -> Answer:
        """Sign up."""
        body = {
            "email": email,
            "password": PASSWORD,
            "name": "Dev Eloper",
            "organization_name": "Solstice Coffee",
            "turnstile_token": CAPTCHA,
        }
        ip = changes.pop("ip", "198.51.100.7")
        return self.call("POST", "/v1/auth/register", body={**body, **changes}, ip=ip)

    def newest_token(self) -> str:
        """The token of the newest mail's link."""
        body = str(self.mails()[-1].body)
        return body.partition("#token=")[2].partition('"')[0].split()[0]

    def account(self, email: str) -> Account:
        """Register, verify and log in."""
        assert self.register(email).status == 202
        token = self.newest_token()
        assert self.call("POST", "/v1/auth/verify-email", body={"token": token}).status == 200
        login = self.call("POST", "/v1/auth/login", body={"email": email, "password": PASSWORD})
        assert login.status == 200, login.text
        return Account(
            email,
            login.json["access_token"],
            login.cookies[0].partition(";")[0],
            login.json["organization"]["id"],
            login.json["user"]["id"],
        )

    def key(self, account: Account, *scopes: str, mode: str = "live") -> dict[str, Any]:
        """Create a key."""
        created = self.call(
            "POST",
            "/v1/keys",
            headers=account.headers,
            body={"name": "test key", "scopes": list(scopes), "mode": mode},
        )
        assert created.status == 201, created.text
        return dict(created.json)

    def brand(self, account: Account, **fields: Any) -> dict[str, Any]:
        """Create a brand."""
        body = {"name": "Solstice", "palette": ["#FF6B35", "#1A2B4C"], **fields}
        created = self.call("POST", "/v1/brands", headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def work_queue(self) -> int:
        """Deliver every queued message to the worker; returns how many."""
        sqs = boto3.client("sqs", aws.REGION)
        delivered = 0
        while messages := sqs.receive_message(
            QueueUrl=self.names["GenerationQueue"], MaxNumberOfMessages=1
        ).get("Messages"):
            message = messages[0]
            result = self.invoke(
                "generation_worker",
                {"Records": [{"messageId": message["MessageId"], "body": message["Body"]}]},
            )
            if not result["batchItemFailures"]:
                sqs.delete_message(
                    QueueUrl=self.names["GenerationQueue"], ReceiptHandle=message["ReceiptHandle"]
                )
            delivered += 1
        return delivered

    def dump(self) -> str:
        """Every item of every table, as text."""
        dynamodb = boto3.client("dynamodb", aws.REGION)
        return json.dumps(
            {
                table: dynamodb.scan(TableName=table)["Items"]
                for table in aws.resources("AWS::DynamoDB::Table")
            },
            default=str,
        )
