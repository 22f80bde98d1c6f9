"""A fresh product for every test: tables, buckets and queues made from template.yaml on moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support import role_calls
from tests.support.api import Account
from tests.support.paid_calls import PaidCalls
from tests.support.product import Product


@pytest.fixture(scope="session")
def paid_calls() -> Iterator[PaidCalls]:
    """Prints how often the calls of providers were checked."""
    checked = PaidCalls()
    yield checked
    print(f"\n{checked}")


@pytest.fixture(autouse=True)
def role_calls_are_allowed(request: pytest.FixtureRequest) -> Iterator[None]:
    """A call that the function's role refuses fails the test that made it."""
    role_calls.begin()
    yield
    role_calls.end(request.node.nodeid)


@pytest.fixture
def product(paid_calls: PaidCalls) -> Iterator[Product]:
    """The whole product, empty. What its providers were asked for is paid for in the end."""
    with Product() as made:
        yield made
        if made.provider_calls:
            paid_calls.check_product(made, made.provider_calls)


# Their tests are about what the processes remember that have served a sign-up.
WARM = {"pepper_rotation", "signing_rotation"}


@pytest.fixture
def sign_up(request: pytest.FixtureRequest, product: Product) -> Callable[[str], Account]:
    """How accounts come to be that a test begins with."""
    return product.account if request.path.parent.name in WARM else product.begin_with


@pytest.fixture
def owner(sign_up: Callable[[str], Account]) -> Account:
    """A verified, logged-in owner of an organization."""
    return sign_up("dev@example.com")


@pytest.fixture
def stranger(sign_up: Callable[[str], Account], owner: Account) -> Account:
    """The owner of another organization."""
    return sign_up("stranger@example.org")
