"""Someone else's job is a missing one, also to the other end users of one organization."""

from __future__ import annotations

import pytest

from tests.support import end_users
from tests.support.api import ALL_SCOPES, Account, bearer, session_bearer
from tests.support.generations import cancel, create, job
from tests.support.ledger import held
from tests.support.product import Product

MISSING = "gen_00000000000000000000000000"


@pytest.mark.promise("org-scoped")
def test_no_one_cancels_what_is_not_theirs(
    product: Product, owner: Account, stranger: Account
) -> None:
    key = end_users.key_of(product, owner)
    theirs = end_users.generate(product, product.session(key, "user-1")).json["id"]
    servers = create(product, bearer(key)).json["id"]
    other_user = session_bearer(product.session(key, "user-2"))
    strangers_key = bearer(product.key(stranger, *ALL_SCOPES))
    before = product.dump_of("GenerationsTable")
    for headers, made in (
        (other_user, theirs),
        (other_user, servers),
        (strangers_key, theirs),
        (stranger.headers, servers),
    ):
        foreign, missing = cancel(product, headers, made), cancel(product, headers, MISSING)
        assert (foreign.status, missing.status) == (404, 404)
        problems = [{**each.json, "request_id": ""} for each in (foreign, missing)]
        assert problems[0] == problems[1]
    assert product.dump_of("GenerationsTable") == before
    assert held(product) == (0, 2)


def test_a_job_that_has_ended_with_its_72_hours_cannot_be_canceled(
    product: Product, owner: Account
) -> None:
    made = create(product, owner.headers).json["id"]
    stored = job(product, made)
    product.edit("GenerationsTable", stored, expires_at=stored["created_at"])
    assert cancel(product, owner.headers, made).status == 404
    assert held(product) == (0, 1)  # the sweep gives them back
