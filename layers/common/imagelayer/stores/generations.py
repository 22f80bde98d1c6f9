"""Jobs, their images' records, and idempotency records. All expire together at 72 hours.

    ORG#<org_id>   GEN#<generation_id>   status, prompt, …, claim, expires_at, sweep_shard, sweep_at
    ORG#<org_id>   AST#<asset_id>        generation_id, object_key, …, expires_at
    ORG#<org_id>   IDEM#<hash>           fingerprint, generation_id, expires_at

A job's states, and the conditional write behind each arrow:

    queued ──claim──▶ running ──settle──▶ succeeded
       ▲                 │  │
       └────requeue──────┘  │
       └──release───────────┴──▶ failed

`sweep_at` is the moment at which the sweep should look at the job next: the deadline of a state
that must not last, and `expires_at` once the job is done. `purge_at` is the table's TTL attribute,
days later, so that DynamoDB cannot forget a record before the sweep has removed its media.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagelayer.stores.table import (
    Action,
    ConditionFailed,
    Item,
    Table,
    TransactionRefused,
    transact,
)

SWEEP_SHARDS = 4
SWEEP_INDEX = "sweep"
PURGE_AFTER_SECONDS = 4 * 86_400


class GenerationStore:
    """Jobs and assets of an organization; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table

    def accept(
        self,
        job: Item,
        record: Item | None,
        checks: Sequence[Action],
        reserve: Sequence[Action],
        count: Sequence[Action] = (),
    ) -> Refusal | None:
        """Write the job, hold its credits, count it against its session's cap and note its
        idempotency key, all or nothing.

        Returns None when accepted. Racing requests with one key: one puts the record, the others
        are canceled whole, so one job exists and one reservation.
        """
        actions = [
            self._table.put_action(_job_item(job), condition="attribute_not_exists(#pk)"),
            *checks,
            *reserve,
            *count,
        ]
        if record is not None:
            actions.append(
                # A record that has run out but was not purged yet is as good as none.
                self._table.put_action(
                    {**_record_key(job["org_id"], record["hash"]), **record},
                    condition="attribute_not_exists(#pk) OR #expires_at <= :now",
                    now=job["created_at"],
                )
            )
        try:
            transact(self._client, actions)
        except TransactionRefused as refusal:
            return Refusal.of(refusal, checks=len(checks), reserve=len(reserve), count=len(count))
        return None

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
        gone. The same message delivered again keeps its claim: both runs make the same objects,
        and the first to settle wins.
        """
        try:
            return self._table.update(
                **_job_key(org_id, generation_id),
                expression="SET #status = :running, #claim = :claim, #started_at = :now, "
                "#sweep_at = :deadline",
                condition="#expires_at > :now AND (#status = :queued OR (#status = :running "
                "AND (#claim = :claim OR #sweep_at <= :now)))",
                running="running",
                queued="queued",
                claim=claim,
                now=now,
                deadline=deadline,
            )
        except ConditionFailed:
            return None

    def succeed(
        self, job: Item, assets: Sequence[Item], settle: Sequence[Action], now: int
    ) -> bool:
        """Finish a claimed job: images, status and charge in one transaction.

        False when the claim was lost meanwhile (the sweep released it, or another worker took it
        over): then nothing is written, nothing is charged, and the caller removes its objects.
        """
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :succeeded, #asset_ids = :asset_ids, #finished_at = :now, "
            "#sweep_at = #expires_at",
            condition="#status = :running AND #claim = :claim",
            succeeded="succeeded",
            running="running",
            claim=job["claim"],
            asset_ids=[asset["id"] for asset in assets],
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
        return self._commit([finish, *puts, *settle])

    def fail(self, job: Item, code: str, message: str, release: Sequence[Action], now: int) -> bool:
        """End a job without images and give its credits back, in one transaction.

        The condition names the status and claim as they were read: whoever changed the job in
        between (a worker that settled, another sweep) wins, and this is refused whole.
        """
        same_claim = "#claim = :claim" if job.get("claim") else "attribute_not_exists(#claim)"
        values = {"claim": job["claim"]} if job.get("claim") else {}
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :failed, #error = :error, #finished_at = :now, "
            "#sweep_at = #expires_at",
            condition=f"#status = :seen AND {same_claim}",
            failed="failed",
            error={"code": code, "message": message},
            seen=job["status"],
            now=now,
            **values,
        )
        return self._commit([finish, *release])

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
        """Jobs of one shard that the sweep should look at, read afresh.

        The index lags, so each hit is read again from the table before anything is decided.
        """
        hits = self._table.query_index(SWEEP_INDEX, "sweep_shard", str(shard), ("sweep_at", now))
        fresh = (self._table.get(hit["pk"], hit["sk"]) for hit in hits)
        return [job for job in fresh if job is not None and job.get("sweep_at", now + 1) <= now]

    def forget(self, job: Item) -> None:
        """Remove a job and its images' records, the job last, so that a sweep that dies half way
        is finished by the next one."""
        for asset_id in job.get("asset_ids", []):
            self._table.delete(**_asset_key(job["org_id"], asset_id))
        self._table.delete(**_job_key(job["org_id"], job["id"]))

    def _commit(self, actions: Sequence[Action]) -> bool:
        try:
            transact(self._client, actions)
        except TransactionRefused:
            return False
        return True


@dataclass(frozen=True)
class Refusal:
    """Which part of an acceptance did not hold."""

    brand_missing: bool
    credits_short: bool
    cap_reached: bool
    balance: Item | None  # what stood there when credits were short; None before the month opened
    record: Item | None  # the idempotency record that was there first

    @classmethod
    def of(cls, refusal: TransactionRefused, *, checks: int, reserve: int, count: int) -> Refusal:
        """Read the refusal of `GenerationStore.accept`, whose order of actions it knows."""
        start = 1 + checks
        counted = start + reserve
        end = counted + count
        return cls(
            brand_missing=any(refusal.refused[1:start]),
            credits_short=bool(reserve) and refusal.refused[start],
            cap_reached=any(refusal.refused[counted:end]),
            balance=refusal.items[start] if reserve else None,
            record=refusal.items[end] if len(refusal.items) > end else None,
        )


def _job_item(job: Item) -> Item:
    return {
        **_job_key(job["org_id"], job["id"]),
        **job,
        # Spread over a few index partitions; the id's last character is random.
        "sweep_shard": str(ord(job["id"][-1]) % SWEEP_SHARDS),
        "purge_at": job["expires_at"] + PURGE_AFTER_SECONDS,
    }


def _job_key(org_id: str, generation_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"GEN#{generation_id}"}


def _asset_key(org_id: str, asset_id: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"AST#{asset_id}"}


def _record_key(org_id: str, hashed_key: str) -> dict[str, str]:
    return {"pk": f"ORG#{org_id}", "sk": f"IDEM#{hashed_key}"}
