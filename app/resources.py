"""What a process opens, defined once for the API, the worker, the command line and the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog

from app import metrics
from app.email import EmailConfig, EmailSender, SendLimit
from app.email.smtp import open_smtp_pool
from app.errors import Unavailable
from app.jinja import Templates
from app.jobs.redis_queue import Dispatcher, open_dispatcher
from app.pdf import Renderer, open_renderer
from app.postgres.database import Database
from app.postgres.pool import open_pool
from app.postgres.pool import require_supported_version as require_postgres
from app.postgres.snapshot import Snapshots
from app.rate_limits import RateLimit, RateLimiter, open_rate_limiter
from app.redis import Redis, open_redis
from app.redis import require_supported_version as require_redis
from app.s3 import Bucket, open_bucket
from app.settings import Settings

D = TypeVar("D", Database, Snapshots)

log = structlog.get_logger()

ENGINE_CONNECTIONS = 4
"""Enough to send a heartbeat, claim jobs, finish jobs and run the relay at the same time."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process opens. Only entry points get all of it; they pass a use case what it needs."""

    settings: Settings
    database: Database
    engine_database: Database
    """A small pool for heartbeats, claims and the like, so that handlers cannot starve them."""
    snapshots: Snapshots
    """A pool for exports: each export keeps a connection for as long as it reads."""
    redis: Redis
    limiter: RateLimiter
    request_limit: RateLimit
    """The limit on each user's requests."""
    dispatcher: Dispatcher
    bucket: Bucket
    renderer: Renderer
    """Starts no process until a PDF is requested."""
    templates: Templates
    sender: EmailSender


@asynccontextmanager
async def open_resources(settings: Settings, *, process: str) -> AsyncIterator[Resources]:
    """Open everything, whether or not the servers respond. Leaving the block closes it.

    Args:
        process: the application name that Postgres shows, such as `activelog-api`.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            await open_pool(
                settings.database.url, size=settings.database.pool_size, application_name=process
            )
        )
        small_pool = await stack.enter_async_context(
            await open_pool(
                settings.database.engine_url or settings.database.url,
                size=ENGINE_CONNECTIONS,
                application_name=process,
                variable="ENGINE_DATABASE_URL" if settings.database.engine_url else "DATABASE_URL",
            )
        )
        export_pool = await stack.enter_async_context(
            await open_pool(
                settings.database.export_url or settings.database.url,
                size=settings.database.export_pool_size,
                variable="EXPORT_DATABASE_URL" if settings.database.export_url else "DATABASE_URL",
                application_name=f"{process}-exports",
                statement_timeout_s=55,
                idle_in_transaction_timeout="60s",
            )
        )
        redis = await stack.enter_async_context(open_redis(settings.redis.url))
        limiter = await stack.enter_async_context(open_rate_limiter(redis, settings.secret_key))
        dispatcher = await stack.enter_async_context(open_dispatcher(redis))
        bucket = await stack.enter_async_context(open_bucket(settings.bucket))
        renderer = await stack.enter_async_context(open_renderer())
        templates = Templates(keep=not settings.development)
        smtp_pool = await stack.enter_async_context(open_smtp_pool(settings.mail))
        yield Resources(
            settings=settings,
            database=_watched("main", Database(pool, dispatcher.dispatch)),
            engine_database=_watched("engine", Database(small_pool, dispatcher.dispatch)),
            snapshots=_watched("exports", Snapshots(export_pool)),
            redis=redis,
            limiter=limiter,
            request_limit=RateLimit("requests", settings.http.request_rate),
            dispatcher=dispatcher,
            bucket=bucket,
            renderer=renderer,
            templates=templates,
            sender=EmailSender(
                email_config(settings, templates),
                smtp_pool,
                SendLimit(limiter, settings.mail.rates),
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
    """Check that Postgres and Redis are new enough. Skip a server that is not responding.

    Raises:
        TooOld: Postgres or Redis is too old.
        SettingsError: DATABASE_URL cannot be used.
    """
    await require_redis(resources.redis)
    try:
        await require_postgres(resources.database.pool)
    except Unavailable as error:
        log.warning("postgres.unavailable", error=error.detail)
