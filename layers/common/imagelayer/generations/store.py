"""Jobs, their images' records, and idempotency records. All expire together at 72 hours.

    ORG#<org_id>   GEN#<generation_id>   status, prompt, …, claim, expires_at, sweep_shard, sweep_at
    ORG#<org_id>   AST#<asset_id>        generation_id, object_key, …, expires_at
    ORG#<org_id>   IDEM#<hash>           see stores.idempotency

A job's states, and the conditional write behind each arrow:

    queued ──claim──▶ running ──settle──▶ succeeded
       ▲                 │  │
       └────requeue──────┘  │
       └──release───────────┴──▶ failed, canceled

`sweep_at` is the moment at which the sweep should look at the job next: the deadline of a state
that must not last, and `expires_at` once the job is done. `purge_at` is the table's TTL attribute,
days later, so that DynamoDB cannot forget a record before the sweep has removed its media.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    Table,
    TransactionRefused,
    sweep_shard,
    try_transact,
)

PURGE_AFTER_SECONDS = 4 * 86_400


class GenerationStore:
    """Jobs and assets of an organization; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self.idempotency = IdempotencyStore(client, table)

    def accept(
        self,
        job: Item,
        *,
        brand: Sequence[Action] = (),
        limits: Sequence[Action] = (),
        cap: Sequence[Action] = (),
        reserve: Sequence[Action] = (),
        record: IdempotencyRecord | None = None,
    ) -> Refusal | None:
        """Write the job, count it against its limits and its session's cap, hold its credits and
        note its idempotency key, all or nothing.

        Returns None when accepted. Racing requests with one key: one puts the record, the others
        are canceled whole, so one job exists and one reservation.
        """
        parts = {
            "job": [self._table.put_action(_job_item(job), condition="attribute_not_exists(#pk)")],
            "brand": brand,
            "limits": limits,
            "cap": cap,
            "reserve": reserve,
        }
        actions = [action for part in parts.values() for action in part]
        try:
            earlier = self.idempotency.commit(actions, record)
        except TransactionRefused as refusal:
            return Refusal.of(refusal, {name: len(part) for name, part in parts.items()})
        return Refusal(earlier=earlier) if earlier is not None else None

    def get(self, org_id: str, generation_id: str) -> Item | None:
        """A job, or None."""
        return self._table.get(**_job_key(org_id, generation_id))

    def page(self, org_id: str, *, limit: int, after: str | None) -> list[Item]:
        """Jobs, newest first, past `after`."""
        return self._table.query(
            f"ORG#{org_id}",
            prefix="GEN#",
            limit=limit,
            after=f"GEN#{after}" if after else None,
            newest_first=True,
        )

    def asset(self, org_id: str, asset_id: str) -> Item | None:
        """An image's record, or None."""
        return self._table.get(**_asset_key(org_id, asset_id))

    def assets(self, org_id: str, asset_ids: Sequence[str]) -> list[Item]:
        """The records of a job's images, in order."""
        found = (self.asset(org_id, asset_id) for asset_id in asset_ids)
        return [asset for asset in found if asset is not None]

    def claim(
        self, org_id: str, generation_id: str, claim: str, now: int, deadline: int
    ) -> Item | None:
        """Take a queued job to work on; None when there is nothing to do.

        SQS delivers at least once, and a worker may die. Of several claimants of a queued job one
        sets `claim` and the others' condition fails. A running job whose deadline has passed may
        be claimed by another: its worker is dead or will fail to settle, because its claim is
        gone. The same message delivered again keeps its claim, so that a worker that died is made
        up for at once; of two that run at the same time the first to settle wins. `attempts` counts
        every claim, because each may cost a call of a provider, and names its objects.
        """
        try:
            return self._table.update(
                **_job_key(org_id, generation_id),
                expression="SET #status = :running, #claim = :claim, #started_at = :now, "
                "#sweep_at = :deadline, #completed = :none ADD #attempts :one",
                condition="#expires_at > :now AND (#status = :queued OR (#status = :running "
                "AND (#claim = :claim OR #sweep_at <= :now)))",
                running="running",
                queued="queued",
                claim=claim,
                now=now,
                deadline=deadline,
                none=0,
                one=1,
            )
        except ConditionFailed:
            return None

    def progress(self, job: Item, completed: int) -> bool:
        """Tell how many images of a claimed job are made; False when its claim was lost, so that a
        worker whose job was canceled or taken over stops early."""
        try:
            self._table.update(
                **_job_key(job["org_id"], job["id"]),
                expression="SET #completed = :completed",
                condition="#status = :running AND #claim = :claim",
                completed=completed,
                running="running",
                claim=job["claim"],
            )
        except ConditionFailed:
            return False
        return True

    def succeed(
        self,
        job: Item,
        assets: Sequence[Item],
        failures: Sequence[Mapping[str, Any]],
        settle: Sequence[Action],
        now: int,
    ) -> bool:
        """Finish a claimed job: images, what failed of it, status and charge in one transaction.

        False when the claim was lost meanwhile (the sweep released it, or another worker took it
        over): then nothing is written, nothing is charged, and the caller removes its objects.
        """
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :succeeded, #asset_ids = :asset_ids, #failures = :failures, "
            "#credits = :credits, #completed = :made, #finished_at = :now, #sweep_at = #expires_at",
            condition="#status = :running AND #claim = :claim",
            succeeded="succeeded",
            running="running",
            claim=job["claim"],
            asset_ids=[asset["id"] for asset in assets],
            failures=[dict(failure) for failure in failures],
            credits=job["credits"],
            made=len(assets),
            now=now,
        )
        puts = [
            self._table.put_action(
                {
                    **_asset_key(asset["org_id"], asset["id"]),
                    **asset,
                    "purge_at": asset["expires_at"] + PURGE_AFTER_SECONDS,
                }
            )
            for asset in assets
        ]
        return try_transact(self._client, [finish, *puts, *settle])

    def fail(self, job: Item, code: str, message: str, release: Sequence[Action], now: int) -> bool:
        """End a job without images and give its credits back, in one transaction.

        The condition names the status and claim as they were read: whoever changed the job in
        between (a worker that settled, another sweep) wins, and this is refused whole.
        """
        return self._end(job, "failed", {"code": code, "message": message}, release, now)

    def _end(
        self,
        job: Item,
        status: str,
        error: dict[str, str] | None,
        release: Sequence[Action],
        now: int,
    ) -> bool:
        same_claim = "#claim = :claim" if job.get("claim") else "attribute_not_exists(#claim)"
        values = {"claim": job["claim"]} if job.get("claim") else {}
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :status, #error = :error, #finished_at = :now, "
            "#sweep_at = #expires_at",
            condition=f"#status = :seen AND {same_claim}",
            status=status,
            error=error,
            seen=job["status"],
            now=now,
            **values,
        )
        return try_transact(self._client, [finish, *release])

    def cancel(self, job: Item, release: Sequence[Action], now: int) -> bool:
        """End a job that was asked to stop, as `fail` does and against the same rivals."""
        return self._end(job, "canceled", None, release, now)

    def requeue(self, job: Item, sweep_at: int) -> bool:
        """Give a job whose deadline has passed another chance: back to queued, without a claim.

        The condition is the job as it was read. Of two sweeps one gets to do it; a worker that
        settled in between wins; one that is still alive, against expectation, loses its claim here
        and cannot settle any more.
        """
        try:
            self._table.update(
                **_job_key(job["org_id"], job["id"]),
                expression="SET #status = :queued, #sweep_at = :next, #requeues = :requeues "
                "REMOVE #claim",
                condition="#status = :seen AND #sweep_at = :seen_at",
                next=sweep_at,
                requeues=job.get("requeues", 0) + 1,
                queued="queued",
                seen=job["status"],
                seen_at=job["sweep_at"],
            )
        except ConditionFailed:
            return False
        return True

    def due(self, shard: int, now: int) -> list[Item]:
        """Jobs of one shard that the sweep should look at."""
        return self._table.due(shard, now)

    def forget(self, job: Item) -> None:
        """Remove a job and its images' records, the job last, so that a sweep that dies half way
        is finished by the next one."""
        for asset_id in job.get("asset_ids", []):
            self._table.delete(**_asset_key(job["org_id"], asset_id))
        self._table.delete(**_job_key(job["org_id"], job["id"]))


