"""Metrics for queues, kinds and workers, read from Postgres every few seconds.

Every worker publishes the same values, so it does not matter which worker is scraped.
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
from app.exports.formats import FORMATS
from app.jobs import statements
from app.jobs.admin.statements import workers
from app.jobs.job import KINDS
from app.jobs.pauses import Pauses
from app.jobs.redis_queue import QUEUES
from app.jobs.rows import QueueStats
from app.postgres.database import Database

log = structlog.get_logger()

INTERVAL_S = 5.0
MAX_READ_SHARE = 0.05
"""The largest share of time to spend reading, so that a huge backlog is read less often."""


def initialize_counters() -> None:
    """Start metrics with known labels at 0, so that even the first event shows as an increase."""
    for kind in KINDS.values():
        counts = metrics.of_kind(kind.kind, kind.queue)
        for outcome in ("done", "retried", "dead"):
            counts.ended(outcome)
    for email in EMAILS:
        for outcome in ("sent", "refused", "auth_failed"):
            metrics.emails.labels(email, outcome)
    for dependency in ("s3", "smtp"):
        metrics.breaker_open.labels(dependency)
    for format in FORMATS:
        metrics.export_bytes.labels(format)


async def publish_until_cancelled(database: Database, pauses: Pauses) -> None:
    """Publish the metrics every five seconds, or less often if reading is slow, until cancelled."""
    while True:
        began = monotonic()
        try:
            await publish_metrics(database, pauses)
        except Unavailable as error:
            log.debug("queue_stats.read_failed", error=error.detail)
        await asyncio.sleep(max(INTERVAL_S, (monotonic() - began) / MAX_READ_SHARE))


async def publish_metrics(database: Database, pauses: Pauses) -> None:
    """Read the values once, and set the metrics."""
    rows = await statements.queue_stats(database)
    alive = [worker.alive for worker in await workers(database)]
    _set_queue_metrics(rows, pauses)
    _set_kind_metrics(rows, pauses)
    metrics.workers.labels("alive").set(sum(alive))
    metrics.workers.labels("lost").set(len(alive) - sum(alive))
    metrics.queue_stats_read.set(time())


def _set_queue_metrics(rows: Sequence[QueueStats], pauses: Pauses) -> None:
    for queue in QUEUES:
        stats = [row for row in rows if row.queue == queue]
        metrics.queue_size.labels(queue).set(sum(row.due for row in stats))
        metrics.queue_running.labels(queue).set(sum(row.running for row in stats))
        metrics.queue_oldest_age.labels(queue).set(
            max((row.oldest_age for row in stats), default=0)
        )
        metrics.queue_paused.labels(queue).set(queue in pauses.queues)


def _set_kind_metrics(rows: Sequence[QueueStats], pauses: Pauses) -> None:
    """Replace the metrics of all kinds. A kind that this worker knows gets 0 if it has no jobs."""
    waiting, dead = Counter(dict.fromkeys(KINDS, 0)), Counter(dict.fromkeys(KINDS, 0))
    snoozed_age = dict.fromkeys(KINDS, 0.0)
    blocked: Counter[tuple[str, str]] = Counter()
    for row in rows:
        waiting[row.kind] += row.due
        dead[row.kind] += row.dead
        snoozed_age[row.kind] = max(snoozed_age.get(row.kind, 0.0), row.snoozed_age)
        if row.blocked_on:
            blocked[row.kind, row.blocked_on] += row.waiting
    for metric in (metrics.jobs_waiting, metrics.dead_letters, metrics.kind_paused):
        metric.clear()
    for metric in (metrics.jobs_blocked, metrics.jobs_snoozed_age, metrics.kind_handled):
        metric.clear()
    for kind in waiting:
        metrics.jobs_waiting.labels(kind).set(waiting[kind])
        metrics.dead_letters.labels(kind).set(dead[kind])
        metrics.jobs_snoozed_age.labels(kind).set(snoozed_age[kind])
        metrics.kind_handled.labels(kind).set(kind in KINDS)
    for kind in {*KINDS, *pauses.kinds}:
        metrics.kind_paused.labels(kind).set(kind in pauses.kinds)
    for (kind, blocked_on), count in blocked.items():
        metrics.jobs_blocked.labels(kind, blocked_on).set(count)
