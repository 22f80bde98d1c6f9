"""A new pepper for new hashes; what was made with an earlier one goes on and is made anew when its
owner comes by."""

from __future__ import annotations

import pytest

from imagelayer.identity.passwords import Peppers
from tests.support import accounts, secret_rotation
from tests.support.api import PASSWORD, Account
from tests.support.product import Product

SECRET = "PepperSecret"


def current_id(product: Product) -> str:
    """The id that new hashes carry."""
    content = secret_rotation.content(SECRET, product)
    return Peppers.of(content["current"], *content.get("previous", [])).current


def pepper_of(product: Product, account: Account) -> str:
    """The id of the pepper that a stored password was made with."""
    stored: str = accounts.user_of(product, account.user_id)["password_hash"]
    return stored.partition("$")[0]


@pytest.mark.promise("passwords-bcrypt")
def test_a_password_goes_on_and_is_hashed_anew_at_its_next_login(
    product: Product, owner: Account
) -> None:
    old = pepper_of(product, owner)
    before = accounts.user_of(product, owner.user_id)["password_hash"]
    secret_rotation.rotate(product, SECRET)
    assert pepper_of(product, owner) == old
    assert accounts.log_in(product, owner.email, "a wrong password of somebody").status == 401
    assert accounts.user_of(product, owner.user_id)["password_hash"] == before
    assert accounts.log_in(product, owner.email).status == 200
    assert pepper_of(product, owner) == current_id(product) != old
    after = accounts.user_of(product, owner.user_id)["password_hash"]
    assert after.partition("$")[2].startswith("2b$")
    assert accounts.log_in(product, owner.email).status == 200
    assert accounts.user_of(product, owner.user_id)["password_hash"] == after
    assert accounts.log_in(product, owner.email, "a wrong password of somebody").status == 401


def test_new_passwords_are_hashed_with_the_new_pepper(product: Product, owner: Account) -> None:
    secret_rotation.rotate(product, SECRET)
    new = product.account("new@example.com")
    assert pepper_of(product, new) == current_id(product)
    accounts.change(product, owner)
    assert pepper_of(product, owner) == current_id(product)


def test_a_password_survives_as_many_rotations_as_there_are(
    product: Product, owner: Account
) -> None:
    for _ in range(4):
        secret_rotation.rotate(product, SECRET)
    assert len(secret_rotation.content(SECRET, product)["previous"]) == 4
    assert accounts.log_in(product, owner.email).status == 200


def test_a_second_factor_that_was_sealed_under_the_old_pepper_still_opens(
    product: Product, owner: Account
) -> None:
    app = accounts.enrol(product, owner)
    old = accounts.user_of(product, owner.user_id)["totp"]["secret"].partition(".")[0]
    secret_rotation.rotate(product, SECRET)
    assert accounts.log_in(product, owner.email, totp_code=app.wrong_code()).status == 401
    assert accounts.log_in(product, owner.email, totp_code=app.fresh_code()).status == 200
    sealed = accounts.user_of(product, owner.user_id)["totp"]["secret"]
    assert sealed.partition(".")[0] == current_id(product) != old
    assert accounts.log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_recovery_codes_rest_on_no_pepper(product: Product, owner: Account) -> None:
    app = accounts.enrol(product, owner)
    secret_rotation.rotate(product, SECRET)
    first, second, *_ = app.recovery_codes
    assert accounts.log_in(product, owner.email, recovery_code=first).status == 200
    assert accounts.log_in(product, owner.email, recovery_code=first).status == 401
    assert accounts.log_in(product, owner.email, recovery_code=second).status == 200


def test_an_enrolment_that_was_begun_before_a_rotation_is_finished_after_it(
    product: Product, owner: Account
) -> None:
    started = accounts.start_enrolment(product, owner).json
    secret_rotation.rotate(product, SECRET)
    app = accounts.Authenticator(product, owner.user_id, started["secret"], [])
    assert accounts.confirm_enrolment(product, owner, app.code()).status == 200
    assert accounts.log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_sessions_go_on(product: Product, owner: Account) -> None:
    secret_rotation.rotate(product, SECRET)
    assert accounts.is_logged_in(product, owner.token)
    assert accounts.refresh(product, owner.cookie).status == 200


def test_functions_that_have_not_noticed_and_those_that_have_understand_each_other(
    product: Product, owner: Account
) -> None:
    """For five minutes one knows a pepper that the other does not; nothing is lost by it."""
    secret_rotation.rotate(product, SECRET, notice=False)
    accounts.change(product, owner)  # an old hash, by a function that does not know yet
    secret_rotation.look_again(product, "login")
    assert accounts.log_in(product, owner.email, accounts.NEW_PASSWORD).status == 200
    assert pepper_of(product, owner) == current_id(product)


