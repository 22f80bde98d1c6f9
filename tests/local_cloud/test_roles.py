"""Each function's role can do what that function does and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.local_cloud import LocalCloud

R, W, U, D, Q, C = "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "ConditionCheckItem"
B = "BatchGetItem"

# Written by hand from what each function does, and not read from the template: a policy that
# grows beyond this table fails here.
TABLES: dict[str, dict[str, set[str]]] = {
    "RegistrationFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, W, U, D, C},
        "EventsTable": {W},
    },
    "LoginFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, W, U},
        "KeysTable": {U},
        "SessionsTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "PasswordFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, W, U},
        "KeysTable": {U},
        "SessionsTable": {R, U, D, Q},
        "EventsTable": {W},
    },
    "SecondFactorFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, U, C},
        "KeysTable": {U},
        "SessionsTable": {R, U, D, Q},
        "EventsTable": {W},
    },
    "SessionFunction": {
        "CountersTable": {U},
        "KeysTable": {R, U},
        "SessionsTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "OrganizationFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, W, U, D, Q},
        "KeysTable": {U},
        "SessionsTable": {R, U, D, Q},
        "CreditsTable": {R, Q},
        "EventsTable": {W, Q},
    },
    "MailFunction": {
        "CountersTable": {U},
        "AccountsTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "MailFeedbackFunction": {"AccountsTable": {R, W}, "EventsTable": {W}},
    "ModelProbeFunction": {},
    "SigningRotationFunction": {"SessionsTable": {W, U, Q}},
    "PepperRotationFunction": {},
    "KeyRotationFunction": {
        "CountersTable": {U},
        "SessionsTable": {R, U, D, Q},
        "KeysTable": {R, B, W, U, D, Q},
        "EventsTable": {W},
    },
    "LeakedKeysFunction": {
        "CountersTable": {U},
        "SessionsTable": {D, Q},
        "KeysTable": {R, B, W, U, D},
        "EventsTable": {W},
    },
    "AdministrationFunction": {
        "AccountsTable": {R},
        "GenerationsTable": {R},
        "KeysTable": {R, W, U, Q},
        "CreditsTable": {R, W, U, Q},
        "EventsTable": {W},
    },
    "BrandFunction": {
        "CountersTable": {U},
        "KeysTable": {U},
        "SessionsTable": {R, U},
        "BrandsTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "BrandIntakeFunction": {"BrandsTable": {R, U}, "EventsTable": {W}},
    "GenerationFunction": {
        "CountersTable": {U},
        "KeysTable": {U},
        "SessionsTable": {R, U},
        "BrandsTable": {R, C},
        "GenerationsTable": {R, W, U, D, Q},
        "CreditsTable": {R, W, U, Q},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "ImagesFunction": {
        "CountersTable": {U},
        "KeysTable": {U},
        "SessionsTable": {R, U},
        "BrandsTable": {R, C},
        "GenerationsTable": {R, W, U},
        "CreditsTable": {R, W, U, Q},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "GenerationWorkerFunction": {
        "GenerationsTable": {R, W, U},
        "CreditsTable": {W, U, Q},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "AssetDeliveryFunction": {
        "CountersTable": {U},
        "KeysTable": {U},
        "SessionsTable": {R, U},
        "GenerationsTable": {R},
        "EventsTable": {W},
    },
    "CleanupFunction": {
        "AccountsTable": {R, U, D},
        "GenerationsTable": {R, U, D},
        "CreditsTable": {W, U},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "WebhooksFunction": {
        "CountersTable": {U},
        "KeysTable": {U},
        "SessionsTable": {R, U},
        "WebhooksTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "WebhookDeliveryFunction": {"WebhooksTable": {R, W, U, Q}, "EventsTable": {W}},
    "DiscoveryFunction": {"CountersTable": {U}, "SessionsTable": {Q}},
}
# The signing secret is read by the two functions that mint, and by no other: its rotation writes
# new seeds and reads none.
SECRETS = {
    "RegistrationFunction": {"PepperSecret", "TurnstileSecret"},
    "LoginFunction": {"PepperSecret", "SigningSecret"},
    "SessionFunction": {"SigningSecret"},
    "PasswordFunction": {"PepperSecret"},
    "SecondFactorFunction": {"PepperSecret"},
    "PepperRotationFunction": {"PepperSecret"},
    "KeyRotationFunction": {"DerivationSecret"},
    "WebhooksFunction": {"WebhookSecret"},
    "WebhookDeliveryFunction": {"WebhookSecret"},
    "GenerationWorkerFunction": {"ProviderSecret"},
    "ModelProbeFunction": {"ProviderSecret"},
}
MEDIA = (("MediaBucket", "x"), ("MediaBucket", "sources/x"))
KEYS = {"BrandBucket": ("x", "incoming/x", "logos/x"), "MediaBucket": ("x", "sources/x")}
OBJECTS = {
    "BrandFunction": {("BrandBucket", "incoming/x", "put"), ("BrandBucket", "incoming/x", "delete"),
                      ("BrandBucket", "logos/x", "delete")},
    "BrandIntakeFunction": {
        ("BrandBucket", "incoming/x", "get"),
        ("BrandBucket", "incoming/x", "delete"),
        ("BrandBucket", "logos/x", "put"),
        ("BrandBucket", "logos/x", "delete"),
    },
    "GenerationFunction": {
        (*each, verb) for each in MEDIA for verb in ("get", "delete")
    },
    "ImagesFunction": {
        ("MediaBucket", "x", "get"),
        ("MediaBucket", "sources/x", "get"),
        ("MediaBucket", "sources/x", "put"),
        ("MediaBucket", "sources/x", "delete"),
    },
    "GenerationWorkerFunction": {
        ("BrandBucket", "logos/x", "get"),
        ("MediaBucket", "sources/x", "get"),
        *((*each, verb) for each in MEDIA for verb in ("put", "delete")),
    },
    "AssetDeliveryFunction": {(*each, "get") for each in MEDIA},
    "CleanupFunction": {(*each, "delete") for each in MEDIA},
}  # fmt: skip
SENDERS = {
    "WebhookQueue": {
        "WebhooksFunction",
        "WebhookDeliveryFunction",
        "GenerationFunction",
        "ImagesFunction",
        "GenerationWorkerFunction",
        "CleanupFunction",
    },
    "GenerationQueue": {"GenerationFunction", "ImagesFunction", "CleanupFunction"},
    "MailQueue": {
        "RegistrationFunction",
        "LoginFunction",
        "PasswordFunction",
        "SecondFactorFunction",
        "OrganizationFunction",
        "KeyRotationFunction",
        "LeakedKeysFunction",
        "GenerationFunction",
        "ImagesFunction",
        "GenerationWorkerFunction",
    },
}

# A mail that no one gets, and no generation at all.
NOTHING_TO_DO = '{"kind": "verification", "at": 0, "address": "nobody"}'
NOWHERE = {"pk": {"S": "NOBODY"}, "sk": {"S": "NOTHING"}}
FALSE = {
    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pk)",
}


def allowed(call: Callable[[], Any]) -> bool:
    """Whether IAM lets a call through; a condition that fails or a missing thing is let through."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] not in (
            "AccessDeniedException",
            "AccessDenied",
            "403",
        )
    return True


