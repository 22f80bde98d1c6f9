"""People of the local cloud who need no mail to exist: written through the stores, with a password
that was hashed once, so that a test of many cases does not wait for many hashes."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pyotp

from dev.local_cloud import LocalCloud
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.organization_store import OrganizationStore, owner_count_actions
from imagelayer.identity.passwords import Peppers, hash_password
from imagelayer.identity.records import Organization, User
from imagelayer.identity.sealing import seal
from imagelayer.identity.second_factor import STEP_SECONDS
from imagelayer.identity.session_store import SessionStore
from imagelayer.identity.store import AccountStore
from imagelayer.limits.counters import TatMemory
from imagelayer.platform.attribute_values import decode_item
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Role
from imagelayer.platform.table import Item, Table
from tests.support.api_clients import PASSWORD, Visitor
from tests.support.cloud_clients import new_visitor

COST = 10  # the lowest the template allows, and what the tests' cloud is deployed with


def table(cloud: LocalCloud, name: str) -> Table:
    """One of the deployed tables, reached around the product."""
    return Table(cloud.client("dynamodb"), cloud.info["tables"][name])


def accounts(cloud: LocalCloud) -> AccountStore:
    """The accounts."""
    return AccountStore(cloud.client("dynamodb"), table(cloud, "AccountsTable"))


def organizations(cloud: LocalCloud) -> OrganizationStore:
    """The organizations, in the table of the accounts."""
    return OrganizationStore(cloud.client("dynamodb"), table(cloud, "AccountsTable"))


def sessions(cloud: LocalCloud) -> SessionStore:
    """The dashboard sessions."""
    return SessionStore(table(cloud, "SessionsTable"), TatMemory())


def items(cloud: LocalCloud, name: str) -> Iterator[Item]:
    """Every item of a table."""
    pages = cloud.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=cloud.info["tables"][name]):
        for item in page["Items"]:
            yield decode_item(item)


def secret_id(cloud: LocalCloud, logical: str) -> str:
    """The physical id of a secret of the stack."""
    resources = cloud.client("cloudformation").describe_stack_resources(
        StackName=cloud.info.get("stack", "imagelayer-local")
    )["StackResources"]
    (found,) = [
        each["PhysicalResourceId"] for each in resources if each["LogicalResourceId"] == logical
    ]
    return str(found)


def peppers(cloud: LocalCloud) -> Peppers:
    """The deployed peppers."""
    answer = cloud.client("secretsmanager").get_secret_value(
        SecretId=secret_id(cloud, "PepperSecret")
    )
    content: dict[str, Any] = json.loads(answer["SecretString"])
    return Peppers.of(content["current"], *content.get("previous", []))


@functools.cache
def _hash(current: str, cloud_peppers: tuple[tuple[str, bytes], ...]) -> str:
    return hash_password(PASSWORD, Peppers(current, dict(cloud_peppers)), cost=COST)


def password_hash(cloud: LocalCloud) -> str:
    """The stored form of PASSWORD here."""
    found = peppers(cloud)
    return _hash(found.current, tuple(found.keys.items()))


def settle(cloud: LocalCloud, seconds: float = 10) -> None:
    """Wait until the mail function has worked off what it was asked for."""
    sqs, url = cloud.client("sqs"), cloud.info["queues"]["MailQueue"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if not any(int(found[name]) for name in names):
            return
        time.sleep(0.02)


def verified(cloud: LocalCloud, **attributes: Any) -> Visitor:
    """Someone with a verified account and an organization, not logged in."""
    visitor = new_visitor(cloud)
    visitor.secrets.add(PASSWORD)
    now = time.time()
    user: User = {
        "id": new_id("usr", now),
        "org_id": new_id("org", now),
        "email": visitor.email,
        "name": "Vera Visitor",
        "created_at": int(now),
        "rev": 0,
        "verified_at": int(now),
        "password_hash": password_hash(cloud),
    }
    user |= cast("User", attributes)
    organization: Organization = {
        "id": user["org_id"],
        "name": "Solstice Coffee",
        "created_at": int(now),
        "owners": 1,
    }
    store = accounts(cloud)
    store.commit(store.creation_actions(user, organization, address_hash(visitor.email)))
    visitor.user_id, visitor.org_id = user["id"], user["org_id"]
    return visitor


def logged_in(cloud: LocalCloud, **attributes: Any) -> Visitor:
    """The same, logged in."""
    visitor = verified(cloud, **attributes)
    answer = visitor.log_in()
    assert answer.status_code == 200, answer.text
    return visitor


def colleague(cloud: LocalCloud, owner: Visitor, role: Role) -> Visitor:
    """Another verified member of someone's organization, not logged in."""
    visitor = new_visitor(cloud)
    now = time.time()
    user: User = {
        "id": new_id("usr", now),
        "org_id": owner.org_id,
        "email": visitor.email,
        "name": "Colin Colleague",
        "created_at": int(now),
        "rev": 0,
        "verified_at": int(now),
        "password_hash": password_hash(cloud),
    }
    store = accounts(cloud)
    store.commit(
        [
            store._new_user_action(user),
            store._new_member_action(user, role),
            store._reserve_address_action(address_hash(visitor.email), user),
            *owner_count_actions(store._table, owner.org_id, gained=role == "owner", lost=False),
        ]
    )
    visitor.user_id, visitor.org_id = user["id"], owner.org_id
    return visitor


