"""The `openai` clients, unmodified, against the deployed template: each does all of its cases, and
what it was answered with is what it paid for, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.local_cloud import LocalCloud
from imagelayer.access.key_secrets import hash_secret
from imagelayer.limits.rate_limits import POLICIES
from imagelayer.platform.times import utc_month
from tests.support import cloud_accounts
from tests.support.api_clients import ALL_SCOPES
from tests.support.cloud_organizations import Shop, new_key, new_shop, new_trace
from tests.support.images import logo
from tests.support.openai_suites import COMMANDS, MODEL, SUITE, Run, run, script, words
from tests.support.tcp_proxy import Lossy

FIRST = "a_limit_is_waited_for_by_the_client"  # while the wait is short
CASES = (
    FIRST,
    "url",
    "b64_json",
    "both_by_default",
    "more_than_a_response_holds",
    "several_images",
    "size_auto",
    "quality_style_and_user_are_taken",
    "output_formats",
    "background_opaque",
    "unknown_fields_are_ignored",
    "answers_carry_more_than_openais",
    "brand_id_through_extra_body",
    "text_through_extra_body",
    "template_through_extra_body",
    "preset_through_extra_body",
    "edit_with_a_file",
    "edit_with_a_list",
    "edit_with_two_pictures_or_a_mask_is_refused",
    "edit_of_what_is_no_picture_is_refused",
    "filtered_is_bad_request",
    "a_wrong_key_is_authentication",
    "a_missing_scope_is_permission_denied",
    "an_unknown_model_is_not_found",
    "another_organizations_brand_is_not_found",
    "a_broken_rule_is_unprocessable",
    "a_dead_model_is_unprocessable_and_names_another",
    "a_limit_is_rate_limit_with_its_wait",
    "out_of_credits_is_402_and_is_not_retried",
    "a_providers_failure_is_internal_server_error_after_the_clients_retries",
    "what_a_retry_cannot_help_is_not_retried",
    "request_ids",
    "raw_responses",
    "a_stream_of_generations",
    "a_stream_of_edits",
    "a_stream_that_is_refused_raises",
    "models_list",
    "models_retrieve",
    "a_providers_model",
    "a_test_key_is_free",
    "an_idempotency_key_makes_one",
    "two_calls_make_two",
    "a_lost_answer_is_charged_once",
    "a_write_whose_answer_was_lost_is_charged_once",
    "an_impatient_client_is_charged_once",
    "the_async_client",
)
SLOW = ("a_slow_model", "a_slow_edit")  # in test_slow_provider.py
# What the provider's stand-in does with the prompts of a case.
FAILURES = {"bad": "filtered", "failing": "unavailable", "exhausted": "quota", "noisy": "noise"}
SLOW_SECONDS = 5


def given_to(shop: Shop, lossy: Lossy, foreign: Shop, picture: Path) -> dict[str, Any]:
    """What a suite works with."""
    cloud = shop.cloud
    broke = new_shop(cloud)
    now = time.time()
    broke.credits.open_month(broke.org_id, utc_month(now), int(now), 0, 1)
    return {
        "base_url": f"{cloud.base_url}/v1",
        "lossy_url": f"{lossy.base_url}/v1",
        "keys": {
            "live": shop.key,
            "broke": broke.key,
            "test": new_key(cloud, shop.org_id, mode="test")[1],
            "reader": new_key(cloud, shop.org_id, scopes={*ALL_SCOPES} - {"generations:write"})[1],
            "limited": limited(cloud, shop, seconds=900),
            "briefly_limited": limited(cloud, shop, seconds=12),
        },
        "broke": broke.org_id,
        "brand_id": shop.brand_id,
        "foreign_brand_id": foreign.brand_id,
        "model": MODEL,
        "picture": str(picture),
        "trace": new_trace(),
        **words("bad", "failing", "exhausted", "noisy", "slow", "lost", "traced"),
    }


def limited(cloud: LocalCloud, shop: Shop, *, seconds: int) -> str:
    """A key whose limit was just used up, for so long."""
    _, secret = new_key(cloud, shop.org_id)
    policy = POLICIES["generation-create"]
    tat = int(time.time() * 1000) + policy.burst * policy.interval_ms + seconds * 1000
    cloud_accounts.table(cloud, "KeysTable").update(
        f"SECRET#{hash_secret(secret)}",
        "SECRET",
        "SET #tat_generation_create = :tat_generation_create",
        tat_generation_create=tat,
    )
    return secret


def lost_writes(trace: str) -> list[dict[str, Any]]:
    """The job is accepted twice over, and neither time does the function hear of it."""
    fault = {"service": "dynamodb", "operation": "TransactWriteItems", "error": "drop-after-write"}
    return [{**fault, "trace": trace, "nth": nth} for nth in (1, 2)]


@pytest.fixture(scope="module")
def runs(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """All suites, run at the same time by an organization each."""
    picture = tmp_path_factory.mktemp("openai") / "photo.png"
    picture.write_bytes(logo((400, 300)))
    foreign = new_shop(cloud, with_brand=True)
    shops = {client: new_shop(cloud, with_brand=True) for client in COMMANDS}
    with Lossy.for_each(cloud.base_url, COMMANDS) as lossy:
        given = {
            client: given_to(shops[client], lossy[client], foreign, picture) for client in COMMANDS
        }
        slow = [
            {"match": each["slow"], "failure": "slow", "seconds": SLOW_SECONDS}
            for each in given.values()
        ]
        failing = [
            {"match": each[word], "failure": failure}
            for each in given.values()
            for word, failure in FAILURES.items()
        ]
        script(cloud, [*slow, *failing])
        cloud.set_faults([fault for each in given.values() for fault in lost_writes(each["trace"])])
        with ThreadPoolExecutor(len(COMMANDS)) as pool:
            results = pool.map(
                lambda client: run(client, shops[client], given[client], CASES), COMMANDS
            )
            found = dict(zip(COMMANDS, results, strict=True))
        struck = {
            fault["trace"]: fault["seen"] for fault in cloud.http.get("/_local/faults").json()
        }
        assert set(struck) == {each["trace"] for each in given.values()}
        assert all(seen >= 2 for seen in struck.values()), struck
        assert all(each.lost == 1 for each in lossy.values())
        script(cloud, [])
        yield found


CLIENT = pytest.mark.parametrize("client", COMMANDS)


@CLIENT
@pytest.mark.parametrize("case", CASES)
def test_the_client_does(runs: dict[str, Run], client: str, case: str) -> None:
    told = runs[client].told[case]
    assert told["ok"], told["error"]


@CLIENT
def test_the_client_is_of_the_major_it_is_named_for(runs: dict[str, Run], client: str) -> None:
    assert runs[client].version.partition(".")[0] == client.partition(" ")[2]


def test_every_case_of_the_suites_is_listed_here_and_both_suites_have_the_same() -> None:
    for name, before, after in (("suite.py", "@case\ndef ", "("), ("suite.mjs", "\nCASES.", " ")):
        _, *rest = (SUITE / name).read_text("utf-8").split(before)
        assert {each.partition(after)[0] for each in rest} == {*CASES, *SLOW}, name


@pytest.mark.promise("quota-org")
@CLIENT
def test_what_the_client_was_answered_with_is_what_it_paid_for(
    runs: dict[str, Run], client: str
) -> None:
    run = runs[client]
    assert run.shop.broken() == []
    succeeded = {job["id"]: job["credits"] for job in run.jobs() if job["status"] == "succeeded"}
    assert dict(run.paid) == succeeded
    assert run.shop.spent() == (sum(run.paid.values()), 0)


@pytest.mark.promise("quota-org")
@CLIENT
@pytest.mark.parametrize("word", ["lost", "traced", "slow"])
def test_a_request_that_was_sent_again_is_one_job(
    runs: dict[str, Run], client: str, word: str
) -> None:
    assert [job["status"] for job in runs[client].jobs(word)] == ["succeeded"]


@CLIENT
def test_an_impatient_client_has_the_provider_asked_once(runs: dict[str, Run], client: str) -> None:
    assert runs[client].provider_calls("slow") == 1


@pytest.mark.promise("quota-org")
@CLIENT
@pytest.mark.parametrize(("word", "jobs"), [("bad", 1), ("exhausted", 1), ("failing", 3)])
def test_what_failed_is_asked_for_as_often_as_it_may_help_and_is_free(
    runs: dict[str, Run], client: str, word: str, jobs: int
) -> None:
    """A client tries an unreachable provider three times, and what was refused for good once."""
    made = runs[client].jobs(word)
    assert [job["status"] for job in made] == ["failed"] * jobs
    assert {job["id"] for job in made} & set(runs[client].paid) == set()


@CLIENT
def test_who_is_out_of_credits_is_notified_once(runs: dict[str, Run], client: str) -> None:
    run = runs[client]
    events = cloud_accounts.table(run.shop.cloud, "EventsTable").query(
        f"ORG#{run.given['broke']}", prefix="EVT#"
    )
    assert [event["event"] for event in events].count("quota.denied") == 1


@pytest.mark.promise("quota-org")
@pytest.mark.parametrize(("counts", "jobs"), [(True, 1), (False, 2)])
def test_it_is_the_counted_attempt_by_which_a_lost_answer_is_found(
    cloud: LocalCloud, counts: bool, jobs: int
) -> None:
    """The control: a client that does not count its attempts is charged for each."""
    shop = new_shop(cloud)

    def ask(base_url: str, attempt: int) -> httpx.Response:
        headers = {"Authorization": f"Bearer {shop.key}"}
        if counts:
            headers["x-stainless-retry-count"] = str(attempt)
        body = {"prompt": "warm waves", "size": "256x256"}
        return httpx.post(f"{base_url}/v1/images/generations", json=body, headers=headers)

    with Lossy.for_each(cloud.base_url, ["one"]) as lossy:
        with pytest.raises(httpx.TransportError):
            ask(lossy["one"].base_url, 0)
        assert ask(lossy["one"].base_url, 1).status_code == 200
    wait_until(lambda: all(job["status"] == "succeeded" for job in shop.jobs()))
    assert len(shop.jobs()) == jobs
    assert shop.spent() == (jobs, 0)
    assert shop.broken() == []


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Until what a worker does is done."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
