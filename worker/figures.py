"""What the metrics show of the queues, read from Postgres now and then."""

from __future__ import annotations

import asyncio

import structlog

from app import metrics
from app.errors import Unavailable
from app.jobs import statements
from app.jobs.queues import QUEUES
from app.transaction import Database

log = structlog.get_logger()

INTERVAL = 5.0


async def publish_until_cancelled(database: Database) -> None:
    """Every five seconds, for each queue: its size, oldest age, running and dead jobs."""
    while True:
        try:
            await publish(database)
        except Unavailable as error:
            log.debug("figures.wait", error=error.detail)
        await asyncio.sleep(INTERVAL)


async def publish(database: Database) -> None:
    """Once."""
    found = {figures.queue: figures for figures in await statements.queue_figures(database)}
    lag = 0.0
    for queue in QUEUES:
        figures = found.get(queue)
        metrics.queue_size.labels(queue).set(figures.waiting if figures else 0)
        metrics.queue_running.labels(queue).set(figures.running if figures else 0)
        metrics.dead_letters.labels(queue).set(figures.dead if figures else 0)
        metrics.queue_oldest_age.labels(queue).set(figures.oldest_age if figures else 0)
        lag = max(lag, figures.outbox_lag if figures else 0)
    metrics.outbox_lag.set(lag)
