"""After a whole life with the product, no store and no log line holds a secret in plain text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from tests.support import aws
from tests.support.images import logo
from tests.support.product import ALL_SCOPES, CAPTCHA, PASSWORD, Product, bearer

EMAIL = "ada.lovelace@example.com"
PROMPT = "a very private prompt about the unreleased product"
WRONG_PASSWORD = "a wrong password of somebody"
STYLE = "confidential brand guidelines"


@dataclass
class Life:
    """What a whole life left behind."""

    secrets: dict[str, str] = field(default_factory=dict)
    tables: str = ""
    messages: str = ""
    objects: bytes = b""
    logs: str = ""


def live(product: Product) -> Life:
    """Register, verify, log in, refresh, make a brand, keys and images, and do much of it wrong."""
    life = Life()
    product.register(EMAIL)
    token = product.newest_token()
    product.call("POST", "/v1/auth/verify-email", body={"token": "x" * 20 + token[20:]})
    product.call("POST", "/v1/auth/verify-email", body={"token": token})
    wrong = {"email": EMAIL, "password": WRONG_PASSWORD}
    product.call("POST", "/v1/auth/login", body=wrong)
    login = product.call("POST", "/v1/auth/login", body={"email": EMAIL, "password": PASSWORD})
    first = login.cookies[0].partition(";")[0]
    refreshed = product.call("POST", "/v1/auth/refresh", cookies=[first])
    headers = {"authorization": f"Bearer {refreshed.json['access_token']}"}
    brand = product.call(
        "POST",
        "/v1/brands",
        headers=headers,
        body={"name": "B", "palette": ["#112233"], "style": STYLE},
    ).json
    for data in (logo(), b"not an image"):
        product.deliver_upload(product.upload(headers, brand["id"], data))
    asked = {"name": "k", "scopes": list(ALL_SCOPES), "mode": "live"}
    key = product.call("POST", "/v1/keys", headers=headers, body=asked).json
    rotated = product.call(
        "POST", f"/v1/keys/{key['id']}/rotate", headers=bearer(key), body={"grace_seconds": 60}
    ).json
    mistyped = key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b")
    product.call("GET", "/v1/keys/self", headers={"authorization": f"Bearer {mistyped}"})
    for extra in ({}, {"n": 99}, {"brand_id": brand["id"]}):
        product.call(
            "POST",
            "/v1/generations",
            headers=bearer(rotated) | {"idempotency-key": "a-key-of-the-client"},
            body={"prompt": PROMPT, "size": "256x256", **extra},
        )
    received = aws.client("sqs").receive_message(
        QueueUrl=product.names["GenerationQueue"], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    life.messages = json.dumps(received["Messages"])
    with product.broken("s3"):
        message = received["Messages"][0]
        record = {"messageId": message["MessageId"], "body": message["Body"]}
        product.invoke("generation_worker", {"Records": [record]})
    product.work_queue()
    product.call("POST", "/v1/auth/refresh", cookies=[first])  # spent: ends the family
    product.invoke("cleanup", {})
    secrets = aws.client("secretsmanager")
    stored = [
        value
        for each in secrets.list_secrets()["SecretList"]
        for value in json.loads(
            secrets.get_secret_value(SecretId=each["ARN"])["SecretString"]
        ).values()
    ]
    life.secrets = {
        "password": PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "verification token": token.partition(".")[2],
        "access token": login.json["access_token"],
        "refreshed access token": refreshed.json["access_token"],
        "refresh token": first.partition(".")[2],
        "second refresh token": refreshed.cookies[0].partition(";")[0].partition(".")[2],
        "key": key["key"],
        "rotated key": rotated["key"],
        "mistyped key": mistyped,
        "captcha token": CAPTCHA,
        **{f"stored secret {number}": value for number, value in enumerate(stored)},
    }
    life.tables = product.dump()
    life.objects = b"".join(
        aws.client("s3").get_object(Bucket=product.names[bucket], Key=name)["Body"].read()
        for bucket in ("MediaBucket", "BrandBucket")
        for name in product.objects(bucket)
    )
    life.logs = product.output.getvalue()
    return life


@pytest.mark.promise("keys-hashed")
def test_no_store_and_no_log_line_holds_a_secret(product: Product) -> None:
    life = live(product)
    assert len(life.secrets) >= 14
    for what, secret in life.secrets.items():
        assert len(secret) > 15
        for name, place in (("table", life.tables), ("queue", life.messages), ("log", life.logs)):
            assert secret not in place, f"the {what} is in a {name}"
        assert secret.encode() not in life.objects, f"the {what} is in an object"


@pytest.mark.promise("no-training", "security-logged")
def test_no_log_line_holds_a_prompt_an_address_or_guidelines(product: Product) -> None:
    logs = live(product).logs
    for private in (
        PROMPT,
        EMAIL,
        "ada.lovelace",
        STYLE,
        "Ada",
        "Dev Eloper",
        "a-key-of-the-client",
    ):
        assert private not in logs
    for word in ("authorization", "cookie", "Bearer"):
        assert word not in logs


@pytest.mark.promise("no-training")
def test_no_message_holds_a_prompt(product: Product) -> None:
    life = live(product)
    bodies = [json.loads(each["Body"]) for each in json.loads(life.messages)]
    assert bodies
    assert all(set(body) == {"org_id", "generation_id"} for body in bodies)


@pytest.mark.promise("security-logged", "auth-logged")
def test_every_log_line_is_structured_and_names_its_function(product: Product) -> None:
    live(product)
    lines = product.logs()
    assert all(line["service"] for line in lines)
    events = [line for line in lines if line.get("message") == "security_event"]
    wanted = {"event", "outcome", "org_id", "actor", "ip", "request_id", "reason"}
    assert all(wanted <= set(line) for line in events)
    assert {line["event"] for line in events} >= {
        "auth.register",
        "auth.verify_email",
        "auth.login",
        "auth.refresh",
        "auth.refresh_reuse",
        "auth.credential_refused",
        "key.created",
        "key.rotated",
        "brand.upload_rejected",
    }