@dataclass(frozen=True)
class Refusal:
    """Which part of an acceptance did not hold."""

    brand: tuple[bool, Item | None] = (False, None)  # whether it refused; the brand as it is
    limits: Sequence[tuple[bool, Item | None]] = ()  # the same of each limit
    cap_reached: bool = False
    credits_short: bool = False
    balance: Item | None = None  # the balance that is short; None where there is no balance
    earlier: Ids | None = None  # what an earlier request with the same idempotency key created

    @classmethod
    def of(cls, refusal: TransactionRefused, counts: Mapping[str, int]) -> Refusal:
        """Read the refusal of `GenerationStore.accept` by how many actions each part has."""
        found: dict[str, list[tuple[bool, Item | None]]] = {}
        start = 0
        for name, count in counts.items():
            end = start + count
            found[name] = list(
                zip(refusal.refused[start:end], refusal.items[start:end], strict=True)
            )
            start = end
        short = [item for refused, item in found["reserve"] if refused]
        return cls(
            brand=found["brand"][0] if found["brand"] else (False, None),
            limits=found["limits"],
            cap_reached=any(refused for refused, _ in found["cap"]),
            credits_short=bool(short),
            balance=short[0] if short else None,
        )


def _job_item(job: Item) -> Item:
    return {
        **_job_key(job["org_id"], job["id"]),
        **job,
        "sweep_shard": sweep_shard(job["id"]),
        "purge_at": job["expires_at"] + PURGE_AFTER_SECONDS,
    }


def _job_key(org_id: str, generation_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"GEN#{generation_id}"}


def _asset_key(org_id: str, asset_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"AST#{asset_id}"}
