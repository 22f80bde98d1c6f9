"""Every authentication event of the catalogue, caused as people cause it, in the one schema."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import pyotp
import pytest

from imagelayer.api.route import Route
from imagelayer.audit.security_log import EVENTS, is_attempt
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.wiring import IdentityWiring
from imagelayer.platform.ids import new_id
from imagelayer.routes import ROUTES
from tests.support.accounts import (
    ELSEWHERE,
    FIREFOX,
    NEW_PASSWORD,
    accept,
    change,
    confirm,
    confirm_enrolment,
    cookie_of,
    disable,
    enrol,
    forgot,
    invite,
    log_in,
    meanwhile,
    refresh,
    renew_codes,
    resend,
    reset,
    sessions_of,
    start_enrolment,
)
from tests.support.api import PASSWORD, Account, Answer
from tests.support.events import route_of
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


def request_the_mail_again(product: Product, owner: Account) -> Iterable[str]:
    resend(product, NEW)
    return [NEW]


def request_it_again_for_a_sign_up(product: Product, owner: Account) -> Iterable[str]:
    token, *others = sign_up(product, owner)
    resend(product, NEW)
    return [token, *others]


def begin_a_second_factor(product: Product, owner: Account) -> Iterable[str]:
    return [start_enrolment(product, owner).json["secret"]]


def begin_it_twice_too_often(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    start_enrolment(product, owner)
    return [app.secret]


CAUSES: list[tuple[str, str, Act]] = [
    ("auth.register", "success", sign_up),
    ("auth.register", "denied", sign_up_with_a_throw_away_address),
    ("auth.register_existing", "success", sign_up_once_more),
    ("auth.verification_sent", "success", sign_up),
    ("auth.verification_requested", "success", request_the_mail_again),
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
    ("auth.totp_started", "success", begin_a_second_factor),
    ("auth.totp_started", "failure", begin_it_twice_too_often),
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
    ("auth.verification_requested", "success"),
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


def join(product: Product, owner: Account, email: str = NEW, **fields: str) -> None:
    """Accept an invitation."""
    accept(product, invite(product, owner, email), **fields)


def join_with_a_weak_password(product: Product, owner: Account) -> Iterable[str]:
    join(product, owner, password="too short")
    return []


def join_at_an_address_that_is_taken(product: Product, owner: Account) -> Iterable[str]:
    join(product, owner, owner.email)
    return []


def join_once_more(product: Product, owner: Account) -> Iterable[str]:
    token = invite(product, owner, NEW)
    accept(product, token)
    accept(product, token)
    return []


def join_while_it_is_withdrawn(product: Product, owner: Account) -> Iterable[str]:
    token = invite(product, owner, NEW)
    invitation = product.item("AccountsTable", "INVITE#")
    path = f"/v1/organization/invitations/{invitation['id']}"
    store = product.part("registration", IdentityWiring).account_store
    withdraw = functools.partial(product.call, "DELETE", path, headers=owner.headers)
    with meanwhile(store, "get_user_by_address", withdraw):
        accept(product, token)
    return []


def confirm_with_a_weak_password(product: Product, owner: Account) -> Iterable[str]:
    product.register(NEW)
    confirm(product, product.newest_token(), password="too short")
    return []


def log_out_of_nothing(product: Product, owner: Account) -> Iterable[str]:
    product.call("POST", "/v1/auth/logout")
    return []


def refresh_nothing(product: Product, owner: Account) -> Iterable[str]:
    product.call("POST", "/v1/auth/refresh")
    return []


def end_a_session_that_is_none(product: Product, owner: Account) -> Iterable[str]:
    for name in ("nonsense", new_id("ses", 1)):
        product.call("DELETE", f"/v1/auth/sessions/{name}", headers=owner.headers)
    return []


def come_from_another_site(product: Product, owner: Account) -> Iterable[str]:
    headers = {"origin": "https://evil.example"}
    for name in ("login", "refresh", "logout"):
        body = {"email": owner.email, "password": PASSWORD} if name == "login" else None
        parts = {"body": body} if body else {}
        product.call("POST", f"/v1/auth/{name}", headers=headers, **parts)
    return []


def reset_with_a_weak_password(product: Product, owner: Account) -> Iterable[str]:
    (token,) = forget_the_password(product, owner)
    reset(product, token, "too short")
    return []


def change_to_a_weak_password(product: Product, owner: Account) -> Iterable[str]:
    change(product, owner, new="too short")
    return []


def guess_until_the_limit(product: Product, owner: Account) -> Iterable[str]:
    for _ in range(12):
        log_in(product, owner.email, WRONG)
        change(product, owner, WRONG)
        start_enrolment(product, owner, WRONG)
    return []


def confirm_a_second_factor_that_was_not_begun(product: Product, owner: Account) -> Iterable[str]:
    confirm_enrolment(product, owner, "123456")
    disable(product, owner, "123456")
    renew_codes(product, owner, "123456")
    return []


def guess_codes_until_the_limit(product: Product, owner: Account) -> Iterable[str]:
    app = enrol(product, owner)
    for _ in range(6):
        log_in(product, owner.email, totp_code=app.wrong_code())
        disable(product, owner, app.wrong_code())
        renew_codes(product, owner, app.wrong_code())
    return []


def send_no_body(product: Product, owner: Account) -> Iterable[str]:
    for route in ATTEMPTS:
        if route.body:
            product.call(route.method, route.path, headers=owner.headers, body={"x": 1})
    return []


def find_the_queue_down(product: Product, owner: Account) -> Iterable[str]:
    with product.broken("sqs"):
        product.register(NEW)
        resend(product, NEW)
        forgot(product, owner.email)
        log_in(product, owner.email, ip=ELSEWHERE)
        change(product, owner)
    return []


def find_transactions_down(product: Product, owner: Account) -> Iterable[str]:
    with product.broken("dynamodb", "TransactWriteItems"):
        log_in(product, owner.email)
        change(product, owner)
        start_enrolment(product, owner)
        end_all_sessions(product, owner)
    return []


ATTEMPTS = [route for route in ROUTES.values() if route.event]
MORE: list[Act] = [
    request_it_again_for_a_sign_up,
    join_with_a_weak_password,
    join_at_an_address_that_is_taken,
    join_once_more,
    join_while_it_is_withdrawn,
    confirm_with_a_weak_password,
    log_out_of_nothing,
    refresh_nothing,
    end_a_session_that_is_none,
    come_from_another_site,
    reset_with_a_weak_password,
    change_to_a_weak_password,
    guess_until_the_limit,
    confirm_a_second_factor_that_was_not_begun,
    guess_codes_until_the_limit,
    send_no_body,
    find_the_queue_down,
    find_transactions_down,
]
EVERY_ACT = [act for _, _, act in CAUSES] + MORE


def test_every_route_of_authentication_says_of_which_event_it_leaves_a_record() -> None:
    tagged = {"Sign-up", "Login", "Passwords", "Second factor"}
    assert {route.key for route in ATTEMPTS} == {
        route.key for route in ROUTES.values() if route.tag in tagged and route.method != "GET"
    }
    assert all(is_attempt(route.event) for route in ATTEMPTS)


@pytest.mark.promise("auth-logged")
@pytest.mark.parametrize("act", EVERY_ACT, ids=lambda act: act.__name__)
def test_each_attempt_leaves_exactly_one_record_whichever_way_out_it_takes(
    product: Product, owner: Account, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: dict[str, Route] = {}
    send = Product.call

    def noted(self: Product, method: str, path: str, **parts: Any) -> Answer:
        answer = send(self, method, path, **parts)
        key, _ = route_of(method, path)
        policy = answer.headers.get("ratelimit-policy")
        # A call over its route's limit was refused before it was an attempt: `limit.denied`.
        if ROUTES[key].event and not (answer.status == 429 and policy == ROUTES[key].policy.header):
            attempts[answer.headers["x-request-id"]] = ROUTES[key]
        return answer

    monkeypatch.setattr(Product, "call", noted)
    act(product, owner)
    records: dict[str, list[str]] = {request_id: [] for request_id in attempts}
    for line in product.logs():
        if line.get("request_id") in attempts and is_attempt(line.get("event", "")):
            records[line["request_id"]].append(line["event"])
    for request_id, events in records.items():
        route = attempts[request_id]
        if route.operation == "login" and len(events) == 2:
            events.remove("auth.logout")  # of the session that the login replaces
        assert len(events) == 1, (route.key, events)


@pytest.mark.promise("auth-logged")
def test_an_ipv6_client_is_logged_by_its_network(product: Product, owner: Account) -> None:
    log_in(product, owner.email, WRONG, ip="2001:db8:1:2:3::4")
    (line,) = [each for each in product.security_events("auth.login") if each["reason"]]
    assert line["ip"] == "2001:db8:1:2::/64"
