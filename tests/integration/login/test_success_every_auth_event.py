"""Every authentication event of the catalogue, caused as people cause it, in the one schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyotp
import pytest

from imagelayer.audit.security_log import EVENTS
from imagelayer.identity.email_policy import address_hash
from tests.support.accounts import (
    ELSEWHERE,
    FIREFOX,
    NEW_PASSWORD,
    change,
    confirm,
    confirm_enrolment,
    cookie_of,
    disable,
    enrol,
    forgot,
    log_in,
    refresh,
    renew_codes,
    reset,
    sessions_of,
    start_enrolment,
)
from tests.support.api import PASSWORD, Account
from tests.support.product import Product

NEW = "new@example.com"
WRONG = "not the right password"
FIELDS = {"event", "outcome", "org_id", "actor", "ip", "request_id", "reason"}
LOGGERS_OWN = {"level", "location", "message", "timestamp", "service"}

# What someone does; returns the secrets that went to and fro.
Act = Callable[[Product, Account], Iterable[str]]


def sign_up(product: Product, owner: Account) -> Iterable[str]:
    product.register(NEW)
    return [product.newest_token(), NEW]


def sign_up_with_a_throw_away_address(product: Product, owner: Account) -> Iterable[str]:
    product.register("dev@mailinator.com")
    return ["dev@mailinator.com"]


def sign_up_once_more(product: Product, owner: Account) -> Iterable[str]:
    product.register(owner.email)
    product.mails()
    return []


def confirm_the_address(product: Product, owner: Account) -> Iterable[str]:
    token, *others = sign_up(product, owner)
    confirm(product, token)
    return [token, *others]


def confirm_with_a_made_up_token(product: Product, owner: Account) -> Iterable[str]:
    token = f"{address_hash(owner.email)}.{'x' * 43}"
    confirm(product, token)
    return [token]


def log_in_again(product: Product, owner: Account) -> Iterable[str]:
    return [cookie_of(log_in(product, owner.email)).rpartition(".")[2]]


def log_in_with_a_wrong_password(product: Product, owner: Account) -> Iterable[str]:
    log_in(product, owner.email, WRONG)
    return [WRONG]


def log_in_elsewhere(product: Product, owner: Account) -> Iterable[str]:
    log_in(product, owner.email, ip=ELSEWHERE, agent=FIREFOX)
    return [FIREFOX]


def trade_the_cookie(product: Product, owner: Account) -> Iterable[str]:
    return [cookie_of(refresh(product, owner.cookie)).rpartition(".")[2]]


def trade_a_cookie_of_a_session_that_ended(product: Product, owner: Account) -> Iterable[str]:
    log_out(product, owner)
    refresh(product, owner.cookie)
    return [owner.cookie]


def trade_a_spent_cookie(product: Product, owner: Account) -> Iterable[str]:
    trade_the_cookie(product, owner)
    refresh(product, owner.cookie, ip=ELSEWHERE)
    return [owner.cookie]


def log_out(product: Product, owner: Account) -> Iterable[str]:
    product.call("POST", "/v1/auth/logout", cookies=[owner.cookie])
    return [owner.cookie]


def end_another_session(product: Product, owner: Account) -> Iterable[str]:
    log_in(product, owner.email)
    path = f"/v1/auth/sessions/{sessions_of(product, owner.user_id)[-1]['id']}"
    product.call("DELETE", path, headers=owner.headers)
    return []


def end_all_sessions(product: Product, owner: Account) -> Iterable[str]:
    product.call("DELETE", "/v1/auth/sessions", headers=owner.headers)
    return []


def forget_the_password(product: Product, owner: Account) -> Iterable[str]:
    forgot(product, owner.email)
    return [product.newest_token()]


def reset_the_password(product: Product, owner: Account) -> Iterable[str]:
    (token,) = forget_the_password(product, owner)
    reset(product, token)
    return [token, NEW_PASSWORD]


def reset_with_a_made_up_token(product: Product, owner: Account) -> Iterable[str]:
    token = f"{owner.user_id.removeprefix('usr_')}.{'x' * 43}"
    reset(product, token)
    return [token, NEW_PASSWORD]


def change_the_password(product: Product, owner: Account) -> Iterable[str]:
    change(product, owner)
    return [NEW_PASSWORD]


def change_without_knowing_the_password(product: Product, owner: Account) -> Iterable[str]:
    change(product, owner, WRONG)
    return [WRONG, NEW_PASSWORD]


def set_a_second_factor_up(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    return [app.secret, *app.recovery_codes]


def set_it_up_with_a_wrong_code(product: Product, owner: Account) -> Iterable[str]:
    secret = start_enrolment(product, owner).json["secret"]
    confirm_enrolment(product, owner, pyotp.TOTP(secret).at(0))
    return [secret]


def take_it_down(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    disable(product, owner, app.fresh_code())
    return [app.secret]


def take_it_down_with_a_wrong_code(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    disable(product, owner, app.wrong_code())
    return [app.secret]


def log_in_without_a_code(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    log_in(product, owner.email)
    return [app.secret]


def log_in_with_a_wrong_code(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    log_in(product, owner.email, totp_code=app.wrong_code())
    return [app.secret]


def log_in_with_a_recovery_code(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    log_in(product, owner.email, recovery_code=app.recovery_codes[0])
    return app.recovery_codes


def renew_recovery_codes(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    renewed = renew_codes(product, owner, app.fresh_code())
    return [*app.recovery_codes, *renewed.json["recovery_codes"]]


def renew_them_with_a_wrong_code(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    renew_codes(product, owner, app.wrong_code())
    return app.recovery_codes


def call_with_a_made_up_key(product: Product, owner: Account) -> Iterable[str]:
    key = "il_live_" + "x" * 38
    product.call("GET", "/v1/brands", headers={"authorization": f"Bearer {key}"})
    return [key]


CAUSES: list[tuple[str, str, Act]] = [
    ("auth.register", "success", sign_up),
    ("auth.register", "denied", sign_up_with_a_throw_away_address),
    ("auth.register_existing", "success", sign_up_once_more),
    ("auth.verification_sent", "success", sign_up),
    ("auth.verify_email", "success", confirm_the_address),
    ("auth.verify_email", "failure", confirm_with_a_made_up_token),
    ("auth.login", "success", log_in_again),
    ("auth.login", "failure", log_in_with_a_wrong_password),
    ("auth.new_place", "success", log_in_elsewhere),
    ("auth.refresh", "success", trade_the_cookie),
    ("auth.refresh", "failure", trade_a_cookie_of_a_session_that_ended),
    ("auth.refresh_reuse", "denied", trade_a_spent_cookie),
    ("auth.logout", "success", log_out),
    ("auth.session_ended", "success", end_another_session),
    ("auth.sessions_ended", "success", end_all_sessions),
    ("auth.password_forgot", "success", forget_the_password),
    ("auth.password_reset", "success", reset_the_password),
    ("auth.password_reset", "failure", reset_with_a_made_up_token),
    ("auth.password_changed", "success", change_the_password),
    ("auth.password_check", "failure", change_without_knowing_the_password),
    ("auth.totp_enabled", "success", set_a_second_factor_up),
    ("auth.totp_enabled", "failure", set_it_up_with_a_wrong_code),
    ("auth.totp_disabled", "success", take_it_down),
    ("auth.totp_disabled", "failure", take_it_down_with_a_wrong_code),
    ("auth.totp_refused", "denied", log_in_without_a_code),
    ("auth.totp_refused", "failure", log_in_with_a_wrong_code),
    ("auth.recovery_code_used", "success", log_in_with_a_recovery_code),
    ("auth.recovery_codes_renewed", "success", renew_recovery_codes),
    ("auth.recovery_codes_renewed", "failure", renew_them_with_a_wrong_code),
    ("auth.credential_refused", "denied", call_with_a_made_up_key),
]
# Where it is unknown, or must stay unsaid, whose account it is about.
OF_NOBODY = {
    ("auth.register", "success"),
    ("auth.register", "denied"),
    ("auth.verification_sent", "success"),
    ("auth.verify_email", "failure"),
    ("auth.refresh", "failure"),
    ("auth.password_forgot", "success"),
    ("auth.credential_refused", "denied"),
}


@pytest.mark.promise("auth-logged")
def test_every_authentication_event_of_the_catalogue_is_caused_below() -> None:
    caused = {event for event, _, _ in CAUSES}
    assert caused == {name for name in EVENTS if name.startswith("auth.")}


@pytest.mark.promise("auth-logged")
@pytest.mark.parametrize(
    ("event", "outcome", "act"), CAUSES, ids=[act.__name__ for _, _, act in CAUSES]
)
def test_what_someone_does_is_one_line_in_the_one_schema_without_a_secret(
    product: Product, owner: Account, event: str, outcome: str, act: Act
) -> None:
    already = len(product.logs())
    first_request = product._requests + 1
    secrets = {*act(product, owner), owner.email, PASSWORD, owner.token, owner.cookie}
    product.mails()
    lines = [line for line in product.logs()[already:] if line.get("event") == event]
    (line,) = [line for line in lines if line["outcome"] == outcome]
    assert set(line) == FIELDS | LOGGERS_OWN
    assert line["message"] == "security_event"
    assert all(isinstance(line[field], str) for field in FIELDS)
    requests = {f"req-{each}" for each in range(first_request, product._requests + 1)}
    assert line["request_id"] in requests
    assert line["ip"] in {"198.51.100.7", ELSEWHERE}
    known = bool(line["actor"]) and bool(line["org_id"])
    assert known == ((event, outcome) not in OF_NOBODY)
    written = product.output.getvalue()
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.promise("auth-logged")
def test_an_ipv6_client_is_logged_by_its_network(product: Product, owner: Account) -> None:
    log_in(product, owner.email, WRONG, ip="2001:db8:1:2:3::4")
    (line,) = [each for each in product.security_events("auth.login") if each["reason"]]
    assert line["ip"] == "2001:db8:1:2::/64"
