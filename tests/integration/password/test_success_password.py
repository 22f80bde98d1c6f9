"""New passwords: reset by who reads the mailbox, changed by who knows the old one."""

from __future__ import annotations

import time
import unicodedata

import pytest

from tests.support.accounts import (
    ELSEWHERE,
    FIREFOX,
    NEW_PASSWORD,
    account_of,
    calls,
    change,
    cookie_of,
    enrol,
    forgot,
    is_logged_in,
    join,
    log_in,
    lost_acknowledgement,
    refresh,
    reset,
    rotate_pepper,
    sessions_of,
    user_of,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product


def subjects(product: Product, account: Account) -> list[str]:
    """What an account was written about, the newest last."""
    mails = product.mails()
    return [each.subject for each in mails if account.email in each.destinations["ToAddresses"]]


@pytest.mark.parametrize("spelling", ["dev@example.com", "DEV@Example.com", " dev@example.com."])
def test_who_forgot_a_password_gets_a_link_that_sets_another(
    product: Product, owner: Account, spelling: str
) -> None:
    answer = forgot(product, spelling)
    assert (answer.status, answer.json) == (202, {"status": "reset_sent"})
    assert subjects(product, owner)[-1] == "Set a new password for ImageLayer"
    assert reset(product, product.newest_token()).status == 204
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200
    assert log_in(product, owner.email, PASSWORD).status == 401


def test_asking_tells_nothing_about_an_address_neither_in_words_nor_in_work(
    product: Product, owner: Account
) -> None:
    product.register("waiting@example.com")
    product.mails()
    forgot(product, "warm@example.com", ip=ELSEWHERE)
    answers, made = [], []
    for email in ("nobody@example.com", owner.email, "waiting@example.com", "no address"):
        with calls(product, "password") as now:
            answers.append(forgot(product, email, ip=ELSEWHERE))
        made.append(list(now))
    assert len({(each.status, each.text) for each in answers}) == 1
    assert made[1:] == [made[0]] * 3
    assert made[0].count("SendMessage") == 1
    lines = product.security_events("auth.password_forgot")
    assert len({(line["outcome"], line["org_id"], line["actor"]) for line in lines}) == 1


def test_only_an_address_with_an_account_gets_mail(product: Product, owner: Account) -> None:
    sent = len(product.mails())
    for email in ("nobody@example.com", "no address"):
        forgot(product, email)
    assert len(product.mails()) == sent


def test_who_was_never_confirmed_gets_the_confirmation_once_more(product: Product) -> None:
    product.register("dev@example.com")
    first = product.newest_token()
    forgot(product, "dev@example.com")
    mail = product.mails()[-1]
    assert "/verify-email#token=" in str(mail.body)
    assert "/reset-password" not in str(mail.body)
    assert product.newest_token() != first
    assert not [item for item in product.items("AccountsTable") if item["sk"] == "USER"]


@pytest.mark.promise("sessions-short")
def test_a_reset_ends_every_session(product: Product, owner: Account, stranger: Account) -> None:
    other = account_of(owner.email, log_in(product, owner.email, ip=ELSEWHERE))
    forgot(product, owner.email)
    assert reset(product, product.newest_token()).status == 204
    assert sessions_of(product, owner.user_id) == []
    for account in (owner, other):
        assert not is_logged_in(product, account.token)
        assert refresh(product, account.cookie).status == 401
    assert is_logged_in(product, stranger.token)


def test_a_reset_opens_no_session_by_itself(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    answer = reset(product, product.newest_token())
    assert (answer.text, answer.cookies) == ("", [])


def test_a_reset_leaves_the_second_factor_as_it_is(product: Product, owner: Account) -> None:
    app = enrol(product, owner)
    forgot(product, owner.email)
    assert reset(product, product.newest_token()).status == 204
    without = log_in(product, owner.email, NEW_PASSWORD)
    assert (without.status, without.json["code"]) == (401, "totp_required")
    assert log_in(product, owner.email, NEW_PASSWORD, totp_code=app.fresh_code()).status == 200
    recovery_code = app.recovery_codes[0]
    assert log_in(product, owner.email, NEW_PASSWORD, recovery_code=recovery_code).status == 200


def test_where_the_link_was_opened_is_not_a_new_place(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    assert reset(product, product.newest_token(), ip=ELSEWHERE).status == 204
    assert log_in(product, owner.email, NEW_PASSWORD, ip=ELSEWHERE).status == 200
    assert product.security_events("auth.new_place") == []
    assert "New login to your ImageLayer account" not in subjects(product, owner)


def test_the_owner_learns_that_the_password_is_another_one(
    product: Product, owner: Account
) -> None:
    forgot(product, owner.email)
    reset(product, product.newest_token(), ip=ELSEWHERE)
    assert subjects(product, owner)[-1] == "Your ImageLayer password was changed"
    assert f"from {ELSEWHERE}" in str(product.mails()[-1].body)


def test_the_newest_link_is_the_one_that_works(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    first = product.newest_token()
    forgot(product, owner.email)
    second = product.newest_token()
    assert reset(product, first).status == 400
    assert reset(product, second).status == 204


def test_a_link_that_was_not_used_changes_nothing(product: Product, owner: Account) -> None:
    """No matter who asks, the owner's password and sessions stay until the link is used."""
    forgot(product, owner.email)
    product.mails()
    assert is_logged_in(product, owner.token)
    assert log_in(product, owner.email).status == 200


def test_a_reset_whose_answer_was_lost_is_answered_again_and_then_never(
    product: Product, owner: Account
) -> None:
    forgot(product, owner.email)
    token = product.newest_token()
    with lost_acknowledgement(product, "password"):
        assert reset(product, token).status == 204
    hash_after_first = user_of(product, owner.user_id)["password_hash"]
    login = log_in(product, owner.email, NEW_PASSWORD)
    assert reset(product, token, "somebody elses long phrase").status == 400
    assert reset(product, token).status == 204
    assert user_of(product, owner.user_id)["password_hash"] == hash_after_first
    assert is_logged_in(product, login.json["access_token"])
    assert reset(product, token).status == 400


def test_a_reset_link_lives_for_an_hour(product: Product, owner: Account) -> None:
    forgot(product, owner.email)
    product.mails()
    expires_at = user_of(product, owner.user_id)["reset"]["expires_at"]
    assert abs(expires_at - time.time() - 3600) < 600


def test_every_role_may_reset_its_own_password(product: Product, owner: Account) -> None:
    viewer = join(product, owner, "viewer@example.com", "viewer")
    forgot(product, viewer.email)
    assert reset(product, product.newest_token()).status == 204
    assert log_in(product, viewer.email, NEW_PASSWORD).status == 200
    assert is_logged_in(product, owner.token)
    assert log_in(product, owner.email).status == 200


@pytest.mark.promise("sessions-short")
def test_a_change_ends_every_session_but_the_one_it_comes_from(
    product: Product, owner: Account
) -> None:
    other = account_of(owner.email, log_in(product, owner.email, ip=ELSEWHERE, agent=FIREFOX))
    assert change(product, owner).status == 204
    assert is_logged_in(product, owner.token)
    assert refresh(product, owner.cookie).status == 200
    assert not is_logged_in(product, other.token)
    assert refresh(product, other.cookie, ip=ELSEWHERE, agent=FIREFOX).status == 401
    assert log_in(product, owner.email, PASSWORD).status == 401
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200


def test_a_change_is_reported_by_mail(product: Product, owner: Account) -> None:
    change(product, owner)
    assert subjects(product, owner)[-1] == "Your ImageLayer password was changed"


def test_a_change_whose_answer_was_lost_may_be_sent_again(product: Product, owner: Account) -> None:
    assert change(product, owner).status == 204
    changed = user_of(product, owner.user_id)["password_hash"]
    other = log_in(product, owner.email, NEW_PASSWORD)
    assert change(product, owner).status == 204
    assert user_of(product, owner.user_id)["password_hash"] == changed
    assert is_logged_in(product, other.json["access_token"])


def test_a_change_kills_a_link_that_was_on_its_way(product: Product, owner: Account) -> None:
    """Who fears for an account changes its password; a link someone else may hold ends with it."""
    forgot(product, owner.email)
    token = product.newest_token()
    assert change(product, owner).status == 204
    assert reset(product, token, "somebody elses long phrase").status == 400


def test_a_change_stands_when_its_mail_cannot_be_asked_for(
    product: Product, owner: Account
) -> None:
    with product.broken("sqs"):
        assert change(product, owner).status == 204
    assert log_in(product, owner.email, NEW_PASSWORD).status == 200
    assert [line for line in product.logs() if "MailNotAskedFor" in line]


@pytest.mark.promise("passwords-bcrypt")
@pytest.mark.parametrize("way", ["reset", "change"])
def test_a_new_password_is_kept_as_bcrypt_with_a_salt_of_its_own(
    product: Product, owner: Account, way: str
) -> None:
    """Sign-ups of one address share a salt while they wait; what lasts does not."""
    salts = {user_of(product, owner.user_id)["password_hash"][15:37]}
    for current, new in ((PASSWORD, NEW_PASSWORD), (NEW_PASSWORD, PASSWORD)):
        if way == "reset":
            forgot(product, owner.email)
            assert reset(product, product.newest_token(), new).status == 204
        else:
            assert change(product, owner, current, new).status == 204
        kept = user_of(product, owner.user_id)["password_hash"]
        assert kept[8:15] == "$2b$04$"
        salts.add(kept[15:37])
    assert len(salts) == 3
    assert NEW_PASSWORD not in product.dump()
    assert NEW_PASSWORD not in product.output.getvalue()


@pytest.mark.parametrize("way", ["reset", "change"])
def test_two_spellings_of_one_character_are_one_password(
    product: Product, owner: Account, way: str
) -> None:
    composed = "café au lait à sept heures"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    if way == "reset":
        forgot(product, owner.email)
        assert reset(product, product.newest_token(), decomposed).status == 204
    else:
        assert change(product, owner, PASSWORD, decomposed).status == 204
    assert log_in(product, owner.email, composed).status == 200
    assert log_in(product, owner.email, decomposed).status == 200


@pytest.mark.promise("auth-logged")
def test_new_passwords_are_logged_with_who_and_from_where(product: Product, owner: Account) -> None:
    assert change(product, owner).status == 204
    forgot(product, owner.email, ip=ELSEWHERE)
    assert reset(product, product.newest_token(), PASSWORD, ip=ELSEWHERE).status == 204
    (changed,) = product.security_events("auth.password_changed")
    (was_reset,) = product.security_events("auth.password_reset")
    for line, ip in ((changed, "198.51.100.7"), (was_reset, ELSEWHERE)):
        assert (line["outcome"], line["org_id"], line["actor"], line["ip"]) == (
            "success",
            owner.org_id,
            owner.user_id,
            ip,
        )


def test_a_session_that_a_change_kept_can_be_refreshed_and_changed_again(
    product: Product, owner: Account
) -> None:
    assert change(product, owner).status == 204
    traded = refresh(product, owner.cookie)
    account = account_of(owner.email, traded)
    assert change(product, account, NEW_PASSWORD, PASSWORD).status == 204
    assert refresh(product, cookie_of(traded)).status == 200


def test_a_process_that_has_not_heard_of_a_new_pepper_asks_again(
    product: Product, owner: Account
) -> None:
    """A login made the hash anew; the password must open in every other function at once."""
    assert change(product, owner, "not the right password").status == 403  # now it has read one
    rotate_pepper(product, "login")
    before = user_of(product, owner.user_id)["password_hash"]
    assert log_in(product, owner.email).status == 200
    assert user_of(product, owner.user_id)["password_hash"].partition("$")[0] != before[:8]
    assert change(product, owner).status == 204
