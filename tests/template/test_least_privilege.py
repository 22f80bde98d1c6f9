"""Each function's role, read from the template itself."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import prune
from dev.settings import ROOT
from tests.support import aws, role_calls, sam

FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in aws.DOCUMENT["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS)
Statement = dict[str, Any]


CONSUMERS = {
    "GenerationWorkerFunction": "GenerationQueue",
    "WebhookDeliveryFunction": "WebhookQueue",
    "MailFunction": "MailQueue",
}
# X-Ray knows no resources.
TRACES = {
    "Effect": "Allow",
    "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
    "Resource": "*",
}


def runtime_statements(function: str) -> list[Statement]:
    """What Lambda itself does in a function's name: it logs, traces, reads the one
    queue, and keeps the events that failed."""
    logs = function.removesuffix("Function") + "Logs"
    needed: list[Statement] = [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": [logs, "Arn"]},
        },
        {"Fn::If": ["Traces", TRACES, {"Ref": "AWS::NoValue"}]},
    ]
    if function in CONSUMERS:
        needed.append(
            {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": {"Fn::GetAtt": [CONSUMERS[function], "Arn"]},
            }
        )
    if "EventInvokeConfig" in FUNCTIONS[function]:
        needed.append(
            {
                "Effect": "Allow",
                "Action": ["sqs:SendMessage"],
                "Resource": {"Fn::GetAtt": ["FailedEvents", "Arn"]},
            }
        )
    return needed


def role_statements(function: str) -> list[Statement]:
    """Every statement of a function's role."""
    (policy,) = aws.DOCUMENT["Resources"][f"{function}Role"]["Properties"]["Policies"]
    return list(policy["PolicyDocument"]["Statement"])


def statements(function: str) -> list[Statement]:
    """The statements of a function's role for what its code calls."""
    return role_statements(function)[len(runtime_statements(function)) :]


def actions(statement: Statement) -> list[str]:
    listed = statement["Action"]
    return [listed] if isinstance(listed, str) else list(listed)


def resources(statement: Statement) -> list[str]:
    listed = statement["Resource"]
    return [json.dumps(each) for each in (listed if isinstance(listed, list) else [listed])]


def allowed_on(function: str, resource: str) -> set[str]:
    """The actions a function has on a logical resource."""
    return {
        action
        for statement in statements(function)
        if any(
            name in each
            for each in resources(statement)
            for name in (f'"{resource}"', f"{{{resource}.", f"{{{resource}}}")
        )
        for action in actions(statement)
    }


def test_the_layer_keeps_the_data_of_every_call_that_a_role_allows() -> None:
    kept = {f"{service}:{name}" for service, names in prune.OPERATIONS.items() for name in names}
    # Written with another name in policies, or allowed as a part of another call.
    kept |= {"ses:SendEmail", "bedrock:InvokeModel", "dynamodb:ConditionCheckItem"}
    allowed = {
        action
        for function in FUNCTIONS
        for statement in statements(function)
        for action in actions(statement)
    }
    assert allowed <= kept


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    folders = {f"functions/{path.parent.name}/" for path in (ROOT / "functions").glob("*/app.py")}
    assert {properties["CodeUri"] for properties in FUNCTIONS.values()} == folders


@pytest.fixture(scope="module")
def expanded() -> dict[str, dict[str, Any]]:
    """The resources that CloudFormation creates."""
    return dict(sam.expand((ROOT / "template.yaml").read_text())["Resources"])


SCHEDULED = {"Cleanup", "WebhookDelivery", "ModelProbe", "Mail"}


@pytest.mark.promise("least-privilege")
def test_no_role_has_a_managed_policy_and_each_takes_the_operators_boundary(
    expanded: dict[str, dict[str, Any]],
) -> None:
    roles = {
        name: each["Properties"]
        for name, each in expanded.items()
        if each["Type"] == "AWS::IAM::Role"
    }
    of_functions = {f"{name}Role" for name in FUNCTIONS}
    assert set(roles) == of_functions | {f"{name}ScheduleRole" for name in SCHEDULED}
    boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, NONE]}
    for properties in roles.values():
        assert properties["PermissionsBoundary"] == boundary
        assert set(properties) == {"AssumeRolePolicyDocument", "PermissionsBoundary", "Policies"}
    # What gives a role more from outside.
    kinds = {each["Type"] for each in expanded.values()}
    assert not [
        kind for kind in kinds if kind.startswith("AWS::IAM::") and kind != "AWS::IAM::Role"
    ]


