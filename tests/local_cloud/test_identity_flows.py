"""Identity through the deployed template: what ends a session, what a stolen token is worth, what
mail scanners can do, and keys that rotate under running sessions."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pyotp
import pytest

from dev.local_cloud import LocalCloud
from imagelayer.identity.email_policy import address_hash
from tests.support import cloud_accounts
from tests.support.api_clients import PASSWORD, Visitor, plain_http
from tests.support.cloud_clients import new_address, new_visitor

NEW_PASSWORD = "seven copper kettles whistling"


def me(visitor: Visitor, token: str = "") -> int:
    return visitor.call("GET", "/v1/auth/me", token=token or visitor.access_token).status_code


def events(owner: Visitor, **query: str) -> list[dict[str, Any]]:
    """The organization's security events, newest first."""
    answer = owner.call(
        "GET", "/v1/organization/security-events", token=owner.access_token, params=query
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def log_out(_cloud: LocalCloud, _owner: Visitor, victim: Visitor) -> httpx.Response:
    cookie = {"Cookie": f"__Host-il_refresh={victim.refresh_cookie}"}
    return victim.call("POST", "/v1/auth/logout", headers=cookie)


def log_out_everywhere(_cloud: LocalCloud, _owner: Visitor, victim: Visitor) -> httpx.Response:
    return victim.call("DELETE", "/v1/auth/sessions", token=victim.access_token)


def change_password_elsewhere(
    cloud: LocalCloud, _owner: Visitor, victim: Visitor
) -> httpx.Response:
    elsewhere = new_visitor(cloud)
    elsewhere.email = victim.email
    assert elsewhere.log_in().status_code == 200
    return elsewhere.call(
        "POST",
        "/v1/auth/password/change",
        token=elsewhere.access_token,
        json={"current_password": PASSWORD, "password": NEW_PASSWORD},
    )


def reset_password(_cloud: LocalCloud, _owner: Visitor, victim: Visitor) -> httpx.Response:
    asked = victim.call("POST", "/v1/auth/password/forgot", json={"email": victim.email})
    assert asked.status_code == 202
    body = {"token": victim.mailed_token("reset-password"), "password": NEW_PASSWORD}
    return victim.call("POST", "/v1/auth/password/reset", json=body)


def change_role(_cloud: LocalCloud, owner: Visitor, victim: Visitor) -> httpx.Response:
    path = f"/v1/organization/members/{victim.user_id}"
    return owner.call("PATCH", path, token=owner.access_token, json={"role": "viewer"})


def remove(_cloud: LocalCloud, owner: Visitor, victim: Visitor) -> httpx.Response:
    path = f"/v1/organization/members/{victim.user_id}"
    return owner.call("DELETE", path, token=owner.access_token)


@pytest.mark.promise("sessions-short")
@pytest.mark.parametrize(
    "end",
    [log_out, log_out_everywhere, change_password_elsewhere, reset_password, change_role, remove],
    ids=lambda end: end.__name__,
)
def test_the_old_access_token_fails_on_its_next_use_after(
    cloud: LocalCloud, end: Callable[[LocalCloud, Visitor, Visitor], httpx.Response]
) -> None:
    owner = cloud_accounts.logged_in(cloud)
    victim = cloud_accounts.colleague(cloud, owner, "developer")
    assert victim.log_in().status_code == 200
    assert me(victim) == 200  # from a warm process, too
    ended = end(cloud, owner, victim)
    assert ended.is_success, ended.text
    assert me(victim) == 401
    assert victim.refresh().status_code == 401
    assert me(owner) == 200


@pytest.mark.promise("sessions-short")
@pytest.mark.promise("auth-logged")
def test_a_stolen_refresh_token_used_after_its_owner_ends_the_family_and_both_are_logged(
    cloud: LocalCloud,
) -> None:
    owner = cloud_accounts.logged_in(cloud)
    stolen = owner.refresh_cookie
    owner.keep_tokens(owner.refresh())
    thief = new_visitor(cloud)  # another network
    assert thief.refresh(stolen).status_code == 401
    assert me(owner) == 401
    assert owner.refresh().status_code == 401
    assert owner.log_in().status_code == 200
    logged = {each["event"]: each for each in reversed(events(owner, limit="20"))}
    assert logged["auth.refresh"]["outcome"] == "success"
    reuse = logged["auth.refresh_reuse"]
    assert (reuse["outcome"], reuse["ip"]) == ("denied", thief.address)
    lines = logs_of(cloud, owner.org_id)
    assert {"auth.refresh", "auth.refresh_reuse"} <= {line["event"] for line in lines}


@pytest.mark.promise("sessions-short")
def test_a_thief_who_refreshes_first_is_found_out_by_the_owner(cloud: LocalCloud) -> None:
    owner, thief = cloud_accounts.logged_in(cloud), new_visitor(cloud)
    stolen = thief.refresh(owner.refresh_cookie)
    assert stolen.status_code == 200
    assert owner.refresh().status_code == 401
    assert me(thief, stolen.json()["access_token"]) == 401


def logs_of(cloud: LocalCloud, org_id: str) -> list[dict[str, Any]]:
    """The structured security events in the functions' logs that name an organization."""
    logs = cloud.client("logs")
    found = []
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            pages = logs.get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group["logGroupName"]):
                found += [
                    json.loads(event["message"])
                    for event in page["events"]
                    if org_id in event["message"] and '"security_event"' in event["message"]
                ]
    return found


