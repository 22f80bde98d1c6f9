"""Bodies reach a function as they were sent, so that what says how to read them can be obeyed."""

from __future__ import annotations

import gzip

import pytest

from dev.local_cloud import LocalCloud

ROUTE = "/v1/auth/password/forgot"
LATIN_1 = "application/json; charset=latin1"
REFUSED = "unsupported_media_type"
BODY = b'{"email": "nobody@example.com"}'


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (gzip.compress(BODY), {"content-encoding": "gzip"}, 415, REFUSED),
        (BODY, {"content-encoding": "gzip"}, 415, REFUSED),
        (
            b'{"email": "caf\xe9"}',
            {"content-type": "application/json; charset=latin1"},
            415,
            REFUSED,
        ),
        (b'{"email": "caf\xe9@example.com"}', {}, 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", {}, 422, "validation_failed"),
    ],
)
def test_a_body_that_cannot_be_read_as_it_says_is_refused_at_once(
    cloud: LocalCloud, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    sent = {"content-type": "application/json", **headers}
    answer = cloud.http.post(ROUTE, content=body, headers=sent, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if "content-encoding" in headers:
        assert answer.headers["accept-encoding"] == "identity"
