"""Alarms: what they watch, whom they notify, and that the documentation says what to do."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dev.settings import ROOT
from dev.template import Resolver
from tests.support import aws

RESOURCES = aws.DOCUMENT["Resources"]
ALARMS = aws.resources("AWS::CloudWatch::Alarm")
EVERY_ALARM = pytest.mark.parametrize("alarm", ALARMS)
GUIDE = (ROOT / "docs" / "operations.md").read_text("utf-8")
# What they watch is shared by everything in the account and region.
OF_THE_ACCOUNT = {"ThrottleAlarm", "BounceRateAlarm", "ComplaintRateAlarm"}
TOPIC = "arn:aws:sns:us-east-1:000000000000:ours"


def of_type(kind: str) -> set[str]:
    return {name for name, each in RESOURCES.items() if each["Type"] == kind}


def watched(namespace: str, metric: str) -> set[str]:
    """The logical ids of the resources whose metric an alarm watches."""
    found = set()
    for alarm in ALARMS.values():
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric):
            for dimension in alarm.get("Dimensions", []):
                value = dimension["Value"]
                found.add(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])
    return found


@EVERY_ALARM
@pytest.mark.parametrize(
    ("given", "notified"),
    [
        ({}, []),
        ({"AlarmTopicArn": TOPIC}, [TOPIC]),
        ({"AlarmEmail": "ops@example.com"}, [{"Ref": "AlarmTopic"}]),
        (
            {"AlarmTopicArn": TOPIC, "AlarmEmail": "ops@example.com"},
            [TOPIC, {"Ref": "AlarmTopic"}],
        ),
    ],
)
def test_an_alarm_notifies_those_whom_the_operator_names_when_it_begins_and_when_it_ends(
    alarm: str, given: dict[str, str], notified: list[Any]
) -> None:
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, **given})
    properties = resolver.resolve(RESOURCES[alarm]["Properties"])
    assert properties["AlarmActions"] == properties["OKActions"] == notified
    assert "Condition" not in RESOURCES[alarm]


def test_an_address_is_subscribed_to_a_topic_of_its_own_and_only_where_one_is_given() -> None:
    for email, exists in (("", False), ("ops@example.com", True)):
        resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "AlarmEmail": email})
        for name in ("AlarmTopic", "AlarmTopicPolicy", "AlarmSubscription"):
            assert resolver.condition(RESOURCES[name]["Condition"]) is exists
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "AlarmEmail": "ops@example.com"})
    assert resolver.resolve(RESOURCES["AlarmSubscription"]["Properties"]) == {
        "TopicArn": {"Ref": "AlarmTopic"},
        "Protocol": "email",
        "Endpoint": "ops@example.com",
    }


@pytest.mark.parametrize(
    ("address", "accepted"),
    [("", True), ("ops@example.com", True), ("Ops <ops@example.com>", False), ("ops", False)],
)
def test_alarms_are_mailed_to_a_bare_address_alone(address: str, accepted: bool) -> None:
    pattern = aws.DOCUMENT["Parameters"]["AlarmEmail"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, address)) is accepted


@EVERY_ALARM
def test_an_alarm_says_where_the_documentation_says_what_to_do(alarm: str) -> None:
    found = re.search(r" See docs/operations\.md#([a-z-]+)$", ALARMS[alarm]["AlarmDescription"])
    assert found, "the description ends with a section"
    sections = re.split(r"^##+ ", GUIDE, flags=re.MULTILINE)
    (section,) = [
        each for each in sections if each.partition("\n")[0].lower().replace(" ", "-") == found[1]
    ]
    assert section.strip().count("\n") > 2
    # The table of alarms names it, with what it means and what to do.
    assert re.search(rf"^\| [^|]*`{alarm}`[^|]*\|[^|]{{20,}}\|[^|]{{15,}}\|$", GUIDE, re.MULTILINE)


def test_the_documentation_names_no_alarm_that_is_not_deployed() -> None:
    assert set(re.findall(r"`(\w+Alarm)`", GUIDE)) == ALARMS.keys()


@EVERY_ALARM
def test_an_alarm_watches_this_stack_unless_what_it_watches_is_shared(alarm: str) -> None:
    dimensions = RESOURCES[alarm]["Properties"].get("Dimensions", [])
    assert len(dimensions) == (0 if alarm in OF_THE_ACCOUNT else 1)
    for dimension in dimensions:
        value = dimension["Value"]
        named = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
        assert named in RESOURCES or (dimension["Name"], named) == ("stack", "AWS::StackName")


@EVERY_ALARM
def test_silence_is_a_fault_of_what_must_run_and_of_nothing_else(alarm: str) -> None:
    properties = ALARMS[alarm]
    must_run = properties["MetricName"] == "Invocations"
    rate = properties["MetricName"].startswith("Reputation.")
    expected = "breaching" if must_run else "ignore" if rate else "notBreaching"
    assert properties["TreatMissingData"] == expected
    assert properties["ComparisonOperator"] == (
        "LessThanThreshold" if must_run else "GreaterThanThreshold"
    )
    assert properties["Threshold"] == (1 if must_run else properties["Threshold"])


def test_every_queue_is_watched_by_age_where_a_function_reads_it_and_by_depth_elsewhere() -> None:
    read = {
        event["Properties"]["Queue"]["Fn::GetAtt"][0]
        for name in of_type("AWS::Serverless::Function")
        for event in RESOURCES[name]["Properties"].get("Events", {}).values()
        if event["Type"] == "SQS"
    }
    assert watched("AWS/SQS", "ApproximateAgeOfOldestMessage") == read
    given_up = of_type("AWS::SQS::Queue") - read
    assert watched("AWS/SQS", "ApproximateNumberOfMessagesVisible") == given_up


def test_every_function_with_a_rate_is_watched_for_not_running() -> None:
    scheduled = {
        name
        for name in of_type("AWS::Serverless::Function")
        for event in RESOURCES[name]["Properties"].get("Events", {}).values()
        if event["Type"] == "ScheduleV2"
        and "cron" not in json.dumps(event["Properties"]["ScheduleExpression"])
    }
    assert watched("AWS/Lambda", "Invocations") == scheduled


def test_every_function_that_secrets_manager_or_sns_invokes_is_watched_for_errors() -> None:
    invoked = {
        RESOURCES[name]["Properties"]["FunctionName"]["Ref"]
        for name in of_type("AWS::Lambda::Permission")
    } | {"MailFeedbackFunction"}
    assert watched("AWS/Lambda", "Errors") == invoked


def test_the_tables_that_calls_and_generations_write_are_watched_for_throttling() -> None:
    assert watched("AWS/DynamoDB", "WriteThrottleEvents") == {"KeysTable", "CreditsTable"}


def test_an_alarm_of_latency_rings_above_what_waiting_takes_and_below_the_time_out() -> None:
    parameter = aws.DOCUMENT["Parameters"]["LatencyAlarmMilliseconds"]
    assert 25_000 < parameter["Default"] < parameter["MaxValue"] == 29_000
    assert ALARMS["ApiLatencyAlarm"]["ExtendedStatistic"] == "p99"


def test_every_alarm_on_our_own_metrics_watches_one_that_the_code_counts() -> None:
    own = {each["MetricName"] for each in ALARMS.values() if each["Namespace"] == "ImageLayer"}
    source = "\n".join(
        path.read_text("utf-8")
        for folder in ("layers/common/imagelayer", "functions")
        for path in (ROOT / folder).rglob("*.py")
    )
    counted = set(re.findall(r'count\("(\w+)"\)', source))
    assert own - {"Refused500"} == counted - {"MailSuppressed"}
    assert all(f"`{metric}`" in GUIDE for metric in counted | own)