def test_a_mail_scanner_that_gets_every_link_consumes_nothing(cloud: LocalCloud) -> None:
    """It opens each link of each mail, as it stands and with the token moved into the query."""
    newcomer, friend = new_visitor(cloud), new_visitor(cloud)
    assert newcomer.register().status_code == 202
    owner = cloud_accounts.logged_in(cloud)
    invited = owner.call(
        "POST",
        "/v1/organization/invitations",
        token=owner.access_token,
        json={"email": friend.email, "role": "viewer"},
    )
    assert invited.status_code == 201, invited.text
    assert owner.register().status_code == 202  # "you already have an account"
    forgot = owner.call("POST", "/v1/auth/password/forgot", json={"email": owner.email})
    assert forgot.status_code == 202
    owner.make_key()
    elsewhere = new_visitor(cloud)
    elsewhere.email = owner.email
    assert elsewhere.log_in().status_code == 200  # a new place

    mails = [mail for who in (newcomer, friend, owner) for mail in cloud.mail(who.email)]
    subjects = " | ".join(mail["subject"] for mail in mails)
    for kind in ("Confirm", "invited", "already", "new password", "API key", "New login"):
        assert kind in subjects
    links = {link for mail in mails for link in mail["links"]}
    assert len(links) >= 4
    before = tokens_waiting(cloud)
    for link in links:
        assert link.startswith(cloud.base_url)
        with httpx.Client(transport=plain_http(new_address())) as scanner:
            for url in (link, link.replace("#token=", "?token=")):
                for method in ("GET", "HEAD"):
                    assert scanner.request(method, url).status_code in (200, 404)
    assert tokens_waiting(cloud) == before
    assert newcomer.verify().status_code == 200
    accepted = {
        "token": friend.mailed_token("accept-invitation"),
        "name": "Fred",
        "password": PASSWORD,
    }
    joined = friend.call("POST", "/v1/auth/invitations/accept", json=accepted)
    assert joined.status_code == 200, joined.text
    reset = {"token": owner.mailed_token("reset-password"), "password": NEW_PASSWORD}
    assert owner.call("POST", "/v1/auth/password/reset", json=reset).status_code == 204


def tokens_waiting(cloud: LocalCloud) -> set[str]:
    """The hashes of all link tokens that may still be used."""
    found = set()
    for item in cloud_accounts.items(cloud, "AccountsTable"):
        for waiting in (item, item.get("link"), item.get("reset")):
            if waiting and "token_hash" in waiting:
                found.add(waiting["token_hash"])
    return found


