"""The dashboard, the saved queries, and what bounds a bill."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dev.settings import ROOT
from dev.template import Resolver
from tests.support import aws
from tests.support.log_queries import OF_GATEWAY, QUERIES, SYSTEM, fields, messages

RESOURCES = aws.DOCUMENT["Resources"]
BODY = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS: list[dict[str, Any]] = json.loads(re.sub(r"\$\{([^}]+)\}", r"<\1>", BODY))["widgets"]


def test_the_dashboard_names_resources_of_the_stack_and_nothing_fixed() -> None:
    named = {each.partition(".")[0] for each in re.findall(r"\$\{([^}]+)\}", BODY)}
    assert named <= RESOURCES.keys() | {"AWS::Region", "AWS::StackName"}
    assert "DashboardName" not in RESOURCES["Dashboard"]["Properties"]
    assert not re.search(r"[0-9]{12}|[a-z]{2}-[a-z]+-[0-9]", BODY)


def test_the_dashboard_shows_every_alarm() -> None:
    (shown,) = [each["properties"]["alarms"] for each in WIDGETS if each["type"] == "alarm"]
    alarms = aws.resources("AWS::CloudWatch::Alarm")
    assert sorted(shown) == sorted(f"<{alarm}.Arn>" for alarm in alarms)


def test_the_dashboard_shows_each_queue_and_metrics_that_exist() -> None:
    shown = [
        metric
        for each in WIDGETS
        if each["type"] == "metric"
        for metric in each["properties"]["metrics"]
    ]
    queues = {metric[3] for metric in shown if metric[0] == "AWS/SQS"}
    assert queues == {f"<{queue}.QueueName>" for queue in aws.resources("AWS::SQS::Queue")}
    guide = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for metric in shown:
        if metric[0] == "ImageLayer":
            assert metric[2:] == ["stack", "<AWS::StackName>"]
            assert f"`{metric[1]}`" in guide


def test_no_two_widgets_lie_on_each_other() -> None:
    cells = [
        (x, y)
        for each in WIDGETS
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_reads_the_logs_that_it_is_about_and_is_named_after_the_stack(query: str) -> None:
    properties = QUERIES[query]
    assert properties["Name"]["Fn::Sub"].startswith("${AWS::StackName}/")
    groups = {each["Ref"] for each in properties["LogGroupNames"]}
    logs = set(aws.resources("AWS::Logs::LogGroup"))
    assert groups == ({"ApiLogs"} if query in OF_GATEWAY else logs - {"ApiLogs"})
    assert len(groups) <= 50  # what a query may read
    guide = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert f"`{properties['Name']['Fn::Sub'].partition('/')[2]}`" in guide


@pytest.mark.parametrize("query", sorted(OF_GATEWAY))
def test_a_query_of_the_access_log_names_its_fields(query: str) -> None:
    known = set(json.loads(RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Format"]))
    assert fields(query) - SYSTEM <= known
    assert fields(query) - SYSTEM


def test_every_other_query_begins_with_the_lines_that_it_is_about() -> None:
    assert {query for query in QUERIES if not messages(query)} - OF_GATEWAY == {"DurationsQuery"}
    assert fields("DurationsQuery") <= SYSTEM


CEILINGS = ["KeysTable", "CreditsTable", "CountersTable"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", None),
        ("4000", {"MaxWriteRequestUnits": "4000"}),
    ],
)
def test_what_every_call_writes_has_a_ceiling_where_the_operator_sets_one(
    given: str, expected: dict[str, str] | None
) -> None:
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, "MaximumWriteUnits": given})
    for table in aws.resources("AWS::DynamoDB::Table"):
        properties = resolver.resolve(RESOURCES[table]["Properties"])
        assert properties.get("OnDemandThroughput") == (expected if table in CEILINGS else None)


@pytest.mark.parametrize(
    ("email", "amount", "exists"),
    [("", "50", False), ("ops@example.com", "0", False), ("ops@example.com", "50", True)],
)
def test_a_budget_is_set_where_an_amount_and_an_address_are_given(
    email: str, amount: str, exists: bool
) -> None:
    given = {"AlarmEmail": email, "MonthlyBudgetUsd": amount}
    resolver = Resolver(aws.DOCUMENT, {**aws.PARAMETERS, **given})
    assert resolver.condition(RESOURCES["Budget"]["Condition"]) is exists
    budget = resolver.resolve(RESOURCES["Budget"]["Properties"])
    assert budget["Budget"]["BudgetLimit"] == {"Amount": amount, "Unit": "USD"}
    for each in budget["NotificationsWithSubscribers"]:
        assert each["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": email}]
