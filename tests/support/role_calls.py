"""What the functions' code calls on AWS, compared with what their roles allow.

Each call of a function in an integration test is recorded. One that the function's role in the
template refuses fails the test: nothing may be missing. `role_calls.tsv` names for each permission
of each role a test in which the function makes use of it, and that test fails if it no longer does:
nothing may be more than that. `python -m tests.support.role_calls` prints the table; with the file
that `ROLE_CALLS=<file>` made a run write, it chooses the tests again.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from dev import template
from dev.settings import ROOT

TABLE = Path(__file__).with_suffix(".tsv")
RECORD = os.environ.get("ROLE_CALLS", "")
KEYS = frozenset({"pk", "sk"})


@dataclass(frozen=True, order=True)
class Call:
    """What IAM is asked about: one action on one resource.

    `where` is the kind of the partition (`USER#`), or the folder of the object's key. `attributes`
    are those that an update names.
    """

    function: str
    action: str
    resource: str
    where: str = ""
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, order=True)
class Grant:
    """One permission of a role: an action on a resource, where its condition or its resource says,
    and with these attributes alone if there are any."""

    function: str
    action: str
    resource: str
    where: str
    attributes: tuple[str, ...] = ()

    def allows(self, call: Call) -> bool:
        """Whether it lets a call through."""
        return self._concerns(call) and (
            not self.attributes
            or all(
                any(fnmatchcase(name, each) for each in self.attributes)
                for name in call.attributes - KEYS
            )
        )

    def unused(self, calls: frozenset[Call]) -> set[str]:
        """What of it none of these calls needs; an attribute, or the whole."""
        used = [call for call in calls if self.allows(call)]
        if not used:
            return {self.action}
        named = {name for call in used for name in call.attributes}
        return {
            each for each in self.attributes if not any(fnmatchcase(name, each) for name in named)
        }

    def _concerns(self, call: Call) -> bool:
        return (self.function, self.action, self.resource) == (
            call.function,
            call.action,
            call.resource,
        ) and fnmatchcase(call.where, self.where)


# ─── What the roles allow ────────────────────────────────────────────────────────────────────────

_DOCUMENT = template.load(ROOT / "template.yaml")
# What Lambda does with a role by itself: tests/template/test_least_privilege.py has it exactly.
_RUNTIME = re.compile(r"logs:|xray:|sqs:(DeleteMessage|GetQueueAttributes)$")
_FAILED_EVENTS = {"Fn::GetAtt": ["FailedEvents", "Arn"]}


@cache
def grants() -> frozenset[Grant]:
    """Every permission that the template's roles give to the code of functions."""
    return frozenset(
        grant
        for name, each in _DOCUMENT["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
        for statement in _statements(name)
        for grant in _of_statement(name, statement)
    )


def _statements(function: str) -> list[Mapping[str, Any]]:
    (policy,) = _DOCUMENT["Resources"][f"{function}Role"]["Properties"]["Policies"]
    listed = policy["PolicyDocument"]["Statement"]
    return [each for each in listed if "Fn::If" not in each and not _is_runtime(each)]


def _is_runtime(statement: Mapping[str, Any]) -> bool:
    return statement["Resource"] == _FAILED_EVENTS or any(
        _RUNTIME.match(action) for action in statement["Action"]
    )


def _of_statement(function: str, statement: Mapping[str, Any]) -> Iterator[Grant]:
    conditions = statement.get("Condition", {}).values()
    condition = {key: value for keys in conditions for key, value in keys.items()}
    attributes = tuple(
        name for name in condition.get("dynamodb:Attributes", ()) if name not in KEYS
    )
    named = statement["Resource"]
    for action in statement["Action"]:
        for resource in named if isinstance(named, list) else [named]:
            logical, folder = _resource(resource)
            for where in condition.get("dynamodb:LeadingKeys", [folder]):
                yield Grant(function, action, logical, where, attributes)


def _resource(value: Mapping[str, Any]) -> tuple[str, str]:
    """The logical id of a statement's resource, and what of it."""
    match value:
        case {"Ref": str(logical)} | {"Fn::GetAtt": [str(logical), "Arn"]}:
            return logical, "*"
        case {"Fn::Sub": str(text)}:
            pass
        case _:
            raise ValueError(value)
    if found := re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(\w+)", text):
        return f"{found[1]}/{found[2]}", "*"
    if found := re.fullmatch(r"\$\{(\w+)\.Arn\}/(.*)", text):
        return found[1], found[2]
    if found := re.fullmatch(r".*:s3:::\$\{AWS::StackName\}-brand-[^/]*/(.*)", text):
        return "BrandBucket", found[1]
    if found := re.fullmatch(r".*:configuration-set/\$\{(\w+)\}", text):
        return found[1], "*"
    if found := re.fullmatch(r".*:(identity|foundation-model)/\*", text):
        return found[1], "*"
    raise ValueError(text)


@cache
def is_allowed(call: Call) -> bool:
    """Whether the function's role lets a call through."""
    return any(grant.allows(call) for grant in grants())


# ─── What the code calls ─────────────────────────────────────────────────────────────────────────

# A table by this name is not there: tests put it in place of another, so that its calls fail.
NO_TABLE = "NoSuchTable"

_seen: set[Call] = set()
_aside: set[Call] = set()
_recording = _seen
_names: dict[str, str] = {}  # physical -> logical


def use_names(names: Mapping[str, str]) -> None:
    """What the template's resources are called in this run."""
    _names.update((physical, logical) for logical, physical in names.items())


def watch(client: Any, function: str) -> None:
    """Record what a function calls, and signs, with a client."""
    logical = "".join(part.title() for part in function.split("_")) + "Function"

    def called(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        _recording.update(Call(logical, *each) for each in _MEANINGS[service](model.name, params))

    def signed(request: Any, **_: Any) -> None:
        if fields := request.context.get("s3-presign-post-fields"):
            bucket = next(
                each["bucket"]
                for each in request.context["s3-presign-post-policy"]["conditions"]
                if isinstance(each, dict) and "bucket" in each
            )
            params = {"Bucket": bucket, "Key": fields["key"]}
            _recording.update(Call(logical, *each) for each in _s3("PutObject", params))

    client.meta.events.register_first("before-parameter-build", called)
    client.meta.events.register_first("before-sign.s3.PutObject", signed)


Meant = Iterator[tuple[str, str, str, frozenset[str]]]


def _dynamodb(operation: str, params: Mapping[str, Any]) -> Meant:
    match operation:
        case "TransactWriteItems":
            single = {"ConditionCheck": "ConditionCheckItem"}
            for member in params["TransactItems"]:
                for kind, request in member.items():
                    yield from _dynamodb(single.get(kind, f"{kind}Item"), request)
        case "BatchGetItem":
            for table, wanted in params["RequestItems"].items():
                for key in wanted["Keys"]:
                    yield _item("BatchGetItem", table, key)
        case "Query":
            index = f"/{params['IndexName']}" if "IndexName" in params else ""
            values = params["ExpressionAttributeValues"]
            key = {"pk": values.get(":pk", {"S": ""})}
            action, table, where, _ = _item("Query", params["TableName"], key)
            yield action, table + index, where, frozenset()
        case _:
            key = params.get("Key") or params["Item"]
            attributes = frozenset(params.get("ExpressionAttributeNames", {}).values())
            named = attributes if operation == "UpdateItem" else frozenset[str]()
            yield *_item(operation, params["TableName"], key)[:3], named


def _item(action: str, table: str, key: Mapping[str, Any]) -> tuple[str, str, str, frozenset[str]]:
    kind, hash_, _ = str(key["pk"]["S"]).partition("#")
    return f"dynamodb:{action}", _names.get(table, table), kind + hash_, frozenset()


def _s3(operation: str, params: Mapping[str, Any]) -> Meant:
    if "Key" not in params:  # a form, which `signed` sees
        return
    folder = re.match(r"[a-z]+/", params["Key"])
    bucket = _names.get(params["Bucket"], params["Bucket"])
    yield f"s3:{operation}", bucket, folder[0] if folder else "", frozenset()


def _sqs(operation: str, params: Mapping[str, Any]) -> Meant:
    yield f"sqs:{operation}", _names[params["QueueUrl"]], "", frozenset()


def _secrets(operation: str, params: Mapping[str, Any]) -> Meant:
    secret = params["SecretId"]
    yield f"secretsmanager:{operation}", _names.get(secret, secret), "", frozenset()


def _ses(operation: str, params: Mapping[str, Any]) -> Meant:
    yield f"ses:{operation}", "identity", "", frozenset()
    yield f"ses:{operation}", _names[params["ConfigurationSetName"]], "", frozenset()


def _bedrock(operation: str, params: Mapping[str, Any]) -> Meant:
    yield f"bedrock:{operation}", "foundation-model", "", frozenset()


_MEANINGS = {
    "dynamodb": _dynamodb,
    "s3": _s3,
    "sqs": _sqs,
    "secretsmanager": _secrets,
    "sesv2": _ses,
    "bedrock": _bedrock,
    "bedrock-runtime": _bedrock,
}


@contextmanager
def aside() -> Iterator[None]:
    """Calls are checked, and prove nothing: what they make is kept for other tests."""
    global _recording  # noqa: PLW0603 - the clients' hooks outlive every test
    _recording = _aside
    try:
        yield
    finally:
        _recording = _seen


# ─── Both, compared ──────────────────────────────────────────────────────────────────────────────


@cache
def witnesses() -> dict[Grant, str]:
    """For each permission, the test in which the function makes use of it."""
    rows = [line.split("\t") for line in TABLE.read_text("utf-8").splitlines()[1:]]
    return {
        Grant(function, action, resource, where, tuple(attributes.split())): test
        for function, action, resource, where, attributes, test in rows
    }


def called() -> frozenset[Call]:
    """What was called since the beginning of the test."""
    return frozenset(_seen)


def begin() -> None:
    """Forget what was called so far, once it has been checked."""
    made = {call for call in _seen | _aside if call.resource != NO_TABLE}
    refused = sorted(call for call in made if not is_allowed(call))
    _seen.clear()
    _aside.clear()
    assert not refused, f"the role refuses {refused}"


def end(test: str) -> None:
    """Check what a test's functions called: their roles allow it, and it is what the table says."""
    calls = called()
    begin()
    if RECORD:
        with Path(RECORD).open("a", encoding="utf-8") as record:
            for call in sorted(calls, key=repr):
                fields = (call.function, call.action, call.resource, call.where)
                record.write(json.dumps([test, *fields, sorted(call.attributes)]) + "\n")
        return
    of_test = [grant for grant, witness in witnesses().items() if witness == test]
    unused = {grant: unused for grant in of_test if (unused := grant.unused(calls))}
    assert not unused, f"{TABLE.name}: this test no longer needs {unused}"


def _choose(recorded: Path) -> dict[Grant, str]:
    """A test for each permission: as few as possible, and those without parameters first."""
    calls: dict[str, set[Call]] = {}
    for line in recorded.read_text("utf-8").splitlines():
        test, function, action, resource, where, attributes = json.loads(line)
        call = Call(function, action, resource, where, frozenset(attributes))
        calls.setdefault(test, set()).add(call)
    shown = {
        test: {grant for grant in grants() if not grant.unused(frozenset(made))}
        for test, made in calls.items()
    }
    chosen: dict[Grant, str] = {}
    for parameters in (False, True):
        tests = sorted(test for test in shown if ("[" in test) == parameters)
        while tests:
            best = max(tests, key=lambda test: len(shown[test] - chosen.keys()))
            if not (new := shown[best] - chosen.keys()):
                break
            chosen |= dict.fromkeys(new, best)
    return chosen


def table(shown: Mapping[Grant, str]) -> str:
    """Function × action × resource, with the evidence."""
    lines = ["function\taction\tresource\twhere\tattributes\ttest"]
    for grant in sorted(grants()):
        fields = (grant.function, grant.action, grant.resource, grant.where)
        lines.append("\t".join([*fields, " ".join(grant.attributes), shown.get(grant, "")]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        TABLE.write_text(table(_choose(Path(sys.argv[1]))), "utf-8")
    sys.stdout.write(table(witnesses()))
