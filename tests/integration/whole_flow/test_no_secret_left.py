"""After a whole life with the product, no store and no log line holds a secret in plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import accounts, aws, leak_reports
from tests.support.api import ALL_SCOPES, CAPTCHA, PASSWORD, Account, bearer, session_bearer
from tests.support.images import logo
from tests.support.product import Product

EMAIL = "ada.lovelace@example.com"
FRIEND = "grace.hopper@example.com"
END_USER = "charles.babbage@customer.example"
PROMPT = "a very private prompt about the unreleased product"
WRONG_PASSWORD = "a wrong password of somebody"
NEXT_PASSWORD = "seven quiet herons by the weir"
RESET_PASSWORD = "nine lazy otters under the bridge"
CLIENTS_KEY = "a-key-of-the-client"
STYLE = "confidential brand guidelines"


@dataclass
class Life:
    """What a whole life left behind."""

    secrets: dict[str, str] = field(default_factory=dict)
    tables: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    objects: bytes = b""
    logs: str = ""


def live(product: Product) -> Life:
    """Everything that people, programs and end users do, and much of it wrong."""
    life = Life()
    headers, first = sign_up(product, life)
    rotated = make_keys_and_images(product, life, headers)
    serve_an_end_user(product, life, rotated)
    share(product, life, headers)
    product.call("POST", "/v1/auth/refresh", cookies=[first])  # spent: ends the family
    product.invoke("cleanup", {})
    product.mails()
    secrets = aws.client("secretsmanager")
    stored = [
        value
        for each in secrets.list_secrets()["SecretList"]
        for value in json.loads(
            secrets.get_secret_value(SecretId=each["ARN"])["SecretString"]
        ).values()
        if value  # of a provider that is not set up there is none
    ]
    life.secrets |= {f"stored secret {number}": value for number, value in enumerate(stored)}
    life.tables = product.dump()
    life.objects = b"".join(
        aws.client("s3").get_object(Bucket=product.names[bucket], Key=name)["Body"].read()
        for bucket in ("MediaBucket", "BrandBucket")
        for name in product.objects(bucket)
    )
    life.logs = product.output.getvalue()
    return life


def sign_up(product: Product, life: Life) -> tuple[dict[str, str], str]:
    """Register, verify, log in and refresh; returns the dashboard's headers and a spent cookie."""
    product.register(EMAIL)
    life.messages += product.asked_mails()
    token = product.newest_token()
    accounts.confirm(product, "x" * 20 + token[20:])
    accounts.confirm(product, token)
    accounts.log_in(product, EMAIL, WRONG_PASSWORD)
    login = accounts.log_in(product, EMAIL)
    cookies = [accounts.cookie_of(login)]
    answers = [login]
    for _ in range(2):
        answers.append(accounts.refresh(product, cookies[-1]))
        cookies.append(accounts.cookie_of(answers[-1]))
    life.secrets |= {
        "captcha token": CAPTCHA,
        "password": PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "verification token": token.partition(".")[2],
        **{f"access token {n}": each.json["access_token"] for n, each in enumerate(answers)},
        **{f"refresh token {n}": each.split(".")[-1] for n, each in enumerate(cookies)},
        "family secret": cookies[0].split(".")[-2],
    }
    return {"authorization": f"Bearer {answers[-1].json['access_token']}"}, cookies[0]


