"""Which addresses may register, and which two spellings are one address."""

from __future__ import annotations

import functools
import hashlib

from imagelayer.platform.errors import Problem, invalid
from imagelayer.platform.frozen import frozen


def address_hash(canonical: str) -> str:
    """What names an address in keys, queues and counters, which must not contain the address."""
    return hashlib.sha256(canonical.encode()).hexdigest()


def canonical_address(address: str) -> str:
    """The form that is unique: domain in IDNA lower case without a trailing dot, local part
    casefolded. `+tags` stay, because they are different mailboxes to some hosts and OWASP advises
    against stripping them.

    Raises Problem 422 for text that is not an address. Syntax is email-validator's; it looks
    nothing up.
    """
    import email_validator  # slow to import, and only sign-ups need it

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
        if not local.isascii():
            raise invalid(
                "body.email",
                "must have only ASCII characters before the at sign; others are not supported",
            ) from None
        raise invalid(
            "body.email", "must be an email address: a name, an at sign and a domain"
        ) from None
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


@frozen
class DomainLists:
    """Domains the operator allows or denies, each with its subdomains, before the kept list."""

    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    @classmethod
    def read(cls, allowed: str, denied: str) -> DomainLists:
        """From comma-separated settings."""
        return cls(_names(allowed), _names(denied))


def refuse_disposable(canonical: str, lists: DomainLists) -> None:
    """Raise Problem 422 when the domain, or a parent of it, offers throw-away addresses.

    The longest matching name decides: an operator may allow one domain under a denied one. For a
    name on several lists the operator's denial comes first, then the operator's permission, then
    the kept list.
    """
    labels = canonical.rpartition("@")[2].split(".")
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if name in lists.allowed and name not in lists.denied:
            return
        if name in lists.denied or (start < len(labels) - 1 and name in _disposable_domains()):
            raise Problem(
                "disposable_email",
                "Disposable email addresses cannot register. If yours is not one, write to us.",
            )


def _names(setting: str) -> frozenset[str]:
    return frozenset(name.strip().strip(".").lower() for name in setting.split(",") if name.strip())


@functools.cache
def _disposable_domains() -> frozenset[str]:
    """The kept list, loaded on first use: it is large and only sign-ups need it."""
    from disposable_email_domains import blocklist

    return frozenset(blocklist)
