"""In-process AWS for integration tests: tables, buckets and queues made from template.yaml.

There is no second copy of the schema: what is created is what the template says. moto is right
for single-threaded tests only; races are proven on the local cloud.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.session import Session

from dev import template
from dev.settings import ROOT

REGION = "us-east-1"
ACCOUNT = "123456789012"
PARAMETERS = {
    "Stage": "local",
    "BaseUrl": "http://front.invalid",
    "MailFrom": "no-reply@imagelayer.local",
    "TurnstileHostnames": "localhost",
    "TurnstileSecretValue": "1x0000000000000000000000000000000AA",
    "BcryptCost": "4",
}
DOCUMENT = template.load(ROOT / "template.yaml")

# One for the whole run: reading the services' descriptions is most of what a test would cost.
SESSION = Session()
_clients: dict[str, Any] = {}


def client(service: str) -> Any:
    """A client for looking at, and changing, things behind the product's back."""
    if service not in _clients:
        _clients[service] = SESSION.create_client(service, region_name=REGION)
    return _clients[service]


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
            else {"secret": PARAMETERS["TurnstileSecretValue"]}
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
