"""Clients other than `openai`, unmodified, by the recipes of `docs/clients.md`: every picture that
was requested is answered with all of its bytes, on the brand, and charged once."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import httpx
import pytest
import requests

from dev.local_cloud import LocalCloud
from imagelayer.image_models.registry import registry
from tests.support.client_recipes import Cell, Recipe, recipes, run, table
from tests.support.cloud_organizations import PROVIDERS_MODEL, Shop, new_key, new_shop
from tests.support.images import logo
from tests.support.openai_suites import script
from tests.support.tcp_proxy import Lossy

MODELS = registry(("openai",)).models
PHOTO = logo((400, 300))
SIZES = ("1024x1024", "1536x1024", "1024x1536", "1792x1024")
SQUARE = SIZES[0]
RECIPES = recipes()
RETRIES = "Retries"
MAKING = [each for each in RECIPES if not each.edits and each.client != RETRIES]
EDITING = [each for each in RECIPES if each.edits]
(KEYED,) = [each for each in RECIPES if each.client == RETRIES]
# Clients without a field for anything of ours: their key has a default brand.
FIXED = {"AI SDK: @ai-sdk/openai", "LangChain"}


def cells_of(recipe: Recipe, shop: Shop) -> list[Cell]:
    """What a client makes: OpenAI's sizes, four images, another format, and images of a provider
    that no response can hold."""
    made = [Cell(recipe, shop, size) for size in SIZES]
    made.append(Cell(recipe, shop, SQUARE, n=4))
    made.append(Cell(recipe, shop, SQUARE, n=3, model=PROVIDERS_MODEL))
    if recipe.client not in FIXED:
        made.append(Cell(recipe, shop, SQUARE, output_format="webp"))
    return made


@pytest.fixture(scope="module")
def cells(cloud: LocalCloud) -> list[Cell]:
    """All cells, run by both languages at the same time, by an organization for each client."""
    shops = {each.client: new_shop(cloud, with_brand=True) for each in MAKING}
    for client in FIXED:
        shop = shops[client]
        _, shop.key = new_key(cloud, shop.org_id, default_brand_id=shop.brand_id)
    made = [cell for each in MAKING for cell in cells_of(each, shops[each.client])]
    made += [Cell(each, shops[each.client], "400x300") for each in EDITING]
    lost = {
        "keyed": Cell(KEYED, new_shop(cloud, with_brand=True), "256x256", n=2),
        "control": Cell(MAKING[0], new_shop(cloud, with_brand=True), "256x256", n=2),
    }
    script(cloud, [
        {"match": cell.prompt, "failure": "noise"} for cell in made if cell.model != "studio"
    ])  # fmt: skip
    with Lossy.for_each(cloud.base_url, lost) as lossy:
        for name, cell in lost.items():
            cell.way = lossy[name].base_url
        every = sorted([*made, *lost.values()], key=lambda cell: cell.recipe.language)
        batches = [list(batch) for _, batch in groupby(every, lambda cell: cell.recipe.language)]
        with ThreadPoolExecutor(len(batches)) as pool:
            list(pool.map(lambda batch: run(batch, PHOTO), batches))
        assert all(each.lost == 1 for each in lossy.values())
    script(cloud, [])
    return [*made, *lost.values()]


def of(cells: list[Cell], client: str) -> list[Cell]:
    """The cells of one client."""
    return [cell for cell in cells if cell.recipe.client == client and not cell.way]


CLIENT = pytest.mark.parametrize("client", [each.client for each in MAKING])


@CLIENT
def test_every_image_is_answered_with_its_bytes_on_the_brand(
    cells: list[Cell], client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = of(cells, client)
    with capsys.disabled():
        print(f"\n{table(mine)}")
    for cell in mine:
        assert cell.error == "", cell.row()
        assert len(cell.pictures) == cell.n == len({each["hash"] for each in cell.pictures})
        assert {each["format"] for each in cell.pictures} == {cell.output_format}, cell.row()
        if cell.output_format == "png":
            assert {each["size"] for each in cell.pictures} == {cell.size}, cell.row()
        for job in cell.jobs():
            assert job["brand_id"] == cell.shop.brand_id
            assert bool(job.get("text")) is (client not in FIXED and not cell.recipe.edits)


@pytest.mark.promise("quota-org")
@CLIENT
def test_what_a_client_was_answered_with_is_what_it_paid_for(
    cells: list[Cell], client: str
) -> None:
    mine = of(cells, client)
    shop = mine[0].shop
    assert shop.broken() == []
    for cell in mine:
        jobs = cell.jobs()
        assert {job["status"] for job in jobs} == {"succeeded"}
        width, _, height = cell.size.partition("x")
        price = MODELS[cell.model].credits(int(width), int(height), cell.n)
        assert sum(job["n"] for job in jobs) == cell.n
        assert sum(job["credits"] for job in jobs) == price, cell.row()
    charged = sum(job["credits"] for cell in mine for job in cell.jobs())
    assert shop.spent() == (charged, 0)
    assert len(shop.jobs()) == sum(len(cell.jobs()) for cell in mine)


@CLIENT
def test_what_no_response_can_hold_came_by_a_link_that_is_followed(
    cells: list[Cell], client: str
) -> None:
    """Three pictures of noise have 8 MB in base64."""
    shop = of(cells, client)[0].shop
    listed = shop.cloud.client("s3").list_objects_v2(
        Bucket=shop.cloud.info["buckets"]["MediaBucket"], Prefix=f"answers/{shop.org_id}/"
    )
    (noise,) = [cell for cell in of(cells, client) if cell.model == PROVIDERS_MODEL]
    jobs = {job["id"] for job in noise.jobs()}
    if len(jobs) == 1:
        assert {each["Key"].split("/")[2] for each in listed["Contents"]} >= jobs


@pytest.mark.promise("quota-org")
def test_a_client_that_counts_no_attempts_is_charged_once_with_a_key_of_its_users(
    cells: list[Cell],
) -> None:
    (keyed,) = [cell for cell in cells if cell.recipe is KEYED]
    assert (len(keyed.pictures), keyed.error) == (2, "")
    assert len(keyed.jobs()) == 1
    assert keyed.shop.spent() == (2, 0)


def test_without_the_key_its_second_attempt_makes_another(cells: list[Cell]) -> None:
    """The control: what the page warns of."""
    (control,) = [cell for cell in cells if cell.way and cell.recipe is not KEYED]
    assert (len(control.pictures), control.error) == (2, "")
    assert len(control.jobs()) == 2


@pytest.fixture(scope="module")
def link(cells: list[Cell]) -> tuple[str, str]:
    """Where a request is answered by a redirect to another host, and the key."""
    (noise,) = [cell for cell in of(cells, "LiteLLM") if cell.model == PROVIDERS_MODEL]
    (job,) = noise.jobs()
    return f"{noise.base_url}/v1/images/jobs/{job['id']}", noise.shop.key


def test_programs_that_drop_the_key_at_another_host_are_answered(link: tuple[str, str]) -> None:
    place, key = link
    headers = {"Authorization": f"Bearer {key}"}
    answers: list[requests.Response | httpx.Response] = [
        requests.get(place, headers=headers, timeout=20),
        httpx.get(place, headers=headers, timeout=20, follow_redirects=True),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text[:300]
        assert [bool(each["b64_json"]) for each in answer.json()["data"]] == [True] * 3
        assert "authorization" not in {name.lower() for name in answer.request.headers}
    curl = ["curl", "-sSL", place, "-H", f"Authorization: Bearer {key}"]
    told = subprocess.run(curl, capture_output=True, text=True, check=True)
    assert told.stdout.startswith('{"created"'), told.stdout[:300]


def test_programs_that_keep_it_are_refused_as_s3_refuses_them(link: tuple[str, str]) -> None:
    place, key = link
    request = urllib.request.Request(place, headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)  # noqa: S310
    assert refused.value.code == 400
    assert b"Only one auth mechanism allowed" in refused.value.read()
    refused.value.close()


def test_httpx_follows_nothing_unless_told(link: tuple[str, str]) -> None:
    place, key = link
    answer = httpx.get(place, headers={"Authorization": f"Bearer {key}"}, timeout=20)
    assert (answer.status_code, answer.text) == (303, "")
