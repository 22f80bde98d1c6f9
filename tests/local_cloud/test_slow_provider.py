"""A provider that answers in 75 seconds, behind a gateway that gives up after 30: the `openai`
clients and those of `docs/clients.md` get their image from one call, one job, one charge and one
question to the provider."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev.local_cloud import LocalCloud
from imagelayer.openai_api.images import MAX_HOPS
from tests.support import client_recipes, openai_suites
from tests.support.client_recipes import Cell, recipes
from tests.support.cloud_organizations import new_shop
from tests.support.images import logo
from tests.support.openai_suites import MODEL, Run
from tests.support.tcp_proxy import Watched

SECONDS = 75
CREDITS = 8
GATEWAY_SECONDS = 30
CALLS = (
    ("python 2", "a_slow_model"),
    ("python 3", "a_slow_model"),
    ("python 3", "a_slow_edit"),
    ("node 7", "a_slow_model"),
    ("node 7", "a_slow_edit"),
)


@pytest.mark.promise("quota-org")
def test_a_provider_of_75_seconds_works_with_one_charge_and_one_call(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(logo((400, 300)))

    def ask(call: tuple[str, str]) -> tuple[Run, Watched, float]:
        client, case = call
        shop = new_shop(cloud)
        way = Watched(cloud.base_url)
        given = {
            "base_url": f"{way.base_url}/v1",
            "keys": {"live": shop.key},
            "model": MODEL,
            "picture": str(picture),
            "slow": slow[call],
            "seconds": 6 * SECONDS,
        }
        with way.open():
            began = time.monotonic()
            ran = openai_suites.run(client, shop, given, [case])
            return ran, way, time.monotonic() - began

    slow = {call: openai_suites.words("slow")["slow"] for call in CALLS}
    others = [
        Cell(recipe, new_shop(cloud, with_brand=True), "1024x1024", model=MODEL)
        for recipe in recipes()
        if not recipe.edits and recipe.client != "Retries"
    ]
    prompts = [*slow.values(), *(cell.prompt for cell in others)]
    openai_suites.script(
        cloud, [{"match": word, "failure": "slow", "seconds": SECONDS} for word in prompts]
    )
    try:
        with ThreadPoolExecutor(len(CALLS) + len(others)) as pool:
            runs = [pool.submit(client_recipes.run, [cell], b"") for cell in others]
            found = list(pool.map(ask, CALLS))
            for each in runs:
                each.result()
    finally:
        openai_suites.script(cloud, [])
    for cell in others:
        assert (len(cell.pictures), cell.error) == (1, ""), cell.row()
        assert [(job["status"], job["credits"]) for job in cell.jobs()] == [("succeeded", CREDITS)]
        assert len(openai_suites.provider_calls(cloud, cell.prompt)) == 1
        assert (cell.shop.spent(), cell.shop.broken()) == ((CREDITS, 0), [])
    for call, (ran, way, seconds) in zip(CALLS, found, strict=True):
        assert ran.told[call[1]]["ok"], (call, ran.told[call[1]]["error"])
        assert seconds > SECONDS
        first, *hops = way.requests
        assert first.method == "POST"
        assert {hop.method for hop in hops} == {"GET"}
        assert SECONDS // GATEWAY_SECONDS <= len(hops) <= MAX_HOPS
        told = {request.headers.get("authorization") for request in way.requests}
        assert told == {f"Bearer {ran.shop.key}"}
        assert ran.provider_calls("slow") == 1
        assert [job["status"] for job in ran.jobs()] == ["succeeded"]
        assert (ran.shop.spent(), ran.shop.broken()) == ((CREDITS, 0), [])
