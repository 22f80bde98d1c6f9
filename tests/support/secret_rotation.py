"""A rotation as Secrets Manager runs it, for the tests of both secrets."""

from __future__ import annotations

import json
import uuid
from typing import Any

from tests.support import aws
from tests.support.product import Product

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


def step(product: Product, secret: str, name: str, version: str) -> None:
    """One step of a secret's rotation."""
    function = {"SigningSecret": "signing_rotation", "PepperSecret": "pepper_rotation"}[secret]
    event = {"Step": name, "SecretId": product.names[secret], "ClientRequestToken": version}
    product.invoke(function, event)


def rotate(product: Product, secret: str, *, times: int = 1, notice: bool = True) -> str:
    """All four steps in their order, each so many times; returns the new version.

    `notice`: the warm functions look again, which they do within five minutes.
    """
    version = str(uuid.uuid4())
    for name in STEPS:
        for _ in range(times):
            step(product, secret, name, version)
    if notice:
        look_again(product)
    return version


def look_again(product: Product, *functions: str) -> None:
    """Warm functions read their secrets afresh."""
    for name in functions or tuple(product._platforms):
        product.platform(name).secrets._kept.clear()


def content(secret: str, product: Product, **which: str) -> dict[str, Any]:
    """What a version of a secret holds, the current one unless told otherwise."""
    found = aws.client("secretsmanager").get_secret_value(
        SecretId=product.names[secret], **(which or {"VersionStage": "AWSCURRENT"})
    )
    return dict(json.loads(found["SecretString"]))


def stages(product: Product, secret: str) -> dict[str, str]:
    """Stage -> version."""
    described = aws.client("secretsmanager").describe_secret(SecretId=product.names[secret])
    return {
        stage: version
        for version, names in described["VersionIdsToStages"].items()
        for stage in names
    }
