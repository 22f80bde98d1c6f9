"""Becoming a user: which sign-ups are kept, which links make an account, and which calls are
answered again."""

from __future__ import annotations

from typing import Any, cast

import pytest

from imagelayer.identity.email_policy import DomainLists, address_hash
from imagelayer.identity.link_tokens import SIGN_UP_SECONDS, LinkToken
from imagelayer.identity.passwords import verify_password
from imagelayer.identity.registration import Registration
from imagelayer.identity.turnstile import CaptchaRefused, CaptchaUnavailable
from imagelayer.platform.errors import Problem
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Role
from imagelayer.platform.times import end_of_utc_day
from tests.support.identity import COST, NOW, ORIGIN, PEPPERS, World

EMAIL = "vera@example.com"
ADDRESS = address_hash(EMAIL)
CHOSEN = "seven quiet herons by the weir"
DAILY_CAP = 3
AT_ONCE = pytest.mark.parametrize(
    ("password", "is_answered"),
    [(CHOSEN, True), ("a quiet harbor at dawn", False)],
    ids=["the same", "another"],
)


class SignUps:
    """The use cases, with a captcha that answers what it is set to."""

    def __init__(self) -> None:
        self.world = World()
        self.captcha: Exception | None = None
        self.reusable = False
        stores = cast("Any", self.world.stores)
        self.registration = Registration(
            accounts=stores,
            organizations=stores,
            counters=cast("Any", self.world.limits),
            outbox=self.world.outbox,
            turnstile=cast("Any", self),
            security=self.world.log,
            peppers=lambda _="": PEPPERS,
            bcrypt_cost=COST,
            daily_cap=DAILY_CAP,
            domains=DomainLists(),
        )

    def verify(self, _token: str, _ip: str) -> None:
        """The captcha's check."""
        if self.captcha is not None:
            raise self.captcha

    def is_reusable(self, _token: str) -> bool:
        """Whether the captcha is a test's, which anyone may send again."""
        return self.reusable

    def register(self, email: str = EMAIL, token: str = "t-1") -> None:
        self.registration.register(ORIGIN, NOW, email=email, turnstile_token=token)

    def kept(self, expires_at: int = NOW + 60) -> LinkToken:
        """A sign-up that waits, and the link of its mail."""
        link = LinkToken.new(f"email_{ADDRESS}")
        self.world.stores.sign_ups[ADDRESS] = {
            "email": EMAIL,
            "expires_at": NOW + SIGN_UP_SECONDS,
            "link": {"token_hash": link.hash, "expires_at": expires_at},
        }
        return link

    def confirm(self, token: str, password: str = CHOSEN, now: float = NOW) -> None:
        self.registration.verify_email(
            ORIGIN,
            now,
            token=token,
            name="Vera",
            organization_name="Meridian Tea",
            password=password,
        )

    def invited(self, role: Role = "viewer", sender_role: Role = "owner") -> LinkToken:
        """An invitation from a new member, and the link of its mail."""
        sender = self.world.join("sender@example.com", sender_role)
        invitation_id = new_id("inv", NOW)
        link = LinkToken.new(self.world.org_id, invitation_id)
        self.world.stores.invitations[invitation_id] = {
            "id": invitation_id,
            "org_id": self.world.org_id,
            "email": EMAIL,
            "role": role,
            "invited_by": sender["id"],
            "created_at": NOW,
            "expires_at": NOW + 60,
            "token_hash": link.hash,
        }
        return link

    def accept(self, token: str, password: str = CHOSEN, now: float = NOW) -> None:
        self.registration.accept_invitation(
            ORIGIN, now, token=token, name="Vera", password=password
        )

    def refused(self, act: Any, *about: Any, **more: Any) -> Problem:
        """The refusal, which makes no account."""
        before = dict(self.world.stores.users)
        with pytest.raises(Problem) as refused:
            act(*about, **more)
        assert self.world.stores.users == before
        return refused.value

    @property
    def user(self) -> Any:
        """The account of the address, or None."""
        return self.world.stores.get_user_by_address(ADDRESS)


@pytest.fixture
def sign_ups() -> SignUps:
    return SignUps()


# ─── Sign-ups ──────────────────────────────────────────────────────────────────────────────────


