"""The one error shape: RFC 9457 for some readers, the openai client's for others."""

from __future__ import annotations

import pytest

from imagelayer.http.problems import render
from imagelayer.platform.errors import (
    CATALOGUE,
    DO_NOT_RETRY,
    FieldError,
    Problem,
    invalid,
    not_found,
)

# The error classes of openai-python by status; anything else is an APIStatusError.
OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}
EVERY_CODE = pytest.mark.parametrize("code", CATALOGUE)


@EVERY_CODE
def test_every_code_renders_for_both_kinds_of_reader(code: str) -> None:
    status, title = CATALOGUE[code]
    body, _ = render(Problem(code, "What happened."), request_id="req-1")
    assert set(body) == {
        "type", "title", "status", "detail", "code", "request_id", "errors", "error",
    }  # fmt: skip
    assert (body["type"], body["title"], body["status"]) == (
        f"urn:imagelayer:problem:{code}",
        title,
        status,
    )
    assert (body["detail"], body["code"], body["request_id"]) == ("What happened.", code, "req-1")
    assert body["error"] == {
        "message": "What happened.",
        "type": OPENAI_TYPES.get(status, "invalid_request_error"),
        "param": None,
        "code": code,
    }


@EVERY_CODE
def test_headers_tell_a_client_what_to_do_next(code: str) -> None:
    problem = Problem(code, "What happened.")
    _, headers = render(problem, request_id="req-1")
    assert ("Retry-After" in headers) == (problem.status == 503)
    assert ("WWW-Authenticate" in headers) == (problem.status == 401)
    assert (headers.get("x-should-retry") == "false") == (code in DO_NOT_RETRY)


def test_out_of_credits_must_not_be_retried() -> None:
    assert "insufficient_credits" in DO_NOT_RETRY


@pytest.mark.parametrize(
    ("problem", "challenge"),
    [
        (Problem("unauthenticated", "x", reason="missing"), 'Bearer realm="imagelayer"'),
        (Problem("invalid_credentials", "x"), 'Bearer realm="imagelayer"'),
        (
            Problem("unauthenticated", "x", reason="expired"),
            'Bearer realm="imagelayer", error="invalid_token"',
        ),
    ],
)
def test_the_challenge_names_an_error_only_when_a_credential_was_sent(
    problem: Problem, challenge: str
) -> None:
    assert render(problem, request_id="r")[1]["WWW-Authenticate"] == challenge


def test_broken_rules_are_listed_and_the_first_is_the_param() -> None:
    problem = Problem(
        "validation_failed",
        "x",
        errors=[
            FieldError("body.palette.0", "is no color"),
            FieldError("body.name", "is required"),
        ],
    )
    body, _ = render(problem, request_id="r")
    assert body["errors"] == [
        {"location": "body.palette.0", "message": "is no color"},
        {"location": "body.name", "message": "is required"},
    ]
    assert body["error"]["param"] == "palette.0"


def test_a_headers_own_retry_time_is_kept() -> None:
    problem = Problem("limiter_unavailable", "x", headers={"Retry-After": "30"})
    assert render(problem, request_id="r")[1]["Retry-After"] == "30"


@pytest.mark.promise("errors-sanitized")
def test_the_reason_for_the_log_is_not_in_the_answer() -> None:
    body, headers = render(
        Problem("captcha_failed", "Please solve it again.", reason="solved on another hostname"),
        request_id="r",
    )
    assert "hostname" not in str(body)
    assert "hostname" not in str(headers)


def test_helpers_raise_the_documented_codes() -> None:
    assert (not_found("brand").status, not_found("brand").detail) == (
        404,
        "There is no such brand.",
    )
    problem = invalid("body.size", "is too big")
    assert (problem.status, problem.param) == (422, "size")


def test_a_code_that_is_not_in_the_catalogue_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Problem("made_up", "x")