def make_keys_and_images(product: Product, life: Life, headers: dict[str, str]) -> dict[str, Any]:
    """A brand, keys, and images; returns a key."""
    body = {"name": "B", "palette": ["#112233"], "style": STYLE}
    brand = product.call("POST", "/v1/brands", headers=headers, body=body).json
    for data in (logo(), b"not an image"):
        product.deliver_upload(product.upload(headers, brand["id"], data))
    asked = {"name": "k", "scopes": list(ALL_SCOPES), "mode": "live"}
    # Both with a key to be sent again by, and sent again.
    with_key = {"idempotency-key": CLIENTS_KEY}
    key, _ = (
        product.call("POST", "/v1/keys", headers=headers | with_key, body=asked).json
        for _ in range(2)
    )
    path = f"/v1/keys/{key['id']}/rotate"
    rotated, _ = (
        product.call("POST", path, headers=bearer(key) | with_key, body={"grace_seconds": 60}).json
        for _ in range(2)
    )
    leaked, publishable = (
        product.call("POST", "/v1/keys", headers=headers, body={**asked, **changes}).json
        for changes in ({}, {"kind": "publishable", "scopes": []})
    )
    product.call("GET", "/v1/keys/self", headers=bearer(publishable))
    elsewhere = {"allowed_cidrs": ["203.0.113.0/24"]}
    product.call("PATCH", f"/v1/keys/{leaked['id']}", headers=headers, body=elsewhere)
    product.call("GET", "/v1/keys/self", headers=bearer(leaked))
    assert leak_reports.labels(leak_reports.report(product, leaked["key"])) == ["true_positive"]
    mistyped = key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b")
    product.call("GET", "/v1/keys/self", headers={"authorization": f"Bearer {mistyped}"})
    for extra in ({}, {"n": 9}, {"seed": 7}):
        product.call(
            "POST",
            "/v1/generations",
            headers=bearer(rotated) | {"idempotency-key": CLIENTS_KEY},
            body={"prompt": PROMPT, "size": "256x256", **extra},
        )
    received = aws.client("sqs").receive_message(
        QueueUrl=product.names["GenerationQueue"], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    life.messages += [json.loads(each["Body"]) for each in received["Messages"]]
    with product.broken("s3"):
        message = received["Messages"][0]
        record = {"messageId": message["MessageId"], "body": message["Body"]}
        product.invoke("generation_worker", {"Records": [record]})
    product.work_queue()
    life.messages += product.asked_mails()
    life.secrets |= {
        "key": key["key"],
        "rotated key": rotated["key"],
        "leaked key": leaked["key"],
        "publishable key": publishable["key"],
        "idempotency key": CLIENTS_KEY,
        "mistyped key": mistyped,
    }
    return dict(rotated)


def serve_an_end_user(product: Product, life: Life, key: dict[str, Any]) -> None:
    """A session that is used, used wrongly, used up and revoked."""
    session = product.session(
        key, END_USER, allowed_origins=["https://shop.example"], max_generations=1
    )
    for origin in ("https://shop.example", "https://evil.example", "https://shop.example"):
        product.call(
            "POST",
            "/v1/generations",
            headers=session_bearer(session) | {"origin": origin},
            body={"prompt": PROMPT, "size": "256x256"},
        )
    at_home = session_bearer(session) | {"origin": "https://shop.example"}
    product.call("GET", "/v1/keys", headers=at_home)
    product.work_queue()
    body = {"end_user_id": END_USER}
    product.call("POST", "/v1/auth/session/revoke", headers=bearer(key), body=body)
    product.call("GET", "/v1/keys", headers=at_home)
    life.secrets["session token"] = session["session_token"]


def share(product: Product, life: Life, headers: dict[str, str]) -> None:
    """Someone joins, sets a second factor up, loses it and the password, and leaves."""
    body = {"email": FRIEND, "role": "developer"}
    product.call("POST", "/v1/organization/invitations", headers=headers, body=body)
    life.messages += product.asked_mails()
    invitation = product.newest_token()
    accounts.accept(product, invitation)
    friend: Account = accounts.account_of(FRIEND, accounts.log_in(product, FRIEND))
    app = accounts.enrol(product, friend)
    life.messages += product.asked_mails()
    recovery, *_ = app.recovery_codes
    accounts.log_in(product, FRIEND, totp_code="000000")
    recovered = accounts.log_in(product, FRIEND, recovery_code=recovery)
    friend = accounts.account_of(FRIEND, recovered)
    accounts.change(product, friend, WRONG_PASSWORD, NEXT_PASSWORD)
    accounts.change(product, friend, PASSWORD, NEXT_PASSWORD)
    accounts.forgot(product, FRIEND)
    life.messages += product.asked_mails()
    reset = product.newest_token()
    accounts.reset(product, reset, RESET_PASSWORD)
    bounced = {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bouncedRecipients": [{"emailAddress": f"Grace Hopper <{FRIEND}>"}],
        },
    }
    product.invoke("mail_feedback", {"Records": [{"Sns": {"Message": json.dumps(bounced)}}]})
    life.secrets |= {
        "invitation token": invitation.split(".")[-1],
        "reset token": reset.split(".")[-1],
        "next password": NEXT_PASSWORD,
        "password after the reset": RESET_PASSWORD,
        "second factor": app.secret,
        "access token of the friend": friend.token,
        **{f"recovery code {n}": code for n, code in enumerate(app.recovery_codes)},
        **{
            f"recovery code {n} without hyphens": code.replace("-", "")
            for n, code in enumerate(app.recovery_codes)
        },
    }


