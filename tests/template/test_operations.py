"""Runtime, logs, parameters and stages."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from dev.settings import ROOT
from dev.template import Resolver
from imagelayer.access.end_user_session_store import MAX_SECONDS
from imagelayer.identity.secret_rotation import OVERLAP_SECONDS
from imagelayer.identity.tokens import ACCESS_SECONDS
from imagelayer.platform.secrets import KEEP_SECONDS
from tests.support import aws

RESOURCES = aws.DOCUMENT["Resources"]
FUNCTIONS = [
    name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::Serverless::Function"
]
SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
SECRET_WORDS = re.compile(r"secret|password|token|pepper|private", re.IGNORECASE)
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS)


def walk(value: Any) -> list[str]:
    """Every text in a nested value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in walk(each)]
    if isinstance(value, list):
        return [text for each in value for text in walk(each)]
    return [value] if isinstance(value, str) else []


def test_functions_run_on_the_pinned_python() -> None:
    shared = aws.DOCUMENT["Globals"]["Function"]
    assert shared["Runtime"] == "python3.13"
    assert (ROOT / ".python-version").read_text().strip().startswith("3.13")
    layers = aws.resources("AWS::Serverless::LayerVersion").values()
    assert all(layer["CompatibleRuntimes"] == ["python3.13"] for layer in layers)
    assert aws.DOCUMENT["Parameters"]["Architecture"]["Default"] == "arm64"


