"""WorkerSettings: the class that tells arq what to host."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC
from typing import Any
from uuid import UUID

import msgspec
import structlog
import uvloop
from arq import func

from app import logs, process_priority
from app.email import check_emails
from app.errors import TooOld
from app.jinja import BrokenTemplate
from app.jobs import JobId
from app.jobs.handlers import Handlers
from app.resources import open_resources, refuse_old_servers
from app.settings import Settings
from app.settings.environment import INVALID_SETTINGS_EXIT_CODE, SettingsError, report_error
from worker.arq_host import drain_on_signals, host_redis, redis_settings
from worker.cron import Clock, cron_jobs
from worker.engine import Engine

log = structlog.get_logger()

ARQ_TIMEOUT_S = 24 * 3600
"""Seconds after which arq itself would interrupt a job. Every handler has its own, lower limit."""


async def run(ctx: dict[str, Any], job_id: str) -> None:
    """Run a job. A stock arq worker on our queues calls this function for every job.

    It claims the job's row as our own workers do. If the row is not free, the id is dropped.
    """
    await ctx["engine"].claim_loop.run_one(JobId(UUID(job_id)))


class Lifecycle:
    """The resources and engine of arq's process, opened when it starts and closed when it ends."""

    def __init__(
        self, settings: Settings, clock: Clock | None, handlers: Handlers, *, burst: bool
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._handlers = handlers
        self._burst = burst
        self._stack = AsyncExitStack()
        self.redis = host_redis(settings.redis.url)

    async def start_up(self, ctx: dict[str, Any]) -> None:
        """Open the resources and start the engine.

        Raises:
            SystemExit: a setting cannot be used, a server is too old or a template is broken. One
                line on stderr says why.
        """
        process_priority.lower_own_priority(process_priority.WORKER_NICENESS)
        try:
            engine = await self._start(ctx)
        except (SettingsError, TooOld, BrokenTemplate) as error:
            report_error(error)
            code = INVALID_SETTINGS_EXIT_CODE if isinstance(error, SettingsError) else 1
            raise SystemExit(code) from None
        drain_on_signals(engine.drain, engine.claim_loop.interrupt_all)
        if self._burst:
            self.redis.has_work = engine.has_work

    async def _start(self, ctx: dict[str, Any]) -> Engine:
        """Open the resources and start the engine.

        Raises:
            SettingsError: METRICS_PORT, HOST or DATABASE_URL cannot be used.
            TooOld: Postgres or Redis is too old.
            BrokenTemplate: an email's template is broken, or a template's file cannot be read.
        """
        settings = self._settings
        opened = open_resources(settings, process="activelog-worker")
        resources = await self._stack.enter_async_context(opened)
        check_emails(resources.templates)
        await refuse_old_servers(resources)
        ctx["database"], ctx["clock"] = resources.database, self._clock
        ctx["engine"] = engine = Engine(
            settings, resources, clock=self._clock, handlers=self._handlers
        )
        await engine.start()
        return engine

    async def shut_down(self, ctx: dict[str, Any]) -> None:
        """Drain, or wait for the drain that a signal started, and close the resources.

        Raises:
            SystemExit: a loop has failed because of a bug; the exit code is 1.
        """
        engine = ctx.get("engine")
        if engine:
            await engine.drain()
        await self._stack.aclose()
        if engine and engine.failed:
            raise SystemExit(1)


def worker_settings(
    settings: Settings, *, clock: Clock | None, handlers: Handlers, burst: bool = False
) -> type:
    """Build the class that `arq worker.WorkerSettings` reads.

    This also creates the event loop that arq will use. The first thing the loop does is configure
    our logs, because arq configures its own logging after this function has returned.

    Args:
        clock: the schedules' clock. If None, this worker fires no ticks.
        burst: whether the worker exits once no job is due.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.call_soon(logs.configure, settings.logs)
    lifecycle = Lifecycle(settings, clock, handlers, burst=burst)
    return type(
        "WorkerSettings",
        (),
        {
            "functions": [func(run, name="run", timeout=ARQ_TIMEOUT_S)],
            "redis_pool": lifecycle.redis,
            "redis_settings": redis_settings(settings.redis.url),  # `arq --check` reads it
            "cron_jobs": [] if clock is None else cron_jobs(),
            "timezone": UTC,
            "job_serializer": msgspec.json.encode,
            "job_deserializer": msgspec.json.decode,
            "health_check_interval": 5,
            "keep_result": 0,
            "on_startup": lifecycle.start_up,
            "on_shutdown": lifecycle.shut_down,
        },
    )