def enrolled(cloud: LocalCloud) -> tuple[Visitor, pyotp.TOTP]:
    """Someone with a second factor."""
    secret = pyotp.random_base32()
    visitor = verified(cloud)
    sealed = seal(secret, "totp", visitor.user_id, peppers(cloud))
    table(cloud, "AccountsTable").update(
        f"USER#{visitor.user_id}",
        "USER",
        "SET #totp = :totp",
        totp={"secret": sealed, "last_step": 0, "recovery": {}, "unacknowledged": ""},
    )
    return visitor, pyotp.TOTP(secret)


def lasting_code(totp: pyotp.TOTP) -> str:
    """A code with time left: when its step is about to end, the next one's, which is taken too."""
    return totp.at(time.time() + STEP_SECONDS / 2)


@dataclass
class Everything:
    """All accounts and sessions, by what they are."""

    users: dict[str, Item] = field(default_factory=dict)
    reservations: dict[str, Item] = field(default_factory=dict)
    organizations: dict[str, Item] = field(default_factory=dict)
    members: dict[tuple[str, str], Item] = field(default_factory=dict)
    sessions: list[Item] = field(default_factory=list)

    @classmethod
    def read(cls, cloud: LocalCloud) -> Everything:
        found = cls()
        for item in items(cloud, "AccountsTable"):
            if item["pk"].startswith("CONTROL#"):
                continue  # what the racy controls wrote
            match item["sk"].partition("#")[0]:
                case "USER":
                    found.users[item["id"]] = item
                case "EMAIL":
                    found.reservations[item["user_id"]] = item
                case "ORG":
                    found.organizations[item["id"]] = item
                case "MEMBER":
                    org, user = item["pk"].partition("#")[2], item["sk"].partition("#")[2]
                    found.members[org, user] = item
        found.sessions = [
            item for item in items(cloud, "SessionsTable") if item["sk"].startswith("SES#")
        ]
        return found


def half_made(cloud: LocalCloud) -> list[str]:
    """Everything about accounts and sessions that does not fit together; nothing ever should."""
    found = Everything.read(cloud)
    return [*_odd_users(found), *_odd_organizations(found), *_odd_sessions(found)]


def _odd_users(found: Everything) -> Iterator[str]:
    for user_id, user in found.users.items():
        reservation = found.reservations.get(user_id)
        if reservation is None or reservation["pk"] != f"EMAIL#{address_hash(user['email'])}":
            yield f"{user_id} holds no address"
        if (user["org_id"], user_id) not in found.members:
            yield f"{user_id} is no member"
    for user_id in found.reservations.keys() - found.users.keys():
        yield f"an address is reserved by {user_id}, who is nobody"
    for org_id, user_id in found.members:
        if user_id not in found.users:
            yield f"{user_id} is a member of {org_id} and nobody"


def _odd_organizations(found: Everything) -> Iterator[str]:
    for org_id, organization in found.organizations.items():
        roles = [each["role"] for key, each in found.members.items() if key[0] == org_id]
        owners = roles.count("owner")
        if not owners or owners != organization["owners"]:
            yield f"{org_id} has {owners} owners and counts {organization['owners']}"


def _odd_sessions(found: Everything) -> Iterator[str]:
    for session in found.sessions:
        user = found.users.get(session["user_id"], {})
        member = found.members.get((session["org_id"], session["user_id"]))
        if not user or member is None:
            yield f"{session['id']} is a session of nobody"
        elif member["role"] != session["role"]:
            yield f"{session['id']} has the role {session['role']}, not {member['role']}"