@EVERY_FUNCTION
def test_a_function_logs_to_a_group_of_its_own_that_forgets(function: str) -> None:
    group = RESOURCES[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert group == function.removesuffix("Function") + "Logs"
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {
        "Fn::FindInMap": ["ByStage", {"Ref": "Stage"}, "LogDays"]
    }


def test_every_log_group_forgets_in_every_stage() -> None:
    for properties in aws.resources("AWS::Logs::LogGroup").values():
        assert "RetentionInDays" in properties
    stages = aws.DOCUMENT["Mappings"]["ByStage"]
    assert set(stages) == set(aws.DOCUMENT["Parameters"]["Stage"]["AllowedValues"])
    assert all(0 < stage["LogDays"] <= 90 for stage in stages.values())


@EVERY_FUNCTION
def test_a_function_traces_as_the_parameter_says(function: str) -> None:
    shared, own = aws.DOCUMENT["Globals"]["Function"], RESOURCES[function]["Properties"]
    assert own.get("Tracing", shared["Tracing"]) == {"Ref": "Tracing"}
    variables = {**shared["Environment"]["Variables"], **own["Environment"]["Variables"]}
    assert variables["TRACING"] == {"Ref": "Tracing"}


def test_tracing_is_off_unless_it_is_asked_for() -> None:
    parameter = aws.DOCUMENT["Parameters"]["Tracing"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (
        "PassThrough",
        ["PassThrough", "Active"],
    )


@EVERY_FUNCTION
def test_a_function_answers_before_the_gateway_gives_up(function: str) -> None:
    shared, own = aws.DOCUMENT["Globals"]["Function"], RESOURCES[function]["Properties"]
    if any(event["Type"] == "HttpApi" for event in own.get("Events", {}).values()):
        assert own.get("Timeout", shared["Timeout"]) < 30


@EVERY_FUNCTION
def test_only_functions_that_render_carry_the_render_layer(function: str) -> None:
    own = RESOURCES[function]["Properties"].get("Layers", [])
    renders = function in ("GenerationWorkerFunction", "BrandIntakeFunction")
    assert (own == [{"Ref": "RenderLayer"}]) == renders


@pytest.mark.promise("keys-hashed")
@pytest.mark.parametrize("name", aws.DOCUMENT["Parameters"])
def test_a_parameter_that_holds_a_secret_is_never_shown(name: str) -> None:
    parameter = aws.DOCUMENT["Parameters"][name]
    public = name.endswith(("Sha256", "Url"))
    if SECRET_WORDS.search(name) and not public:
        assert parameter["NoEcho"] is True
        assert "Default" not in parameter


@pytest.mark.promise("report-vulnerability")
@pytest.mark.parametrize(
    ("contact", "accepted"),
    [
        ("security@solstice.coffee", True),
        ("security@imagelayer.local", True),
        ("sec+urgent@mail.solstice.coffee", True),
        ("security@myexample.com", True),
        ("security@example.com", False),
        ("Security@Example.COM", False),
        ("security@mail.example.org", False),
        ("security@example.net", False),
        ("security@imagelayer.example", False),
        ("security@imagelayer.test", False),
        ("security@imagelayer.invalid", False),
        ("security", False),
        ("", False),
        ("a@b c", False),
    ],
)
def test_where_reports_go_must_be_given_and_can_reach_the_operator(
    contact: str, accepted: bool
) -> None:
    parameter = aws.DOCUMENT["Parameters"]["SecurityContact"]
    assert "Default" not in parameter
    assert bool(re.fullmatch(parameter["AllowedPattern"], contact)) is accepted


def secret_parameters() -> list[str]:
    return [name for name, each in aws.DOCUMENT["Parameters"].items() if each.get("NoEcho") is True]


@pytest.mark.promise("keys-hashed")
def test_a_secret_parameter_goes_into_secrets_manager_and_nowhere_else() -> None:
    assert secret_parameters() == [
        "TurnstileSecretValue",
        "OpenAiApiKeyValue",
        "GoogleApiKeyValue",
    ]
    for parameter in secret_parameters():
        users = [name for name, each in RESOURCES.items() if parameter in json.dumps(each)]
        assert [RESOURCES[name]["Type"] for name in users] == ["AWS::SecretsManager::Secret"]
        assert parameter not in json.dumps(aws.DOCUMENT["Globals"])


@pytest.mark.promise("keys-hashed")
def test_no_output_and_no_environment_holds_a_secret() -> None:
    outputs = json.dumps(aws.DOCUMENT["Outputs"])
    assert not [name for name in secret_parameters() if name in outputs]
    assert "resolve:secretsmanager" not in json.dumps(aws.DOCUMENT)
    for function in FUNCTIONS:
        variables = RESOURCES[function]["Properties"]["Environment"]["Variables"]
        for name, value in variables.items():
            if SECRET_WORDS.search(name) and not name.endswith("_URL"):
                assert name.endswith("_ID")
                assert set(value) == {"Ref"}


@pytest.mark.promise("no-training", "keys-hashed")
def test_the_access_log_holds_no_header_query_or_body() -> None:
    log_format = json.loads(RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Format"])
    assert set(log_format.values()) <= {
        "$context.requestId",
        "$context.identity.sourceIp",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integration.latency",
        "$context.error.message",
        "$context.integrationErrorMessage",
    }


def test_api_gateway_needs_no_entry_of_its_own_in_the_accounts_log_policy() -> None:
    assert RESOURCES["ApiLogs"]["Properties"]["LogGroupName"] == {
        "Fn::Sub": "/aws/vendedlogs/apis/${AWS::StackName}"
    }


def test_the_api_is_throttled_as_a_whole_within_what_an_account_may() -> None:
    throttle = RESOURCES["Api"]["Properties"]["DefaultRouteSettings"]
    for name, setting, default, quota in (
        ("ApiBurstLimit", "ThrottlingBurstLimit", 500, 5000),
        ("ApiRateLimit", "ThrottlingRateLimit", 1000, 10_000),  # of API Gateway, by region
    ):
        assert throttle[setting] == {"Ref": name}
        parameter = aws.DOCUMENT["Parameters"][name]
        assert (parameter["Default"], parameter["MaxValue"]) == (default, quota)


def test_the_sweep_runs_often_enough_to_keep_72_hours() -> None:
    event = RESOURCES["CleanupFunction"]["Properties"]["Events"]["Sweep"]
    assert event["Type"] == "ScheduleV2"
    for stage in aws.DOCUMENT["Mappings"]["ByStage"].values():
        match = re.fullmatch(r"rate\((\d+) minutes?\)", stage["SweepRate"])
        assert match is not None
        assert int(match[1]) <= 15


def test_brand_uploads_reach_intake_from_their_own_prefix_only() -> None:
    event = RESOURCES["BrandIntakeFunction"]["Properties"]["Events"]["Uploaded"]["Properties"]
    assert event["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "incoming/"}]


def test_bcrypt_is_never_cheap_in_a_deployment() -> None:
    cost = aws.DOCUMENT["Parameters"]["BcryptCost"]
    assert (cost["Default"], cost["MinValue"]) == (12, 10)


ROTATIONS = {"SigningRotation": "SigningSecret", "PepperRotation": "PepperSecret"}
DAYS = {"SigningRotation": 90, "PepperRotation": 366}  # the longest that a secret may stay
EVERY_ROTATION = pytest.mark.parametrize("rotation", ROTATIONS)


@EVERY_ROTATION
def test_our_own_secrets_are_rotated_on_a_schedule(rotation: str) -> None:
    schedule = RESOURCES[rotation]["Properties"]
    assert RESOURCES[rotation]["Type"] == "AWS::SecretsManager::RotationSchedule"
    assert schedule["SecretId"] == {"Ref": ROTATIONS[rotation]}
    assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": [f"{rotation}Function", "Arn"]}
    match = re.fullmatch(r"rate\((\d+) days\)", schedule["RotationRules"]["ScheduleExpression"])
    assert match is not None
    assert int(match[1]) <= DAYS[rotation]
    # Or a deployment that changes the schedule would log everybody's tokens out two hours later.
    assert schedule["RotateImmediatelyOnUpdate"] is False


@pytest.mark.parametrize(("stage", "rotates"), [("local", False), ("dev", True), ("prod", True)])
@EVERY_ROTATION
def test_secrets_are_rotated_in_every_stage_that_is_deployed(
    rotation: str, stage: str, rotates: bool
) -> None:
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "Stage": stage})
    assert resolver.condition(RESOURCES[rotation]["Condition"]) is rotates


@EVERY_ROTATION
def test_only_secrets_manager_may_start_a_rotation_and_for_its_own_secret_alone(
    rotation: str,
) -> None:
    function = f"{rotation}Function"
    assert "Events" not in RESOURCES[function]["Properties"]
    permissions = {
        name: each["Properties"]
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::Lambda::Permission"
        and each["Properties"]["FunctionName"] == {"Ref": function}
    }
    assert permissions == {
        f"{rotation}Permission": {
            "FunctionName": {"Ref": function},
            "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": {"Ref": "AWS::AccountId"},
            "SourceArn": {"Ref": f"{rotation.removesuffix('Rotation')}Secret"},
        }
    }
    assert RESOURCES[rotation]["DependsOn"] == f"{rotation}Permission"


def test_an_old_signing_key_outlives_every_token_that_it_signed() -> None:
    longest_token = max(ACCESS_SECONDS, MAX_SECONDS)
    assert longest_token + KEEP_SECONDS <= OVERLAP_SECONDS


ALARMS = aws.resources("AWS::CloudWatch::Alarm")


def test_every_metric_of_ours_is_a_series_of_the_stack_alone_and_fires_at_the_first() -> None:
    own = {name: each for name, each in ALARMS.items() if each["Namespace"] == "ImageLayer"}
    assert {each["MetricName"] for each in own.values()} == {
        "CaptchaMisconfigured",
        "LimiterUnavailable",
        "MailNotAskedFor",
        "ModelShutdownNear",
        "ProviderNeedsAttention",
        "ProviderWorkUnpaid",
        "Refused500",
        "SecurityEventNotKept",
    }
    for name, each in own.items():
        assert RESOURCES[name]["Properties"]["Dimensions"] == [
            {"Name": "stack", "Value": {"Ref": "AWS::StackName"}}
        ]
        assert (each["Threshold"], each["EvaluationPeriods"]) == (
            10 if name == "UnpaidWorkAlarm" else 0,
            1,
        )
    variables = aws.DOCUMENT["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["STACK"] == {"Ref": "AWS::StackName"}


@pytest.mark.parametrize(
    ("given", "providers"),
    [
        ({}, ",,"),
        ({"OpenAiApiKeyValue": "sk-x"}, "openai,,"),
        ({"GoogleApiKeyValue": "x", "BedrockRegion": "us-west-2"}, ",google,bedrock"),
    ],
)
def test_a_provider_is_on_where_it_is_set_up(given: dict[str, str], providers: str) -> None:
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, **given})
    told = {
        function: resolver.resolve(variables)
        for function in FUNCTIONS
        if (
            variables := RESOURCES[function]["Properties"]["Environment"]["Variables"].get(
                "IMAGE_PROVIDERS"
            )
        )
    }
    asking = ("Generation", "Images", "GenerationWorker", "ModelProbe")
    assert told == {f"{name}Function": providers for name in asking}


def test_models_are_probed_every_day() -> None:
    event = RESOURCES["ModelProbeFunction"]["Properties"]["Events"]["Daily"]
    assert event["Type"] == "ScheduleV2"
    schedule = event["Properties"]["ScheduleExpression"]
    assert re.fullmatch(r"cron\(\d+ \d+ \* \* \? \*\)", schedule)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_samconfig_deploys_each_stage_as_a_stack_of_its_own(stage: str) -> None:
    deploy = SAMCONFIG[stage]["deploy"]["parameters"]
    assert deploy["parameter_overrides"] == [f"Stage={stage}"]
    assert deploy["stack_name"].endswith(stage)


def test_the_example_of_an_operators_own_parameters_is_served_over_https_and_holds_no_secret() -> (
    None
):
    example = yaml.safe_load((ROOT / "deploy.example.yaml").read_text("utf-8"))
    assert example["BaseUrl"].startswith("https://")
    assert set(example) <= set(aws.DOCUMENT["Parameters"]) - set(secret_parameters())


def test_production_asks_before_it_changes_anything() -> None:
    assert SAMCONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


@pytest.mark.promise("keys-hashed")
def test_samconfig_holds_no_secret() -> None:
    for text in walk(SAMCONFIG):
        name = text.partition("=")[0]
        assert name not in secret_parameters()
        assert not re.search(r"[0-9A-Za-z+/_-]{30,}", text), text


IDENTITY = ("Registration", "Login", "Password", "SecondFactor", "Session")


@pytest.mark.parametrize(
    ("reserved", "worker"), [("0", "0"), ("40", "20"), ("0", "20"), ("40", "0")]
)
def test_identity_and_the_worker_have_concurrency_of_their_own_where_the_account_has_enough(
    reserved: str, worker: str
) -> None:
    parameters = {"IdentityConcurrency": reserved, "WorkerConcurrency": worker}
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, **parameters})
    expected = {f"{name}Function": reserved for name in IDENTITY}
    expected["GenerationWorkerFunction"] = worker
    for function in FUNCTIONS:
        properties = resolver.resolve(RESOURCES[function]["Properties"])
        wanted = expected.get(function, "0")
        # Zero would stop a function, so it is left out.
        assert properties.get("ReservedConcurrentExecutions", "0") == wanted, function
    defaults = {aws.DOCUMENT["Parameters"][name]["Default"] for name in parameters}
    assert defaults == {0}


