"""Notices over their budget are gathered into one mail, and none is lost."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from imagelayer.identity.email_policy import address_hash
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.mail.mailer import Mailer
from imagelayer.mail.notices import MOST_IN_ONE_MAIL
from imagelayer.mail.wiring import MailWiring
from imagelayer.platform.table import SWEEP_SHARDS, StoreUnavailable
from tests.support import accounts, mail_triggers, organizations, sent_mail
from tests.support.api import Account
from tests.support.product import Product

BURST = POLICIES["mail-notice"].burst
ATTACK = 26


def make_keys(product: Product, account: Account, count: int) -> None:
    """Make keys and revoke them, with as many sessions as that takes."""
    for number in range(count):
        if number % 7 == 0:  # two writes a key, fifteen at once a session
            account = organizations.log_in_again(product, account)
        key = product.key(account, "assets:read")
        path = f"/v1/keys/{key['id']}"
        assert product.call("DELETE", path, headers=account.headers).status == 204


def waiting(product: Product) -> list[dict[str, Any]]:
    """What says when waiting notices are mailed."""
    items = product.items("AccountsTable")
    return [item for item in items if item["pk"].startswith("NOTICES#") and "due_at" in item]


def kept(product: Product) -> list[dict[str, Any]]:
    """The notices that wait."""
    return [
        item for item in product.items("AccountsTable") if item["pk"].startswith("NOTICES#usr_")
    ]


def let_budget_return(product: Product) -> None:
    """As if the budgets of notices had filled up again, and what waits was due."""
    for item in product.items("CountersTable"):
        if item["pk"].startswith("LIMIT#mail-notice#"):
            product.edit("CountersTable", item, tat_mail_notice=0)
    make_due(product)
    accounts.restart(product, "mail")


def make_due(product: Product) -> None:
    for item in waiting(product):
        product.edit("AccountsTable", item, due_at=int(time.time()) - 1)


def sweep(product: Product) -> dict[str, int]:
    swept: dict[str, int] = product.invoke("mail", {})
    return {name: count for name, count in swept.items() if count}


def over_budget(product: Product, owner: Account, count: int = 1) -> None:
    """Let notices about keys wait."""
    accounts.spend(product, "mail-notice", f"{owner.user_id}#key_created")
    accounts.restart(product, "mail")
    for _ in range(count):
        product.key(owner, "assets:read")
    product.deliver_mail()
    assert len(kept(product)) == count


def test_a_developers_session_that_makes_keys_does_not_silence_the_owners_warnings(
    product: Product, owner: Account
) -> None:
    developer = accounts.join(product, owner, "dev2@example.com")
    product.deliver_mail()
    sent = sent_mail.watch(product)
    make_keys(product, developer, ATTACK)
    accounts.change(product, owner)
    product.deliver_mail()
    to_owner = [letter.subject for letter in sent if letter.to == owner.email]
    assert to_owner.count("Your ImageLayer password was changed") == 1
    assert to_owner.count("An API key was created in ImageLayer") == BURST
    assert product.security_events("mail.capped") == []
    assert len(product.security_events("mail.gathered")) == ATTACK - BURST

    sent.clear()
    let_budget_return(product)
    assert sweep(product) == {"sent": 1}
    (letter,) = sent
    assert letter.to == owner.email
    assert letter.subject == f"API keys were created in ImageLayer ({ATTACK - BURST} more)"
    assert letter.flowing.count("il_live_") == ATTACK - BURST
    assert (kept(product), waiting(product)) == ([], [])


def test_what_does_not_fit_the_list_of_a_mail_is_counted_in_it(
    product: Product, owner: Account
) -> None:
    over_budget(product, owner)
    (notice,) = kept(product)
    for number in range(31):
        sk = f"{notice['sk'].rpartition('#')[0]}#m-{number}"
        product.edit("AccountsTable", {"pk": notice["pk"], "sk": sk}, **{**notice, "sk": sk})
    sent = sent_mail.watch(product)
    let_budget_return(product)
    assert sweep(product) == {"sent": 1}
    (letter,) = sent
    assert letter.subject.endswith("(32 more)")
    assert "… and 12 more." in letter.flowing
    assert "… and 12 more." in letter.html
    assert letter.flowing.count("il_live_") == 20


def test_until_the_budget_allows_it_they_wait(product: Product, owner: Account) -> None:
    over_budget(product, owner)
    (item,) = waiting(product)
    interval = POLICIES["mail-notice"].interval_ms / 1000
    assert -600 < item["due_at"] - time.time() <= interval + 11
    sent = sent_mail.watch(product)
    assert sweep(product) == {}
    make_due(product)  # the schedule is early; the budget decides
    assert sweep(product) == {}
    assert (sent, len(kept(product))) == ([], 1)
    assert waiting(product)[0]["due_at"] > time.time()


def test_while_some_wait_the_next_one_waits_with_them(product: Product, owner: Account) -> None:
    """Otherwise a peer who makes a key whenever the budget allows keeps them waiting for good."""
    over_budget(product, owner, 2)
    let_budget_return(product)
    sent = sent_mail.watch(product)
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert sent == []
    assert sweep(product) == {"sent": 1}
    assert [letter.subject for letter in sent] == ["API keys were created in ImageLayer (3 more)"]
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert sent[-1].subject == "An API key was created in ImageLayer"


def test_a_repeated_delivery_waits_once_and_is_not_sent_beside(
    product: Product, owner: Account
) -> None:
    accounts.spend(product, "mail-notice", f"{owner.user_id}#key_created")
    accounts.restart(product, "mail")
    product.key(owner, "assets:read")
    (message,) = product.asked_mails()
    sent = sent_mail.watch(product)
    for received in (1, 2, 3):
        record = mail_triggers.record(message, received=received)
        assert mail_triggers.deliver(product, record) == []
    assert (sent, len(kept(product))) == ([], 1)


def test_one_that_dies_before_it_is_kept_is_mailed_by_the_next_delivery(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.spend(product, "mail-notice", f"{owner.user_id}#key_created")
    accounts.restart(product, "mail")
    product.key(owner, "assets:read")
    (message,) = product.asked_mails()
    worker = product.part("mail", MailWiring).mail_worker
    with monkeypatch.context() as patch:
        patch.setattr(type(worker.notices), "keep", lost)
        assert mail_triggers.deliver(product, mail_triggers.record(message)) == ["m-1"]
    sent = sent_mail.watch(product)
    assert mail_triggers.deliver(product, mail_triggers.record(message, received=2)) == []
    assert len(sent) + len(kept(product)) == 1


def lost(*_: object) -> None:
    raise StoreUnavailable("put_item", "lost")


def test_a_run_that_dies_before_the_mail_is_out_is_followed_by_another(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_budget(product, owner)
    let_budget_return(product)
    with monkeypatch.context() as patch:
        patch.setattr(Mailer, "send", lost)
        assert sweep(product) == {"failed": 1}
    sent = sent_mail.watch(product)
    assert sweep(product) == {}  # it has a lease
    make_due(product)
    assert sweep(product) == {"sent": 1}
    assert len(sent) == 1


def test_of_two_runs_that_saw_the_same_one_mails(product: Product, owner: Account) -> None:
    over_budget(product, owner)
    let_budget_return(product)
    store = product.part("mail", MailWiring).mail_worker.notices
    now = int(time.time())
    (seen,) = [each for shard in range(SWEEP_SHARDS) for each in store.list_due(shard, now)]
    assert store.lease(seen, now) is not None
    assert store.lease(seen, now) is None


def test_one_that_comes_while_the_mail_is_written_is_in_the_next(
    product: Product, owner: Account
) -> None:
    over_budget(product, owner)
    let_budget_return(product)
    worker = product.part("mail", MailWiring).mail_worker

    def one_more() -> None:
        product.key(owner, "assets:read")
        product.deliver_mail()

    sent = sent_mail.watch(product)
    with accounts.meanwhile(worker.notices, "list_notices", one_more):
        assert sweep(product) == {"sent": 1}
    assert (len(kept(product)), len(waiting(product))) == (1, 1)
    make_due(product)
    assert sweep(product) == {"sent": 1}
    assert [letter.subject[-8:] for letter in sent] == ["(1 more)"] * 2


def test_more_than_one_mail_holds_are_mailed_one_after_the_other(
    product: Product, owner: Account
) -> None:
    over_budget(product, owner)
    (notice,) = kept(product)
    for number in range(MOST_IN_ONE_MAIL):
        sk = f"{notice['sk'].rpartition('#')[0]}#m-{number}"
        product.edit("AccountsTable", {"pk": notice["pk"], "sk": sk}, **{**notice, "sk": sk})
    sent = sent_mail.watch(product)
    for _ in range(3):
        let_budget_return(product)
        sweep(product)
    counts = [int(re.findall(r"\((\d+) more\)", letter.subject)[0]) for letter in sent]
    assert counts == [MOST_IN_ONE_MAIL, 1]
    assert (kept(product), waiting(product)) == ([], [])


@pytest.mark.parametrize("end", ["demoted", "removed"])
def test_who_is_an_owner_no_more_gets_no_mail_about_keys(
    product: Product, owner: Account, end: str
) -> None:
    other = accounts.join(product, owner, "other@example.com", "owner")
    product.deliver_mail()
    accounts.spend(product, "mail-notice", f"{other.user_id}#key_created")
    accounts.restart(product, "mail")
    product.key(owner, "assets:read")
    product.deliver_mail()
    assert len(kept(product)) == 1
    if end == "demoted":
        assert organizations.give_role(product, owner, other.user_id, "viewer").status == 200
    else:
        assert organizations.remove(product, owner, other.user_id).status < 300
    let_budget_return(product)
    sent = sent_mail.watch(product)
    assert sweep(product) == {"dropped": 1}
    assert (sent, kept(product), waiting(product)) == ([], [], [])


def test_an_address_that_refused_mail_gets_no_gathered_one(
    product: Product, owner: Account
) -> None:
    over_budget(product, owner)
    store = product.part("mail_feedback", MailWiring).suppression_store
    store.suppress([address_hash(owner.email)], "bounce", 1)
    let_budget_return(product)
    sent = sent_mail.watch(product)
    assert sweep(product) == {"withheld": 1}
    assert (sent, kept(product), waiting(product)) == ([], [], [])
