"""Of several images those that were made are delivered and paid for, and no others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from imagelayer.image_models.image_model import FAILURES
from imagelayer.platform.table import StoreUnavailable
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import Till, create, job, read
from tests.support.ledger import audit, balances, held
from tests.support.model_stubs import SEED, Model, employ
from tests.support.product import Product


def make(product: Product, owner: Account, model: Model, **body: Any) -> dict[str, Any]:
    """Ask for images, let the worker make them, and read the job."""
    employ(product, model)
    made = create(product, owner.headers, seed=SEED, **body).json["id"]
    product.work_queue()
    return read(product, owner.headers, made)


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(
    "refuses",
    [
        {2: "content_filtered"},
        {0: "provider_timeout"},
        {0: "content_filtered", 1: "provider_bad_image", 3: "content_filtered"},
    ],
)
def test_what_was_made_is_delivered_and_paid_for_and_the_rest_comes_back(
    product: Product, owner: Account, refuses: dict[int, str]
) -> None:
    seen = make(product, owner, Model(refuses), n=4)
    made = 4 - len(refuses)
    assert (seen["status"], seen["error"], seen["credits"]) == ("succeeded", None, made)
    assert seen["progress"] == {"completed": made, "total": 4}
    assert seen["failures"] == [
        {"index": index, "code": code, "message": FAILURES[code]} for index, code in refuses.items()
    ]
    wanted = [SEED + index for index in range(4) if index not in refuses]
    assert [asset["seed"] for asset in seen["assets"]] == wanted
    assert all(product.fetch(asset["url"])[0] == 200 for asset in seen["assets"])
    assert len(product.objects("MediaBucket")) == made
    assert list(balances(product, owner.org_id).values()) == [(1000, made, 0, 1000 - made)]
    row = product.item("CreditsTable", "USAGE#")
    assert (row["images"], row["credits"], row["generations"]) == (made, made, 1)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_each_image_is_paid_for_at_its_own_price(product: Product, owner: Account) -> None:
    seen = make(product, owner, Model({1: "content_filtered"}), n=3, preset="square", size=None)
    assert seen["credits"] == 4  # two megapixels each, begun
    assert held(product) == (4, 0)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_settlement_for_less_gives_back_to_every_balance_that_was_drawn_on(
    product: Product, owner: Account
) -> None:
    product.parameters["MONTHLY_CREDITS"] = "3"
    first = create(product, owner.headers).json["id"]
    product.work_queue()
    assert read(product, owner.headers, first)["credits"] == 1
    assert create(product, owner.headers, n=3).status == 402
    seen = make(product, owner, Model({0: "content_filtered"}), n=2)
    assert seen["credits"] == 1
    # What came back can be spent again, to the last credit and no further.
    assert make(product, owner, Model(), n=1)["status"] == "succeeded"
    assert create(product, owner.headers).status == 402
    assert held(product) == (3, 0)
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("code", sorted(FAILURES))
def test_a_job_of_which_nothing_came_fails_with_the_first_reason_and_costs_nothing(
    product: Product, owner: Account, code: str
) -> None:
    seen = make(product, owner, Model({0: code, 1: "content_filtered"}), n=2)
    assert (seen["status"], seen["assets"], seen["failures"]) == ("failed", [], [])
    assert seen["error"] == {"code": code, "message": FAILURES[code]}
    assert held(product) == (0, 0)
    assert product.objects("MediaBucket") == []
    assert [each for each in product.items("CreditsTable") if each["sk"][:5] == "USAGE"] == []
    assert audit(product, owner) == []


@pytest.mark.promise("quota-org")
def test_a_job_whose_worker_dies_again_and_again_is_given_up_and_refunded(
    product: Product, owner: Account
) -> None:
    model = Model()
    employ(product, model)
    made = create(product, owner.headers, n=2).json["id"]
    till = Till(product, owner)
    now = time.time()
    for _ in range(3):
        with product.broken("s3"), pytest.raises(StoreUnavailable):
            till.work(made, now)
    assert till.work(made, now) == "failed"
    assert len(model.orders) == 6  # the fourth attempt asks no model
    seen = read(product, owner.headers, made)
    assert (seen["status"], seen["error"]["code"]) == ("failed", "timed_out")
    assert job(product, made)["attempts"] == 4
    assert held(product) == (0, 0)
    assert audit(product, owner) == []


def test_a_test_keys_job_is_delivered_in_part_and_free(product: Product, owner: Account) -> None:
    employ(product, Model({0: "content_filtered"}))
    key = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    made = create(product, key, n=2, seed=SEED).json["id"]
    product.work_queue()
    seen = read(product, key, made)
    assert (seen["status"], seen["credits"], len(seen["assets"])) == ("succeeded", 0, 1)
    row = product.item("CreditsTable", "USAGE#")
    assert (row["images"], row["credits"]) == (1, 0)