@pytest.mark.parametrize("bad", ['x","secret":"y', "x y", "", "x\\"])
def test_a_secret_that_becomes_part_of_json_has_no_character_that_means_something_there(
    bad: str,
) -> None:
    for name in secret_parameters():
        pattern = aws.DOCUMENT["Parameters"][name]["AllowedPattern"]
        assert not re.fullmatch(pattern, bad) or (
            bad == "" and "Default" in aws.DOCUMENT["Parameters"][name]
        )
    pattern = aws.DOCUMENT["Parameters"]["TurnstileSecretValue"]["AllowedPattern"]
    assert re.fullmatch(pattern, "0x4AAAAAAA_a-b.c")


def test_the_installer_of_everything_is_installed_by_hash() -> None:
    script = (ROOT / "dev" / "bootstrap.sh").read_text("utf-8")
    installs = re.findall(r"pip install(?:[^\n]*\\\n)*[^\n]*", script)
    assert installs
    assert all("--require-hashes" in each for each in installs)
    pinned = (ROOT / "requirements" / "uv.txt").read_text("utf-8")
    assert re.search(r"^uv==[0-9.]+ \\$", pinned, re.MULTILINE)
    assert pinned.count("--hash=sha256:") > 10


def test_what_no_route_serves_is_throttled_far_below_the_routes() -> None:
    api = RESOURCES["Api"]["Properties"]
    (settings,) = api["RouteSettings"].values()
    assert set(api["RouteSettings"]) == {"$default"}
    for name, limit in api["DefaultRouteSettings"].items():
        assert 10 * settings[name] <= aws.DOCUMENT["Parameters"][limit["Ref"]]["MinValue"]
    events = RESOURCES["FallbackFunction"]["Properties"]["Events"].values()
    assert [event["Properties"] for event in events] == [{"ApiId": {"Ref": "Api"}}]


