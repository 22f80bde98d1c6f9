"""The credential of an Authorization header (RFC 6750 §2.1), and what is wrong with one's form.

What is said here follows from the header alone, before any look-up: it tells a caller how to mend
the request, and nothing about which credentials exist.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from imagelayer.access import key_secrets

MAX_CREDENTIAL_LENGTH = 2048
HOW = "Send the header Authorization: Bearer <API key or access token>."
# Where other APIs take a key.
_OTHER_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
# Named in an answer; any other word could be a part of a secret.
_OTHER_SCHEMES = ("apikey", "basic", "digest", "key", "negotiate", "token")
# What programs write in the place of a value that they do not have.
_UNSET = ("false", "nil", "none", "null", "undefined", "[object object]")
_AROUND = "\"'`\u201c\u201d\u2018\u2019<>{}[]()"  # curly quotes included
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class CredentialRefused(Exception):
    """A credential that is not accepted.

    `reason` is for the log alone, `detail` for the caller. Without a credential there is nothing
    that was guessed: `absent` is answered and not counted.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "Send a valid API key or access token as a Bearer token.",
        *,
        absent: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.absent = absent


def credential(headers: Mapping[str, str]) -> str:
    """What follows `Bearer`, in the form of a key or of a token. Raises CredentialRefused."""
    found = _after_bearer(headers)
    if len(found) > MAX_CREDENTIAL_LENGTH:
        most = f"The credential has more than {MAX_CREDENTIAL_LENGTH} characters."
        raise CredentialRefused("too long", most)
    fault = _fault(found)
    if fault:
        raise CredentialRefused("malformed", fault)
    if found.startswith("il_"):
        _check_key(found)
    elif not _JWT.fullmatch(found):
        neither = "This is neither an API key (il_live_… or il_test_…) nor an access token."
        raise CredentialRefused("not a token", neither)
    return found


def _after_bearer(headers: Mapping[str, str]) -> str:
    """The text after the scheme and its blanks. Raises CredentialRefused without one."""
    sent = headers.get("authorization", "").replace("\t", " ").strip(" ")
    if not sent:
        other = next((name for name in _OTHER_HEADERS if headers.get(name)), "")
        what = f"The header {other} is not read." if other else "There is no Authorization header."
        raise CredentialRefused("missing", f"{what} {HOW}", absent=True)
    scheme, _, rest = sent.partition(" ")
    named, rest = scheme.lower(), rest.strip(" ")
    if named == "bearer":
        if not rest:
            raise CredentialRefused("missing", f"Nothing follows Bearer. {HOW}", absent=True)
        if rest.lower() in _UNSET:
            unset = "The variable that should hold the key is not set: its empty value was sent."
            raise CredentialRefused("missing", f"{unset} {HOW}", absent=True)
        return rest
    if not rest and named not in _OTHER_SCHEMES:
        raise CredentialRefused(
            "no scheme", f"The word Bearer is missing before the credential. {HOW}", absent=True
        )
    called = f"not {scheme.title()}" if named in _OTHER_SCHEMES else "not another one"
    raise CredentialRefused(
        "another scheme", f"The scheme must be Bearer, {called}. {HOW}", absent=True
    )


def _fault(sent: str) -> str:
    """What is wrong with a credential's form, or nothing."""
    if sent.lower().startswith("bearer"):
        return "The word Bearer is sent twice."
    if sent.strip(_AROUND) != sent:
        return "Send the credential without quotes or brackets around it."
    if "," in sent:
        return "More than one credential is sent. Send one."
    if " " in sent:
        return "The credential has a blank in it. Keys and tokens have none."
    return ""


def _check_key(secret: str) -> None:
    """Raises CredentialRefused for what is not, or cannot be sent as, a secret key."""
    if secret.startswith(key_secrets.PUBLISHABLE):
        raise CredentialRefused(
            "publishable key alone",
            "A publishable key opens nothing alone. Send a session token as the Bearer token, and "
            "the publishable key as x-imagelayer-key.",
        )
    fault = key_secrets.form_fault(secret)
    if fault:
        raise CredentialRefused("malformed key", fault)
