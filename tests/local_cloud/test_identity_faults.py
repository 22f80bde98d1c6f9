"""A fault at every AWS call of every flow of identity: nothing half-made, and the call again works.

Each flow runs once to learn its calls from the wire. Then, for each call in turn, that call fails
for good (the SDK's second attempt as well), in the two ways that matter: it did not happen, or it
happened and its answer was lost. A throttled call is one that did not happen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pyotp
import pytest

from dev.local_cloud import LocalCloud
from imagelayer.identity.email_policy import address_hash
from imagelayer.identity.link_tokens import LinkToken
from imagelayer.identity.records import MailedLink
from imagelayer.platform.ids import new_id
from imagelayer.platform.principals import Role
from tests.support import cloud_accounts
from tests.support.api_clients import PASSWORD, Visitor, traced
from tests.support.cloud_clients import new_address, new_visitor
from tests.support.cloud_organizations import new_trace

NEW_PASSWORD = "seven copper kettles whistling"
READS = {"GetItem", "Query", "GetSecretValue"}
ROUNDS = 3


@dataclass
class Attempt:
    """One go at a flow: how to send it, what it answers, and what must hold once it has."""

    send: Callable[[], httpx.Response]
    status: int
    holds: Callable[[httpx.Response], None]


Prepare = Callable[[LocalCloud], Attempt]
FLOWS: dict[str, Prepare] = {}


def flow(prepare: Prepare) -> Prepare:
    """Add a flow to the matrix under its function's name."""
    FLOWS[prepare.__name__] = prepare
    return prepare


def call(visitor: Visitor, method: str, path: str, **body: Any) -> Callable[[], httpx.Response]:
    """The same request as often as wanted, with the visitor's access token if there is one."""
    token = visitor.access_token or None
    return lambda: visitor.call(method, path, token=token, json=body or None)


def works(visitor: Visitor, password: str, **more: Any) -> None:
    """Log in from an address of its own, so that nothing here is limited."""
    fresh = Visitor(visitor.base_url, visitor.mail, new_address(), visitor.email)
    with fresh.http:
        fresh.password = password
        answer = fresh.log_in(**more)
        assert answer.status_code == 200, answer.text


def is_in(visitor: Visitor) -> bool:
    answer = visitor.call("GET", "/v1/auth/me", token=visitor.access_token)
    return answer.status_code == 200


@flow
def register(cloud: LocalCloud) -> Attempt:
    visitor = new_visitor(cloud)

    def holds(_: httpx.Response) -> None:
        assert visitor.verify().status_code == 200
        works(visitor, PASSWORD)

    return Attempt(visitor.register, 202, holds)


