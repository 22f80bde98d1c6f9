"""The world that the files in events/ speak of: fixed ids and secrets, so the files run as they
stand. Everything is made by the product itself and then renamed, so there is no second schema."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from dev.secret_scanning import SecretScanner
from imagelayer.access import end_user_session_store as end_user_sessions
from imagelayer.access.key_secrets import checksum, hash_secret
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.places import place_id
from imagelayer.identity.tokens import (
    ACCESS_AUDIENCE,
    ACCESS_CLIENT,
    ACCESS_TYPE,
    END_USER_AUDIENCE,
    END_USER_TYPE,
    signing_key,
)
from imagelayer.platform.attribute_values import decode_item, encode_item
from tests.support import accounts, aws
from tests.support.api import ALL_SCOPES, bearer
from tests.support.images import logo
from tests.support.product import Product

ORG = "org_01k0samp1e0rgan1zat10n0000"
USER = "usr_01k0samp1e0wner00000000000"
MEMBER = "usr_01k0samp1e0member000000000"
NEWCOMER = "newcomer@example.com"
SESSION = "ses_01k0samp1e0sess10n00000000"
OTHER_SESSION = "ses_01k0samp1e0therse551n00000"
INVITATION = "inv_01k0samp1e0nv1tat10n000000"
KEY = "key_01k0samp1e0key000000000000"
END_USER = "customer-4711"
END_USER_SESSION = "eus_01k0samp1e0end0vser0000000"
BRAND = "brd_01k0samp1e0brand0000000000"
UPLOAD = "upl_01k0samp1e0vp10ad000000000"
GENERATION = "gen_01k0samp1e0f1n1shed0000000"
QUEUED = "gen_01k0samp1e0qvevedj0b000000"
WEBHOOK = "whk_01k0samp1ewebh00k000000000"
MESSAGE = "msg_01k0samp1emessage000000000"
ASSET = "ast_01k0samp1e0asset0000000000"
API_KEY = f"il_live_{'SAMPLE' * 5}00{checksum('SAMPLE' * 5 + '00')}"
FAMILY_SECRET = "sample-family-secret"
REFRESH_SECRET = "sample-refresh-token-of-the-events-folder-0"
VERIFY_SECRET = "sample-verification-token-of-events-folder0"
INVITE_SECRET = "sample-invitation-token-of-events-folder-00"
RESET_SECRET = "sample-password-reset-token-events-folder-0"
PENDING_VERSION = "5a3b9c1e-0000-4000-8000-5ec2e7000001"  # of either rotated secret
ISSUED, RUNS_OUT = 1735689600, 4891363200  # tokens of the samples do not run out


def refresh_cookie() -> str:
    """The refresh cookie's value."""
    user, session = USER.removeprefix("usr_"), SESSION.removeprefix("ses_")
    return f"{user}-{session}.{FAMILY_SECRET}.{REFRESH_SECRET}"


def link_tokens() -> dict[str, str]:
    """What stands in the mailed links, by the page they open."""
    org, invitation = ORG.removeprefix("org_"), INVITATION.removeprefix("inv_")
    return {
        "verify-email": f"{address_hash(NEWCOMER)}.{VERIFY_SECRET}",
        "accept-invitation": f"{org}.{invitation}.{INVITE_SECRET}",
        "reset-password": f"{USER.removeprefix('usr_')}.{RESET_SECRET}",
    }


def access_token() -> str:
    """The owner's access token."""
    claims = {"aud": ACCESS_AUDIENCE, "sub": USER, "client_id": ACCESS_CLIENT, "sid": SESSION}
    return _signed(ACCESS_TYPE, claims)


def session_token() -> str:
    """The end user's session token."""
    claims = {"aud": END_USER_AUDIENCE, "sub": END_USER, "org": ORG, "sid": END_USER_SESSION}
    return _signed(END_USER_TYPE, claims)


def scanner() -> SecretScanner:
    """Who signs the samples' reports of leaked keys: anybody can make this key for themselves."""
    number = int.from_bytes(hashlib.sha256(b"sample scanner").digest())
    return SecretScanner(ec.derive_private_key(number, ec.SECP256R1()))


def _signed(kind: str, claims: dict[str, str]) -> str:
    key = signing_key(f"SigningSecret-{'x' * 60}")
    shared: dict[str, Any] = {
        "iss": aws.PARAMETERS["BaseUrl"],
        "jti": "sample",
        "iat": ISSUED,
        "nbf": ISSUED,
        "exp": RUNS_OUT,
    }
    headers = {"kid": key.kid, "typ": kind}
    return jwt.encode(shared | claims, key.private, algorithm="EdDSA", headers=headers)


