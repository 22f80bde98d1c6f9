"""A job of a provider's model, from the request to the bill."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev.model_servers import GOOGLE_KEY, OPENAI_KEY
from tests.support.api import Account
from tests.support.ledger import held
from tests.support.product import Product
from tests.support.provider_stubs import LIVING, MODELS, ProviderStubs, set_keys

EVERY_PROVIDER = pytest.mark.parametrize("provider", LIVING)


def ask(product: Product, owner: Account, provider: str, **body: Any) -> dict[str, Any]:
    """Ask for a picture, let the worker work, and look at the job."""
    sent = {"prompt": "waves", "size": "512x512", "model": LIVING[provider], **body}
    answer = product.call("POST", "/v1/generations", headers=owner.headers, body=sent)
    assert answer.status == 202, answer.text
    product.work_queue()
    path = f"/v1/generations/{answer.json['id']}"
    found: dict[str, Any] = product.call("GET", path, headers=owner.headers).json
    return found


def attention(product: Product) -> int:
    return sum("ProviderNeedsAttention" in line for line in product.logs() if "_aws" in line)


@EVERY_PROVIDER
def test_a_job_of_each_provider_succeeds_and_is_paid_once(
    product: Product, providers: ProviderStubs, owner: Account, provider: str
) -> None:
    job = ask(product, owner, provider)
    assert job["status"] == "succeeded"
    assert len(providers.calls) == 1
    assert held(product) == (MODELS[LIVING[provider]].credits_per_image, 0)
    assert attention(product) == 0


@pytest.mark.promise("quota-org")
@EVERY_PROVIDER
@pytest.mark.parametrize(
    ("failure", "code", "needs_attention"),
    [
        ("filtered", "content_filtered", 0),
        ("filtered_output", "content_filtered", 0),
        ("server_error", "provider_unavailable", 0),
        ("bad_key", "provider_misconfigured", 1),
        ("quota", "provider_quota", 1),
        ("model_gone", "model_unavailable", 1),
    ],
)
def test_a_job_that_its_provider_fails_costs_nothing_and_calls_the_operator_if_it_is_theirs_to_mend(
    product: Product,
    providers: ProviderStubs,
    owner: Account,
    provider: str,
    failure: str,
    code: str,
    needs_attention: int,
) -> None:
    providers.fail(failure)
    job = ask(product, owner, provider)
    assert (job["status"], job["error"]["code"]) == ("failed", code)
    assert held(product) == (0, 0)
    assert attention(product) == needs_attention
    assert len(providers.calls) == 1


@pytest.mark.promise("no-training", "keys-hashed")
@EVERY_PROVIDER
@pytest.mark.parametrize("failure", ["", "filtered", "bad_key", "server_error", "web_page"])
def test_neither_prompt_nor_key_is_in_a_log_or_a_table(
    product: Product, providers: ProviderStubs, owner: Account, provider: str, failure: str
) -> None:
    if failure:
        providers.fail(failure)
    job = ask(product, owner, provider, prompt="a very private otter")
    kept = [product.dump_of(table) for table in ("CreditsTable", "EventsTable")]
    told = product.output.getvalue() + json.dumps(kept, default=str) + json.dumps(job["error"])
    for secret in ("private otter", OPENAI_KEY, GOOGLE_KEY):
        assert secret not in told


@pytest.mark.promise("brand-isolated")
@EVERY_PROVIDER
def test_a_provider_is_sent_the_callers_words_and_no_organization(
    product: Product, providers: ProviderStubs, owner: Account, provider: str
) -> None:
    ask(product, owner, provider)
    sent = json.dumps(providers.calls[0])
    assert "waves" in sent
    for name in (owner.org_id, "dev@example.com"):
        assert name not in sent


def test_images_of_one_job_are_asked_for_at_the_same_time_and_each_is_another(
    product: Product, providers: ProviderStubs, owner: Account
) -> None:
    job = ask(product, owner, "bedrock", n=4)
    assert job["status"] == "succeeded"
    assert len({each["seed"] for each in providers.calls}) == len(providers.calls) == 4


def test_a_key_that_was_exchanged_is_used_by_the_next_process(
    product: Product, providers: ProviderStubs, owner: Account
) -> None:
    set_keys(product, openai="sk-revoked", google="")
    assert ask(product, owner, "openai")["error"]["code"] == "provider_misconfigured"
    set_keys(product, openai=OPENAI_KEY, google=GOOGLE_KEY)
    worker = product.platform("generation_worker")
    worker.secrets._kept.clear()
    assert ask(product, owner, "openai")["status"] == "succeeded"


def test_models_of_a_provider_that_is_not_set_up_are_unknown(providers: ProviderStubs) -> None:
    with Product() as plain:
        owner = plain.account("dev@example.com")
        body = {"prompt": "waves", "model": LIVING["openai"]}
        answer = plain.call("POST", "/v1/generations", headers=owner.headers, body=body)
    assert answer.status == 422
    assert providers.calls == []