@flow
def register_again(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.verified(cloud)

    def holds(_: httpx.Response) -> None:
        subjects = [mail["subject"] for mail in cloud.mail(visitor.email)]
        assert any("already" in subject for subject in subjects)
        works(visitor, PASSWORD)

    return Attempt(visitor.register, 202, holds)


def waiting(cloud: LocalCloud) -> tuple[Visitor, LinkToken]:
    """Someone whose sign-up waits under a link that we know."""
    visitor = new_visitor(cloud)
    store, address = cloud_accounts.accounts(cloud), address_hash(visitor.email)
    link, expires_at = LinkToken.new(f"email_{address}"), int(time.time()) + 600
    store.keep_sign_up(visitor.email, address, expires_at)
    kept: MailedLink = {"token_hash": link.hash, "expires_at": expires_at}
    assert store.set_sign_up_link(address, kept, expires_at)
    return visitor, link


@flow
def verify_email(cloud: LocalCloud) -> Attempt:
    visitor, link = waiting(cloud)

    def holds(answer: httpx.Response) -> None:
        assert answer.json() == {"status": "verified"}
        works(visitor, PASSWORD)
        # The same call may be answered again, if its acknowledgement was lost; no other one is.
        assert visitor.verify(token=link.text, password=NEW_PASSWORD).status_code == 400

    return Attempt(lambda: visitor.verify(token=link.text), 200, holds)


@flow
def resend(cloud: LocalCloud) -> Attempt:
    visitor, _ = waiting(cloud)

    def holds(_: httpx.Response) -> None:
        assert visitor.verify().status_code == 200

    return Attempt(
        call(visitor, "POST", "/v1/auth/verify-email/resend", email=visitor.email), 202, holds
    )


@flow
def log_in(cloud: LocalCloud) -> Attempt:
    # Known from elsewhere, so that this login is from a new place and requests a mail.
    visitor = cloud_accounts.verified(cloud, last_login_at=1)

    def holds(answer: httpx.Response) -> None:
        visitor.access_token = answer.json()["access_token"]
        assert is_in(visitor)
        assert any("New login" in mail["subject"] for mail in cloud.mail(visitor.email))

    return Attempt(visitor.log_in, 200, holds)


@flow
def log_in_with_a_code(cloud: LocalCloud) -> Attempt:
    visitor, totp = cloud_accounts.enrolled(cloud)
    code = cloud_accounts.lasting_code(totp)

    def holds(answer: httpx.Response) -> None:
        visitor.access_token = answer.json()["access_token"]
        assert is_in(visitor)
        # However often it was sent, one session lives, and the code opens no second beside it.
        living = cloud_accounts.sessions(cloud).list_sessions(visitor.user_id)
        assert len(living) == 1
        again = visitor.call(
            "POST",
            "/v1/auth/login",
            json={"email": visitor.email, "password": PASSWORD, "totp_code": code},
        )
        assert again.json().get("code") == "invalid_totp_code" or not is_in(visitor)

    return Attempt(
        call(
            visitor,
            "POST",
            "/v1/auth/login",
            email=visitor.email,
            password=PASSWORD,
            totp_code=code,
        ),
        200,
        holds,
    )


@flow
def refresh(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)

    def holds(answer: httpx.Response) -> None:
        visitor.keep_tokens(answer)
        assert is_in(visitor)
        assert visitor.refresh().status_code == 200

    return Attempt(visitor.refresh, 200, holds)


@flow
def log_out(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)
    cookie = {"Cookie": f"__Host-il_refresh={visitor.refresh_cookie}"}

    def holds(_: httpx.Response) -> None:
        assert not is_in(visitor)
        assert visitor.refresh().status_code == 401

    return Attempt(lambda: visitor.call("POST", "/v1/auth/logout", headers=cookie), 204, holds)


@flow
def log_out_everywhere(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)
    first = visitor.access_token
    assert visitor.log_in().status_code == 200

    def send() -> httpx.Response:
        # The first call may have ended the session it came with: then it is done.
        answer = visitor.call("DELETE", "/v1/auth/sessions", token=visitor.access_token)
        return httpx.Response(204) if answer.status_code == 401 else answer

    def holds(_: httpx.Response) -> None:
        assert not is_in(visitor)
        assert visitor.call("GET", "/v1/auth/me", token=first).status_code == 401

    return Attempt(send, 204, holds)


@flow
def forgot_password(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.verified(cloud)

    def holds(_: httpx.Response) -> None:
        token = visitor.mailed_token("reset-password")
        body = {"token": token, "password": NEW_PASSWORD}
        assert visitor.call("POST", "/v1/auth/password/reset", json=body).status_code == 204
        works(visitor, NEW_PASSWORD)

    return Attempt(
        call(visitor, "POST", "/v1/auth/password/forgot", email=visitor.email), 202, holds
    )


@flow
def reset_password(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)
    link = LinkToken.new(visitor.user_id)
    expiry: MailedLink = {"token_hash": link.hash, "expires_at": int(time.time()) + 600}
    assert cloud_accounts.accounts(cloud).set_reset(visitor.user_id, expiry)
    anonymous = new_visitor(cloud)

    def holds(_: httpx.Response) -> None:
        assert not is_in(visitor)
        works(visitor, NEW_PASSWORD)

    return Attempt(
        call(anonymous, "POST", "/v1/auth/password/reset", token=link.text, password=NEW_PASSWORD),
        204,
        holds,
    )


@flow
def change_password(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)
    other = cloud_accounts.verified(cloud)
    other.email = visitor.email
    assert other.log_in().status_code == 200

    def holds(_: httpx.Response) -> None:
        assert is_in(visitor)
        assert not is_in(other)
        works(visitor, NEW_PASSWORD)

    return Attempt(
        call(
            visitor,
            "POST",
            "/v1/auth/password/change",
            current_password=PASSWORD,
            password=NEW_PASSWORD,
        ),
        204,
        holds,
    )


@flow
def start_totp(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)

    def holds(answer: httpx.Response) -> None:
        code = cloud_accounts.lasting_code(pyotp.TOTP(answer.json()["secret"]))
        confirmed = visitor.call(
            "POST", "/v1/auth/totp/confirm", token=visitor.access_token, json={"totp_code": code}
        )
        assert confirmed.status_code == 200, confirmed.text

    return Attempt(call(visitor, "POST", "/v1/auth/totp", password=PASSWORD), 201, holds)


@flow
def confirm_totp(cloud: LocalCloud) -> Attempt:
    visitor = cloud_accounts.logged_in(cloud)
    started = call(visitor, "POST", "/v1/auth/totp", password=PASSWORD)()
    assert started.status_code == 201, started.text
    code = cloud_accounts.lasting_code(pyotp.TOTP(started.json()["secret"]))

    def holds(answer: httpx.Response) -> None:
        works(visitor, PASSWORD, recovery_code=answer.json()["recovery_codes"][0])

    return Attempt(call(visitor, "POST", "/v1/auth/totp/confirm", totp_code=code), 200, holds)


@flow
def invite(cloud: LocalCloud) -> Attempt:
    owner, friend = cloud_accounts.logged_in(cloud), new_visitor(cloud)

    def holds(_: httpx.Response) -> None:
        body = {
            "token": friend.mailed_token("accept-invitation"),
            "name": "Fred",
            "password": PASSWORD,
        }
        joined = friend.call("POST", "/v1/auth/invitations/accept", json=body)
        assert joined.status_code == 200, joined.text
        works(friend, PASSWORD)

    return Attempt(
        call(
            owner,
            "POST",
            "/v1/organization/invitations",
            email=friend.email,
            role="developer",
        ),
        201,
        holds,
    )


def invited(cloud: LocalCloud, email: str, role: Role) -> tuple[Visitor, LinkToken]:
    """An owner, and the token of an invitation they sent."""
    owner = cloud_accounts.verified(cloud)
    invitation_id = new_id("inv", time.time())
    link = LinkToken.new(owner.org_id, invitation_id)
    cloud_accounts.organizations(cloud).create_invitation(
        {
            "id": invitation_id,
            "org_id": owner.org_id,
            "email": email,
            "role": role,
            "invited_by": owner.user_id,
            "token_hash": link.hash,
            "created_at": int(time.time()),
            "expires_at": int(time.time()) + 600,
        }
    )
    return owner, link


@flow
def accept_an_invitation(cloud: LocalCloud) -> Attempt:
    friend = new_visitor(cloud)
    _, link = invited(cloud, friend.email, "owner")
    return Attempt(
        call(
            friend,
            "POST",
            "/v1/auth/invitations/accept",
            token=link.text,
            name="Fred",
            password=PASSWORD,
        ),
        200,
        lambda _: works(friend, PASSWORD),
    )


@flow
def accept_an_invitation_at_an_address_that_strangers_signed_up(cloud: LocalCloud) -> Attempt:
    friend, strangers = waiting(cloud)
    owner, link = invited(cloud, friend.email, "viewer")

    def holds(_: httpx.Response) -> None:
        works(friend, PASSWORD)
        assert friend.verify(token=strangers.text).status_code == 400
        holder = cloud_accounts.accounts(cloud).get_user_by_address(address_hash(friend.email))
        assert holder is not None
        assert holder["org_id"] == owner.org_id

    return Attempt(
        call(
            friend,
            "POST",
            "/v1/auth/invitations/accept",
            token=link.text,
            name="Fred",
            password=PASSWORD,
        ),
        200,
        holds,
    )


@flow
def change_a_role(cloud: LocalCloud) -> Attempt:
    owner = cloud_accounts.logged_in(cloud)
    other = cloud_accounts.colleague(cloud, owner, "owner")
    assert other.log_in().status_code == 200

    def holds(_: httpx.Response) -> None:
        assert not is_in(other)
        assert cloud_accounts.organizations(cloud).get_role(owner.org_id, other.user_id) == "viewer"

    path = f"/v1/organization/members/{other.user_id}"
    return Attempt(call(owner, "PATCH", path, role="viewer"), 200, holds)


@flow
def remove_a_member(cloud: LocalCloud) -> Attempt:
    owner = cloud_accounts.logged_in(cloud)
    other = cloud_accounts.colleague(cloud, owner, "owner")
    assert other.log_in().status_code == 200
    path = f"/v1/organization/members/{other.user_id}"

    def send() -> httpx.Response:
        # Removed by the first call already: then the second has nothing left to remove.
        answer = owner.call("DELETE", path, token=owner.access_token)
        return httpx.Response(200) if answer.status_code == 404 else answer

    def holds(_: httpx.Response) -> None:
        assert not is_in(other)
        assert cloud_accounts.accounts(cloud).get_user(other.user_id) is None

    return Attempt(send, 200, holds)


@flow
def ask_owners_for_a_second_factor(cloud: LocalCloud) -> Attempt:
    visitor, totp = cloud_accounts.enrolled(cloud)
    assert visitor.log_in(totp_code=cloud_accounts.lasting_code(totp)).status_code == 200
    other = cloud_accounts.colleague(cloud, visitor, "owner")
    assert other.log_in().status_code == 200

    def holds(_: httpx.Response) -> None:
        assert not is_in(other)
        again = other.log_in()
        assert again.json()["second_factor_required"] is True

    return Attempt(
        call(visitor, "PATCH", "/v1/organization", owners_need_second_factor=True), 200, holds
    )


@flow
def mint_a_session(cloud: LocalCloud) -> Attempt:
    owner = cloud_accounts.logged_in(cloud)
    key = owner.make_key()["key"]

    def holds(answer: httpx.Response) -> None:
        made = owner.call(
            "POST",
            "/v1/generations",
            token=answer.json()["session_token"],
            json={"prompt": "one", "size": "256x256"},
        )
        assert made.status_code == 202, made.text

    body = {"end_user_id": "shopper-1", "max_generations": 1}
    return Attempt(lambda: owner.call("POST", "/v1/auth/session", token=key, json=body), 201, holds)


@flow
def revoke_a_key_with_its_sessions(cloud: LocalCloud) -> Attempt:
    owner = cloud_accounts.logged_in(cloud)
    key = owner.make_key()
    minted = owner.call(
        "POST", "/v1/auth/session", token=key["key"], json={"end_user_id": "shopper-1"}
    )
    assert minted.status_code == 201, minted.text

    def send() -> httpx.Response:
        answer = owner.call("DELETE", f"/v1/keys/{key['id']}", token=owner.access_token)
        return httpx.Response(204) if answer.status_code == 404 else answer

    def holds(_: httpx.Response) -> None:
        for token in (key["key"], minted.json()["session_token"]):
            refused = owner.call("GET", "/v1/assets/ast_x", token=token)
            assert refused.status_code == 401, refused.text

    return Attempt(send, 204, holds)


@dataclass(frozen=True)
class Cell:
    """One call of one flow and what happens to it."""

    flow: str
    service: str
    operation: str
    number: int  # among its service's calls
    error: str

    def faults(self, trace: str) -> list[dict[str, object]]:
        """The fault, for the call and for the second attempt at it."""
        return [
            {"service": self.service, "nth": nth, "error": self.error, "trace": trace}
            for nth in (self.number, self.number + 1)
        ]


@dataclass
class Matrix:
    """The cells that held, and what was answered first."""

    cells: dict[Cell, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """Prints the table of cells that held."""
    filled = Matrix()
    yield filled
    print(f"\n{len(filled.cells)} cells of identity's fault matrix:")
    for name in FLOWS:
        cells = {cell: status for cell, status in filled.cells.items() if cell.flow == name}
        calls = len({(cell.service, cell.number) for cell in cells})
        recovered = sum(status < 500 for status in cells.values())
        print(f"  {name:58} {calls:3} calls {len(cells):3} cells {recovered:3} answered at once")


def cells_of(cloud: LocalCloud, name: str) -> list[Cell]:
    """Run a flow without faults and list its calls, each with what may happen to it."""
    attempt = FLOWS[name](cloud)
    answer = attempt.send()
    assert answer.status_code == attempt.status, answer.text
    made = [each for each in cloud.calls(answer.headers["x-request-id"]) if each["attempt"] == 1]
    attempt.holds(answer)
    seen: dict[str, int] = {}
    found = []
    for each in made:
        service, operation = each["service"], each["operation"]
        seen[service] = seen.get(service, 0) + 1
        errors = ["500"] if operation in READS else ["500", "drop-after-write"]
        found += [Cell(name, service, operation, seen[service], error) for error in errors]
    return found


def run(cloud: LocalCloud, cell: Cell) -> int | None:
    """What a cell is answered first; None when its fault met no call or another one."""
    trace, attempt = new_trace(), FLOWS[cell.flow](cloud)
    cloud_accounts.settle(cloud)  # what the preparation asked for is out
    with cloud.faults(cell.faults(trace)), traced(trace):
        answer = attempt.send()
    first = answer.status_code
    assert first in (attempt.status, 503), (cell, answer.text)
    if first == 503:
        assert cloud_accounts.half_made(cloud) == [], cell
        answer = attempt.send()
        assert answer.status_code == attempt.status, (cell, answer.text)
    attempt.holds(answer)
    met = [each["operation"] for each in cloud.calls_under(trace) if each["fault"]]
    return first if met and met[0] == cell.operation else None


@pytest.mark.promise("email-unique")
@pytest.mark.promise("verified-first")
@pytest.mark.parametrize("name", FLOWS)
def test_a_fault_at_any_call_leaves_nothing_half_made_and_the_call_again_succeeds(
    cloud: LocalCloud, matrix: Matrix, name: str
) -> None:
    # Twice, and again when a cell met no call: a process that starts fetches secrets and public
    # keys first, and only then, so that its calls have other numbers.
    met: dict[Cell, int] = {}
    cells_of(cloud, name)
    cells: list[Cell] = []
    for _ in range(ROUNDS):
        cells = [cell for cell in cells_of(cloud, name) if cell not in met]
        if met and not cells:
            break
        first = {cell: run(cloud, cell) for cell in cells}
        met |= {cell: status for cell, status in first.items() if status is not None}
    else:
        pytest.fail(f"the faults met other calls than those of {cells}")
    assert cloud_accounts.half_made(cloud) == []
    matrix.cells |= met


def deliver(cloud: LocalCloud, body: dict[str, Any], message_id: str) -> bool:
    """Deliver one queue message to the mail function; whether it was worked off."""
    record = {
        "messageId": message_id,
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.info["functions"]["MailFunction"],
        Payload=json.dumps({"Records": [record]}),
    )
    outcome = json.loads(answer["Payload"].read())
    return not outcome["batchItemFailures"]


@dataclass
class Letter:
    """A message to the mail function, and what must hold once it was worked off."""

    body: dict[str, Any]
    holds: Callable[[], None]


def letter_of_a_sign_up(cloud: LocalCloud) -> Letter:
    visitor, _ = waiting(cloud)

    def holds() -> None:
        assert visitor.verify().status_code == 200
        works(visitor, PASSWORD)

    return Letter({"kind": "sign_up", "address": address_hash(visitor.email)}, holds)


def letter_of_a_reset(cloud: LocalCloud) -> Letter:
    visitor = cloud_accounts.verified(cloud)

    def holds() -> None:
        token = visitor.mailed_token("reset-password")
        body = {"token": token, "password": NEW_PASSWORD}
        assert visitor.call("POST", "/v1/auth/password/reset", json=body).status_code == 204

    return Letter({"kind": "reset", "address": address_hash(visitor.email)}, holds)


def letter_of_an_invitation(cloud: LocalCloud) -> Letter:
    friend = new_visitor(cloud)
    owner, link = invited(cloud, friend.email, "viewer")
    about = {"org_id": owner.org_id, "invitation_id": link.owner[1]}

    def holds() -> None:
        body = {
            "token": friend.mailed_token("accept-invitation"),
            "name": "Fred",
            "password": PASSWORD,
        }
        joined = friend.call("POST", "/v1/auth/invitations/accept", json=body)
        assert joined.status_code == 200, joined.text

    return Letter({"kind": "invitation", **about}, holds)


def letter_of_a_quota(cloud: LocalCloud) -> Letter:
    owner = cloud_accounts.verified(cloud)
    about = {"org_id": owner.org_id, "month": "2026-01", "percent": 80, "allowance": 100}

    def holds() -> None:
        assert any("80 percent" in mail["subject"] for mail in cloud.mail(owner.email))

    return Letter({"kind": "quota", **about}, holds)


def seen(cloud: LocalCloud, number: int) -> bool:
    """Whether a call with that number was made, and so met the fault in force."""
    return any(
        fault["seen"] >= fault["nth"] == number for fault in cloud.http.get("/_local/faults").json()
    )


@pytest.mark.parametrize("error", ["500", "drop-after-write"])
@pytest.mark.parametrize("service", ["dynamodb", "ses"])
@pytest.mark.parametrize(
    "prepare",
    [letter_of_a_sign_up, letter_of_a_reset, letter_of_an_invitation, letter_of_a_quota],
    ids=lambda prepare: prepare.__name__,
)
def test_a_fault_at_any_call_of_the_mail_function_loses_no_mail(
    cloud: LocalCloud, prepare: Callable[[LocalCloud], Letter], service: str, error: str
) -> None:
    """The queue delivers again what was not worked off; then the mail comes and its link works."""
    number, struck = 0, True
    while struck:
        number += 1
        assert number < 30
        letter = prepare(cloud)
        body = {"at": int(time.time()), "ip": new_address(), **letter.body}
        faults = [{"service": service, "nth": nth, "error": error} for nth in (number, number + 1)]
        with cloud.faults(faults):
            done = deliver(cloud, body, f"message-{number}")
            struck = seen(cloud, number)
        assert cloud_accounts.half_made(cloud) == []
        if not done:
            assert deliver(cloud, body, f"message-{number}")
        letter.holds()
    assert number > 1