@dataclass(frozen=True)
class World:
    """What the small life of the samples left, under the samples' names."""

    items: dict[str, list[dict[str, Any]]]  # by table
    objects: dict[str, dict[str, tuple[bytes, str]]]  # by bucket and key: content and its type

    def build(self, product: Product) -> None:
        """Put all of it into a product that is empty."""
        product.scanner = scanner()
        for table, items in self.items.items():
            for item in items:
                product.edit(table, item)
        for bucket, objects in self.objects.items():
            for key, (body, kind) in objects.items():
                aws.client("s3").put_object(
                    Bucket=product.names[bucket], Key=key, Body=body, ContentType=kind
                )
        for function, secret in (
            ("signing_rotation", "SigningSecret"),
            ("pepper_rotation", "PepperSecret"),
        ):
            pending = {"SecretId": secret, "ClientRequestToken": PENDING_VERSION}
            product.invoke(function, {"Step": "createSecret", **pending})


def live(product: Product) -> World:
    """Live a small life, and rename what it left."""
    owner = product.account("dev@example.com")
    key = product.key(owner, *ALL_SCOPES)
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    body = {"prompt": "waves at dawn", "size": "256x256"}
    finished = product.call("POST", "/v1/generations", headers=bearer(key), body=body).json
    product.work_queue()
    asset = product.item("GenerationsTable", "AST#")
    queued = product.call("POST", "/v1/generations", headers=bearer(key), body=body).json
    product.register(NEWCOMER, ip="198.51.100.9")
    verify = product.newest_token().partition(".")[2]
    member = accounts.join(product, owner, "member@example.com", "developer")
    _, invitation, invite = accounts.invite(product, owner, "guest@example.com").split(".")
    accounts.log_in(product, owner.email)
    accounts.forgot(product, owner.email)
    reset = product.newest_token().partition(".")[2]
    end_user = product.session(key, END_USER, allowed_origins=["https://shop.example"])
    webhook = product.webhook(owner, url="http://127.0.0.1:9/")  # where no one listens
    path = f"/v1/organization/webhooks/{webhook['id']}/test"
    told = product.call("POST", path, headers=owner.headers).json
    _, family, refresh = owner.cookie.split(".")
    newer, older = (each["id"] for each in accounts.sessions_of(product, owner.user_id)[::-1])
    names = {
        owner.org_id: ORG,
        owner.user_id: USER,
        member.user_id: MEMBER,
        older: SESSION,
        newer: OTHER_SESSION,
        f"inv_{invitation}": INVITATION,
        end_user["id"]: END_USER_SESSION,
        key["id"]: KEY,
        brand["id"]: BRAND,
        upload["id"]: UPLOAD,
        finished["id"]: GENERATION,
        queued["id"]: QUEUED,
        asset["id"]: ASSET,
        webhook["id"]: WEBHOOK,
        told["id"]: MESSAGE,
        hash_secret(key["key"]): hash_secret(API_KEY),
        _hash(family): _hash(FAMILY_SECRET),
        _hash(refresh): _hash(REFRESH_SECRET),
        _hash(verify): _hash(VERIFY_SECRET),
        _hash(invite): _hash(INVITE_SECRET),
        _hash(reset): _hash(RESET_SECRET),
        place_id(owner.user_id, accounts.HOME): place_id(USER, accounts.HOME),
    }
    items = {
        table: [_renamed_item(item, names) for item in product.items(table)]
        for table in aws.resources("AWS::DynamoDB::Table")
    }
    (session,) = [each for each in items["SessionsTable"] if each.get("id") == END_USER_SESSION]
    pk, sk = end_user_sessions.key(ORG, END_USER, END_USER_SESSION, RUNS_OUT)
    (delivery,) = [each for each in items["WebhooksTable"] if each["sk"].startswith("DLV#")]
    delivery["sweep_at"] = RUNS_OUT
    session |= {"pk": pk, "sk": sk, "expires_at": RUNS_OUT}
    return World(
        items,
        {
            bucket: {
                _renamed(key, names): _object(product.names[bucket], key)
                for key in product.objects(bucket)
            }
            for bucket in ("MediaBucket", "BrandBucket")
        },
    )


def _renamed_item(item: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return decode_item(json.loads(_renamed(json.dumps(encode_item(item)), names)))


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def _object(bucket: str, key: str) -> tuple[bytes, str]:
    found = aws.client("s3").get_object(Bucket=bucket, Key=key)
    return found["Body"].read(), found["ContentType"]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
