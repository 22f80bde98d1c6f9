"""What a caller learns about the form of a credential, and nothing beyond it."""

from __future__ import annotations

import pytest

from imagelayer.access.bearer import CredentialRefused, credential
from imagelayer.access.key_secrets import checksum

BODY = "0123456789ABCDEFGHIJKLMNOPQrstuv"
KEY = f"il_live_{BODY}{checksum(BODY)}"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2ln"


def refused(headers: dict[str, str]) -> CredentialRefused:
    with pytest.raises(CredentialRefused) as found:
        credential(headers)
    return found.value


@pytest.mark.parametrize("sent", [KEY, TOKEN])
@pytest.mark.parametrize(
    "written",
    ["Bearer {}", "bearer {}", "BEARER {}", "Bearer  {}", "Bearer     {}", "Bearer {}  ",
     "  Bearer {}", "Bearer {}\t", "Bearer \t {}"],
)  # fmt: skip
def test_any_number_of_blanks_may_stand_around_the_credential(written: str, sent: str) -> None:
    assert credential({"authorization": written.format(sent)}) == sent


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "There is no Authorization header."),
        ({"authorization": ""}, "There is no Authorization header."),
        ({"authorization": " \t "}, "There is no Authorization header."),
        ({"x-api-key": KEY}, "The header x-api-key is not read."),
        ({"api-key": KEY}, "The header api-key is not read."),
        ({"authorization": "Bearer"}, "Nothing follows Bearer."),
        ({"authorization": "Bearer   "}, "Nothing follows Bearer."),
        ({"authorization": "Bearer undefined"}, "The variable that should hold the key is not set"),
        ({"authorization": "Bearer  None "}, "The variable that should hold the key is not set"),
        ({"authorization": KEY}, "The word Bearer is missing before the credential."),
        ({"authorization": f"Bearer:{KEY}"}, "The word Bearer is missing before the credential."),
        ({"authorization": f"Token {KEY}"}, "The scheme must be Bearer, not Token."),
        ({"authorization": "Basic ZGV2OnNlY3JldA=="}, "The scheme must be Bearer, not Basic."),
        ({"authorization": f"Secret {KEY}"}, "The scheme must be Bearer, not another one."),
    ],
)
def test_an_answer_to_a_request_without_a_credential_says_how_to_send_one(
    headers: dict[str, str], says: str
) -> None:
    found = refused(headers)
    assert found.absent
    assert found.detail.startswith(says)
    assert "Authorization: Bearer" in found.detail


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (f'"{KEY}"', "without quotes or brackets"),
        (f"'{KEY}", "without quotes or brackets"),
        (f"<{KEY}>", "without quotes or brackets"),
        ("{{api_key}}", "without quotes or brackets"),
        (f"Bearer {KEY}", "Bearer is sent twice"),
        (f"{KEY}, Bearer {KEY}", "More than one credential"),
        (f"{KEY[:20]} {KEY[20:]}", "has a blank in it"),
        (KEY[:-1], "is incomplete: a key has 46 characters"),
        ("il_live_", "is incomplete"),
        (f"{KEY}x", "has something after its end"),
        (f"{KEY}\\n", "has something after its end"),
        (KEY[:-1] + "!", "was mistyped"),
        (KEY.replace("A", "B"), "was mistyped"),
        ("il_prod_" + KEY[8:], "begins with il_live_ or il_test_"),
        ("il_pub_" + KEY[8:], "A publishable key opens nothing alone."),
        ("sk-proj-abc", "neither an API key"),
        ("é\x00", "neither an API key"),
        ("a.b", "neither an API key"),
        ("x" * 10_000, "more than 2048 characters"),
    ],
)
def test_an_answer_to_a_malformed_credential_says_what_is_wrong_with_its_form(
    sent: str, says: str
) -> None:
    found = refused({"authorization": f"Bearer {sent}"})
    assert not found.absent
    assert says in found.detail


@pytest.mark.promise("errors-sanitized")
@pytest.mark.parametrize(
    "written", ["Bearer {}x", "{}", "Secret {}", "Token {}", 'Bearer "{}"', "Bearer {} {}"]
)
def test_nothing_of_a_credential_is_repeated(written: str) -> None:
    found = refused({"authorization": written.format(KEY, KEY), "x-api-key": KEY})
    assert BODY[:6] not in found.detail + found.reason
