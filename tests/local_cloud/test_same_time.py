"""Whether an address has an account does not show in how long an answer takes.

What takes an answer's time is its calls of AWS, one after another, and one bcrypt. Each kind of
address is asked for in every order, by a client that was never there before, and makes the same
calls. That the bcrypt is made once and at the same cost, `test_unauthenticated_login.py` and
`test_success_registration.py` show, where bcrypt can be watched. Clocks decide nothing: what two
sides of a busy machine measure differs more than a leak would.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import httpx
import pytest

from dev.local_cloud import LocalCloud
from tests.support import cloud_accounts
from tests.support.cloud_clients import new_visitor

ORDERS = list(itertools.permutations(("with an account", "waiting", "without")))
WARM_UP = 4


def work(cloud: LocalCloud, answer: httpx.Response) -> list[str]:
    """The calls that one request made, but for the secrets that a process reads at its start."""
    made = cloud.calls(answer.headers["x-request-id"])
    names = [f"{call['service']} {call['operation']}" for call in made]
    return [name for name in names if not name.startswith("secretsmanager")]


def address(cloud: LocalCloud, kind: str) -> str:
    """An address with an account, with a sign-up that waits for its confirmation, or without."""
    if kind == "with an account":
        return cloud_accounts.verified(cloud).email
    visitor = new_visitor(cloud)
    if kind == "waiting":
        assert visitor.register().status_code == 202
        cloud.wait_for_mail(visitor.email)
    return visitor.email


def log_in(cloud: LocalCloud, email: str) -> list[str]:
    """What a login with a wrong password does."""
    body = {"email": email, "password": "not the right password"}
    answer = new_visitor(cloud).call("POST", "/v1/auth/login", json=body)
    assert answer.status_code == 401, answer.text
    return work(cloud, answer)


def sign_up(cloud: LocalCloud, email: str) -> list[str]:
    """What a sign-up does."""
    answer = new_visitor(cloud).register(email=email)
    assert answer.status_code == 202, answer.text
    return work(cloud, answer)


@pytest.mark.promise("email-unique")
@pytest.mark.parametrize("does", [log_in, sign_up])
def test_an_answer_takes_the_same_work_whatever_the_address_is(
    cloud: LocalCloud, does: Callable[[LocalCloud, str], list[str]]
) -> None:
    for _ in range(WARM_UP):
        does(cloud, address(cloud, "without"))
    made: dict[str, set[tuple[str, ...]]] = {kind: set() for kind in ORDERS[0]}
    for order in ORDERS:
        for kind in order:
            made[kind].add(tuple(does(cloud, address(cloud, kind))))
    assert made["with an account"] == made["waiting"] == made["without"]
    (calls,) = made["without"]
    assert calls


def test_other_work_would_be_seen(cloud: LocalCloud) -> None:
    """The control: with the right password a login goes on, and the calls show it."""
    owner = cloud_accounts.verified(cloud)
    wrong = log_in(cloud, owner.email)
    right = owner.log_in()
    assert right.status_code == 200
    assert work(cloud, right) != wrong
