"""Which addresses may register, and which two spellings are one."""

from __future__ import annotations

import sys

import pytest

from imagelayer.identity import email_policy
from imagelayer.identity.email_policy import (
    DomainLists,
    address_hash,
    canonical_address,
    lookup_address,
    refuse_disposable,
)
from imagelayer.platform.errors import Problem

NO_LISTS = DomainLists()
SPELLINGS = [
    ("dev@example.com", "dev@example.com"),
    ("Dev@Example.COM", "dev@example.com"),
    ("DEV@EXAMPLE.COM", "dev@example.com"),
    (" dev@example.com\t", "dev@example.com"),
    ("dev@example.com.", "dev@example.com"),
    ("dev@münchen.de", "dev@xn--mnchen-3ya.de"),
    ("dev@MÜNCHEN.de", "dev@xn--mnchen-3ya.de"),
    ("dev@xn--mnchen-3ya.de", "dev@xn--mnchen-3ya.de"),
    ("dev+images@example.com", "dev+images@example.com"),  # a mailbox of its own
    ("d.e.v@gmail.com", "d.e.v@gmail.com"),
    ("o'neil@example.com", "o'neil@example.com"),
]


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(("typed", "canonical"), SPELLINGS)
def test_spellings_of_one_address_have_one_canonical_form(typed: str, canonical: str) -> None:
    assert canonical_address(typed) == canonical
    assert canonical_address(canonical) == canonical


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(("typed", "canonical"), SPELLINGS)
def test_a_login_finds_an_address_in_every_spelling_that_signs_it_up(
    typed: str, canonical: str
) -> None:
    assert lookup_address(typed) == canonical


@pytest.mark.parametrize("typed", ["", "@", "dev", "a@b@c", "dörte", "\u202e@example.com", "\x00"])
def test_looking_an_address_up_refuses_nothing(typed: str) -> None:
    """Or the answer to nonsense would differ from the answer to an unknown address."""
    assert isinstance(lookup_address(typed), str)


def test_an_address_is_named_by_its_hash() -> None:
    assert len(address_hash("dev@example.com")) == 64
    assert address_hash("dev@example.com") != address_hash("dev@example.org")
    assert "dev" not in address_hash("dev@example.com")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@",
        "dev",
        "dev@",
        "@example.com",
        "dev@@example.com",
        "dev@localhost",
        "dev@nodot",
        "dev@example..com",
        "dev@example.com..",
        "dev@-example.com",
        ".dev@example.com",
        "de..v@example.com",
        "dev @example.com",
        "dev@exam ple.com",
        "dev@127.0.0.1",
        "dev@[127.0.0.1]",
        '"dev"@example.com',
        '"a b"@example.com',
        "Dev <dev@example.com>",
        "dev@example.com,other@example.com",
        "dev@example.com\nbcc: other@example.com",
        "d\u202eev@example.com",
        "d\x00ev@example.com",
        "dev@example.invalid",
        "dev@host.local",
        "x" * 250 + "@example.com",
    ],
)
def test_what_is_not_an_address_is_refused_without_echo(typed: str) -> None:
    with pytest.raises(Problem) as refused:
        canonical_address(typed)
    assert refused.value.code == "validation_failed"
    assert [error.location for error in refused.value.errors] == ["body.email"]
    assert not typed or typed not in refused.value.detail.partition(": ")[2]


@pytest.mark.parametrize("typed", ["j\u00fcrgen@example.com", "\u7528\u6237@example.com"])
def test_a_mailbox_beyond_ascii_is_refused_with_that_reason(typed: str) -> None:
    """It is an address, so "not an address" would be untrue."""
    with pytest.raises(Problem) as refused:
        canonical_address(typed)
    assert refused.value.errors[0].message.startswith("must have only ASCII characters before")


@pytest.mark.parametrize(
    "typed",
    ["dörte@example.com", "\uff44ev@example.com", "straße@example.com", "a" * 65 + "@example.com"],
)
def test_mailboxes_that_no_mail_of_ours_can_reach_are_refused(typed: str) -> None:
    """SES sends to ASCII local parts of at most 64 characters only."""
    with pytest.raises(Problem):
        canonical_address(typed)


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    "address",
    [
        "dev@mailinator.com",
        "dev@inbox.mailinator.com",
        "dev@a.b.c.mailinator.com",
        "dev@guerrillamail.com",
        "dev@10minutemail.com",
        "dev@yopmail.com",
    ],
)
def test_disposable_domains_and_what_is_under_them_are_refused(address: str) -> None:
    with pytest.raises(Problem) as refused:
        refuse_disposable(canonical_address(address), NO_LISTS)
    assert refused.value.code == "disposable_email"


