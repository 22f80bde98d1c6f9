"""What AWS alone refuses, read from the template as SAM's translator expands it. cfn-lint and the
local cloud accept all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dev.settings import ROOT
from dev.template import Resolver
from imagelayer.webhooks.delivery import QUEUED_SECONDS, RETRY_SECONDS
from tests.support import aws, sam

# Names that are unique in an account and region, or in the world.
PHYSICAL_NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SES::ConfigurationSet": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::SecretsManager::Secret": "Name",
}
# A bucket's events name a function whose role names the bucket, so the names are known before the
# buckets are. Each holds what makes it unique: in the world, or in its account and region.
NAMED = {
    "MediaBucket": ("AWS::StackName", "AWS::AccountId", "AWS::Region"),
    "BrandBucket": ("AWS::StackName", "AWS::AccountId", "AWS::Region"),
    "ApiLogs": ("AWS::StackName",),
}


@pytest.fixture(scope="module")
def expanded() -> dict[str, dict[str, Any]]:
    """The resources that CloudFormation creates."""
    return dict(sam.expand((ROOT / "template.yaml").read_text())["Resources"])


def of(resources: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


@pytest.mark.parametrize(
    ("policies", "targets", "kind"),
    [
        ("AWS::SQS::QueuePolicy", "Queues", "AWS::SQS::Queue"),
        ("AWS::SNS::TopicPolicy", "Topics", "AWS::SNS::Topic"),
    ],
)
def test_a_policy_of_a_queue_or_topic_speaks_of_that_one_alone(
    expanded: dict[str, dict[str, Any]], policies: str, targets: str, kind: str
) -> None:
    """SQS developer guide: "Each policy must cover only a single queue". SNS has the same rule."""
    covered = []
    for name, policy in of(expanded, policies).items():
        assert len(policy[targets]) == 1, f"{name} is set on several"
        (target,) = (each["Ref"] for each in policy[targets])
        covered.append(target)
        for statement in policy["PolicyDocument"]["Statement"]:
            own = ({"Ref": target}, {"Fn::GetAtt": [target, "Arn"]})
            assert statement["Resource"] in own, f"{name} speaks of another resource"
    assert sorted(covered) == sorted(of(expanded, kind))


def test_no_resource_has_a_name_that_a_second_stack_would_need_too(
    expanded: dict[str, dict[str, Any]],
) -> None:
    named = {
        name
        for name, each in expanded.items()
        if PHYSICAL_NAMES.get(each["Type"]) in each["Properties"]
    }
    assert named == NAMED.keys()
    for logical, parts in NAMED.items():
        each = expanded[logical]
        name = json.dumps(each["Properties"][PHYSICAL_NAMES[each["Type"]]])
        for part in parts:
            assert part in name


def test_the_types_that_can_have_names_are_known(expanded: dict[str, dict[str, Any]]) -> None:
    """A type that is new here needs a line above, or belongs to these, which have no such name."""
    unnamed = {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
        "AWS::Budgets::Budget",
        "AWS::KMS::Key",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Logs::QueryDefinition",  # named, by the stack: tests/template/test_dashboard.py
        "AWS::S3::BucketPolicy",
        "AWS::SES::ConfigurationSetEventDestination",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SecretsManager::RotationSchedule",
    }
    assert {each["Type"] for each in expanded.values()} <= PHYSICAL_NAMES.keys() | unnamed


def feeds(expanded: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    """Which function can cause an invocation of which other through a queue."""
    consumers: dict[str, set[str]] = {}
    for source in of(expanded, "AWS::Lambda::EventSourceMapping").values():
        (queue, _), function = source["EventSourceArn"]["Fn::GetAtt"], source["FunctionName"]["Ref"]
        consumers.setdefault(queue, set()).add(function)
    found = set()
    for name, function in of(expanded, "AWS::Lambda::Function").items():
        role = expanded[function["Role"]["Fn::GetAtt"][0]]["Properties"]
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "sqs:SendMessage" in statement.get("Action", ()):
                    queue = statement["Resource"]["Fn::GetAtt"][0]
                    found |= {(name, each) for each in consumers.get(queue, ())}
    return found


# Functions that may invoke themselves through a queue, and how often a chain of theirs does so at
# most (tests/integration/webhook_delivery follows it): the attempts before the first pause that the
# queue does not hold, and what opens the message.
CHAINS = {
    "WebhookDeliveryFunction": 2 + sum(pause <= QUEUED_SECONDS for pause in RETRY_SECONDS),
}
RECURSION_LIMIT = 16  # Lambda developer guide, "Use Lambda recursive loop detection"


def test_no_function_invokes_itself_through_a_queue_without_a_bound(
    expanded: dict[str, dict[str, Any]],
) -> None:
    reached = feeds(expanded)
    for _ in expanded:
        longer = reached | {(a, d) for a, b in reached for c, d in reached if b == c}
        if longer == reached:
            break
        reached = longer
    functions = of(expanded, "AWS::Lambda::Function")
    assert ("CleanupFunction", "GenerationWorkerFunction") in reached
    recursive = {
        name
        for name, target in reached
        if name == target and functions[name].get("RecursiveLoop") != "Allow"
    }
    assert recursive == CHAINS.keys()
    assert max(CHAINS.values()) < RECURSION_LIMIT
    assert list(RETRY_SECONDS) == sorted(RETRY_SECONDS), "a short pause must not follow a long one"


def test_attempts_that_the_sweep_begins_are_a_minute_late_at_most() -> None:
    events = aws.DOCUMENT["Resources"]["WebhookDeliveryFunction"]["Properties"]["Events"]
    assert events["Sweep"]["Properties"]["ScheduleExpression"] == "rate(1 minute)"


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_failed_creation_can_be_rolled_back_whatever_the_stage(
    expanded: dict[str, dict[str, Any]], stage: str
) -> None:
    """RetainExceptOnCreate deletes what a failed creation made, and a protected table cannot be
    deleted: the stack would end in ROLLBACK_FAILED."""
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "Stage": stage})
    for name, table in of(expanded, "AWS::DynamoDB::Table").items():
        protected = resolver.resolve(table).get("DeletionProtectionEnabled", False)
        policy = expanded[name].get("DeletionPolicy", "Delete")
        assert not protected or policy == "Retain", name
    assert aws.DOCUMENT["Parameters"]["ProtectTables"]["Default"] == "false"


STRINGS = {
    name: each for name, each in aws.DOCUMENT["Parameters"].items() if each["Type"] == "String"
}


@pytest.mark.parametrize("name", STRINGS)
def test_a_string_parameter_says_which_values_it_takes(name: str) -> None:
    parameter = STRINGS[name]
    if "AllowedValues" not in parameter:
        assert parameter["AllowedPattern"].rstrip("$") != parameter["AllowedPattern"]
        assert accepted(name, parameter.get("Default", "")) is ("Default" in parameter)


def accepted(name: str, value: str) -> bool:
    """Whether CloudFormation takes a value, which its pattern must match whole."""
    short = len(value) <= int(STRINGS[name].get("MaxLength", 4096))
    return short and bool(re.fullmatch(STRINGS[name]["AllowedPattern"], value))


MODELS = '[{"id": "flux", "provider": "openai", "source": "our gateway\'s page"}, {"id": "two"}]'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MailFrom", "ImageLayer <no-reply@example.com>"),
        ("SecurityContact", "Security <security@imagelayer.dev>"),
        ("TurnstileHostnames", "a.example.com, b.example.com"),
        ("AllowedEmailDomains", "a.example.com, b.example.com"),
        ("DeniedEmailDomains", "a.example.com, b.example.com"),
        ("CustomModels", MODELS),
        ("CustomModels", json.dumps(json.loads(MODELS), separators=(",", ":"))),
        ("CustomModels", json.dumps(json.loads(MODELS), indent=2)),
        ("CustomModels", MODELS.replace('"', "")),
        ("CustomModels", '[{"id":"flux","sizes":[{"width":1}]}]'),
    ],
)
def test_what_sam_leaves_of_a_value_is_refused(name: str, value: str) -> None:
    for argument in (f"{name}={value}", f"ParameterKey={name},ParameterValue={value}"):
        (parsed,) = sam.parse_overrides([[argument]])
        assert parsed is None or (parsed[name] != value and not accepted(name, parsed[name]))


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ('OpenAiApiKeyValue=""', "OpenAiApiKeyValue", ""),
        ("OpenAiApiKeyValue=sk-a_b.c~d+e/f:g==", "OpenAiApiKeyValue", "sk-a_b.c~d+e/f:g=="),
        ("MailFrom=no-reply@example.com", "MailFrom", "no-reply@example.com"),
        ("TurnstileHostnames=a.example,b.example", "TurnstileHostnames", "a.example,b.example"),
        ("BaseUrl=https://imagelayer.example:8443", "BaseUrl", "https://imagelayer.example:8443"),
        (
            'CustomModels="[{\\"id\\": \\"flux\\"}]"',
            "CustomModels",
            '[{"id": "flux"}]',
        ),
    ],
)
def test_the_forms_of_the_documentation_arrive_whole(argument: str, name: str, value: str) -> None:
    assert sam.parse_overrides([[argument]]) == [{name: value}]
    assert accepted(name, value)


def test_a_file_of_parameters_arrives_whole_and_its_example_is_refused_until_it_is_edited(
    tmp_path: Path,
) -> None:
    example = ROOT / "deploy.example.yaml"
    own = tmp_path / "deploy.yaml"
    own.write_text(f'CustomModels: >-\n  {MODELS}\nOpenAiApiKeyValue: ""\n')
    secret = "TurnstileSecretValue=0x4AAA-b_c"
    of_example, of_own = sam.parse_overrides(
        [["Stage=prod", f"file://{example}", secret], [f"file://{own}"]]
    )
    assert of_own == {"CustomModels": MODELS, "OpenAiApiKeyValue": ""}
    assert accepted("CustomModels", MODELS)
    assert of_example is not None
    required = {name for name, each in aws.DOCUMENT["Parameters"].items() if "Default" not in each}
    assert of_example.keys() == required | {"Stage"}
    refused = {name for name in required if not accepted(name, of_example[name])}
    assert refused == {"SecurityContact"}


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_an_update_changes_no_parameter_that_the_operator_has_set(environment: str) -> None:
    """SAM gives what is in the list and lets every other parameter keep its value."""
    settings = sam.deploy_settings(ROOT / "samconfig.toml", environment)
    stage = "dev" if environment == "default" else environment
    assert settings["stack_name"] == f"imagelayer-{stage}"
    expected = {} if environment == "default" else {"Stage": stage}
    assert settings["parameter_overrides"] == expected
    # Costs are grouped by them.
    assert settings["tags"] == ({"Project": "ImageLayer", **expected} if expected else {})
