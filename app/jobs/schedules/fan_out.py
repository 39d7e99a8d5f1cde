"""Fan-outs: enqueue one job for each of many users, in batches that Postgres selects and inserts.

A batch and the position after it commit together. A run that crashes or is interrupted therefore
continues where it stopped: no user is missed, and none gets two jobs. No users are loaded into this
process. The relay dispatches the jobs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import msgspec
import structlog

from app import metrics
from app.jobs.job import Job
from app.jobs.outcomes import Snooze
from app.jobs.run import Run
from app.jobs.schedules import statements
from app.postgres.database import Transaction

log = structlog.get_logger()

BATCH = 2000
"""The most users in one transaction."""


class FanOutBatch(msgspec.Struct, frozen=True):
    """What a batch did with its users. Batches go through all users in id order."""

    last: UUID | None
    """The last user in the batch; None if no users were left."""
    examined: int
    enqueued: int
    already_enqueued: int
    """Users who already have an unfinished job for the same period."""
    inactive: int
    opted_out: int
    unconfirmed: int
    suppressed: int


class FanOutPosition(msgspec.Struct, frozen=True):
    """How far a fan-out has got, across all its attempts. Stored as JSON with the job."""

    after: UUID | None = None
    examined: int = 0
    enqueued: int = 0
    already_enqueued: int = 0
    inactive: int = 0
    opted_out: int = 0
    unconfirmed: int = 0
    suppressed: int = 0

    def advance(self, batch: FanOutBatch) -> FanOutPosition:
        """Return the position after a batch."""
        return FanOutPosition(
            batch.last or self.after,
            self.examined + batch.examined,
            self.enqueued + batch.enqueued,
            self.already_enqueued + batch.already_enqueued,
            self.inactive + batch.inactive,
            self.opted_out + batch.opted_out,
            self.unconfirmed + batch.unconfirmed,
            self.suppressed + batch.suppressed,
        )

    @property
    def counts(self) -> dict[str, int]:
        counts = msgspec.structs.asdict(self)
        del counts["after"]
        return counts


class DryRunCounts(msgspec.Struct, frozen=True):
    """How many people a fan-out would email, or skip for each reason.

    `examined` counts everyone; each person is in exactly one of the other counts.
    """

    examined: int
    would_email: int
    inactive: int
    opted_out: int
    unconfirmed: int
    suppressed: int
    sent_before: int


class Throttle(msgspec.Struct, frozen=True):
    """When a fan-out snoozes: while more than `max_waiting` jobs are due in the queue it fills."""

    max_waiting: int = 10_000
    delay: timedelta = timedelta(seconds=10)


EnqueueBatch = Callable[[Transaction, UUID | None, int], Awaitable[FanOutBatch]]
"""A function that enqueues jobs for the users after a user id (None: from the first user on).

The last argument is the maximum number of users.
"""


async def fan_out(
    run: Run, job_type: type[Job], enqueue_batch: EnqueueBatch, throttle: Throttle
) -> None:
    """Enqueue jobs for all users, starting where an earlier attempt stopped, and finish this job.

    Raises:
        Snooze: too many jobs are waiting in the queue that this fills.
        LeaseLost: this attempt has lost its job.
    """
    position = run.position(FanOutPosition) or FanOutPosition()
    while True:
        async with run.transaction() as tx:
            if await _queue_is_full(tx, job_type, throttle):
                raise Snooze(
                    f"more than {throttle.max_waiting} jobs are waiting in queue {job_type.queue}",
                    delay=throttle.delay,
                )
            batch = await enqueue_batch(tx, position.after, BATCH)
            if batch.last is None:
                break
            position = position.advance(batch)
            await run.save_position(tx, position)
            await save_counts(tx, run, position.counts)
        metrics.enqueued.labels(job_type.kind, job_type.queue).inc(batch.enqueued)
    async with run.completion() as tx:
        await save_counts(tx, run, position.counts)
    log.info("fan_out.finished", kind=job_type.kind, **position.counts)


async def finish_dry_run(run: Run, job_type: type[Job], counted: DryRunCounts) -> None:
    """Save the counts of a fan-out's dry run, and finish the job.

    Raises:
        LeaseLost: this attempt has lost its job.
    """
    counts = msgspec.structs.asdict(counted)
    async with run.completion() as tx:
        await save_counts(tx, run, counts)
    log.info("fan_out.dry_run_finished", kind=job_type.kind, **counts)


async def save_counts(tx: Transaction, run: Run, counts: dict[str, int]) -> None:
    """Save what this job's run has done so far, for operators to see."""
    await statements.save_counts(tx, job_id=run.job_id, counts=msgspec.json.encode(counts).decode())


async def _queue_is_full(tx: Transaction, job_type: type[Job], throttle: Throttle) -> bool:
    limit = throttle.max_waiting + 1
    return await statements.waiting_in_queue(tx, queue=job_type.queue, limit=limit) == limit
