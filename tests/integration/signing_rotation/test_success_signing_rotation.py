"""A new signing key takes over without a moment in which a good token is refused, and the old one
is trusted for as long as its last token lives."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from imagelayer.identity.secret_rotation import OVERLAP_SECONDS
from imagelayer.identity.tokens import signing_key
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.table import StoreUnavailable
from tests.support import accounts, end_users, secret_rotation
from tests.support.api import Account
from tests.support.product import Product

SECRET = "SigningSecret"


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def published(product: Product) -> list[str]:
    """The kids of the keys that are trusted, as anybody reads them."""
    keys = product.call("GET", "/.well-known/jwks.json").json["keys"]
    return sorted(key["kid"] for key in keys)


def current_kid(product: Product) -> str:
    return signing_key(secret_rotation.content(SECRET, product)["seed"]).kid


def record(product: Product, kid: str) -> dict[str, Any]:
    return product.item("SigningKeysTable", kid)


def end(product: Product, kid: str) -> None:
    """The time of a retired key runs out; warm functions compare it at each call."""
    product.edit("SigningKeysTable", record(product, kid), expires_at=int(time.time()) - 1)
    for platform in product._platforms.values():
        identity = platform.part(IdentityWiring)
        if "signing_keys" in vars(identity):
            identity.signing_keys._kept.clear()


@pytest.fixture
def old(product: Product, owner: Account) -> str:
    """The kid of the key that signed the owner's token."""
    return kid_of(owner.token)