def test_a_sign_up_is_kept_and_its_mail_requested(sign_ups: SignUps) -> None:
    sign_ups.register(" Vera@Example.com")
    assert sign_ups.world.stores.sign_ups == {
        ADDRESS: {"email": EMAIL, "expires_at": NOW + SIGN_UP_SECONDS}
    }
    assert [(each["kind"], each["address"]) for each in sign_ups.world.mails] == [
        ("sign_up", ADDRESS)
    ]
    assert sign_ups.world.told("auth.register") == [("success", "")]


@pytest.mark.parametrize(
    ("captcha", "email", "code"),
    [
        (CaptchaRefused("timeout-or-duplicate"), EMAIL, "captcha_failed"),
        (CaptchaUnavailable("timeout"), EMAIL, "dependency_unavailable"),
        (None, "no address", "validation_failed"),
        (None, "vera@mailinator.com", "disposable_email"),
    ],
)
def test_a_sign_up_that_is_refused_is_recorded_and_leaves_nothing(
    sign_ups: SignUps, captcha: Exception | None, email: str, code: str
) -> None:
    sign_ups.captcha = captcha
    assert sign_ups.refused(sign_ups.register, email).code == code
    assert sign_ups.world.told("auth.register") == [("denied", code)]
    assert (sign_ups.world.stores.sign_ups, sign_ups.world.mails) == ({}, [])
    assert sign_ups.world.limits.counted == []


def test_a_captcha_is_good_for_one_address_and_for_its_retries(sign_ups: SignUps) -> None:
    sign_ups.register()
    sign_ups.register()
    refused = sign_ups.refused(sign_ups.register, "mallory@example.com")
    assert (refused.code, refused.reason) == ("captcha_failed", "spent on another address")
    sign_ups.register("mallory@example.com", "t-2")


def test_a_captcha_of_the_tests_is_never_spent(sign_ups: SignUps) -> None:
    sign_ups.reusable = True
    sign_ups.register()
    sign_ups.register("mallory@example.com")
    assert sign_ups.world.limits.bound == {}


def test_a_network_signs_up_so_often_a_day(sign_ups: SignUps) -> None:
    for _ in range(DAILY_CAP):
        sign_ups.register()
    refused = sign_ups.refused(sign_ups.register)
    assert refused.code == "registration_limit"
    assert refused.headers["Retry-After"] == str(end_of_utc_day(NOW) - NOW)
    assert len(sign_ups.world.mails) == DAILY_CAP


# ─── Confirmations ─────────────────────────────────────────────────────────────────────────────


def test_a_link_makes_an_account_with_what_comes_with_it(sign_ups: SignUps) -> None:
    sign_ups.confirm(sign_ups.kept().text)
    user = sign_ups.user
    assert (user["email"], user["name"]) == (EMAIL, "Vera")
    assert sign_ups.world.stores.organizations[user["org_id"]]["name"] == "Meridian Tea"
    assert verify_password(CHOSEN, user["password_hash"], PEPPERS, cost=COST)
    assert sign_ups.world.told("auth.verify_email") == [("success", "")]
    assert "joined_with" not in user


def test_a_link_works_until_the_second_in_which_it_expires(sign_ups: SignUps) -> None:
    link = sign_ups.kept(expires_at=NOW + 60)
    assert sign_ups.refused(sign_ups.confirm, link.text, now=NOW + 60).code == "invalid_token"
    sign_ups.confirm(link.text, now=NOW + 59)
    assert sign_ups.user


def test_any_other_link_is_refused_and_recorded(sign_ups: SignUps) -> None:
    link = sign_ups.kept()
    others = [
        LinkToken(link.owner, "x" * 43).text,
        LinkToken.new(f"email_{'0' * 64}").text,
        f"{ADDRESS[:-1]}.{link.secret}",
        f"{ADDRESS}.x.{link.secret}",
        "nonsense",
        "",
    ]
    for each in others:
        assert sign_ups.refused(sign_ups.confirm, each).code == "invalid_token"
    told = sign_ups.world.told("auth.verify_email")
    assert told == [("failure", "invalid token")] * len(others)


