"""Reports that GitHub did not sign, or whose signature cannot be looked at."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dev.secret_scanning import SecretScanner
from imagelayer.access.secret_scanning import ScannerKeys
from imagelayer.platform.table import StoreUnavailable
from tests.support import accounts, api_keys, leak_reports
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.product import Product

ID, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"
Headers = dict[str, str]
FORGED: dict[str, tuple[Callable[[Headers, Headers], Headers], str]] = {
    "no headers": (lambda _, __: {}, "unknown key"),
    "no signature": (lambda good, _: {ID: good[ID]}, "signature"),
    "no key": (lambda good, _: {SIGNATURE: good[SIGNATURE]}, "unknown key"),
    "another signer": (lambda _, other: other, "unknown key"),
    "another signer under our key": (lambda good, other: {**other, ID: good[ID]}, "signature"),
    "no base64": (lambda good, _: {**good, SIGNATURE: "é" + good[SIGNATURE]}, "signature"),
    "no DER": (lambda good, _: {**good, SIGNATURE: "AAAA"}, "signature"),
    "empty": (lambda good, _: {**good, SIGNATURE: ""}, "signature"),
}


@pytest.mark.promise("keys-rotate")
def test_a_report_that_is_not_signed_by_a_known_key_does_nothing(
    product: Product, owner: Account
) -> None:
    key = product.key(owner, *ALL_SCOPES)
    body = json.dumps([leak_reports.leak(key["key"])])
    good, other = (each.sign(body.encode()) for each in (product.scanner, SecretScanner()))
    before = product.dump_of("KeysTable")
    mails = product.asked_mails()
    for name, (forge, reason) in FORGED.items():
        answer = leak_reports.send(product, body, forge(good, other))
        assert (answer.status, answer.json["code"]) == (403, "signature_refused"), name
        line = product.security_events("key.leak_reported")[-1]
        assert (line["outcome"], line["reason"]) == ("denied", reason), name
    # A signature is of one body: not of another token, nor of the same text written otherwise.
    for changed in (body.replace("content", "commit"), body.replace(", ", ","), body + " "):
        answer = leak_reports.send(product, changed, good)
        assert (answer.status, answer.json["code"]) == (403, "signature_refused")
    assert len(product.security_events("key.leak_reported")) == len(FORGED) + 3
    assert (product.dump_of("KeysTable"), product.asked_mails()) == (before, mails)
    assert leak_reports.labels(leak_reports.send(product, body, good)) == ["true_positive"]


def test_a_credential_is_not_a_signature(product: Product, owner: Account) -> None:
    key = product.key(owner, *ALL_SCOPES)
    body = json.dumps([leak_reports.leak(key["key"])])
    for headers in (owner.headers, bearer(key)):
        answer = leak_reports.send(product, body, headers)
        assert (answer.status, answer.json["code"]) == (403, "signature_refused")
    assert api_keys.own(product, key).status == 200


def test_while_the_signing_keys_cannot_be_read_no_report_is_believed_or_refused_for_good(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = product.key(owner, "assets:read")

    def fail(_: ScannerKeys) -> None:
        raise StoreUnavailable("public_keys", "HTTP 502")

    with monkeypatch.context() as patch:
        patch.setattr(ScannerKeys, "_ask", fail)
        answer = leak_reports.report(product, key["key"])
    assert (answer.status, answer.json["code"]) == (503, "dependency_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert api_keys.own(product, key).status == 200
    accounts.restart(product, "leaked_keys")
    assert leak_reports.labels(leak_reports.report(product, key["key"])) == ["true_positive"]