def table_calls(dynamodb: Any, table: str) -> dict[str, Callable[[], Any]]:
    """Every data action on a table, none of which changes anything."""
    return {
        R: lambda: dynamodb.get_item(TableName=table, Key=NOWHERE),
        B: lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [NOWHERE]}}),
        W: lambda: dynamodb.put_item(TableName=table, Item=NOWHERE, **FALSE),
        U: lambda: dynamodb.update_item(TableName=table, Key=NOWHERE, **FALSE),
        D: lambda: dynamodb.delete_item(TableName=table, Key=NOWHERE, **FALSE),
        Q: lambda: dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "NOBODY"}},
        ),
        C: lambda: dynamodb.transact_write_items(
            TransactItems=[{"ConditionCheck": {"TableName": table, "Key": NOWHERE, **FALSE}}]
        ),
        "Scan": lambda: dynamodb.scan(TableName=table, Limit=1),
        "UpdateTable": lambda: dynamodb.update_table(
            TableName=table, DeletionProtectionEnabled=False
        ),
    }


@pytest.mark.promise("least-privilege")
@pytest.mark.parametrize("function", TABLES)
def test_a_role_is_refused_every_table_action_the_function_does_not_need(
    cloud: LocalCloud, function: str
) -> None:
    dynamodb = cloud.client_as(function, "dynamodb")
    granted = {
        logical: {
            action for action, call in table_calls(dynamodb, physical).items() if allowed(call)
        }
        for logical, physical in cloud.info["tables"].items()
    }
    needed = {name: TABLES[function].get(name, set()) for name in cloud.info["tables"]}
    assert granted == needed


