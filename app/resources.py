"""Everything that a process opens, defined once for the API, the worker, the CLI and the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from app import metrics
from app.email import EmailConfig, EmailSender, SendLimit
from app.email.smtp import open_mailer
from app.errors import Unavailable
from app.jinja import Templates
from app.jobs.redis_queue import Dispatcher, open_dispatcher
from app.pdf import Renderer, open_renderer
from app.postgres.database import Database
from app.postgres.pool import open_pool
from app.postgres.pool import require_version as require_postgres
from app.postgres.snapshot import Snapshots
from app.rate_limits import BatchedRateLimiter, RateLimit, RateLimiter, open_batched_limiter
from app.redis import Redis, open_redis
from app.redis import require_version as require_redis
from app.s3 import Bucket, open_bucket
from app.settings import Settings

D = TypeVar("D", Database, Snapshots)

log = structlog.get_logger()

ENGINE = 4
"""Connections: for the heartbeat, the claims, the finishes and the relay."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Only the edges hold this. They hand on what a use case needs, never the whole."""

    settings: Settings
    database: Database
    engine: Database
    """A small pool of its own for what keeps jobs alive, so that handlers cannot starve it."""
    snapshots: Snapshots
    """The exports' own pool: a reader holds a connection for as long as it reads."""
    redis: Redis
    limiter: RateLimiter
    request_limiter: BatchedRateLimiter
    """Limits the requests of each person."""
    dispatcher: Dispatcher
    bucket: Bucket
    renderer: Renderer
    """No process is started before a document is to be drawn."""
    templates: Templates
    sender: EmailSender


@asynccontextmanager
async def open_resources(settings: Settings, *, process: str) -> AsyncIterator[Resources]:
    """Open all of it without needing any of it to answer; close it in reverse.

    Args:
        process: what Postgres shows as the application's name, such as `activelog-api`.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await open_pool(
                settings.database.url, size=settings.database.pool_size, application_name=process
            )
        )
        small_pool = await stack.enter_async_context(
            await open_pool(settings.database.url, size=ENGINE, application_name=process)
        )
        export_pool = await stack.enter_async_context(
            await open_pool(
                settings.database.url,
                size=settings.database.export_pool_size,
                application_name=f"{process}-exports",
                statement=60,
                idle="60s",
            )
        )
        redis = await stack.enter_async_context(open_redis(settings.redis.url))
        requests = RateLimit("requests", settings.http.request_rate)
        request_limiter = await stack.enter_async_context(
            open_batched_limiter(redis, settings.secret_key, requests)
        )
        dispatcher = await stack.enter_async_context(open_dispatcher(redis))
        bucket = await stack.enter_async_context(open_bucket(settings.bucket))
        renderer = await stack.enter_async_context(open_renderer())
        templates = Templates(keep=not settings.development)
        mailer = await stack.enter_async_context(open_mailer(settings.mail))
        yield Resources(
            settings=settings,
            database=_watched("main", Database(pool, dispatcher.dispatch)),
            engine=_watched("engine", Database(small_pool, dispatcher.dispatch)),
            snapshots=_watched("exports", Snapshots(export_pool)),
            redis=redis,
            limiter=RateLimiter(redis, settings.secret_key),
            request_limiter=request_limiter,
            dispatcher=dispatcher,
            bucket=bucket,
            renderer=renderer,
            templates=templates,
            sender=EmailSender(
                email_config(settings, templates), mailer, SendLimit(redis, settings.mail.rates)
            ),
        )


def _watched(name: str, database: D) -> D:
    metrics.watch_pool(name, database.pool, lambda: database.waiting)
    return database


def email_config(settings: Settings, templates: Templates) -> EmailConfig:
    mail = settings.mail
    return EmailConfig(
        templates,
        mail.from_address,
        settings.http.app_url,
        settings.secret_key,
        reply_to=mail.reply_to,
        dkim=mail.dkim,
    )


async def refuse_old_servers(resources: Resources) -> None:
    """Make sure that no server is too old to work with. One that does not answer is not asked.

    Raises:
        TooOld: Postgres or Redis is.
    """
    await require_redis(resources.redis)
    try:
        await require_postgres(resources.database.pool)
    except Unavailable as error:
        log.warning("starting_without_postgres", error=error.detail)