@pytest.mark.parametrize(
    "address",
    [
        "dev@example.com",
        "dev@gmail.com",
        "dev@solsticemailinator.com",
        "mailinator.com@example.com",
        "dev@mailinator.com.example.org",
    ],
)
def test_other_domains_may_register(address: str) -> None:
    refuse_disposable(canonical_address(address), NO_LISTS)


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    "address", ["dev@MAILINATOR.com", "dev@mailinator.com.", "dev@Inbox.Mailinator.Com."]
)
def test_another_spelling_does_not_get_a_disposable_domain_past(address: str) -> None:
    with pytest.raises(Problem):
        refuse_disposable(canonical_address(address), NO_LISTS)


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    ("allowed", "denied", "domain", "may_register"),
    [
        ("", "", "example.com", True),
        ("", "", "mailinator.com", False),
        # The operator's word comes before the kept list's.
        ("mailinator.com", "", "mailinator.com", True),
        ("mailinator.com", "", "inbox.mailinator.com", True),
        ("", "example.com", "example.com", False),
        ("", "example.com", "a.b.example.com", False),
        ("", "example.com", "notexample.com", True),
        ("", "example.com", "example.com.example.org", True),
        # Of two names the one that is nearer to the address decides, no matter where it is from.
        ("inbox.mailinator.com", "", "inbox.mailinator.com", True),
        ("inbox.mailinator.com", "", "other.mailinator.com", False),
        ("mail.example.com", "example.com", "mail.example.com", True),
        ("mail.example.com", "example.com", "x.mail.example.com", True),
        ("mail.example.com", "example.com", "example.com", False),
        ("example.com", "mail.example.com", "mail.example.com", False),
        ("example.com", "mail.example.com", "x.mail.example.com", False),
        ("example.com", "mail.example.com", "example.com", True),
        ("com", "mailinator.com", "mailinator.com", False),
        ("com", "", "mailinator.com", False),
        # A whole top-level domain may be denied; none of the kept list's can be.
        ("", "zip", "example.zip", False),
        # Of one name in both lists the refusal counts.
        ("example.com", "example.com", "example.com", False),
        ("mailinator.com", "mailinator.com", "mailinator.com", False),
    ],
)
def test_the_nearest_name_decides_and_of_two_lists_the_operators(
    allowed: str, denied: str, domain: str, may_register: bool
) -> None:
    lists = DomainLists.read(allowed, denied)
    if may_register:
        refuse_disposable(f"dev@{domain}", lists)
        return
    with pytest.raises(Problem) as refused:
        refuse_disposable(f"dev@{domain}", lists)
    assert refused.value.code == "disposable_email"


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("", set()),
        (" , ,", set()),
        ("example.com", {"example.com"}),
        (" Example.COM , .example.org. ,", {"example.com", "example.org"}),
    ],
)
def test_lists_are_read_as_operators_write_them(setting: str, names: set[str]) -> None:
    assert DomainLists.read(setting, "").allowed == names
    assert DomainLists.read("", setting).denied == names


def test_a_refusal_names_no_domain() -> None:
    with pytest.raises(Problem) as refused:
        refuse_disposable("dev@mailinator.com", NO_LISTS)
    assert "mailinator" not in refused.value.detail


@pytest.mark.parametrize("address", ["Dev@Localhost.", "two words@Example.com", "Dev@"])
def test_an_ascii_address_is_looked_up_without_loading_the_validator(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login must not pay for what only sign-ups need."""
    monkeypatch.setitem(sys.modules, "email_validator", None)
    local, _, domain = address.partition("@")
    assert lookup_address(address) == f"{local.lower()}@{domain.lower().removesuffix('.')}"


def test_a_kept_list_that_names_a_top_level_domain_refuses_no_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email_policy, "_disposable_domains", lambda: frozenset({"com"}))
    refuse_disposable("dev@example.com", NO_LISTS)
