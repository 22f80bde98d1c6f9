"""Each function's role can do what that function does and nothing more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.local_cloud import LocalCloud
from imagelayer.access.key_secrets import hash_secret
from imagelayer.access.key_store import state_hash
from imagelayer.identity.tokens import signing_key
from imagelayer.platform.attribute_values import encode_item
from imagelayer.platform.ids import new_id
from tests.support.api_clients import Visitor
from tests.support.cloud_clients import new_owner

R, W, U, D, Q, C = "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "ConditionCheckItem"
B = "BatchGetItem"
# Where credentials are kept, a role is held to partitions; a space and one of these follows.
PEOPLE = ("EMAIL#", "USER#", "ORG#", "SIGNUP#", "SUPPRESSED#", "NOTICES#")
PARTITIONS = {
    "AccountsTable": PEOPLE,
    "KeysTable": ("SECRET#", "ORG#"),
    "SessionsTable": ("USER#", "EUS#", "ORG#"),
    "SigningKeysTable": ("JWKS",),
}


def at(*prefixes: str, actions: Iterable[str]) -> set[str]:
    """Actions on partitions that begin with these."""
    return {f"{action} {prefix}" for action in actions for prefix in prefixes}


NAMED = {"JWKS": "JWKS"}  # all other partitions are named by more than their prefix
# A call of a key, of a member and of an end user is metered on the credential's own item.
METERS_KEYS = at("SECRET#", actions=[U])
METERS_SESSIONS = at("USER#", "EUS#", actions=[U])
VERIFIES = at("JWKS", actions=[R])
MINTS = at("JWKS", actions=[R, W])
READS_PEOPLE = at("EMAIL#", "USER#", "ORG#", actions=[R])
ENDS_LOGINS = at("USER#", actions=[D, Q])
ENDS_END_USERS = at("EUS#", actions=[D, Q])

# Written by hand from what each function does, and not read from the template: a policy that
# grows beyond this table fails here.
TABLES: dict[str, dict[str, set[str]]] = {
    "RegistrationFunction": {
        "CountersTable": {U},
        "AccountsTable": READS_PEOPLE
        | at("SIGNUP#", actions=[R, U, D])
        | at("EMAIL#", "USER#", "ORG#", actions=[W])
        | at("USER#", actions=[U])
        | at("ORG#", actions=[U, D, C]),
        "EventsTable": {W},
    },
    "LoginFunction": {
        "CountersTable": {U},
        "AccountsTable": READS_PEOPLE | at("USER#", actions=[W, U]),
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS | at("USER#", actions=[R, W, U, D, Q]),
        "SigningKeysTable": MINTS,
        "EventsTable": {W},
    },
    "PasswordFunction": {
        "CountersTable": {U},
        "AccountsTable": at("USER#", "ORG#", actions=[R]) | at("USER#", actions=[W, U]),
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS | ENDS_LOGINS,
        "SigningKeysTable": VERIFIES,
        "EventsTable": {W},
    },
    "SecondFactorFunction": {
        "CountersTable": {U},
        "AccountsTable": at("USER#", actions=[R, U]) | at("ORG#", actions=[R, C]),
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS | ENDS_LOGINS,
        "SigningKeysTable": VERIFIES,
        "EventsTable": {W},
    },
    "SessionFunction": {
        "CountersTable": {U},
        "KeysTable": METERS_KEYS | at("SECRET#", "ORG#", actions=[R]),
        "SessionsTable": METERS_SESSIONS
        | at("EUS#", actions=[R, W, U, D, Q])
        | at("ORG#", actions=[W]),
        "SigningKeysTable": MINTS,
        "EventsTable": {W},
    },
    "OrganizationFunction": {
        "CountersTable": {U},
        "AccountsTable": at("ORG#", actions=[R, W, U, D, C, Q])
        | at("USER#", actions=[R, U, D, Q])
        | at("EMAIL#", actions=[D]),
        "KeysTable": METERS_KEYS | at("ORG#", actions=[Q]),
        "SessionsTable": METERS_SESSIONS | ENDS_LOGINS,
        "SigningKeysTable": VERIFIES,
        "CreditsTable": {R, Q},
        "WebhooksTable": {Q},
        "EventsTable": {W, Q},
    },
    "MailFunction": {
        "CountersTable": {U},
        "AccountsTable": at("EMAIL#", "SUPPRESSED#", actions=[R])
        | at("USER#", "SIGNUP#", actions=[R, U])
        | at("ORG#", actions=[R, W, U, Q])
        | at("NOTICES#", actions=[R, W, U, D, Q]),
        "EventsTable": {W},
    },
    "MailFeedbackFunction": {
        "AccountsTable": at("EMAIL#", "USER#", actions=[R]) | at("SUPPRESSED#", actions=[W]),
        "EventsTable": {W},
    },
    "FallbackFunction": {"CountersTable": {U}},
    "ModelProbeFunction": {},
    "SigningRotationFunction": {"SigningKeysTable": at("JWKS", actions=[W, U, Q])},
    "PepperRotationFunction": {},
    "KeyRotationFunction": {
        "CountersTable": {U},
        "SessionsTable": METERS_SESSIONS | ENDS_END_USERS,
        "SigningKeysTable": VERIFIES,
        "KeysTable": at("SECRET#", actions=[R, B, W, U, D]) | at("ORG#", actions=[R, W, U, D, Q]),
        "EventsTable": {W},
    },
    "LeakedKeysFunction": {
        "CountersTable": {U},
        "SessionsTable": ENDS_END_USERS,
        "KeysTable": at("SECRET#", actions=[R, B, U, D]) | at("ORG#", actions=[R, W, U, D]),
        "EventsTable": {W},
    },
    "AdministrationFunction": {
        # It invites owners: a sign-up, and its mail.
        "AccountsTable": READS_PEOPLE | at("SIGNUP#", actions=[U]),
        "GenerationsTable": {R},
        "KeysTable": at("SECRET#", actions=[B, U]) | at("ORG#", actions=[R, W, U, Q]),
        "CreditsTable": {R, W, U, Q},
        "EventsTable": {W},
    },
    "BrandFunction": {
        "CountersTable": {U},
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS,
        "SigningKeysTable": VERIFIES,
        "BrandsTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "BrandIntakeFunction": {"BrandsTable": {R, U}, "EventsTable": {W}},
    "GenerationFunction": {
        "CountersTable": {U},
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS,
        "SigningKeysTable": VERIFIES,
        "BrandsTable": {R, C},
        "GenerationsTable": {R, W, U, D, Q},
        "CreditsTable": {R, W, U, Q},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "ImagesFunction": {
        "CountersTable": {U},
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS,
        "SigningKeysTable": VERIFIES,
        "BrandsTable": {R, C},
        "GenerationsTable": {R, W},
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
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS,
        "SigningKeysTable": VERIFIES,
        "GenerationsTable": {R},
        "EventsTable": {W},
    },
    "CleanupFunction": {
        "GenerationsTable": {R, U, D},
        "CreditsTable": {W, U},
        "WebhooksTable": {R, W},
        "EventsTable": {W},
    },
    "WebhooksFunction": {
        "CountersTable": {U},
        "KeysTable": METERS_KEYS,
        "SessionsTable": METERS_SESSIONS,
        "SigningKeysTable": VERIFIES,
        "WebhooksTable": {R, W, U, D, Q},
        "EventsTable": {W},
    },
    "WebhookDeliveryFunction": {"WebhooksTable": {R, W, U, Q}, "EventsTable": {W}},
    "DiscoveryFunction": {"CountersTable": {U}, "SigningKeysTable": at("JWKS", actions=[Q])},
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
MEDIA = tuple(("MediaBucket", key) for key in ("x", "sources/x", "answers/x"))
KEYS = {
    "BrandBucket": ("x", "incoming/x", "logos/x"),
    "MediaBucket": ("x", "sources/x", "answers/x"),
}
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
        *(
            ("MediaBucket", key, verb)
            for key in ("sources/x", "answers/x")
            for verb in ("get", "put", "delete")
        ),
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
    "FailedEvents": {  # Lambda sends there in their name
        "BrandIntakeFunction",
        "CleanupFunction",
        "WebhookDeliveryFunction",
        "ModelProbeFunction",
        "MailFunction",
        "MailFeedbackFunction",
    },
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
        "AdministrationFunction",
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
# What its event source receives; the administration function reads dead letters.
RECEIVERS = {
    "GenerationQueue": {"GenerationWorkerFunction"},
    "WebhookQueue": {"WebhookDeliveryFunction"},
    "MailQueue": {"MailFunction"},
    "GenerationDeadLetters": {"AdministrationFunction"},
}

# A mail that no one gets, and no generation at all.
NOTHING_TO_DO = '{"kind": "verification", "at": 0, "address": "nobody"}'
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


def table_calls(dynamodb: Any, table: str, pk: str) -> dict[str, Callable[[], Any]]:
    """Every data action on a partition of a table, none of which changes anything."""
    nowhere = {"pk": {"S": pk}, "sk": {"S": "NOTHING"}}
    return {
        R: lambda: dynamodb.get_item(TableName=table, Key=nowhere),
        B: lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [nowhere]}}),
        W: lambda: dynamodb.put_item(TableName=table, Item=nowhere, **FALSE),
        U: lambda: dynamodb.update_item(TableName=table, Key=nowhere, **FALSE),
        D: lambda: dynamodb.delete_item(TableName=table, Key=nowhere, **FALSE),
        Q: lambda: dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        ),
        C: lambda: dynamodb.transact_write_items(
            TransactItems=[{"ConditionCheck": {"TableName": table, "Key": nowhere, **FALSE}}]
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
    granted: dict[str, set[str]] = {}
    for logical, physical in cloud.info["tables"].items():
        granted[logical] = {
            f"{action} {prefix}".strip()
            for prefix in PARTITIONS.get(logical, ("",))
            for action, call in table_calls(
                dynamodb, physical, NAMED.get(prefix, f"{prefix}x")
            ).items()
            if allowed(call)
        }
        if logical in PARTITIONS:  # there is no other partition
            elsewhere = table_calls(dynamodb, physical, "NOBODY").items()
            readable = {R, Q} if logical == "SigningKeysTable" else set()
            assert {action for action, call in elsewhere if allowed(call)} <= readable
    needed = {name: TABLES[function].get(name, set()) for name in cloud.info["tables"]}
    assert granted == needed


# Every role that meters calls and creates no credential of its own.
METERING = [
    "PasswordFunction",
    "SecondFactorFunction",
    "OrganizationFunction",
    "KeyRotationFunction",
    "BrandFunction",
    "GenerationFunction",
    "ImagesFunction",
    "AssetDeliveryFunction",
    "WebhooksFunction",
]


def item_update(table: str, item: dict[str, Any]) -> dict[str, Any]:
    """The request that creates an item, or changes it, through UpdateItem."""
    stored = encode_item(item)
    key = {name: stored.pop(name) for name in ("pk", "sk")}
    return {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in stored),
        "ExpressionAttributeNames": {f"#{name}": name for name in stored},
        "ExpressionAttributeValues": {f":{name}": value for name, value in stored.items()},
    }


def forgeries(org_id: str, secret_hash: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """What a credential check would accept: table and item."""
    now = int(time.time())
    mine = signing_key("a key of an attacker" * 4)
    user = new_id("usr", now)
    session = {
        "org_id": org_id,
        "role": "owner",
        "expires_at": now + 3600,
        "idle_until": now + 3600,
    }
    secret = {
        "key_id": new_id("key", now),
        "org_id": org_id,
        "kind": "secret",
        "scopes": ["keys:write"],
        "mode": "live",
        "valid_until": 0,
        "state_hash": state_hash(0, disabled=False, terms=None),
    }
    jwk = {"pk": "JWKS", "sk": mine.kid, "jwk": dict(mine.jwk)}
    return {
        "signing key": ("SigningKeysTable", jwk),
        "dashboard session": (
            "SessionsTable",
            {"pk": f"USER#{user}", "sk": f"SES#{new_id('ses', now)}", "user_id": user, **session},
        ),
        "end user's session": (
            "SessionsTable",
            {
                "pk": f"EUS#{org_id}#{(now + 3600) // 3600}",
                "sk": f"hash#{new_id('eus', now)}",
                "scopes": ["generations:write"],
                "mode": "live",
                **session,
            },
        ),
        "API key": ("KeysTable", {"pk": f"SECRET#{secret_hash}", "sk": "SECRET", **secret}),
    }


@pytest.fixture(scope="module")
def owner(cloud: LocalCloud) -> Visitor:
    return new_owner(cloud)


@pytest.mark.promise("least-privilege", "sessions-short", "keys-hashed")
@pytest.mark.parametrize("function", METERING)
def test_a_role_that_meters_creates_nothing_that_a_credential_check_accepts(
    cloud: LocalCloud, owner: Visitor, function: str
) -> None:
    """Put, update, and both as members of a transaction."""
    dynamodb = cloud.client_as(function, "dynamodb")
    secret_hash = hash_secret(f"il_live_{function}")
    for what, (logical, item) in forgeries(owner.org_id, secret_hash).items():
        table = cloud.info["tables"][logical]
        put = {"TableName": table, "Item": encode_item(item)}
        update = item_update(table, item)
        if not (function == "KeyRotationFunction" and what == "API key"):  # what it is there for
            for call in (
                partial(dynamodb.put_item, **put),
                partial(dynamodb.update_item, **update),
                partial(dynamodb.transact_write_items, TransactItems=[{"Put": put}]),
                partial(dynamodb.transact_write_items, TransactItems=[{"Update": update}]),
            ):
                assert not allowed(call), what


@pytest.mark.promise("least-privilege", "keys-rotate")
def test_what_a_role_that_meters_can_change_of_a_secret_makes_it_worthless(
    cloud: LocalCloud, owner: Visitor
) -> None:
    """The names in its conditions are what it could write: an end, and what disables or binds."""
    token = owner.access_token
    fields = {"name": "off", "scopes": ["brands:read"], "mode": "live"}
    disabled = owner.call("POST", "/v1/keys", token=token, json=fields).json()
    path = f"/v1/keys/{disabled['id']}"
    off, on = {"enabled": False}, {"enabled": True}
    assert owner.call("PATCH", path, token=token, json=off).status_code == 200
    for function in METERING:
        if function == "KeyRotationFunction":  # that is what it is there for
            continue
        cloud.client_as(function, "dynamodb").update_item(
            TableName=cloud.info["tables"]["KeysTable"],
            Key=encode_item({"pk": f"SECRET#{hash_secret(disabled['key'])}", "sk": "SECRET"}),
            UpdateExpression="REMOVE #disabled",
            ExpressionAttributeNames={"#disabled": "disabled"},
        )
        assert owner.call("GET", "/v1/keys/self", token=disabled["key"]).status_code == 401
    assert owner.call("PATCH", path, token=token, json=on).status_code == 200
    assert owner.call("GET", "/v1/keys/self", token=disabled["key"]).status_code == 200
    assert owner.call("DELETE", path, token=token).status_code == 204


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
def test_a_role_sends_only_where_the_function_sends_and_receives_what_is_its_own(
    cloud: LocalCloud, function: str
) -> None:
    sqs = cloud.client_as(function, "sqs")
    queues = cloud.info["queues"]
    granted = {
        name
        for name, url in queues.items()
        if allowed(partial(sqs.send_message, QueueUrl=url, MessageBody=NOTHING_TO_DO))
    }
    assert granted == {name for name, senders in SENDERS.items() if function in senders}
    received = {
        name
        for name, url in queues.items()
        if allowed(partial(sqs.receive_message, QueueUrl=url, VisibilityTimeout=0))
    }
    assert received == {name for name, receivers in RECEIVERS.items() if function in receivers}
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