NONE = {"Ref": "AWS::NoValue"}


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_a_function_has_a_role_of_its_own_that_lambda_alone_takes(
    expanded: dict[str, dict[str, Any]], function: str
) -> None:
    role = {"Fn::GetAtt": [f"{function}Role", "Arn"]}
    assert [name for name, each in expanded.items() if each["Properties"].get("Role") == role] == [
        function
    ]
    properties = expanded[f"{function}Role"]["Properties"]
    (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_a_function_logs_to_its_own_group_and_reads_the_one_queue_that_invokes_it(
    expanded: dict[str, dict[str, Any]], function: str
) -> None:
    needed = runtime_statements(function)
    assert role_statements(function)[: len(needed)] == needed
    services = {
        action.partition(":")[0] for each in statements(function) for action in actions(each)
    }
    assert not services & {"logs", "xray"}
    sources = {
        each["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
        for each in expanded.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
        and each["Properties"]["FunctionName"] == {"Ref": function}
    }
    assert sources == ({CONSUMERS[function]} if function in CONSUMERS else set())


@pytest.mark.promise("least-privilege")
def test_a_schedules_role_invokes_its_one_function_and_is_taken_for_this_account_alone(
    expanded: dict[str, dict[str, Any]],
) -> None:
    schedules = [
        each["Properties"]["Target"]
        for each in expanded.values()
        if each["Type"] == "AWS::Scheduler::Schedule"
    ]
    assert len(schedules) == len(SCHEDULED)
    for target in schedules:
        name = target["Arn"]["Fn::GetAtt"][0].removesuffix("Function")
        assert target["RoleArn"] == {"Fn::GetAtt": [f"{name}ScheduleRole", "Arn"]}
        role = expanded[f"{name}ScheduleRole"]["Properties"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust == {
            "Effect": "Allow",
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
        (policy,) = role["Policies"]
        assert policy["PolicyDocument"]["Statement"] == [
            {
                "Effect": "Allow",
                "Action": ["lambda:InvokeFunction"],
                "Resource": {"Fn::GetAtt": [f"{name}Function", "Arn"]},
            }
        ]


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_a_role_is_made_of_named_actions_and_resources(function: str) -> None:
    assert statements(function)
    for statement in statements(function):
        assert statement["Effect"] == "Allow"
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert not [action for action in actions(statement) if "*" in action or "?" in action]
        assert '"*"' not in resources(statement)
        for resource in resources(statement):
            assert "service" not in resource


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_a_wildcard_resource_is_inside_one_bucket_or_bound_by_a_condition(function: str) -> None:
    for statement in statements(function):
        for resource in resources(statement):
            if "*" not in resource:
                continue
            inside_bucket = "Bucket.Arn}/" in resource or ":s3:::${AWS::StackName}-" in resource
            assert inside_bucket or "Condition" in statement, resource


READ = "secretsmanager:GetSecretValue"
ROTATE = {
    "secretsmanager:DescribeSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
}


@pytest.mark.promise("least-privilege", "sessions-short")
def test_only_those_who_mint_tokens_read_the_signing_secret() -> None:
    """The one who rotates it writes new seeds and reads none."""
    named = {name for name in FUNCTIONS if "SigningSecret" in json.dumps(statements(name))}
    assert {name: allowed_on(name, "SigningSecret") for name in named} == {
        "LoginFunction": {READ},
        "SessionFunction": {READ},
        "SigningRotationFunction": ROTATE,
    }


CREDENTIALS = ("KeysTable", "SessionsTable", "SigningKeysTable", "AccountsTable")
WRITES = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}


@pytest.mark.promise("least-privilege", "sessions-short")
def test_public_signing_keys_are_written_by_those_who_mint_tokens_and_by_the_rotation_alone() -> (
    None
):
    write = {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    writers = {name for name in FUNCTIONS if allowed_on(name, "SigningKeysTable") & write}
    assert writers == {"LoginFunction", "SessionFunction", "SigningRotationFunction"}
    # Who checks a token reads one key by its id.
    verifying = {name for name in FUNCTIONS if allowed_on(name, "SessionsTable") >= METERED}
    for name in verifying - writers:
        assert allowed_on(name, "SigningKeysTable") == {"dynamodb:GetItem"}, name


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_who_writes_to_a_table_of_credentials_names_the_partitions(function: str) -> None:
    for statement in statements(function):
        text = json.dumps(statement["Resource"])
        tables = [table for table in CREDENTIALS if f'"{table}"' in text or f"{table}." in text]
        if not tables or not WRITES & set(actions(statement)):
            continue
        assert len(resources(statement)) == 1, "one table a statement: their partitions differ"
        (names,) = statement["Condition"].values()
        leading = names["dynamodb:LeadingKeys"]
        assert leading
        assert all(re.fullmatch(r"[A-Z]+#\*|JWKS", prefix) for prefix in leading), leading


METERED = {"dynamodb:UpdateItem"}
# What a call is metered on, and what the condition of that write names.
METERED_ATTRIBUTES = {
    "KeysTable": {"pk", "sk", "tat_*", "last_used_at", "valid_until", "disabled", "terms"},
    "SessionsTable": {"pk", "sk", "tat_*"},
}
MANAGE_KEYS = {"KeyRotationFunction", "LeakedKeysFunction", "AdministrationFunction"}


@pytest.mark.promise("least-privilege", "sessions-short", "keys-hashed")
@pytest.mark.parametrize("table", METERED_ATTRIBUTES)
@EVERY_FUNCTION
def test_who_meters_calls_writes_the_metered_attributes_alone(function: str, table: str) -> None:
    creates = {"KeysTable": MANAGE_KEYS, "SessionsTable": {"LoginFunction", "SessionFunction"}}
    own = {  # beside the limit: one attribute of a session, and those its condition names
        ("GenerationFunction", "SessionsTable"): {"generations", "max_generations"},
        ("SecondFactorFunction", "SessionsTable"): {"must_enrol"},
    }
    for statement in statements(function):
        if f'"{table}"' not in json.dumps(statement["Resource"]) or not WRITES & set(
            actions(statement)
        ):
            continue
        if set(actions(statement)) & WRITES == {"dynamodb:DeleteItem"}:
            continue
        names = statement["Condition"].get("ForAllValues:StringLike", {})
        attributes = set(names.get("dynamodb:Attributes", []))
        if not attributes:
            assert function in creates[table]
            continue
        assert actions(statement) == ["dynamodb:UpdateItem"]
        exact = attributes - {"pk", "sk"}
        assert attributes == METERED_ATTRIBUTES[table] or exact == own[function, table]


@pytest.mark.promise("least-privilege")
def test_only_those_who_work_with_passwords_or_what_they_seal_read_the_pepper() -> None:
    named = {name for name in FUNCTIONS if "PepperSecret" in json.dumps(statements(name))}
    assert {name: allowed_on(name, "PepperSecret") for name in named} == {
        "LoginFunction": {READ},
        "RegistrationFunction": {READ},
        "PasswordFunction": {READ},
        "SecondFactorFunction": {READ},
        # Earlier peppers stay for the hashes that name them.
        "PepperRotationFunction": {READ, *ROTATE},
    }


@pytest.mark.promise("least-privilege")
def test_only_registration_reads_the_captchas_secret() -> None:
    named = {name for name in FUNCTIONS if "TurnstileSecret" in json.dumps(statements(name))}
    assert {name: allowed_on(name, "TurnstileSecret") for name in named} == {
        "RegistrationFunction": {READ}
    }


@pytest.mark.promise("least-privilege", "keys-hashed")
def test_only_those_who_show_or_use_webhook_secrets_read_what_draws_them() -> None:
    named = {name for name in FUNCTIONS if "WebhookSecret" in json.dumps(statements(name))}
    assert {name: allowed_on(name, "WebhookSecret") for name in named} == {
        "WebhooksFunction": {READ},
        "WebhookDeliveryFunction": {READ},
    }


@pytest.mark.promise("least-privilege")
def test_who_rotates_a_secret_touches_no_account() -> None:
    for name in ("SigningRotationFunction", "PepperRotationFunction"):
        for table in aws.resources("AWS::DynamoDB::Table"):
            expected = (
                {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"}
                if (name, table) == ("SigningRotationFunction", "SigningKeysTable")
                else set()
            )
            assert allowed_on(name, table) == expected


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_a_function_may_touch_what_its_environment_names_and_nothing_else(function: str) -> None:
    named = {
        value["Ref"]
        for value in FUNCTIONS[function]["Environment"]["Variables"].values()
        if isinstance(value, dict) and value.get("Ref") in aws.DOCUMENT["Resources"]
    }
    granted = {
        logical
        for logical, resource in aws.DOCUMENT["Resources"].items()
        if resource["Type"].startswith(
            (
                "AWS::DynamoDB::",
                "AWS::S3::Bucket",
                "AWS::SQS::Queue",
                "AWS::SecretsManager::Secret",
                "AWS::SES::ConfigurationSet",
            )
        )
        and allowed_on(function, logical)
    }
    if function == "BrandIntakeFunction":
        # Named by its name on both sides, because the bucket's notification needs the role first.
        assert (
            "-brand-" in FUNCTIONS[function]["Environment"]["Variables"]["BRAND_BUCKET"]["Fn::Sub"]
        )
        assert all("-brand-" in each for each in brand_objects(function))
    # Secrets Manager names the secret in each step of its rotation.
    rotated = {"SigningRotationFunction": "SigningSecret", "PepperRotationFunction": "PepperSecret"}
    if function in rotated:
        named |= {rotated[function]}
    assert granted == named


def brand_objects(function: str) -> list[str]:
    """The S3 resources of a function that are written as names."""
    found = [each for statement in statements(function) for each in resources(statement)]
    return [each for each in found if ":s3:::" in each]


@pytest.mark.promise("least-privilege")
def test_no_one_may_change_what_is_deployed_or_scan_a_table() -> None:
    allowed = {
        action for name in FUNCTIONS for each in statements(name) for action in actions(each)
    }
    assert not allowed & {"dynamodb:Scan", "s3:ListBucket", "iam:PassRole", "sts:AssumeRole"}
    services = {action.partition(":")[0] for action in allowed}
    assert services == {"bedrock", "dynamodb", "s3", "sqs", "ses", "secretsmanager"}


@pytest.mark.promise("least-privilege")
def test_only_the_worker_and_the_probe_read_the_providers_keys() -> None:
    named = {name for name in FUNCTIONS if "ProviderSecret" in json.dumps(statements(name))}
    assert {name: allowed_on(name, "ProviderSecret") for name in named} == {
        "GenerationWorkerFunction": {READ},
        "ModelProbeFunction": {READ},
    }


@pytest.mark.promise("least-privilege")
def test_bedrocks_models_are_reached_by_two_functions_in_the_chosen_region_alone() -> None:
    found = {
        name: statement
        for name in FUNCTIONS
        for statement in statements(name)
        if any(action.startswith("bedrock:") for action in actions(statement))
    }
    assert {name: actions(each) for name, each in found.items()} == {
        "GenerationWorkerFunction": ["bedrock:InvokeModel"],
        "ModelProbeFunction": ["bedrock:GetFoundationModel"],
    }
    for statement in found.values():
        (resource,) = resources(statement)
        assert ":bedrock:*::foundation-model/" in resource
        # Empty by default, and then no request is in it.
        assert statement["Condition"] == {
            "StringEquals": {"aws:RequestedRegion": {"Ref": "BedrockRegion"}}
        }
    assert aws.DOCUMENT["Parameters"]["BedrockRegion"]["Default"] == ""


DELETE = "dynamodb:DeleteItem"
NOTICES_ALONE = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["NOTICES#*"]}}


@pytest.mark.promise("least-privilege")
@pytest.mark.parametrize(
    ("table", "who"),
    [
        ("CreditsTable", set()),
        ("EventsTable", set()),
        # A sign-up that is confirmed; an invitation that is accepted; a member who is removed.
        ("AccountsTable", {"RegistrationFunction", "OrganizationFunction"}),
        ("KeysTable", {"KeyRotationFunction", "LeakedKeysFunction"}),
        ("BrandsTable", {"BrandFunction"}),
        ("WebhooksTable", {"WebhooksFunction"}),
    ],
)
def test_durable_records_are_deleted_by_those_who_end_them_alone(table: str, who: set[str]) -> None:
    # The mail function deletes notices that it has mailed, which have partitions of their own.
    passing = {"MailFunction": NOTICES_ALONE} if table == "AccountsTable" else {}
    deleting = {name for name in FUNCTIONS if DELETE in allowed_on(name, table)}
    assert deleting == who | passing.keys()
    for name, condition in passing.items():
        for statement in statements(name):
            if DELETE in actions(statement):
                assert statement["Condition"] == condition


@pytest.mark.promise("least-privilege", "security-logged")
@EVERY_FUNCTION
def test_kept_events_are_added_by_many_read_by_one_and_changed_by_no_one(function: str) -> None:
    adds, reads = {"dynamodb:PutItem"}, {"dynamodb:Query"}
    allowed = allowed_on(function, "EventsTable")
    assert allowed <= adds | reads
    assert (allowed >= reads) == (function == "OrganizationFunction")
    silent = {
        "DiscoveryFunction",
        "FallbackFunction",
        "ModelProbeFunction",
        "PepperRotationFunction",
        "SigningRotationFunction",
    }
    assert (allowed >= adds) == (function not in silent)


@pytest.mark.promise("least-privilege")
@EVERY_FUNCTION
def test_only_the_mail_function_reads_what_mail_is_asked_for(function: str) -> None:
    """Its event source does; its code does not, and the others only send."""
    assert allowed_on(function, "MailQueue") <= {"sqs:SendMessage"}
    sources = [
        event["Properties"]["Queue"]["Fn::GetAtt"][0]
        for event in FUNCTIONS[function].get("Events", {}).values()
        if event["Type"] == "SQS"
    ]
    assert ("MailQueue" in sources) == (function == "MailFunction")


@pytest.mark.promise("least-privilege", "assets-signed")
def test_only_those_who_sign_links_read_media_and_only_who_makes_or_deletes_changes_it() -> None:
    """`tests/local_cloud/test_roles.py` shows on which key exactly: `images` writes pictures to
    start from, and the worker reads these alone."""
    by_action = {
        action: {name for name in FUNCTIONS if action in allowed_on(name, "MediaBucket")}
        for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    }
    assert by_action == {
        "s3:GetObject": {
            "GenerationFunction",
            "ImagesFunction",
            "AssetDeliveryFunction",
            "GenerationWorkerFunction",
        },
        "s3:PutObject": {"GenerationWorkerFunction", "ImagesFunction"},
        "s3:DeleteObject": {
            "GenerationWorkerFunction",
            "GenerationFunction",
            "ImagesFunction",
            "CleanupFunction",
        },
    }


@pytest.mark.promise("least-privilege")
def test_mail_is_sent_from_the_configured_address_only() -> None:
    senders = {
        name: each
        for name in FUNCTIONS
        for each in statements(name)
        if "ses:SendEmail" in actions(each)
    }
    assert set(senders) == {"MailFunction"}
    assert senders["MailFunction"]["Condition"] == {
        "StringEquals": {"ses:FromAddress": {"Ref": "MailFrom"}}
    }


@pytest.mark.promise("least-privilege")
def test_each_permission_is_one_that_a_test_shows_the_function_to_need() -> None:
    """And each call in an integration test is one that the role permits: see `role_calls`."""
    print(role_calls.table(role_calls.witnesses()))
    assert role_calls.witnesses().keys() == role_calls.grants()


@pytest.mark.promise("least-privilege")
def test_the_tests_that_show_permissions_to_be_needed_are_there() -> None:
    for test in set(role_calls.witnesses().values()):
        path, _, name = test.partition("[")[0].partition("::")
        assert path.startswith("tests/integration/")
        assert f"\ndef {name}(" in (ROOT / path).read_text("utf-8"), test
