"""Fanning out: one job for each of many users, by keyset, in batches that Postgres makes itself.

A batch and the position behind it commit together, so that a run that dies or is cut short goes on
where it was, and every user has one job. This process never holds a user: a statement selects and
inserts. The relay hands the jobs to Redis.
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


class Batch(msgspec.Struct, frozen=True):
    """What became of some users, in the order of their ids."""

    last: UUID | None
    """The last one looked at; None: there was none left."""
    looked_at: int
    enqueued: int
    inactive: int
    opted_out: int
    unconfirmed: int
    suppressed: int


class Position(msgspec.Struct, frozen=True):
    """How far a fan-out has got, over all attempts."""

    after: UUID | None = None
    looked_at: int = 0
    enqueued: int = 0
    inactive: int = 0
    opted_out: int = 0
    unconfirmed: int = 0
    suppressed: int = 0

    def behind(self, batch: Batch) -> Position:
        return Position(
            batch.last or self.after,
            self.looked_at + batch.looked_at,
            self.enqueued + batch.enqueued,
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


class WouldEmail(msgspec.Struct, frozen=True):
    """What a dry run counts: how many people would be written to, and how many would not for which
    reason. Everybody is counted once."""

    looked_at: int
    would_email: int
    inactive: int
    opted_out: int
    unconfirmed: int
    suppressed: int
    sent_before: int


class Throttle(msgspec.Struct, frozen=True):
    """While more jobs than that wait in the queue, the fan-out gives its tick up and waits."""

    most_waiting: int = 10_000
    delay: timedelta = timedelta(seconds=10)


EnqueueBatch = Callable[[Transaction, UUID | None, int], Awaitable[Batch]]
"""Enqueues for the users that follow an id, of whom it looks at no more than a number."""


async def fan_out(
    run: Run, job_type: type[Job], enqueue_batch: EnqueueBatch, throttle: Throttle
) -> None:
    """Enqueue for all users, from where an earlier attempt got to, and finish the job with it.

    Raises:
        Snooze: its share is enqueued, and the queue is full.
        LeaseLost: the job is another worker's now.
    """
    position = run.position(Position) or Position()
    while True:
        async with run.transaction() as tx:
            if await _full(tx, job_type, throttle):
                raise Snooze(
                    f"{throttle.most_waiting} jobs are waiting in {job_type.queue}",
                    delay=throttle.delay,
                )
            batch = await enqueue_batch(tx, position.after, BATCH)
            if batch.last is None:
                break
            position = position.behind(batch)
            await run.save_position(tx, position)
            await note_counts(tx, run, position.counts)
        metrics.enqueued.labels(job_type.kind, job_type.queue).inc(batch.enqueued)
    async with run.completion() as tx:
        await note_counts(tx, run, position.counts)
    log.info("fanout.done", of=job_type.kind, **position.counts)


async def end_dry_run(run: Run, job_type: type[Job], counted: WouldEmail) -> None:
    """Put on record for whom a fan-out would have enqueued, and finish the job with it.

    Raises:
        LeaseLost: the job is another worker's now.
    """
    counts = msgspec.structs.asdict(counted)
    async with run.completion() as tx:
        await note_counts(tx, run, counts)
    log.info("fanout.counted", of=job_type.kind, **counts)


async def note_counts(tx: Transaction, run: Run, counts: dict[str, int]) -> None:
    """Put on record what a run has done so far."""
    await statements.note_counts(tx, job_id=run.job_id, counts=msgspec.json.encode(counts).decode())


async def _full(tx: Transaction, job_type: type[Job], throttle: Throttle) -> bool:
    most = throttle.most_waiting
    return await statements.waiting_in_queue(tx, queue=job_type.queue, most=most + 1) > most
