"""The whole product in one process: every function's handler over moto, driven like its users."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Self

import requests
from botocore.exceptions import EndpointConnectionError
from moto.ses.models import ses_backends
from moto.sqs.models import sqs_backends

from dev.secret_scanning import SecretScanner
from imagelayer.access.key_secrets import hash_secret
from imagelayer.access.leaked_keys import known_keys
from imagelayer.access.secret_scanning import ScannerKeys
from imagelayer.identity.turnstile import Turnstile
from imagelayer.limits.rate_limits import Policy
from imagelayer.platform.settings import Settings
from imagelayer.platform.table import decode_item, encode_item
from imagelayer.platform.wiring import Part, Platform
from imagelayer.routes import ROUTES
from tests.support import aws, contract
from tests.support.events import http_event, route_of
from tests.support.images import logo

CAPTCHA = "XXXX.DUMMY.TOKEN.XXXX"
PASSWORD = "correct horse battery staple"
ALL_SCOPES = (
    "assets:read",
    "brands:read",
    "brands:write",
    "generations:read",
    "generations:write",
    "keys:rotate",
    "sessions:write",
    "usage:read",
    "webhooks:read",
    "webhooks:write",
)
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
HTTP_FUNCTIONS = sorted({row.function for row in ROUTES.values()})


def bearer(key: dict[str, Any]) -> dict[str, str]:
    """What a client sends with a created key."""
    return {"authorization": f"Bearer {key['key']}"}


def session_bearer(session: dict[str, Any]) -> dict[str, str]:
    """What an end user's browser sends with a minted session."""
    return {"authorization": f"Bearer {session['session_token']}"}


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


# A copied account signed up no longer ago: its tokens are good for minutes more than a test takes.
FRESH_SECONDS = 60
CAPTCHA_SOLVED = {"success": True, "hostname": "localhost", "action": "register"}


@cache
def _empty() -> Beginning:
    """What the template makes and nothing else."""
    names = aws.create_all()
    return Beginning(aws.Snapshot.take(), time.monotonic(), names)


@cache
def _clients(function: str) -> aws.Clients:
    return aws.Clients()


