"""What travels between functions and AWS: naming a call, failing it on purpose, recording it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import parse_qs

# `die`: the call happens, and the process that made it dies before it hears of it.
FaultKind = Literal["throttle", "500", "timeout", "drop-after-write", "die"]

_SCOPE: Final = re.compile(r"Credential=[^/,\s]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_ROOT: Final = re.compile(r"Root=([^;]+)")
_ALIASES: Final = {"sesv2": "ses", "email": "ses"}
_KEPT_TRACES: Final = 20_000

_BUCKET_OPERATIONS: Final = {
    "GET": "ListObjectsV2",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "HEAD": "HeadBucket",
    "POST": "PostObject",
}
_OBJECT_SUBRESOURCES: Final = {
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("PUT", "partNumber"): "UploadPart",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "tagging"): "GetObjectTagging",
    ("POST", "delete"): "DeleteObjects",
    ("GET", "versions"): "ListObjectVersions",
}
_OBJECT_OPERATIONS: Final = {
    "GET": "GetObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "HEAD": "HeadObject",
}
_SES_OPERATIONS: Final = {("POST", "/v2/email/outbound-emails"): "SendEmail"}


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call, named as its API names it."""

    service: str
    operation: str
    trace: str


@dataclass(slots=True)
class Fault:
    """A failure to cause, on every matching call or only on the nth."""

    service: str
    error: FaultKind
    operation: str | None = None
    trace: str | None = None  # of one request or invocation; None for all
    nth: int | None = None
    seen: int = 0

    @classmethod
    def parse(cls, body: Any) -> Fault:
        """Read one fault; ValueError says what is wrong with it."""
        if not isinstance(body, dict):
            raise ValueError("a fault is an object")
        unknown = set(body) - {"service", "operation", "trace", "nth", "error"}
        if unknown:
            raise ValueError(f"unknown fields: {sorted(unknown)}")
        service, error, nth = body.get("service"), body.get("error"), body.get("nth")
        if not isinstance(service, str):
            raise ValueError("service must be a string")
        if error not in get_args(FaultKind):
            raise ValueError(f"error must be one of {', '.join(get_args(FaultKind))}")
        kind = cast("FaultKind", error)
        if nth is not None and (not isinstance(nth, int) or nth < 1):
            raise ValueError("nth must be a positive integer")
        service = service.lower()
        name = _ALIASES.get(service, service)
        return cls(name, kind, body.get("operation"), body.get("trace"), nth)

    def strikes(self, call: Call) -> bool:
        """Count a call if it matches, and tell whether this is one to fail."""
        if call.service != self.service or self.operation not in {None, call.operation}:
            return False
        if self.trace not in {None, call.trace}:
            return False
        self.seen += 1
        return self.nth is None or self.seen == self.nth

    def describe(self) -> dict[str, Any]:
        """The fault as it was asked for, with the calls that matched so far."""
        return {
            "service": self.service,
            "operation": self.operation,
            "trace": self.trace,
            "nth": self.nth,
            "error": self.error,
            "seen": self.seen,
        }


@dataclass(slots=True)
class Wire:
    """The faults in force and the calls seen, shared by the proxy and the front."""

    faults: list[Fault] = field(default_factory=list)
    _calls: OrderedDict[str, list[dict[str, Any]]] = field(default_factory=OrderedDict)
    _traces: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def fault_for(self, call: Call) -> FaultKind | None:
        """The failure this call meets; every fault counts the call."""
        struck = [fault.error for fault in self.faults if fault.strikes(call)]
        return struck[0] if struck else None

    def record(self, call: Call, entry: dict[str, Any]) -> None:
        """Keep a call, which goes on filling its entry, under the trace of its request."""
        entry |= {"service": call.service, "operation": call.operation}
        self._calls.setdefault(call.trace, []).append(entry)
        _trim(self._calls)

    def name_request(self, request_id: str, trace: str) -> None:
        """Remember which trace a request id belongs to."""
        self._traces[request_id] = trace
        _trim(self._traces)

    def calls(self, request_id: str) -> list[dict[str, Any]] | None:
        """The calls of one request in the order they began; None for an unknown request."""
        trace = self._traces.get(request_id)
        return None if trace is None else self.calls_under(trace)

    def calls_under(self, trace: str) -> list[dict[str, Any]]:
        """The calls of one trace so far, in the order they began."""
        return sorted(self._calls.get(trace, []), key=lambda entry: entry["started_at"])


def _trim(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _KEPT_TRACES:
        kept.popitem(last=False)


def name_call(method: str, path: str, query: str, headers: Mapping[str, str]) -> Call | None:
    """Name a function's call; None for others: presigned URLs, a test's own calls."""
    scope = _SCOPE.search(headers.get("Authorization", ""))
    root = _ROOT.search(headers.get("X-Amzn-Trace-Id", ""))
    if not scope or not root:
        return None
    service = _ALIASES.get(scope[1], scope[1])
    target = headers.get("X-Amz-Target", "")
    if target:
        operation = target.rpartition(".")[2]
    elif service == "s3":
        operation = _s3_operation(method, path, query, headers)
    else:
        operation = _SES_OPERATIONS.get((method, path), f"{method} {path}")
    return Call(service, operation, root[1])


def _s3_operation(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    names = parse_qs(query, keep_blank_values=True)
    for (verb, name), operation in _OBJECT_SUBRESOURCES.items():
        if verb == method and name in names:
            return operation
    _, _, key = path.lstrip("/").partition("/")
    if not key:
        return _BUCKET_OPERATIONS.get(method, method)
    if method == "PUT" and "X-Amz-Copy-Source" in headers:
        return "CopyObject"
    return _OBJECT_OPERATIONS.get(method, method)


_JSON = {"Content-Type": "application/x-amz-json-1.0"}
_THROTTLES: Final = {
    "dynamodb": (400, "com.amazonaws.dynamodb.v20120810#ThrottlingException"),
    "sqs": (400, "com.amazonaws.sqs#RequestThrottled"),
    "secretsmanager": (400, "ThrottlingException"),
    "ses": (429, "TooManyRequestsException"),
}
_FAILURES: Final = {
    "dynamodb": (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
    "sqs": (500, "com.amazonaws.sqs#InternalError"),
    "secretsmanager": (500, "InternalServiceError"),
    "ses": (500, "InternalServiceErrorException"),
}


def failure(call: Call, kind: FaultKind) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body with which a service says it throttles or has failed."""
    throttled = kind == "throttle"
    if call.service == "s3":
        code, status = ("SlowDown", 503) if throttled else ("InternalError", 500)
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
        return status, {"Content-Type": "application/xml"}, body.encode()
    status, code = (_THROTTLES if throttled else _FAILURES).get(
        call.service, (429 if throttled else 500, "Throttling" if throttled else "InternalFailure")
    )
    name = code.rpartition("#")[2]
    headers = {**_JSON, "x-amzn-ErrorType": name}
    return status, headers, f'{{"__type":"{code}","message":"injected"}}'.encode()