@dataclass(frozen=True)
class Lived:
    """A product after that life."""

    product: Product
    life: Life


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    """Lived once, and looked at by every test here."""
    with Product() as product:
        yield Lived(product, live(product))


@pytest.mark.promise("keys-hashed")
def test_no_store_and_no_log_line_holds_a_secret(lived: Lived) -> None:
    life = lived.life
    assert len(life.secrets) >= 47
    messages = json.dumps(life.messages)
    for what, secret in life.secrets.items():
        assert len(secret) > 15, what
        for name, place in (("table", life.tables), ("queue", messages), ("log", life.logs)):
            assert secret not in place, f"the {what} is in a {name}"
        assert secret.encode() not in life.objects, f"the {what} is in an object"


@pytest.mark.promise("no-training", "security-logged")
def test_no_log_line_holds_a_prompt_an_address_or_guidelines(lived: Lived) -> None:
    logs = lived.life.logs
    for private in (
        PROMPT,
        EMAIL,
        FRIEND,
        END_USER,
        "ada.lovelace",
        "grace.hopper",
        "charles.babbage",
        STYLE,
        "Ada",
        "Dev Eloper",
        "Fri Endly",
        CLIENTS_KEY,
    ):
        assert private not in logs
    for word in ("authorization", "cookie", "Bearer"):
        assert word not in logs


def test_no_message_names_an_address_and_no_key_of_a_table_does(lived: Lived) -> None:
    life = lived.life
    assert {
        "sign_up",
        "key_created",
        "key_rotated",
        "key_leaked",
        "invitation",
        "totp_enabled",
        "reset",
    } <= {message.get("kind") for message in life.messages}
    assert "@" not in json.dumps(life.messages)
    for table in aws.resources("AWS::DynamoDB::Table"):
        for item in lived.product.items(table):
            assert "@" not in item["pk"] + item["sk"]
    assert "@" not in json.dumps(lived.product.items("EventsTable"))


@pytest.mark.promise("no-training")
def test_no_message_holds_a_prompt(lived: Lived) -> None:
    life = lived.life
    jobs = [body for body in life.messages if "generation_id" in body]
    assert jobs
    assert all(set(body) == {"org_id", "generation_id"} for body in jobs)
    assert PROMPT not in json.dumps(life.messages)


@pytest.mark.promise("security-logged", "auth-logged")
def test_every_log_line_is_structured_and_names_its_function(lived: Lived) -> None:
    lines = lived.product.logs()
    assert all(line["service"] for line in lines)
    events = [line for line in lines if line.get("message") == "security_event"]
    wanted = {"event", "outcome", "org_id", "actor", "ip", "request_id", "reason"}
    assert all(wanted <= set(line) for line in events)
    assert {line["event"] for line in events} >= {
        "auth.register",
        "auth.verification_sent",
        "auth.verify_email",
        "auth.login",
        "auth.refresh",
        "auth.refresh_reuse",
        "auth.totp_enabled",
        "auth.totp_refused",
        "auth.recovery_code_used",
        "auth.password_changed",
        "auth.password_forgot",
        "auth.password_reset",
        "auth.credential_refused",
        "authz.denied",
        "authz.origin_denied",
        "session.minted",
        "session.cap_reached",
        "session.revoked",
        "member.invited",
        "member.joined",
        "mail.suppressed",
        "key.created",
        "key.rotated",
        "key.changed",
        "key.leaked",
        "authz.address_denied",
        "brand.upload_rejected",
    }


@pytest.mark.promise("security-logged")
def test_what_is_kept_of_events_is_what_was_logged_of_each_organization(lived: Lived) -> None:
    fields = ("event", "outcome", "actor", "ip", "request_id", "reason")
    logged = [
        (f"ORG#{line['org_id']}", *(line[name] for name in fields))
        for line in lived.product.logs()
        if line.get("message") == "security_event" and line["org_id"]
    ]
    kept = [
        (item["pk"], *(item[name] for name in fields))
        for item in lived.product.items("EventsTable")
        if item["pk"] != "ORG#unknown"
    ]
    assert sorted(kept) == sorted(logged)
    assert len(kept) > 20
