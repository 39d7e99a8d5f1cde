"""What the metrics show of the queues, kinds and workers, read from Postgres now and then.

Every worker reads and shows the same, so that it does not matter which of them is asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from time import monotonic, time

import structlog

from app import metrics
from app.email.email import EMAILS
from app.errors import Unavailable
from app.exports.export import CONTENT_TYPES
from app.jobs import statements
from app.jobs.admin.statements import workers
from app.jobs.job import KINDS
from app.jobs.pauses import Pauses
from app.jobs.redis_queue import QUEUES
from app.jobs.rows import QueueStats
from app.postgres.database import Database

log = structlog.get_logger()

INTERVAL = 5.0
SHARE = 0.05
"""Of the time that reading may take: a backlog of millions is read less often."""


def begin_at_zero() -> None:
    """Show the counters that alerts ask for: the first failure of a kind is an increase too."""
    for kind in KINDS.values():
        counts = metrics.of_kind(kind.kind, kind.queue)
        for outcome in ("done", "retried", "dead"):
            counts.ended(outcome)
    for email in EMAILS:
        for outcome in ("sent", "refused", "turned_away"):
            metrics.emails.labels(email, outcome)
    for dependency in ("redis", "s3", "smtp"):
        metrics.breaker_open.labels(dependency)
    for format in CONTENT_TYPES:
        metrics.export_bytes.labels(format)


async def publish_until_cancelled(database: Database, pauses: Pauses) -> None:
    """Every five seconds or, where reading takes long, more rarely."""
    while True:
        began = monotonic()
        try:
            await publish(database, pauses)
        except Unavailable as error:
            log.debug("queue_stats.wait", error=error.detail)
        await asyncio.sleep(max(INTERVAL, (monotonic() - began) / SHARE))


async def publish(database: Database, pauses: Pauses) -> None:
    """Once."""
    found = await statements.queue_stats(database)
    alive = [worker.alive for worker in await workers(database)]
    _show_queues(found, pauses)
    _show_kinds(found, pauses)
    metrics.workers.labels("alive").set(sum(alive))
    metrics.workers.labels("lost").set(len(alive) - sum(alive))
    metrics.figures_read.set(time())


def _show_queues(found: Sequence[QueueStats], pauses: Pauses) -> None:
    for queue in QUEUES:
        its = [queue_stats for queue_stats in found if queue_stats.queue == queue]
        metrics.queue_size.labels(queue).set(sum(one.due for one in its))
        metrics.queue_running.labels(queue).set(sum(one.running for one in its))
        metrics.queue_oldest_age.labels(queue).set(max((one.oldest_age for one in its), default=0))
        metrics.queue_paused.labels(queue).set(queue in pauses.queues)
    metrics.outbox_lag.set(max((one.outbox_lag for one in found), default=0))


def _show_kinds(found: Sequence[QueueStats], pauses: Pauses) -> None:
    """The kinds that this worker knows, at 0 too, and whatever else there is."""
    waiting, dead = Counter(dict.fromkeys(KINDS, 0)), Counter(dict.fromkeys(KINDS, 0))
    held: Counter[tuple[str, str]] = Counter()
    for one in found:
        waiting[one.kind] += one.due
        dead[one.kind] += one.dead
        if one.blocked_on:
            held[one.kind, one.blocked_on] += one.unfinished
    for metric in (metrics.jobs_waiting, metrics.dead_letters, metrics.kind_paused):
        metric.clear()
    metrics.jobs_held.clear()
    for kind in waiting:
        metrics.jobs_waiting.labels(kind).set(waiting[kind])
        metrics.dead_letters.labels(kind).set(dead[kind])
    for kind in {*KINDS, *pauses.kinds}:
        metrics.kind_paused.labels(kind).set(kind in pauses.kinds)
    for (kind, blocked_on), count in held.items():
        metrics.jobs_held.labels(kind, blocked_on).set(count)
