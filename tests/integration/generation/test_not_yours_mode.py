"""Live and test are apart: what is of the other mode is missing, for keys and their sessions."""

from __future__ import annotations

from typing import Any

import pytest

from imagelayer.generations import service
from tests.support import end_users
from tests.support.api import ALL_SCOPES, Account, Answer, bearer, session_bearer
from tests.support.generations import create
from tests.support.product import Product

MISSING = {
    "generation": "gen_00000000000000000000000000",
    "asset": "ast_00000000000000000000000000",
}
ROUTES = (
    ("GET", "/v1/generations/{generation}"),
    ("POST", "/v1/generations/{generation}/cancel"),
    ("DELETE", "/v1/generations/{generation}"),
    ("GET", "/v1/images/jobs/{generation}"),
    ("GET", "/v1/assets/{asset}"),
    ("GET", "/v1/assets/{asset}/content"),
)
EACH_MODE = pytest.mark.parametrize(("mode", "other"), [("live", "test"), ("test", "live")])


def made_with(product: Product, key: dict[str, Any]) -> dict[str, str]:
    """The ids of a job and of its image."""
    made = create(product, bearer(key)).json["id"]
    product.work_queue()
    path = f"/v1/generations/{made}"
    job = product.call("GET", path, headers=bearer(key)).json
    return {"generation": made, "asset": job["assets"][0]["id"]}


def listed(product: Product, headers: dict[str, str], limit: int = 100) -> list[str]:
    """All ids, page by page."""
    ids: list[str] = []
    query = {"limit": str(limit)}
    while True:
        page = product.call("GET", "/v1/generations", headers=headers, query=query).json
        ids += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            return ids
        query["cursor"] = page["next_cursor"]


@pytest.mark.promise("org-scoped")
@EACH_MODE
def test_what_is_of_the_other_mode_is_missing(
    product: Product, owner: Account, mode: str, other: str
) -> None:
    theirs = made_with(product, product.key(owner, *ALL_SCOPES, mode=other))
    key = product.key(owner, *ALL_SCOPES, mode=mode)
    before = product.dump_of("GenerationsTable")

    def ask(headers: dict[str, str], method: str, path: str, ids: dict[str, str]) -> Answer:
        return product.call(method, path.format(**ids), headers=headers)

    session = product.session(key, "user-1")
    for method, path in ROUTES:
        callers = [bearer(key)]
        if method != "DELETE" and "images" not in path:
            callers.append(session_bearer(session))
        for headers in callers:
            foreign = ask(headers, method, path, theirs)
            missing = ask(headers, method, path, MISSING)
            assert (foreign.status, missing.status) == (404, 404), path
            problems = [{**each.json, "request_id": ""} for each in (foreign, missing)]
            assert problems[0] == problems[1]
    assert listed(product, bearer(key)) == []
    assert product.dump_of("GenerationsTable") == before


@EACH_MODE
def test_members_see_both_and_a_key_its_own(
    product: Product, owner: Account, mode: str, other: str
) -> None:
    key, beside = (product.key(owner, *ALL_SCOPES, mode=each) for each in (mode, other))
    own, foreign = made_with(product, key), made_with(product, beside)
    for ids in (own, foreign):
        for method, path in (ROUTES[0], ROUTES[4]):
            target = path.format(**ids)
            assert product.call(method, target, headers=owner.headers).status == 200
    for method, path in (ROUTES[0], ROUTES[4]):
        assert product.call(method, path.format(**own), headers=bearer(key)).status == 200
    assert listed(product, bearer(key)) == [own["generation"]]
    assert sorted(listed(product, owner.headers)) == sorted(
        [own["generation"], foreign["generation"]]
    )


def test_a_list_reads_past_what_is_of_the_other_mode(
    product: Product, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a page's reads find nothing to show: then it is empty, and has a cursor."""
    monkeypatch.setattr(service, "LIST_READS", 2)
    live, test = (product.key(owner, *ALL_SCOPES, mode=mode) for mode in ("live", "test"))
    wanted = []
    for run in (1, 7, 0, 3):
        wanted.append(create(product, bearer(live)).json["id"])
        for _ in range(run):
            create(product, bearer(test))
    for limit in (1, 2, 3, 100):
        assert listed(product, bearer(live), limit) == wanted[::-1]
    assert len(listed(product, bearer(test), 2)) == 11


def test_a_session_is_of_its_keys_mode(product: Product, owner: Account) -> None:
    """One end user with a session of each: what they made in one is missing in the other."""
    live, test = (
        product.session(product.key(owner, *ALL_SCOPES, mode=mode), "user-1")
        for mode in ("live", "test")
    )
    made = end_users.generate(product, live).json["id"]
    path = f"/v1/generations/{made}"
    assert product.call("GET", path, headers=session_bearer(live)).status == 200
    assert product.call("GET", path, headers=session_bearer(test)).status == 404