def rotate(cloud: LocalCloud, function: str, secret: str) -> None:
    """What Secrets Manager does on its schedule: the four steps, each of which may come twice."""
    secret_id, version = cloud_accounts.secret_id(cloud, secret), str(uuid.uuid4())
    for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
        for _ in range(2):
            answer = cloud.client("lambda").invoke(
                FunctionName=cloud.info["functions"][function],
                Payload=json.dumps(
                    {"Step": step, "SecretId": secret_id, "ClientRequestToken": version}
                ),
            )
            assert "FunctionError" not in answer, answer["Payload"].read()


def published(cloud: LocalCloud) -> set[str]:
    return {key["kid"] for key in cloud.http.get("/.well-known/jwks.json").json()["keys"]}


@pytest.mark.promise("sessions-short")
def test_a_rotated_signing_key_overlaps_with_the_old_one_and_then_replaces_it(
    cloud: LocalCloud,
) -> None:
    owner = cloud_accounts.logged_in(cloud)
    old = jwt.get_unverified_header(owner.access_token)["kid"]
    assert old in published(cloud)
    rotate(cloud, "SigningRotationFunction", "SigningSecret")
    kids = published(cloud)
    assert len(kids) >= 2
    assert old in kids
    assert me(owner) == 200  # its token is of the old key, and good
    retired = cloud_accounts.table(cloud, "SigningKeysTable").get("JWKS", old)
    assert retired is not None
    assert time.time() + 3600 < retired["expires_at"] < time.time() + 3 * 3600
    secret = cloud.client("secretsmanager").get_secret_value(
        SecretId=cloud_accounts.secret_id(cloud, "SigningSecret")
    )
    assert set(json.loads(secret["SecretString"])) == {"seed"}
    # Two hours later.
    past = {**retired, "expires_at": int(time.time()) - 1}
    cloud_accounts.table(cloud, "SigningKeysTable").put(past)
    assert old not in published(cloud)
    cloud_accounts.table(cloud, "SigningKeysTable").put(retired)


@pytest.mark.promise("passwords-bcrypt")
def test_a_rotated_pepper_lets_everybody_in_and_their_hashes_move_over(cloud: LocalCloud) -> None:
    visitor, totp = cloud_accounts.enrolled(cloud)
    before = cloud_accounts.accounts(cloud).get_user(visitor.user_id)
    assert before is not None
    rotate(cloud, "PepperRotationFunction", "PepperSecret")
    current = cloud_accounts.peppers(cloud).current
    assert not before["password_hash"].startswith(current)
    # Warm processes hold the old secret for five minutes; what is hashed with the new pepper
    # elsewhere opens there at once all the same.
    newcomer = cloud_accounts.verified(cloud)
    stored = cloud_accounts.accounts(cloud).get_user(newcomer.user_id)
    assert stored is not None
    assert stored["password_hash"].startswith(current)
    assert newcomer.log_in().status_code == 200
    answer = visitor.log_in(totp_code=cloud_accounts.lasting_code(totp))
    assert answer.status_code == 200, answer.text
    after = cloud_accounts.accounts(cloud).get_user(visitor.user_id)
    assert after is not None
    for kept in (after["password_hash"], after["totp"]["secret"]):
        assert kept.startswith(current)


BOUNCE = {
    "eventType": "Bounce",
    "bounce": {"bounceType": "Permanent", "bounceSubType": "General"},
}
COMPLAINT = {"eventType": "Complaint", "complaint": {"complaintFeedbackType": "abuse"}}


@pytest.mark.parametrize(
    ("notice", "recipients"),
    [(BOUNCE, ("bounce", "bouncedRecipients")), (COMPLAINT, ("complaint", "complainedRecipients"))],
    ids=["bounce", "complaint"],
)
def test_mail_that_was_refused_is_the_last_to_that_address(
    cloud: LocalCloud, notice: dict[str, Any], recipients: tuple[str, str]
) -> None:
    """SES itself publishes nothing here, so its notification is put on the deployed topic."""
    owner, friend = cloud_accounts.logged_in(cloud), new_visitor(cloud)

    def invite() -> None:
        invited = owner.call(
            "POST",
            "/v1/organization/invitations",
            token=owner.access_token,
            json={"email": friend.email, "role": "viewer"},
        )
        assert invited.status_code == 201, invited.text

    invite()
    assert len(cloud.mail(friend.email)) == 1
    kind, name = recipients
    told = {**notice, kind: {**notice[kind], name: [{"emailAddress": friend.email.upper()}]}}
    (topic,) = cloud.client("sns").list_topics()["Topics"]
    cloud.client("sns").publish(TopicArn=topic["TopicArn"], Message=json.dumps(told))
    wait_until_suppressed(cloud, friend.email)
    invite()
    assert len(cloud.mail(friend.email)) == 1
    assert [each["event"] for each in events(owner)].count("mail.withheld") == 1


