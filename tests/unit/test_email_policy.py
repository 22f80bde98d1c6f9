"""Which addresses may register, and which two spellings are one."""

from __future__ import annotations

import pytest

from imagelayer.email_policy import canonical_address, refuse_disposable
from imagelayer.errors import Problem


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
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
    ],
)
def test_spellings_of_one_address_have_one_canonical_form(typed: str, canonical: str) -> None:
    assert canonical_address(typed) == canonical
    assert canonical_address(canonical) == canonical


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
def test_what_is_no_address_is_refused_without_echo(typed: str) -> None:
    with pytest.raises(Problem) as refused:
        canonical_address(typed)
    assert refused.value.code == "validation_failed"
    assert [error.location for error in refused.value.errors] == ["body.email"]
    assert not typed or typed not in refused.value.detail.partition(": ")[2]


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
        refuse_disposable(canonical_address(address))
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
    refuse_disposable(canonical_address(address))


@pytest.mark.promise("disposable-blocked")
@pytest.mark.parametrize(
    "address", ["dev@MAILINATOR.com", "dev@mailinator.com.", "dev@Inbox.Mailinator.Com."]
)
def test_another_spelling_does_not_get_a_disposable_domain_past(address: str) -> None:
    with pytest.raises(Problem):
        refuse_disposable(canonical_address(address))