@pytest.mark.parametrize(
    ("function", "parameter", "default"),
    [
        ("GenerationWorkerFunction", "WorkerMaximumConcurrency", 20),
        ("WebhookDeliveryFunction", "WebhookMaximumConcurrency", 50),
        ("MailFunction", "MailMaximumConcurrency", 2),
    ],
)
def test_how_many_messages_are_worked_on_at_once_is_a_parameter_and_documented(
    function: str, parameter: str, default: int
) -> None:
    (source,) = (
        event["Properties"]
        for event in RESOURCES[function]["Properties"]["Events"].values()
        if event["Type"] == "SQS"
    )
    assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": parameter}}
    declared = aws.DOCUMENT["Parameters"][parameter]
    assert (declared["Default"], declared["MinValue"]) == (default, 2)  # Lambda takes 2 to 1000
    assert declared["MaxValue"] <= 1000
    scaling = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    assert re.search(rf"^\| `{parameter}` \| {default} \|", scaling, re.MULTILINE)


def is_asynchronous(function: str) -> bool:
    events = RESOURCES[function]["Properties"].get("Events", {}).values()
    return any(event["Type"] in ("S3", "SNS", "ScheduleV2") for event in events)


@EVERY_FUNCTION
def test_an_event_that_a_function_failed_is_kept_where_no_caller_and_no_queue_keeps_it(
    function: str,
) -> None:
    """S3, SNS and Scheduler invoke asynchronously: Lambda drops an event after three attempts."""
    configured = RESOURCES[function]["Properties"].get("EventInvokeConfig")
    destination = {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    expected = {"DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": destination}}}
    assert configured == (expected if is_asynchronous(function) else None)
    role = RESOURCES[f"{function}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    may_send = {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": destination}
    assert (may_send in role) is is_asynchronous(function)


def test_every_parameter_is_documented() -> None:
    pages = "".join(
        (ROOT / "docs" / f"{n}.md").read_text("utf-8") for n in ("operations", "models")
    )
    local = {"TurnstileUrl", "SecretScanningUrl", "WebhookLoopback"}  # stand-ins
    missing = {name for name in aws.DOCUMENT["Parameters"] if f"`{name}`" not in pages}
    assert missing == local
