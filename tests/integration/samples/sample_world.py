"""The world that the files in events/ speak of: fixed ids and secrets, so the files run as they
stand. Everything is made by the product itself and then renamed, so there is no second schema."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import jwt

from imagelayer.api_keys import checksum, hash_secret
from imagelayer.stores.table import decode_item, encode_item
from imagelayer.tokens import ACCESS_AUDIENCE, ACCESS_TYPE, signing_key
from tests.support import aws
from tests.support.images import logo
from tests.support.product import ALL_SCOPES, Product, bearer

ORG = "org_01k0samp1e0rgan1zat10n0000"
USER = "usr_01k0samp1e0wner00000000000"
SESSION = "ses_01k0samp1e0sess10n00000000"
KEY = "key_01k0samp1e0key000000000000"
BRAND = "brd_01k0samp1e0brand0000000000"
UPLOAD = "upl_01k0samp1e0vp10ad000000000"
GENERATION = "gen_01k0samp1e0f1n1shed0000000"
QUEUED = "gen_01k0samp1e0qvevedj0b000000"
ASSET = "ast_01k0samp1e0asset0000000000"
NEWCOMER = "usr_01k0samp1e0newc0mer0000000"
API_KEY = f"il_live_{'SAMPLE' * 5}00{checksum('SAMPLE' * 5 + '00')}"
FAMILY_SECRET = "sample-family-secret"
REFRESH_SECRET = "sample-refresh-token-of-the-events-folder-0"
VERIFY_SECRET = "sample-verification-token-of-events-folder0"


def access_token() -> str:
    """A token of the tests' own signing key that does not run out."""
    seed = f"SigningSecret-{'x' * 60}"
    key = signing_key(seed)
    claims = {
        "iss": aws.PARAMETERS["BaseUrl"],
        "aud": ACCESS_AUDIENCE,
        "sub": USER,
        "sid": SESSION,
        "jti": "sample",
        "iat": 1735689600,
        "exp": 4891363200,
    }
    headers = {"kid": key.kid, "typ": ACCESS_TYPE}
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers=headers)


def build(product: Product) -> None:
    """Live a small life, then rename what it left."""
    owner = product.account("dev@example.com")
    key = product.key(owner, *ALL_SCOPES)
    brand = product.brand(owner)
    upload = product.upload(owner.headers, brand["id"], logo())
    body = {"prompt": "waves at dawn", "size": "256x256"}
    finished = product.call("POST", "/v1/generations", headers=bearer(key), body=body).json
    product.work_queue()
    asset = product.item("GenerationsTable", "AST#")
    queued = product.call("POST", "/v1/generations", headers=bearer(key), body=body).json
    product.register("newcomer@example.com", ip="198.51.100.9")
    newcomer, _, token = product.newest_token().partition(".")
    session, family, refresh = owner.cookie.partition("=")[2].split(".")
    names = {
        owner.org_id: ORG,
        owner.user_id: USER,
        f"ses_{session}": SESSION,
        key["id"]: KEY,
        brand["id"]: BRAND,
        upload["id"]: UPLOAD,
        finished["id"]: GENERATION,
        queued["id"]: QUEUED,
        asset["id"]: ASSET,
        f"usr_{newcomer}": NEWCOMER,
        hash_secret(key["key"]): hash_secret(API_KEY),
        _hash(family): _hash(FAMILY_SECRET),
        _hash(refresh): _hash(REFRESH_SECRET),
        _hash(token): _hash(VERIFY_SECRET),
    }
    for table in aws.resources("AWS::DynamoDB::Table"):
        for item in product.items(table):
            product.delete(table, item)
            product.edit(
                table, decode_item(json.loads(_renamed(json.dumps(encode_item(item)), names)))
            )
    for bucket in ("MediaBucket", "BrandBucket"):
        for old in product.objects(bucket):
            _move(product.names[bucket], old, _renamed(old, names))


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def _move(bucket: str, old: str, new: str) -> None:
    s3: Any = aws.client("s3")
    s3.copy_object(Bucket=bucket, Key=new, CopySource={"Bucket": bucket, "Key": old})
    s3.delete_object(Bucket=bucket, Key=old)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