@pytest.mark.promise("least-privilege")
@pytest.mark.promise("passwords-bcrypt")
@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize("function", TABLES)
def test_a_role_reads_only_its_own_secrets(cloud: LocalCloud, function: str) -> None:
    stack = cloud.client("cloudformation").describe_stack_resources(
        StackName=cloud.info.get("stack", "imagelayer-local")
    )["StackResources"]
    manager = cloud.client_as(function, "secretsmanager")
    granted = {
        each["LogicalResourceId"]
        for each in stack
        if each["ResourceType"] == "AWS::SecretsManager::Secret"
        and allowed(partial(manager.get_secret_value, SecretId=each["PhysicalResourceId"]))
    }
    assert granted == SECRETS.get(function, set())
    assert not allowed(manager.list_secrets)


@pytest.mark.promise("least-privilege")
@pytest.mark.promise("assets-signed")
@pytest.mark.parametrize("function", TABLES)
def test_a_role_touches_only_its_own_objects(cloud: LocalCloud, function: str) -> None:
    s3 = cloud.client_as(function, "s3")
    buckets = cloud.info["buckets"]
    granted = set()
    for logical, keys in KEYS.items():
        for key in keys:
            target = {"Bucket": buckets[logical], "Key": key}
            calls: dict[str, Callable[[], Any]] = {
                "get": partial(s3.get_object, **target),
                "put": partial(s3.put_object, **target, Body=b"", IfMatch='"none"'),
                "delete": partial(s3.delete_object, **target),
            }
            granted |= {(logical, key, verb) for verb, call in calls.items() if allowed(call)}
        assert not allowed(partial(s3.list_objects_v2, Bucket=buckets[logical]))
    assert granted == OBJECTS.get(function, set())


@pytest.mark.promise("least-privilege")
@pytest.mark.parametrize("function", TABLES)
def test_a_role_sends_only_where_the_function_sends(cloud: LocalCloud, function: str) -> None:
    sqs = cloud.client_as(function, "sqs")
    queues = cloud.info["queues"]
    granted = {
        name
        for name, url in queues.items()
        if allowed(partial(sqs.send_message, QueueUrl=url, MessageBody=NOTHING_TO_DO))
    }
    assert granted == {name for name, senders in SENDERS.items() if function in senders}
    for url in queues.values():
        assert not allowed(partial(sqs.purge_queue, QueueUrl=url))
    iam = cloud.client_as(function, "iam")
    assert not allowed(lambda: iam.create_user(UserName="mallory"))


@pytest.mark.promise("least-privilege")
@pytest.mark.parametrize("function", TABLES)
def test_only_the_mail_function_sends_mail(cloud: LocalCloud, function: str) -> None:
    ses = cloud.client_as(function, "sesv2")
    message = {
        "Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}},
    }
    may_send = allowed(
        partial(
            ses.send_email,
            FromEmailAddress="no-reply@imagelayer.local",
            Destination={"ToAddresses": ["role-test@example.com"]},
            Content=message,
        )
    )
    assert may_send == (function == "MailFunction")