@dataclass
class Product:
    """Handlers over one moto account. Use as a context manager."""

    names: dict[str, str] = field(default_factory=dict)
    siteverify: dict[str, Any] = field(default_factory=CAPTCHA_SOLVED.copy)
    scanner: SecretScanner = field(default_factory=SecretScanner)  # who reports leaked keys
    output: io.StringIO = field(default_factory=io.StringIO)  # what the functions print and log
    internal_errors_expected: bool = False
    parameters: dict[str, str] = field(default_factory=dict)  # overrides of the environment
    works_while_waiting: bool = True
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
        self._begin(_empty())
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
        self.output.seek(0)
        self.output.truncate()
        self.output.write(beginning.output)
        self._requests = beginning.requests
        self._platforms.clear()
        self._beginning = beginning
        self._calls = aws.calls()

    @property
    def _untouched(self) -> bool:
        """Whether it is still as it began: nothing was called, read or set."""
        return (
            self._calls == aws.calls()
            and not self._platforms
            and not self.parameters
            and self.siteverify == CAPTCHA_SOLVED
        )

    def begin_with(self, email: str) -> Account:
        """An account like any other, copied from a sign-up of the last minute if there was one.

        Only a product that is still as it began can begin otherwise; any other signs up. The
        processes that served the sign-up are gone: what those remember is for `account`.
        """
        if not self._untouched:
            return self.account(email)
        before = self._beginning
        found = before.then.get(email)
        if found is None or time.monotonic() - found.at > FRESH_SECONDS:
            account = self.account(email)
            found = before.then[email] = Beginning(
                aws.Snapshot.take(),
                time.monotonic(),
                self.names,
                self.output.getvalue(),
                self._requests,
                (*before.accounts, account),
            )
        self._begin(found)
        return replace(found.accounts[-1])

    def platform(self, function: str) -> Platform:
        """One function's platform, kept as a warm process would."""
        if function not in self._platforms:
            environment = aws.environment(function, self.names) | {"AWS_REGION": aws.REGION}
            overrides = {
                name: value for name, value in self.parameters.items() if name in environment
            }
            platform = Platform(Settings.read(environment | overrides))
            vars(platform)["session"] = aws.SESSION
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
        function = ROUTES[route].function
        return self.answer(function, http_event(method, path, **parts))

    def answer(self, function: str, event: dict[str, Any]) -> Answer:
        """Send an event to a function; the response must be as the API's description says."""
        response = self.invoke(function, event)
        answer = Answer(
            response["statusCode"],
            {name.lower(): value for name, value in response["headers"].items()},
            response["body"],
            response.get("cookies", []),
        )
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

    def deliver_mail(self) -> None:
        """Let the mail function work its queue off."""
        sqs = aws.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=self.names["MailQueue"],
            MaxNumberOfMessages=1,
            AttributeNames=["ApproximateReceiveCount"],
        ).get("Messages"):
            message = messages[0]
            record = {
                "messageId": message["MessageId"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            if not self.invoke("mail", {"Records": [record]})["batchItemFailures"]:
                sqs.delete_message(
                    QueueUrl=self.names["MailQueue"], ReceiptHandle=message["ReceiptHandle"]
                )

    def mails(self) -> list[Any]:
        """Captured mails, oldest first, once all that were asked for are out."""
        self.deliver_mail()
        return list(ses_backends[aws.ACCOUNT][aws.REGION].sent_messages)

    def asked_mails(self) -> list[dict[str, Any]]:
        """The messages that wait for the mail function, as they stand in the queue."""
        name = self.names["MailQueue"].rpartition("/")[2]
        waiting = sqs_backends[aws.ACCOUNT][aws.REGION].queues[name].messages
        return [json.loads(message.body) for message in waiting]

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

    def key(
        self, account: Account, *scopes: str, mode: str = "live", **fields: Any
    ) -> dict[str, Any]:
        """Create a key."""
        body = {"name": "test key", "scopes": list(scopes), "mode": mode, **fields}
        created = self.call("POST", "/v1/keys", headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def session(
        self, key: dict[str, Any], end_user_id: str = "user-1", **body: Any
    ) -> dict[str, Any]:
        """Mint a session for an end user, as a customer's server does."""
        sent = {"end_user_id": end_user_id, **body}
        minted = self.call("POST", "/v1/auth/session", headers=bearer(key), body=sent)
        assert minted.status == 201, minted.text
        return dict(minted.json)

    def webhook(self, account: Account, **fields: Any) -> dict[str, Any]:
        """Make a webhook endpoint."""
        body = {"url": "https://hooks.example.com/imagelayer", **fields}
        path = "/v1/organization/webhooks"
        created = self.call("POST", path, headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def brand(self, account: Account, **fields: Any) -> dict[str, Any]:
        """Create a brand."""
        body = {"name": "Solstice", "palette": ["#FF6B35", "#1A2B4C"], **fields}
        created = self.call("POST", "/v1/brands", headers=account.headers, body=body)
        assert created.status == 201, created.text
        return dict(created.json)

    def brand_with_logo(self, account: Account) -> dict[str, Any]:
        """Create a brand whose jobs fail once it is deleted, for want of the logo."""
        brand = self.brand(account)
        self.deliver_upload(self.upload(account.headers, brand["id"], logo()))
        return brand

    def work_queue(self) -> int:
        """Deliver every queued message to the worker; returns how many."""
        sqs = aws.client("sqs")
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
        dynamodb = aws.client("dynamodb")
        return json.dumps(
            {
                table: dynamodb.scan(TableName=table)["Items"]
                for table in aws.resources("AWS::DynamoDB::Table")
            },
            default=str,
        )

    def dump_of(self, table: str) -> list[dict[str, Any]]:
        """Every item of one table in a fixed order, for comparing before and after."""
        return sorted(self.items(table), key=lambda item: (item["pk"], item["sk"]))

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of one table, decoded."""
        scanned = aws.client("dynamodb").scan(TableName=table)["Items"]
        return [decode_item(item) for item in scanned]

    def item(self, table: str, sk: str) -> dict[str, Any]:
        """The one item whose sort key starts with `sk`."""
        (found,) = [item for item in self.items(table) if item["sk"].startswith(sk)]
        return found

    def secret(self, key: str) -> dict[str, Any]:
        """The item of one API key's secret."""
        wanted = f"SECRET#{hash_secret(key)}"
        (found,) = [item for item in self.items("KeysTable") if item["pk"] == wanted]
        return found

    def edit(self, table: str, item: dict[str, Any], **values: Any) -> dict[str, Any]:
        """Put an item back with other values, as if time or someone else had changed it."""
        edited = {**item, **values}
        aws.client("dynamodb").put_item(TableName=table, Item=encode_item(edited))
        return edited

    def delete(self, table: str, item: dict[str, Any]) -> None:
        """Delete an item behind the product's back."""
        key = encode_item({"pk": item["pk"], "sk": item["sk"]})
        aws.client("dynamodb").delete_item(TableName=table, Key=key)

    def counts(self) -> dict[str, int]:
        """How many items each table holds: what a refused call leaves alone. Limits count it,
        and the organization's security events report it."""
        return {
            table: len(self.items(table))
            for table in aws.resources("AWS::DynamoDB::Table")
            if table not in {"CountersTable", "EventsTable"}
        }

    def objects(self, bucket: str) -> list[str]:
        """The keys of a bucket."""
        listed = aws.client("s3").list_objects_v2(Bucket=self.names[bucket])
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def queued(self) -> int:
        """How many messages wait in the generation queue."""
        attributes = aws.client("sqs").get_queue_attributes(
            QueueUrl=self.names["GenerationQueue"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

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

    def upload(
        self,
        headers: dict[str, str],
        brand_id: str,
        data: bytes,
        *,
        kind: str = "logo",
        content_type: str = "image/png",
    ) -> dict[str, Any]:
        """Announce a file and post it with the form of the answer, as a client does."""
        announced = self.call(
            "POST",
            f"/v1/brands/{brand_id}/assets",
            headers=headers,
            body={"kind": kind, "content_type": content_type, "size_bytes": len(data)},
        )
        assert announced.status == 201, announced.text
        form = announced.json["upload"]
        sent = requests.post(form["url"], data=form["fields"], files={"file": data}, timeout=5)
        assert sent.status_code in (200, 204), sent.text
        return dict(announced.json)

    def deliver_upload(self, upload: dict[str, Any]) -> None:
        """The S3 event that a posted file causes; keys in events are encoded like form fields."""
        key = urllib.parse.quote_plus(upload["upload"]["fields"]["key"])
        record = {"eventName": "ObjectCreated:Post", "s3": {"object": {"key": key}}}
        self.invoke("brand_intake", {"Records": [record]})

    def fetch(self, url: str) -> tuple[int, bytes]:
        """Follow a signed link."""
        answer = requests.get(url, timeout=5)
        return int(answer.status_code), bytes(answer.content)

    def exhaust(self, policy: Policy, ip: str, account: Account) -> None:
        """Spend one limit of an address and of an account's session, as a flood just did."""
        tat = int(time.time() * 1000) + policy.burst * policy.interval_ms + 10_000
        self.edit(
            "CountersTable",
            {"pk": f"LIMIT#{policy.name}#{ip}", "sk": "TAT"},
            **{f"tat_{policy.name.replace('-', '_')}": tat},
        )
        for session in self.items("SessionsTable"):
            if session.get("user_id") == account.user_id:
                spent = {f"tat_{policy.name.replace('-', '_')}": tat}
                self.edit("SessionsTable", session, **spent)