def test_what_is_not_the_hash_of_an_address_is_looked_up_nowhere(sign_ups: SignUps) -> None:
    """It is part of a key, and must not name another item."""
    link = sign_ups.kept()
    sign_ups.world.stores.sign_ups["x"] = sign_ups.world.stores.sign_ups[ADDRESS]
    assert sign_ups.refused(sign_ups.confirm, f"x.{link.secret}").code == "invalid_token"


def test_a_sign_up_whose_mail_was_not_written_yet_is_refused(sign_ups: SignUps) -> None:
    link = sign_ups.kept()
    del sign_ups.world.stores.sign_ups[ADDRESS]["link"]
    assert sign_ups.refused(sign_ups.confirm, link.text).code == "invalid_token"


@pytest.mark.parametrize("password", ["short", "vera vera vera vera", "meridianteameridian"])
def test_a_weak_password_is_refused_and_spends_no_link(sign_ups: SignUps, password: str) -> None:
    link = sign_ups.kept()
    assert sign_ups.refused(sign_ups.confirm, link.text, password).code == "validation_failed"
    sign_ups.confirm(link.text)
    invited = sign_ups.refused(sign_ups.accept, sign_ups.invited().text, "short")
    assert invited.code == "validation_failed"


def test_a_confirmation_is_answered_again_until_its_answer_is_acknowledged(
    sign_ups: SignUps,
) -> None:
    link = sign_ups.kept()
    sign_ups.world.stores.down.add("acknowledge")
    sign_ups.confirm(link.text)
    made = sign_ups.user
    assert made["joined_with"] == link.hash
    assert sign_ups.refused(sign_ups.confirm, link.text, "another password").code == "invalid_token"
    other = LinkToken(link.owner, "x" * 43)
    assert sign_ups.refused(sign_ups.confirm, other.text).code == "invalid_token"
    sign_ups.world.stores.down.clear()
    sign_ups.confirm(link.text)
    assert {**sign_ups.user, "joined_with": link.hash} == made
    assert sign_ups.refused(sign_ups.confirm, link.text).code == "invalid_token"
    assert sign_ups.world.told("auth.verify_email").count(("success", "")) == 1


@AT_ONCE
def test_of_two_confirmations_at_once_the_same_call_is_answered_and_another_refused(
    sign_ups: SignUps, password: str, is_answered: bool
) -> None:
    link = sign_ups.kept()
    sign_ups.world.stores.down.add("acknowledge")
    sign_ups.world.stores.first.append(lambda: sign_ups.confirm(link.text))
    if is_answered:
        sign_ups.confirm(link.text, password)
    else:
        with pytest.raises(Problem) as refused:
            sign_ups.confirm(link.text, password)
        assert refused.value.code == "invalid_token"
    assert verify_password(CHOSEN, sign_ups.user["password_hash"], PEPPERS, cost=COST)


def test_another_mail_is_requested_for_every_address_alike(sign_ups: SignUps) -> None:
    sign_ups.registration.resend_verification(ORIGIN, NOW, "Vera@Example.com")
    assert [(each["kind"], each["address"]) for each in sign_ups.world.mails] == [
        ("verification", ADDRESS)
    ]


# ─── Invitations ───────────────────────────────────────────────────────────────────────────────


def test_an_invitation_makes_a_member_with_its_role(sign_ups: SignUps) -> None:
    sign_ups.accept(sign_ups.invited("admin").text)
    user = sign_ups.user
    assert (user["org_id"], user["email"]) == (sign_ups.world.org_id, EMAIL)
    assert sign_ups.world.stores.members[user["id"]]["role"] == "admin"
    assert sign_ups.world.told("member.joined") == [("success", "")]
    assert "joined_with" not in user


def test_any_other_invitation_link_is_refused_and_recorded(sign_ups: SignUps) -> None:
    link = sign_ups.invited()
    org, invitation = (each.partition("_")[2] for each in link.owner)
    others = [
        f"{org}.{invitation}.{'x' * 43}",
        f"{org}.{'0' * 26}.{link.secret}",
        f"{'0' * 26}.{invitation}.{link.secret}",
        f"x.{invitation}.{link.secret}",
        f"{org}.x.{link.secret}",
        f"{invitation}.{link.secret}",
        "nonsense",
    ]
    for each in others:
        assert sign_ups.refused(sign_ups.accept, each).code == "invalid_token"
    told = sign_ups.world.told("member.joined")
    assert told == [("failure", "invalid token")] * len(others)


