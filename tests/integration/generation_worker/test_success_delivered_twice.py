"""A message that is delivered twice at once: one run settles, and the other leaves it alone."""

from __future__ import annotations

from copy import replace
from typing import Any

import pytest

from imagelayer.generations.wiring import GenerationsWiring
from imagelayer.image_models.image_model import ImageRequest
from tests.support.api import ALL_SCOPES, Account, bearer
from tests.support.generations import create
from tests.support.ledger import held
from tests.support.product import Product


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize("n", [1, 2])
def test_the_run_that_comes_second_removes_nothing_that_is_paid_for(
    product: Product, owner: Account, n: int
) -> None:
    job = create(product, owner.headers, n=n).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    runs: list[str] = []

    class Overtaken:
        """Paints; in between the same message is worked off by another process."""

        def generate(self, order: ImageRequest) -> Any:
            if not runs:
                runs.append(worker.work(owner.org_id, job, "m-1"))
            return worker.providers["studio"]().generate(order)

    slow = replace(worker, providers={"studio": Overtaken})
    assert slow.work(owner.org_id, job, "m-1") == "lost"
    assert runs == ["succeeded"]
    assert held(product) == (n, 0)
    answer = product.call("GET", f"/v1/generations/{job}", headers=owner.headers).json
    assert answer["status"] == "succeeded"
    stored = product.items("GenerationsTable")
    keys = sorted(item["object_key"] for item in stored if item["sk"].startswith("AST#"))
    assert sorted(product.objects("MediaBucket")) == keys
    assert len(keys) == n


def test_what_an_attempt_left_that_died_is_removed_by_the_next(
    product: Product, owner: Account
) -> None:
    job = create(product, owner.headers, n=2).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker

    class Dies(BaseException):
        """As a process does: nothing is cleaned up."""

    class DyingModel:
        """Paints one picture and takes the process with it at the second."""

        def generate(self, order: ImageRequest) -> Any:
            if product.objects("MediaBucket"):
                raise Dies
            return worker.providers["studio"]().generate(order)

    class OneByOne(type(worker)):  # type: ignore[misc]
        """Brands each picture before the next is painted."""

        def _generate_all(self, job: Any, look: Any) -> Any:
            source = self._source(job)
            for index in range(job["n"]):
                model = self.registry.models[job["model"]]
                yield self.providers["studio"]().generate(
                    self._request(job, look, model, source, index)
                )

    dying = OneByOne(**{**vars(worker), "providers": {"studio": DyingModel}})
    with pytest.raises(Dies):
        dying.work(owner.org_id, job, "m-1")
    (left,) = product.objects("MediaBucket")
    assert worker.work(owner.org_id, job, "m-1") == "succeeded"
    assert left not in product.objects("MediaBucket")
    assert len(product.objects("MediaBucket")) == 2


def test_what_a_failing_attempt_made_is_removed_at_once(product: Product, owner: Account) -> None:
    job = create(product, owner.headers, n=2).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker

    class Broken:
        """Makes the store's progress fail after the first image."""

        def __getattr__(self, name: str) -> Any:
            if name == "record_progress":
                raise RuntimeError
            return getattr(worker.store, name)

    with pytest.raises(RuntimeError):
        replace(worker, store=Broken()).work(owner.org_id, job, "m-1")  # type: ignore[arg-type]
    assert product.objects("MediaBucket") == []
    assert held(product) == (0, 2)


@pytest.mark.parametrize("lost_to", ["a cancellation", "another worker"])
def test_a_worker_that_lost_its_job_brands_and_stores_no_further_picture(
    product: Product, owner: Account, lost_to: str
) -> None:
    job = create(product, owner.headers, n=3).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker
    stored: list[str] = []

    class LosesIt:
        """Stores a picture, and the job is lost at the first."""

        def put(self, key: str, *args: Any, **named: Any) -> None:
            worker.media.put(key, *args, **named)
            stored.append(key)
            if lost_to == "a cancellation":
                path = f"/v1/generations/{job}/cancel"
                assert product.call("POST", path, headers=owner.headers).status == 200
            elif len(stored) == 1:
                product.edit(
                    "GenerationsTable", product.item("GenerationsTable", "GEN#"), lease="m-2"
                )

        def __getattr__(self, name: str) -> Any:
            return getattr(worker.media, name)

    losing = replace(worker, media=LosesIt())  # type: ignore[arg-type]
    assert losing.work(owner.org_id, job, "m-1") == "lost"
    assert len(stored) == 1
    assert product.objects("MediaBucket") == []


@pytest.mark.promise("quota-org")
def test_a_free_jobs_worker_that_is_canceled_in_between_leaves_nothing(
    product: Product, owner: Account
) -> None:
    """No credits refuse its settlement, only the job's own state."""
    headers = bearer(product.key(owner, *ALL_SCOPES, mode="test"))
    job = create(product, headers).json["id"]
    worker = product.part("generation_worker", GenerationsWiring).generation_worker

    class Canceled:
        """Paints; the job is canceled in between."""

        def generate(self, order: ImageRequest) -> Any:
            path = f"/v1/generations/{job}/cancel"
            assert product.call("POST", path, headers=headers).status == 200
            return worker.providers["studio"]().generate(order)

    canceled = replace(worker, providers={"studio": Canceled})
    assert canceled.work(owner.org_id, job, "m-1") == "lost"
    stored = product.items("GenerationsTable")
    assert [item["status"] for item in stored if item["sk"].startswith("GEN#")] == ["canceled"]
    assert [item for item in stored if item["sk"].startswith("AST#")] == []
    assert product.objects("MediaBucket") == []
