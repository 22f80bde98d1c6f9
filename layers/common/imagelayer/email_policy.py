"""Which addresses may register, and which two spellings are one address."""

from __future__ import annotations

import functools

from imagelayer.errors import Problem, invalid


def canonical_address(address: str) -> str:
    """The form that is unique: domain in IDNA lower case without a trailing dot, local part
    casefolded. `+tags` stay, because they are different mailboxes to some hosts and OWASP advises
    against stripping them.

    Raises Problem 422 for what is no address. Syntax is email-validator's; it looks nothing up.
    """
    import email_validator  # dear to load, and only sign-ups need it

    local, at, domain = address.strip().rpartition("@")
    try:
        checked = email_validator.validate_email(
            f"{local}{at}{domain.removesuffix('.')}",
            check_deliverability=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            # SES takes ASCII mailboxes only, and folding others could name another person's.
            allow_smtputf8=False,
            strict=True,
            test_environment=False,
        )
    except email_validator.EmailNotValidError:
        raise invalid("body.email", "is not an email address") from None
    return f"{checked.local_part.casefold()}@{checked.ascii_domain.lower()}"


def lookup_address(address: str) -> str:
    """The canonical form of an address that is only looked up, or "" for what cannot be one.

    An ASCII address has one canonical spelling whether or not it is valid, so a login need not
    load the validator.
    """
    if address.isascii():
        local, _, domain = address.strip().rpartition("@")
        return f"{local.casefold()}@{domain.removesuffix('.').lower()}"
    try:
        return canonical_address(address)
    except Problem:
        return ""


def refuse_disposable(canonical: str) -> None:
    """Raise Problem 422 when the domain, or one it is under, hands out throw-away addresses."""
    labels = canonical.rpartition("@")[2].split(".")
    listed = _disposable_domains()
    if any(".".join(labels[start:]) in listed for start in range(len(labels) - 1)):
        raise Problem(
            "disposable_email",
            "Disposable email addresses cannot register. If yours is not one, write to us.",
        )


@functools.cache
def _disposable_domains() -> frozenset[str]:
    """The kept list, loaded on first use: it is large and only sign-ups need it."""
    from disposable_email_domains import blocklist

    return frozenset(blocklist)
