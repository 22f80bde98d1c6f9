"""Mail that strangers can cause is capped, and mail to addresses that refused it is withheld.
Neither shows in an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.limits.wiring import LimitsWiring
from imagelayer.mail.wiring import MailWiring
from imagelayer.mail.worker import GATHERED
from tests.support import accounts, mail_triggers, sent_mail
from tests.support.api import Account, Answer
from tests.support.mail_triggers import CAUSES, FRIEND
from tests.support.product import Product
from tests.support.role_calls import NO_TABLE

# Who can cause which mail: strangers these, and only someone who is logged in the rest.
BY_STRANGERS = {"sign_up", "verification", "reset", "invitation"}
EVERY_CAUSE = pytest.mark.parametrize("cause", CAUSES)


def suppress(product: Product, email: str) -> None:
    """Mail to an address bounced."""
    product.part("mail_feedback", MailWiring).suppression_store.suppress(
        [address_hash(email)], "bounce", 1
    )


def last(product: Product, event: str) -> dict[str, object]:
    """The newest event of one name."""
    return product.security_events(event)[-1]


@EVERY_CAUSE
def test_a_strangers_mail_counts_by_address_client_and_account_and_a_notice_by_itself(
    product: Product, owner: Account, cause: str
) -> None:
    happen, kind, to, _, _ = CAUSES[cause]
    happen(product, owner)
    before = mail_triggers.counted(product)
    product.deliver_mail()
    moved = {
        name for name, tat in mail_triggers.counted(product).items() if before.get(name) != tat
    }
    policies = {name.split("#")[1] for name in moved}
    if kind in BY_STRANGERS:
        assert policies == {"mail-per-address", "mail-per-ip", "mail-per-account"}
        assert f"LIMIT#mail-per-address#{address_hash(to)}" in moved
        assert f"LIMIT#mail-per-ip#{accounts.HOME}" in moved
    else:
        assert policies == ({"mail-notice"} if kind in GATHERED else set())
    assert not any("@" in name for name in moved)


ACCOUNTS: dict[str, Callable[[Product, Account], str]] = {
    "signing up": lambda product, _: address_hash(FRIEND),
    "forgetting a password": lambda _, owner: owner.user_id,
    "inviting": lambda _, owner: owner.org_id,
}


@pytest.mark.promise("security-logged")
@pytest.mark.parametrize("policy", ["mail-per-address", "mail-per-ip", "mail-per-account"])
@pytest.mark.parametrize("cause", ACCOUNTS)
def test_past_a_limit_no_mail_goes_out_and_the_answer_is_as_ever(
    product: Product, owner: Account, cause: str, policy: str
) -> None:
    happen, kind, to, _, _ = CAUSES[cause]
    within = happen(product, owner)
    product.deliver_mail()
    subjects = {
        "mail-per-address": address_hash(to),
        "mail-per-ip": accounts.HOME,
        "mail-per-account": ACCOUNTS[cause](product, owner),
    }
    spend(product, policy, subjects[policy])
    sent = sent_mail.watch(product)
    past = happen(product, owner)
    product.deliver_mail()
    assert sent == []
    capped = last(product, "mail.capped")
    assert (capped["outcome"], capped["reason"]) == ("denied", kind)
    assert mail_triggers.outcomes(product)[-1] == "MailCapped"
    assert isinstance(within, Answer)
    assert isinstance(past, Answer)
    assert past.status == within.status
    assert past.json.keys() == within.json.keys()


def spend(product: Product, policy: str, subject: str) -> None:
    """Use one limit up behind the back of the mail function, which remembers while it is warm."""
    accounts.spend(product, policy, subject)
    accounts.restart(product, "mail")


@pytest.mark.promise("limits-fail-closed")
def test_one_address_gets_three_mails_from_strangers_at_once_and_no_more(
    product: Product, owner: Account
) -> None:
    burst = POLICIES["mail-per-address"].burst
    sent = sent_mail.watch(product)
    statuses = [
        accounts.forgot(product, owner.email, ip=f"198.51.{number}.7").status
        for number in range(burst + 2)
    ]
    product.deliver_mail()
    assert statuses == [202] * (burst + 2)
    # Its own sign-up was one of them.
    assert len(sent) == burst - 1
    assert len(product.security_events("mail.capped")) == 3


def test_a_link_that_was_mailed_stays_good_when_the_next_mail_is_capped(
    product: Product, owner: Account
) -> None:
    """A new link would put an end to the one that is in the mailbox."""
    sent = sent_mail.watch(product)
    accounts.forgot(product, owner.email)
    product.deliver_mail()
    spend(product, "mail-per-address", address_hash(owner.email))
    accounts.forgot(product, owner.email)
    product.deliver_mail()
    assert len(product.security_events("mail.capped")) == 1
    assert accounts.reset(product, sent[0].token).status == 204


NOTICES = [cause for cause, (_, kind, *_) in CAUSES.items() if kind not in BY_STRANGERS]


@pytest.mark.parametrize("policy", ["mail-per-address", "mail-per-ip", "mail-per-account"])
@pytest.mark.parametrize("cause", NOTICES)
def test_what_strangers_cause_does_not_use_up_what_tells_the_owner_of_changes(
    product: Product, owner: Account, cause: str, policy: str
) -> None:
    happen, _, _, subject, _ = CAUSES[cause]
    subjects = {
        "mail-per-address": [address_hash(owner.email)],
        "mail-per-ip": [accounts.HOME, accounts.ELSEWHERE, "unknown"],
        "mail-per-account": [owner.user_id, owner.org_id],
    }
    for each in subjects[policy]:
        spend(product, policy, each)
    sent = sent_mail.watch(product)
    happen(product, owner)
    product.deliver_mail()
    assert subject in [letter.subject for letter in sent]


@pytest.mark.parametrize("cause", NOTICES)
def test_notices_of_other_kinds_do_not_use_it_up_either(
    product: Product, owner: Account, cause: str
) -> None:
    happen, kind, _, subject, _ = CAUSES[cause]
    for other in (GATHERED | {"key_leaked", "quota"}) - {kind}:
        accounts.spend(product, "mail-notice", f"{owner.user_id}#{other}")
    accounts.restart(product, "mail")
    sent = sent_mail.watch(product)
    happen(product, owner)
    product.deliver_mail()
    assert subject in [letter.subject for letter in sent]


@pytest.mark.parametrize("cause", ["a key found in public", "using all credits"])
def test_a_leaked_key_and_used_up_credits_are_mailed_whatever_was_mailed_before(
    product: Product, owner: Account, cause: str
) -> None:
    happen, kind, _, subject, _ = CAUSES[cause]
    spend(product, "mail-notice", f"{owner.user_id}#{kind}")
    sent = sent_mail.watch(product)
    happen(product, owner)
    product.deliver_mail()
    assert subject in [letter.subject for letter in sent]


@pytest.mark.promise("limits-fail-closed")
def test_when_the_count_cannot_be_kept_the_mail_waits(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.forgot(product, owner.email)
    (message,) = product.asked_mails()
    with monkeypatch.context() as patch:
        patch.setattr(product.part("mail", LimitsWiring).counters._table, "_name", NO_TABLE)
        assert mail_triggers.deliver(product, mail_triggers.record(message)) == ["m-1"]
    sent = sent_mail.watch(product)
    assert mail_triggers.deliver(product, mail_triggers.record(message, received=2)) == []
    assert len(sent) == 1


@pytest.mark.promise("security-logged")
@EVERY_CAUSE
def test_no_mail_of_any_kind_goes_to_an_address_that_refused_one(
    product: Product, owner: Account, cause: str
) -> None:
    happen, kind, to, _, _ = CAUSES[cause]
    happen(product, owner)
    suppress(product, to)
    before = mail_triggers.counted(product)
    sent = sent_mail.watch(product)
    product.deliver_mail()
    assert (sent, mail_triggers.outcomes(product)[-1]) == ([], "MailWithheld")
    withheld = last(product, "mail.withheld")
    assert (withheld["outcome"], withheld["reason"]) == ("denied", kind)
    assert mail_triggers.counted(product) == before
    assert product.asked_mails() == []


def test_a_mail_that_is_withheld_makes_no_link(product: Product, owner: Account) -> None:
    product.register(FRIEND)
    suppress(product, FRIEND)
    product.deliver_mail()
    assert "link" not in product.item("AccountsTable", "SIGNUP")


def test_of_two_owners_the_one_whose_address_refused_mail_holds_up_no_one(
    product: Product, owner: Account
) -> None:
    accounts.join(product, owner, "other-owner@example.com", "owner")
    product.deliver_mail()
    suppress(product, owner.email)
    sent = sent_mail.watch(product)
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert [letter.to for letter in sent] == ["other-owner@example.com"]


def test_a_suppressed_address_still_logs_in_and_works(product: Product, owner: Account) -> None:
    suppress(product, owner.email)
    assert accounts.log_in(product, owner.email).status == 200
    assert product.key(owner, "assets:read")
