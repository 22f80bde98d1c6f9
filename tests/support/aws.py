"""In-process AWS for integration tests: tables, buckets and queues made from template.yaml.

There is no second copy of the schema: what is created is what the template says. moto is right
for single-threaded tests only; races are proven on the local cloud.
"""

from __future__ import annotations

import copyreg
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from threading import Condition
from typing import Any

from boto3.session import Session
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.models import botocore_stubber, responses_mock

from dev import template
from dev.settings import ROOT
from tests.support import direct_dynamodb

REGION = "us-east-1"
ACCOUNT = "123456789012"
PARAMETERS = {
    "AWS::StackName": "imagelayer-test",
    "Stage": "local",
    "BaseUrl": "http://front.invalid",
    "MailFrom": "no-reply@imagelayer.local",
    "SecurityContact": "security@imagelayer.local",
    "TurnstileHostnames": "localhost",
    "TurnstileSecretValue": "1x0000000000000000000000000000000AA",
    "WebhookLoopback": "allowed",
    "BcryptCost": "4",
}
DOCUMENT = template.load(ROOT / "template.yaml")

# One for the whole run: reading the services' descriptions is most of what a test would cost.
SESSION = Session(region_name=REGION)
_clients: dict[str, Any] = {}
_calls = 0


def _count_call(**_: object) -> None:
    global _calls  # noqa: PLW0603 - a session's handlers are copied into its clients, state is not
    _calls += 1


SESSION.events.register("before-call", _count_call)
direct_dynamodb.install(SESSION.events, ACCOUNT, REGION)


@cache
def _mock() -> None:
    """moto's patches, made once for the whole run: they take as long as a short test."""
    mock_aws().start()


def start() -> None:
    """Answer what clients ask, from memory."""
    _mock()
    botocore_stubber.enabled = True
    responses_mock.start()


def stop() -> None:
    """Leave clients to the network again."""
    responses_mock.stop()
    responses_mock.calls.reset()
    botocore_stubber.enabled = False


def calls() -> int:
    """How many calls were made so far, by whichever client."""
    return _calls


def client(service: str) -> Any:
    """A client for looking at, and changing, things behind the product's back."""
    if service not in _clients:
        _clients[service] = SESSION.client(service)
    return _clients[service]


class Clients(dict[str, Any]):
    """The clients of one function, by service: kept for the whole run, but not their hooks."""

    def __init__(self) -> None:
        super().__init__()
        self._hooks: list[tuple[Any, str, Callable[..., Any]]] = []

    def __setitem__(self, service: str, client: Any) -> None:
        events = client.meta.events
        register = events.register

        def noted(name: str, handler: Callable[..., Any], *more: Any, **named: Any) -> None:
            self._hooks.append((events, name, handler))
            register(name, handler, *more, **named)

        events.register = noted
        super().__setitem__(service, client)

    def unhook(self) -> None:
        """Take away what was registered since the clients were made."""
        for events, name, handler in self._hooks:
            events.unregister(name, handler)
        self._hooks.clear()


# One lock is as good as another, and moto's queues have one each.
copyreg.pickle(Condition, lambda _: (Condition, ()))


class _Pickler(pickle.Pickler):
    """What refers to a backend goes on referring to it, whatever else is copied."""

    def __init__(self, written: io.BytesIO, backends: list[Any]) -> None:
        super().__init__(written, pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(backend): number for number, backend in enumerate(backends)}

    def persistent_id(self, found: Any) -> int | None:
        return self._numbers.get(id(found))


class _Unpickler(pickle.Unpickler):
    def __init__(self, written: bytes, backends: list[Any]) -> None:
        super().__init__(io.BytesIO(written))
        self._backends = backends

    def persistent_load(self, number: int) -> Any:
        return self._backends[number]


@dataclass(frozen=True)
class Snapshot:
    """All that moto holds at one moment, pickled: a fifth of the time of a deep copy."""

    backends: list[tuple[Any, str, str, Any]]  # service, account, region and what was there
    states: bytes

    @classmethod
    def take(cls) -> Snapshot:
        """A copy of what there is now; files in buckets cannot be copied."""
        services: list[Any] = BackendDict._instances  # type: ignore[misc]
        backends = [(each, *found) for each in services for found in each.iter_backends()]
        found = [backend for *_, backend in backends]
        written = io.BytesIO()
        _Pickler(written, found).dump([vars(backend) for backend in found])
        return cls(backends, written.getvalue())

    def restore(self) -> None:
        """Make moto hold a copy of it, and nothing else."""
        BackendDict.reset()
        made = [service[account][region] for service, account, region, _ in self.backends]
        states = _Unpickler(self.states, made).load()
        for backend, state in zip(made, states, strict=True):
            backend.__dict__ = state


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Logical name -> resolved properties of every resource of one type."""
    resolver = template.Resolver(DOCUMENT, PARAMETERS)
    return {
        name: resolver.resolve(resource["Properties"])
        for name, resource in DOCUMENT["Resources"].items()
        if resource["Type"] == kind
    }


def create_all() -> dict[str, str]:
    """Create the template's tables, buckets, queues and secrets; logical -> physical names."""
    names: dict[str, str] = {}
    dynamodb = client("dynamodb")
    for logical, properties in resources("AWS::DynamoDB::Table").items():
        dynamodb.create_table(
            TableName=logical,
            **{
                key: properties[key]
                for key in (
                    "BillingMode",
                    "AttributeDefinitions",
                    "KeySchema",
                    "GlobalSecondaryIndexes",
                )
                if key in properties
            },
        )
        names[logical] = logical
    s3 = client("s3")
    for logical in resources("AWS::S3::Bucket"):
        names[logical] = logical.lower()
        s3.create_bucket(Bucket=logical.lower())
    sqs = client("sqs")
    for logical in resources("AWS::SQS::Queue"):
        names[logical] = sqs.create_queue(QueueName=logical)["QueueUrl"]
    secrets = client("secretsmanager")
    for logical, properties in resources("AWS::SecretsManager::Secret").items():
        generated = properties.get("GenerateSecretString")
        content = (
            {generated["GenerateStringKey"]: f"{logical}-" + "x" * 60}
            if generated
            else json.loads(properties["SecretString"])
        )
        names[logical] = secrets.create_secret(Name=logical, SecretString=json.dumps(content))[
            "ARN"
        ]
    client("sesv2").create_email_identity(EmailIdentity=PARAMETERS["MailFrom"])
    names["MailConfiguration"] = "mail-configuration"
    client("sesv2").create_configuration_set(ConfigurationSetName="mail-configuration")
    return names


def environment(function: str, names: dict[str, str]) -> dict[str, str]:
    """The environment the template gives one function, with physical names filled in."""
    resolver = template.Resolver(DOCUMENT, PARAMETERS)
    logical = "".join(part.title() for part in function.split("_")) + "Function"
    shared = DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]
    own = DOCUMENT["Resources"][logical]["Properties"]["Environment"]["Variables"]
    variables = resolver.resolve({**shared, **own})
    # A bucket that must not be referred to (its notification needs the function) goes by its name.
    named = {
        str(properties["BucketName"]): logical
        for logical, properties in resources("AWS::S3::Bucket").items()
    }

    def physical(value: Any) -> str:
        if not isinstance(value, dict):
            return str(value)
        return names[value["Ref"] if "Ref" in value else named[str(value)]]

    return {name: physical(value) for name, value in variables.items()}