def test_ids_of_another_form_are_looked_up_nowhere(sign_ups: SignUps) -> None:
    """They are part of a key, and must not name another item."""
    link = sign_ups.invited()
    stores = sign_ups.world.stores
    (invitation,) = stores.invitations.values()
    stores.invitations |= {
        "inv_x": cast("Any", {**invitation, "id": "inv_x"}),
        "inv_y": cast("Any", {**invitation, "org_id": "org_y"}),
    }
    org = sign_ups.world.org_id.partition("_")[2]
    stores.users["usr_x"] = cast("Any", {**sign_ups.world.owner, "joined_with": link.hash})
    for token in (f"{org}.x.{link.secret}", f"y.y.{link.secret}"):
        refused = sign_ups.refused(sign_ups.accept, token, "correct horse battery staple")
        assert refused.code == "invalid_token"


def test_an_invitation_of_no_mail_yet_is_refused(sign_ups: SignUps) -> None:
    link = sign_ups.invited()
    (invitation,) = sign_ups.world.stores.invitations.values()
    del invitation["token_hash"]
    assert sign_ups.refused(sign_ups.accept, link.text).code == "invalid_token"


@pytest.mark.parametrize("how", ["is removed", "loses the role"])
def test_an_invitation_does_not_outlast_its_senders_authority(sign_ups: SignUps, how: str) -> None:
    link = sign_ups.invited()
    (invitation,) = sign_ups.world.stores.invitations.values()
    member = sign_ups.world.stores.members[invitation["invited_by"]]
    if how == "is removed":
        del sign_ups.world.stores.members[invitation["invited_by"]]
    else:
        member["role"] = "developer"
    assert sign_ups.refused(sign_ups.accept, link.text).code == "invalid_token"


def test_an_address_with_an_account_joins_no_second_organization(sign_ups: SignUps) -> None:
    sign_ups.confirm(sign_ups.kept().text)
    assert sign_ups.refused(sign_ups.accept, sign_ups.invited().text).code == "address_taken"


def test_an_invitation_whose_organization_has_no_name_is_accepted(sign_ups: SignUps) -> None:
    link = sign_ups.invited()
    sign_ups.world.stores.organizations.clear()
    sign_ups.accept(link.text)
    assert sign_ups.user


def test_a_password_made_of_the_organizations_name_is_refused(sign_ups: SignUps) -> None:
    link = sign_ups.invited()
    refused = sign_ups.refused(sign_ups.accept, link.text, "solsticecoffeesolstice")
    assert refused.code == "validation_failed"


def test_an_acceptance_is_answered_again_until_its_answer_is_acknowledged(
    sign_ups: SignUps,
) -> None:
    link = sign_ups.invited()
    sign_ups.world.stores.down.add("acknowledge")
    sign_ups.accept(link.text)
    made = sign_ups.user
    assert made["joined_with"] == link.hash
    assert sign_ups.refused(sign_ups.accept, link.text, "another password").code == "invalid_token"
    sign_ups.world.stores.down.clear()
    sign_ups.accept(link.text)
    assert {**sign_ups.user, "joined_with": link.hash} == made
    assert sign_ups.refused(sign_ups.accept, link.text).code == "invalid_token"


@AT_ONCE
def test_of_two_acceptances_at_once_the_same_call_is_answered_and_another_refused(
    sign_ups: SignUps, password: str, is_answered: bool
) -> None:
    link = sign_ups.invited()
    sign_ups.world.stores.down.add("acknowledge")
    sign_ups.world.stores.first.append(lambda: sign_ups.accept(link.text))
    if is_answered:
        sign_ups.accept(link.text, password)
    else:
        with pytest.raises(Problem) as refused:
            sign_ups.accept(link.text, password)
        assert refused.value.code == "conflict"
    assert verify_password(CHOSEN, sign_ups.user["password_hash"], PEPPERS, cost=COST)


def test_an_invitation_that_is_withdrawn_during_its_acceptance_makes_no_member(
    sign_ups: SignUps,
) -> None:
    link = sign_ups.invited()
    sign_ups.world.stores.first.append(sign_ups.world.stores.invitations.clear)
    assert sign_ups.refused(sign_ups.accept, link.text).code == "conflict"
    assert sign_ups.world.told("member.joined") == []