def wait_until_suppressed(cloud: LocalCloud, email: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    key = f"SUPPRESSED#{address_hash(email)}"
    while cloud_accounts.table(cloud, "AccountsTable").get(key, "SUPPRESSED") is None:
        assert time.monotonic() < deadline, "the notification was not worked off"
        time.sleep(0.1)


def test_a_second_factor_is_set_up_used_and_asked_for(cloud: LocalCloud) -> None:
    owner = cloud_accounts.logged_in(cloud)
    started = owner.call(
        "POST", "/v1/auth/totp", token=owner.access_token, json={"password": PASSWORD}
    )
    assert started.status_code == 201, started.text
    assert started.json()["qr_svg"].startswith("<svg")
    totp = pyotp.parse_uri(started.json()["otpauth_uri"])
    assert isinstance(totp, pyotp.TOTP)
    owner.secrets.add(totp.secret)
    confirmed = owner.call(
        "POST",
        "/v1/auth/totp/confirm",
        token=owner.access_token,
        json={"totp_code": totp.now()},
    )
    assert confirmed.status_code == 200, confirmed.text
    codes = confirmed.json()["recovery_codes"]
    owner.secrets |= set(codes)
    assert owner.log_in().json()["code"] == "totp_required"
    assert owner.log_in(recovery_code=codes[0]).status_code == 200
    assert owner.log_in(recovery_code=codes[0]).json()["code"] == "invalid_totp_code"
    asked = owner.call(
        "PATCH",
        "/v1/organization",
        token=owner.access_token,
        json={"owners_need_second_factor": True},
    )
    assert asked.status_code == 200, asked.text
    other = cloud_accounts.colleague(cloud, owner, "owner")
    assert other.log_in().json()["second_factor_required"] is True
    refused = other.call("GET", "/v1/brands", token=other.access_token)
    assert refused.json()["code"] == "second_factor_required"


@pytest.mark.promise("sessions-short")
def test_an_end_users_token_does_what_it_was_minted_for_and_ends_with_its_key(
    cloud: LocalCloud,
) -> None:
    owner = cloud_accounts.logged_in(cloud)
    key = owner.make_key()
    minted = owner.call(
        "POST",
        "/v1/auth/session",
        token=key["key"],
        json={"end_user_id": "shopper-7", "allowed_origins": ["https://shop.example"]},
    )
    assert minted.status_code == 201, minted.text
    token = minted.json()["session_token"]
    owner.secrets.add(token)
    origin = {"Origin": "https://shop.example"}
    asked = owner.call(
        "POST",
        "/v1/generations",
        token=token,
        headers=origin,
        json={"prompt": "a shop window", "size": "256x256"},
    )
    assert asked.status_code == 202, asked.text
    path = f"/v1/generations/{asked.json()['id']}"
    job = owner.poll(path, lambda found: found["status"] == "succeeded")
    seen = owner.call("GET", f"/v1/assets/{job['assets'][0]['id']}", token=token, headers=origin)
    assert httpx.get(seen.json()["url"]).status_code == 200
    for headers in ({}, {"Origin": "https://evil.example"}):
        refused = owner.call("GET", path, token=token, headers=headers)
        assert refused.json()["code"] == "origin_not_allowed"
    other = owner.call("POST", "/v1/auth/session", token=key["key"], json={"end_user_id": "x"})
    stranger = other.json()["session_token"]
    assert owner.call("GET", path, token=stranger).status_code == 404
    revoked = owner.call("DELETE", f"/v1/keys/{key['id']}", token=owner.access_token)
    assert revoked.status_code == 204
    for each in (token, stranger):
        assert owner.call("GET", path, token=each, headers=origin).status_code == 401
