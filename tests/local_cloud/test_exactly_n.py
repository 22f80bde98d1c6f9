"""Two thousand calls from several processes at once, against a limit: exactly as many pass.

Over HTTP, through the front and several warm functions. The limit is the organization's own, set by
the operator, so slow to refill that none trickles back while the test runs.
"""

from __future__ import annotations

import multiprocessing
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from dev import aws
from dev.local_cloud import LocalCloud
from imagelayer.platform.table import Table
from tests.support import cloud_accounts
from tests.support.cloud_organizations import administer, new_shop

PROCESSES = 4
THREADS = 25
CALLS = 500  # of each process
BURST = 50
SLOW = {
    "quota": BURST + 10,
    "window": 86_400,
    "burst": BURST,
}  # one more every two hours and a half


def call(client: httpx.Client, token: str, _: int) -> int:
    """One call with the key."""
    headers = {"Authorization": f"Bearer {token}"}
    return client.get("/v1/keys/self", headers=headers).status_code


def client_process(base_url: str, token: str) -> dict[int, int]:
    """What one client process is answered: how often which status."""
    with httpx.Client(base_url=base_url, timeout=60) as client, ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(partial(call, client, token), range(CALLS)))
    return {status: answers.count(status) for status in set(answers)}


def racy_process(endpoint: str, name: str, subject: str) -> int:
    """The control: the same limit by reading and then writing."""
    table = Table(aws.client("dynamodb", endpoint), name)

    def admitted(_: int) -> bool:
        taken = (table.get(subject, "TAT") or {"taken": 0})["taken"]
        if taken >= BURST:
            return False
        table.put({"pk": subject, "sk": "TAT", "taken": taken + 1})
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(admitted, range(CALLS // 5)))


@pytest.mark.promise("limits-fail-closed")
@pytest.mark.parametrize("run", range(3))
def test_2000_concurrent_calls_admit_exactly_the_limit(cloud: LocalCloud, run: int) -> None:
    owner = cloud_accounts.verified(cloud)
    shop = new_shop(cloud, org_id=owner.org_id)
    plan = administer(cloud, "set_plan", owner.org_id, limits={"key-read": SLOW})
    assert plan["keys"] == 1
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        answers = pool.starmap(client_process, [(cloud.base_url, shop.key)] * PROCESSES)
    total = {
        status: sum(each.get(status, 0) for each in answers)
        for status in {status for each in answers for status in each}
    }
    assert total == {200: BURST, 429: PROCESSES * CALLS - BURST}


def test_the_racy_control_of_several_processes_admits_too_many(cloud: LocalCloud) -> None:
    parts = (
        cloud.info["aws_endpoint"],
        cloud.info["tables"]["CountersTable"],
        f"CONTROL#{secrets.token_hex(8)}",
    )
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        assert sum(pool.starmap(racy_process, [parts] * PROCESSES)) > BURST
