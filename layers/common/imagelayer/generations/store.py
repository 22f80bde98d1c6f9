"""Jobs, their images' records, and idempotency records. All expire together at 72 hours.

    ORG#<org_id>   GEN#<generation_id>   status, prompt, …, lease, expires_at, sweep_shard, sweep_at
    ORG#<org_id>   AST#<asset_id>        generation_id, object_key, …, expires_at
    ORG#<org_id>   IDEM#<hash>           see platform.idempotency

A job's states, and the conditional write behind each arrow:

    queued ──lease──▶ running ──settle──▶ succeeded
       ▲                 │  │
       └────requeue──────┘  │
       └──close─────────────┴──▶ failed, canceled

`sweep_at` is the time at which the sweep should look at the job next: the deadline of a state that
must not last, and `expires_at` once the job is done. Then `sweep_shard` moves it to partitions of
the index that hold nothing else, so that stuck jobs do not wait behind the removal of old ones.
`purge_at` is the table's TTL attribute, days later, so that DynamoDB cannot forget a record before
the sweep has removed its media.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from imagelayer.platform.frozen import frozen
from imagelayer.platform.idempotency import IdempotencyRecord, IdempotencyStore, Ids
from imagelayer.platform.table import (
    Action,
    ConditionFailed,
    Item,
    Outcome,
    Table,
    TransactionRefused,
    sweep_shard,
    try_transact,
)

if TYPE_CHECKING:
    from imagelayer.generations.records import AssetRecord, ImageFailure, Job

PURGE_AFTER_SECONDS = 4 * 86_400
DONE = "done-"  # the partitions of the sweep's index with jobs that are only to be removed


class GenerationStore:
    """Jobs and assets of an organization; every key starts with the organization."""

    def __init__(self, client: Any, table: Table) -> None:
        self._client = client
        self._table = table
        self.idempotency = IdempotencyStore(client, table)

    def create_generation(
        self,
        job: Job,
        *,
        brand: Sequence[Action] = (),
        limits: Sequence[Action] = (),
        cap: Sequence[Action] = (),
        allowance: Sequence[Action] = (),
        reserve: Sequence[Action] = (),
        record: IdempotencyRecord | None = None,
    ) -> Refusal | None:
        """Write the job, check its brand, count it against its limits, its session's cap and the
        day's allowance, hold its credits and write its idempotency record, all or nothing.

        Returns None when accepted. Of racing requests with one key one writes the record, the
        others are refused whole, so there is one job and one reservation.
        """
        parts = {
            "job": [self._table.put_action(_job_item(job), condition="attribute_not_exists(#pk)")],
            "brand": brand,
            "limits": limits,
            "cap": cap,
            "allowance": allowance,
            "reserve": reserve,
        }
        actions = [action for part in parts.values() for action in part]
        try:
            earlier = self.idempotency.commit(actions, record)
        except TransactionRefused as refusal:
            return Refusal.of(refusal.by_part(parts))
        return Refusal(earlier=earlier) if earlier is not None else None

    def get_generation(self, org_id: str, generation_id: str) -> Job | None:
        """A job, or None."""
        return cast("Job | None", self._table.get(**_job_key(org_id, generation_id)))

    def list_generations(self, org_id: str, *, limit: int, after: str | None) -> list[Job]:
        """Jobs, newest first, past `after`."""
        found = self._table.query(
            f"ORG#{org_id}",
            prefix="GEN#",
            limit=limit,
            after=f"GEN#{after}" if after else None,
            newest_first=True,
        )
        return cast("list[Job]", found)

    def get_asset(self, org_id: str, asset_id: str) -> AssetRecord | None:
        """An image's record, or None."""
        return cast("AssetRecord | None", self._table.get(**_asset_key(org_id, asset_id)))

    def assets_of(self, job: Job) -> list[AssetRecord]:
        """The records of a job's images, in order."""
        found = (self.get_asset(job["org_id"], each) for each in job.get("asset_ids", []))
        return [asset for asset in found if asset is not None]

    def lease_generation(
        self, org_id: str, generation_id: str, lease: str, now: int, deadline: int
    ) -> Job | None:
        """Lease a queued job to work on; None when there is nothing to do.

        SQS delivers at least once, and a worker may die. Of several workers that find a job queued
        one sets `lease` and the others' condition fails. A running job whose deadline has passed
        may be leased by another: its worker is dead or will fail to settle, because its lease is
        gone. The same message delivered again keeps its lease, so that a dead worker is replaced at
        once; of two that run at the same time the first to settle wins. `attempts` counts every
        lease, because each may cost a call of a provider, and names its objects.
        """
        try:
            leased = self._table.update(
                **_job_key(org_id, generation_id),
                expression="SET #status = :running, #lease = :lease, #started_at = :now, "
                "#sweep_at = :deadline, #completed = :none ADD #attempts :one",
                condition="#expires_at > :now AND (#status = :queued OR (#status = :running "
                "AND (#lease = :lease OR #sweep_at <= :now)))",
                running="running",
                queued="queued",
                lease=lease,
                now=now,
                deadline=deadline,
                none=0,
                one=1,
            )
        except ConditionFailed:
            return None
        return cast("Job", leased)

    def record_asked(self, job: Job, images: int) -> bool:
        """Record how many images a provider is about to be asked for; False when the lease was
        lost, and then it must not be asked.

        The condition is the lease, under which the job still runs. Of this and a cancellation one
        comes first. If the cancellation does, this is refused, no provider is asked, and nothing is
        charged. If this does, the cancellation finds another `asked` than it read, is refused,
        and charges what was asked for on its next attempt. What is recorded stays: a job that is
        queued again after its worker died has been asked for all the same.
        """
        try:
            self._table.update(
                **_job_key(job["org_id"], job["id"]),
                expression="SET #asked = :asked",
                condition="#status = :running AND #lease = :lease",
                asked=images,
                running="running",
                lease=job["lease"],
            )
        except ConditionFailed:
            return False
        return True

    def record_progress(self, job: Job, completed: int) -> bool:
        """Record how many images of a leased job are made; False when the lease was lost, so that a
        worker whose job was canceled or taken over stops early."""
        try:
            self._table.update(
                **_job_key(job["org_id"], job["id"]),
                expression="SET #completed = :completed",
                condition="#status = :running AND #lease = :lease",
                completed=completed,
                running="running",
                lease=job["lease"],
            )
        except ConditionFailed:
            return False
        return True

    def succeed(
        self,
        job: Job,
        assets: Sequence[AssetRecord],
        failures: Sequence[ImageFailure],
        settle: Sequence[Action],
        now: int,
    ) -> bool:
        """Finish a leased job: images, failures, status and charge in one transaction. `job` has
        the credits it ends with.

        False when the lease was lost (the sweep released it, or another worker took it over): then
        nothing is written, nothing is charged, and the caller removes its objects.
        """
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :succeeded, #asset_ids = :asset_ids, #failures = :failures, "
            "#credits = :credits, #completed = :made, #finished_at = :now, "
            "#sweep_at = #expires_at, #sweep_shard = :done",
            done=sweep_shard(job["id"], kind=DONE),
            condition="#status = :running AND #lease = :lease",
            succeeded="succeeded",
            running="running",
            lease=job["lease"],
            asset_ids=[asset["id"] for asset in assets],
            failures=[dict(failure) for failure in failures],
            credits=job["credits"],
            made=len(assets),
            now=now,
        )
        # Unconditional: an asset's id comes from the lease that the job's own condition requires.
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

    def fail(
        self,
        job: Job,
        code: str,
        message: str,
        closing: Sequence[Action],
        now: int,
        *,
        charge: int = 0,
    ) -> bool:
        """End a job without images, in one transaction with the actions that settle `charge` of its
        credits and give the rest back.

        The condition names status, lease and `asked` as they were read: a change in between (a
        worker that settled or asked a provider, another sweep) wins, and this is refused whole.
        """
        error = {"code": code, "message": message}
        return self._end(job, "failed", error, closing, now, charge)

    def _end(
        self,
        job: Job,
        status: str,
        error: dict[str, str] | None,
        closing: Sequence[Action],
        now: int,
        charge: int,
    ) -> bool:
        seen: dict[str, Any] = {name: job[name] for name in ("lease", "asked") if name in job}
        same = [
            f"#{name} = :{name}" if name in seen else f"attribute_not_exists(#{name})"
            for name in ("lease", "asked")
        ]
        finish = self._table.update_action(
            **_job_key(job["org_id"], job["id"]),
            expression="SET #status = :status, #error = :error, #finished_at = :now, "
            "#sweep_at = #expires_at, #sweep_shard = :done, #credits = :charge",
            done=sweep_shard(job["id"], kind=DONE),
            condition=" AND ".join(["#status = :seen", *same]),
            status=status,
            error=error,
            seen=job["status"],
            now=now,
            charge=charge,
            **seen,
        )
        return try_transact(self._client, [finish, *closing])

    def cancel_generation(
        self, job: Job, closing: Sequence[Action], now: int, *, charge: int = 0
    ) -> bool:
        """Cancel a job, under the same condition as `fail`."""
        return self._end(job, "canceled", None, closing, now, charge)

    def requeue(self, job: Job, sweep_at: int) -> bool:
        """Give a job whose deadline has passed another chance: back to queued, without a lease.

        The condition is the job as it was read. Of two sweeps one succeeds; a worker that settled
        in between wins; one that is unexpectedly still alive loses its lease here and can no longer
        settle.
        """
        try:
            self._table.update(
                **_job_key(job["org_id"], job["id"]),
                expression="SET #status = :queued, #sweep_at = :next, #requeues = :requeues "
                "REMOVE #lease",
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

    def due(self, shard: int, now: int) -> list[Job]:
        """Jobs of one shard that are stuck."""
        return cast("list[Job]", self._table.due(shard, now))

    def expired(self, shard: int, now: int) -> list[Job]:
        """Finished jobs of one shard that are to be removed."""
        return cast("list[Job]", self._table.due(shard, now, kind=DONE))

    def delete_generation(self, job: Job) -> None:
        """Remove a job and its images' records, the job last, so that a sweep that dies half way
        is finished by the next one."""
        for asset_id in job.get("asset_ids", []):
            self._table.delete(**_asset_key(job["org_id"], asset_id))
        self._table.delete(**_job_key(job["org_id"], job["id"]))


@frozen
class Refusal:
    """Which part of an acceptance was refused. An `Outcome` has the current item."""

    brand: Outcome = (False, None)
    limits: Sequence[Outcome] = ()
    cap_reached: bool = False
    allowance_used: bool = False
    credits_short: bool = False
    balance: Item | None = None  # the balance that is short; None where there is no balance
    earlier: Ids | None = None  # what an earlier request with the same idempotency key created

    @classmethod
    def of(cls, outcomes: Mapping[str, Sequence[Outcome]]) -> Refusal:
        """Read the outcomes of the parts of `GenerationStore.create_generation`."""
        short = [balance for refused, balance in outcomes["reserve"] if refused]
        return cls(
            brand=next(iter(outcomes["brand"]), (False, None)),
            limits=outcomes["limits"],
            cap_reached=any(refused for refused, _ in outcomes["cap"]),
            allowance_used=any(refused for refused, _ in outcomes["allowance"]),
            credits_short=bool(short),
            balance=short[0] if short else None,
        )


def _job_item(job: Job) -> Item:
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