def test_new_tokens_are_signed_with_the_new_key_and_both_keys_are_published(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.rotate(product, SECRET)
    new = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(new) == current_kid(product) != old
    assert published(product) == sorted([old, kid_of(new)])
    assert accounts.is_logged_in(product, new)
    session = product.session(end_users.key_of(product, owner))
    assert kid_of(session["session_token"]) == kid_of(new)
    assert end_users.is_good(product, session)
    refreshed = accounts.refresh(product, owner.cookie).json["access_token"]
    assert kid_of(refreshed) == kid_of(new)


@pytest.mark.promise("sessions-short")
def test_tokens_of_the_old_key_are_good_until_its_time_runs_out_and_not_after(
    product: Product, owner: Account, old: str
) -> None:
    key = end_users.key_of(product, owner)
    session = product.session(key, expires_in=3600)
    secret_rotation.rotate(product, SECRET)
    assert accounts.is_logged_in(product, owner.token)
    assert end_users.is_good(product, session)
    assert abs(record(product, old)["expires_at"] - time.time() - OVERLAP_SECONDS) < 600
    end(product, old)
    assert not accounts.is_logged_in(product, owner.token)
    assert not end_users.is_good(product, session)
    assert published(product) == [current_kid(product)]
    # The session behind it goes on: a refresh hands out a token of the new key.
    refreshed = accounts.refresh(product, owner.cookie)
    assert accounts.is_logged_in(product, refreshed.json["access_token"])


def test_a_new_key_is_published_before_it_can_sign_anything(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.step(product, SECRET, "createSecret", "00000000-0000-4000-8000-000000000001")
    pending = secret_rotation.content(SECRET, product, VersionStage="AWSPENDING")
    assert signing_key(pending["seed"]).kid in published(product)
    secret_rotation.look_again(product)
    assert kid_of(accounts.log_in(product, owner.email).json["access_token"]) == old


def test_a_process_that_has_not_noticed_yet_goes_on_with_the_old_key_and_is_trusted(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.rotate(product, SECRET, notice=False)
    late = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(late) == old
    assert accounts.is_logged_in(product, late)


@pytest.mark.promise("sessions-short")
def test_a_retired_key_does_not_come_back_when_an_old_process_publishes_it(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.rotate(product, SECRET, notice=False)
    end(product, old)
    accounts.restart(product, "login")  # cold, so it publishes; then handed the old seed
    seed = f"SigningSecret-{'x' * 60}"
    assert signing_key(seed).kid == old
    platform = product.platform("login")
    platform.secrets._kept[product.names[SECRET]] = (time.monotonic(), {"seed": seed})
    late = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(late) == old
    assert record(product, old)["expires_at"] < time.time()
    assert published(product) == [current_kid(product)]
    assert not accounts.is_logged_in(product, late)


def test_a_second_rotation_prolongs_the_first_key_by_nothing(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.rotate(product, SECRET)
    middle = current_kid(product)
    sooner = int(time.time()) + 60
    product.edit("SigningKeysTable", record(product, old), expires_at=sooner)
    secret_rotation.rotate(product, SECRET)
    assert record(product, old)["expires_at"] == sooner
    assert abs(record(product, middle)["expires_at"] - time.time() - OVERLAP_SECONDS) < 600
    assert "expires_at" not in record(product, current_kid(product))
    assert len(published(product)) == 3


@pytest.mark.parametrize("times", [2, 3])
def test_every_step_may_be_repeated(product: Product, owner: Account, old: str, times: int) -> None:
    version = secret_rotation.rotate(product, SECRET, times=times)
    assert secret_rotation.stages(product, SECRET)["AWSCURRENT"] == version
    new = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(new) == current_kid(product)
    for token in (owner.token, new):
        assert accounts.is_logged_in(product, token)
    # A repeated first step draws and publishes another key, whose seed is kept nowhere: it can
    # sign nothing, and the next rotation retires it with the one that it came with.
    kids = published(product)
    assert len(kids) == 1 + times
    assert {old, kid_of(new)} <= set(kids)
    secret_rotation.rotate(product, SECRET)
    lasting = [kid for kid in published(product) if "expires_at" not in record(product, kid)]
    assert lasting == [current_kid(product)]


def test_the_steps_alone_change_what_they_say(product: Product, owner: Account, old: str) -> None:
    version = "00000000-0000-4000-8000-000000000001"
    before = secret_rotation.stages(product, SECRET)["AWSCURRENT"]
    secret_rotation.step(product, SECRET, "createSecret", version)
    assert secret_rotation.stages(product, SECRET) == {"AWSCURRENT": before, "AWSPENDING": version}
    for name in ("setSecret", "testSecret"):
        kept = product.dump_of("SigningKeysTable")
        secret_rotation.step(product, SECRET, name, version)
        assert product.dump_of("SigningKeysTable") == kept
        assert secret_rotation.stages(product, SECRET)["AWSCURRENT"] == before
    assert "expires_at" not in record(product, old)
    secret_rotation.step(product, SECRET, "finishSecret", version)
    stages = secret_rotation.stages(product, SECRET)
    assert (stages["AWSCURRENT"], stages["AWSPREVIOUS"]) == (version, before)
    assert "expires_at" in record(product, old)


def test_a_rotation_that_was_given_up_leaves_everything_as_it_was(
    product: Product, owner: Account, old: str
) -> None:
    secret_rotation.step(product, SECRET, "createSecret", "00000000-0000-4000-8000-000000000001")
    secret_rotation.look_again(product)
    assert accounts.is_logged_in(product, owner.token)
    secret_rotation.rotate(product, SECRET)
    new = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(new) == current_kid(product)
    assert accounts.is_logged_in(product, owner.token)


def test_an_unknown_step_is_an_error_and_changes_nothing(product: Product, owner: Account) -> None:
    before = secret_rotation.stages(product, SECRET)
    with pytest.raises(ValueError, match="unknown step"):
        secret_rotation.step(
            product, SECRET, "deleteSecret", "00000000-0000-4000-8000-000000000001"
        )
    assert secret_rotation.stages(product, SECRET) == before


@pytest.mark.promise("keys-hashed")
def test_the_seed_is_in_the_secret_and_nowhere_else(product: Product, owner: Account) -> None:
    secret_rotation.rotate(product, SECRET)
    accounts.log_in(product, owner.email)
    seed = secret_rotation.content(SECRET, product)["seed"]
    assert len(seed) == 64
    assert seed not in product.dump()
    assert seed not in product.output.getvalue()
    for key in product.call("GET", "/.well-known/jwks.json").json["keys"]:
        assert set(key) == {"crv", "kty", "x", "kid", "alg", "use"}


@pytest.mark.promise("security-logged")
def test_a_rotation_is_reported(product: Product, owner: Account) -> None:
    secret_rotation.rotate(product, SECRET)
    (line,) = product.security_events("secret.rotated")
    assert (line["outcome"], line["actor"], line["reason"]) == (
        "success",
        "rotation",
        "signing key",
    )


def test_a_step_that_could_not_be_done_says_so_and_is_done_when_it_is_repeated(
    product: Product, owner: Account, old: str
) -> None:
    version = "00000000-0000-4000-8000-000000000001"
    for name in secret_rotation.STEPS:
        if name in ("createSecret", "finishSecret"):
            with product.broken("secretsmanager"), pytest.raises(StoreUnavailable):
                secret_rotation.step(product, SECRET, name, version)
            with product.broken("dynamodb"), pytest.raises(StoreUnavailable):
                secret_rotation.step(product, SECRET, name, version)
        secret_rotation.step(product, SECRET, name, version)
    secret_rotation.look_again(product)
    new = accounts.log_in(product, owner.email).json["access_token"]
    assert kid_of(new) == current_kid(product)
    assert accounts.is_logged_in(product, new)
    assert accounts.is_logged_in(product, owner.token)
    assert "expires_at" in record(product, old)