@pytest.mark.parametrize("ahead", ["registration", "password"])
def test_a_function_that_has_not_noticed_opens_what_another_made_with_the_new_pepper(
    product: Product, owner: Account, ahead: str
) -> None:
    """The login is warm with the old secret; it looks again when it meets a pepper it lacks."""
    secret_rotation.rotate(product, SECRET, notice=False)
    accounts.restart(product, ahead)
    if ahead == "registration":
        product.register("new@example.com")
        assert accounts.confirm(product, product.newest_token()).status == 200
        assert accounts.log_in(product, "new@example.com").status == 200
    else:
        accounts.change(product, owner)
        assert pepper_of(product, owner) == current_id(product)
        assert accounts.log_in(product, owner.email, accounts.NEW_PASSWORD).status == 200
    assert accounts.log_in(product, "new@example.com", "a wrong password of somebody").status == 401


def test_a_code_that_was_sealed_with_the_new_pepper_opens_where_it_is_not_known_yet(
    product: Product, owner: Account
) -> None:
    secret_rotation.rotate(product, SECRET, notice=False)
    accounts.restart(product, "second_factor")
    app = accounts.enrol(product, owner)
    sealed = accounts.user_of(product, owner.user_id)["totp"]["secret"]
    assert sealed.partition(".")[0] == current_id(product)
    assert accounts.log_in(product, owner.email, totp_code=app.fresh_code()).status == 200


def test_each_earlier_pepper_is_kept_newest_first_and_once(
    product: Product, owner: Account
) -> None:
    seen = [secret_rotation.content(SECRET, product)["current"]]
    for _ in range(3):
        secret_rotation.rotate(product, SECRET)
        content = secret_rotation.content(SECRET, product)
        assert content["previous"] == seen
        assert content["current"] not in seen
        assert len(content["current"]) == 64
        seen.insert(0, content["current"])


@pytest.mark.parametrize("times", [2, 3])
def test_every_step_may_be_repeated(product: Product, owner: Account, times: int) -> None:
    before = secret_rotation.content(SECRET, product)["current"]
    version = secret_rotation.rotate(product, SECRET, times=times)
    assert secret_rotation.stages(product, SECRET)["AWSCURRENT"] == version
    assert secret_rotation.content(SECRET, product)["previous"] == [before]
    assert accounts.log_in(product, owner.email).status == 200


def test_the_steps_alone_change_what_they_say(product: Product, owner: Account) -> None:
    version = "00000000-0000-4000-8000-000000000001"
    before = secret_rotation.stages(product, SECRET)["AWSCURRENT"]
    content = secret_rotation.content(SECRET, product)
    for name in secret_rotation.STEPS[:-1]:
        secret_rotation.step(product, SECRET, name, version)
        assert secret_rotation.stages(product, SECRET) == {
            "AWSCURRENT": before,
            "AWSPENDING": version,
        }
        assert secret_rotation.content(SECRET, product) == content
    secret_rotation.step(product, SECRET, secret_rotation.STEPS[-1], version)
    stages = secret_rotation.stages(product, SECRET)
    assert (stages["AWSCURRENT"], stages["AWSPREVIOUS"]) == (version, before)


@pytest.mark.parametrize("finishes", ["the same process", "another process"])
def test_a_warm_rotation_does_not_build_on_a_pepper_that_it_remembers(
    product: Product, owner: Account, finishes: str
) -> None:
    """Two rotations within five minutes of one process: the second must keep the first's pepper,
    or every password that was hashed in between is lost."""
    version = "00000000-0000-4000-8000-000000000001"
    secret_rotation.step(product, SECRET, "createSecret", version)
    warm = product.platform("pepper_rotation")
    if finishes == "another process":
        accounts.restart(product, "pepper_rotation")
    secret_rotation.step(product, SECRET, "finishSecret", version)
    product._platforms["pepper_rotation"] = warm
    secret_rotation.look_again(product, "login", "password")
    between = secret_rotation.content(SECRET, product)["current"]
    accounts.change(product, owner)
    secret_rotation.rotate(product, SECRET, notice=False)
    secret_rotation.look_again(product, "login")
    assert between in secret_rotation.content(SECRET, product)["previous"]
    assert accounts.log_in(product, owner.email, accounts.NEW_PASSWORD).status == 200


def test_an_unknown_step_is_an_error_and_changes_nothing(product: Product, owner: Account) -> None:
    before = secret_rotation.stages(product, SECRET)
    with pytest.raises(ValueError, match="unknown step"):
        secret_rotation.step(product, SECRET, "", "00000000-0000-4000-8000-000000000001")
    assert secret_rotation.stages(product, SECRET) == before


@pytest.mark.promise("keys-hashed", "security-logged")
def test_a_rotation_is_reported_and_shows_no_pepper(product: Product, owner: Account) -> None:
    old = secret_rotation.content(SECRET, product)["current"]
    secret_rotation.rotate(product, SECRET)
    accounts.log_in(product, owner.email)
    (line,) = product.security_events("secret.rotated")
    assert (line["outcome"], line["actor"], line["reason"]) == ("success", "rotation", "pepper")
    for pepper in (old, secret_rotation.content(SECRET, product)["current"], PASSWORD):
        assert pepper not in product.output.getvalue()
        assert pepper not in product.dump()
