"""Adapt arq, which hosts the process, to keep running without Redis and to drain on signals.

`arq worker.WorkerSettings` starts the process, runs `cron_jobs` and writes the health key that
`arq --check` reads. Unadapted, arq does not start without Redis, exits when Redis fails, and exits
on a signal before our jobs end.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from arq.connections import ArqRedis, RedisSettings
from redis.asyncio.sentinel import SentinelConnectionPool

from app.event_loop import DUPLICATE_SIGNAL_S, cancel_all
from app.redis import OUTAGES, connection_pool
from app.settings.urls import redis_connection_pool

log = structlog.get_logger()


class HostRedis(ArqRedis):
    """arq's Redis client. During an outage it returns empty results instead of raising errors."""

    has_work: Callable[[], Awaitable[bool]] | None = None
    """For `arq --burst`: returns whether a job is running here or is due. If not, arq exits."""

    async def zrangebyscore(self, *args: Any, **kwargs: Any) -> Any:
        return await _or_default(super().zrangebyscore(*args, **kwargs), [])

    async def zcard(self, *args: Any, **kwargs: Any) -> Any:
        if self.has_work is not None:
            return int(await self.has_work())
        return await _or_default(super().zcard(*args, **kwargs), 0)

    async def delete(self, *args: Any, **kwargs: Any) -> Any:
        return await _or_default(super().delete(*args, **kwargs), 0)

    async def psetex(self, *args: Any, **kwargs: Any) -> Any:
        return await _or_default(super().psetex(*args, **kwargs), None)

    async def enqueue_job(self, *args: Any, **kwargs: Any) -> Any:
        return await _or_default(super().enqueue_job(*args, **kwargs), None)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        return _HostPipeline(super().pipeline(*args, **kwargs))


class _HostPipeline:
    """A pipeline of arq's client. During an outage, its commands return empty results."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    async def __aenter__(self) -> Any:
        await self._pipeline.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._pipeline.__aexit__(*exc)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        commands = len(self._pipeline.command_stack)
        empty: list[dict[str, Any]] = [{} for _ in range(commands)]
        return await _or_default(self._pipeline.execute(*args, **kwargs), empty)


async def _or_default(answer: Awaitable[Any], default: Any) -> Any:
    """Return Redis's answer, or the default if Redis is unavailable."""
    try:
        return await answer
    except OUTAGES as error:
        log.debug("arq_host.redis_failed", error=repr(error))
        return default


def host_redis(url: str) -> HostRedis:
    """Make the client for arq's `redis_pool`. It connects on first use."""
    # Not arq's default, pickle, which would let anyone who can write to Redis run code here.
    return HostRedis(
        pool_or_conn=connection_pool(url, socket_timeout=3),
        job_serializer=msgspec.json.encode,
        job_deserializer=msgspec.json.decode,
    )


def redis_settings(url: str) -> RedisSettings:
    """Describe the Redis at a URL to `arq --check`, whose own parser does not support Sentinel."""
    pool = redis_connection_pool(url)
    options = pool.connection_kwargs
    settings = RedisSettings(
        host=options.get("host", "localhost"),
        port=options.get("port", 6379),
        unix_socket_path=options.get("path"),
        database=options.get("db", 0),
        username=options.get("username"),
        password=options.get("password"),
        ssl=url.startswith("rediss"),
    )
    if isinstance(pool, SentinelConnectionPool):
        nodes = [node.connection_pool.connection_kwargs for node in pool.sentinel_manager.sentinels]
        settings.host = [(node["host"], node["port"]) for node in nodes]
        settings.sentinel, settings.sentinel_master = True, pool.service_name
    return settings


def drain_on_signals(drain: Callable[[], Awaitable[None]], interrupt: Callable[[], None]) -> None:
    """On SIGTERM or SIGINT, drain and then cancel arq's main task.

    A second signal, unless it is a duplicate, interrupts the running jobs, so that the drain ends
    soon. A third ends the drain, and other workers reclaim what this one holds.

    Call this from arq's main task. It replaces arq's own signal handlers, which would interrupt the
    jobs at once.
    """
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    received: list[float] = []
    draining: list[asyncio.Task[None]] = []

    async def drain_and_end(name: str) -> None:
        log.info("worker.drain_started", signal=name)
        try:
            await drain()
        finally:
            if main is not None:
                await cancel_all((main,))  # one cancellation can get lost

    def on_signal(signum: signal.Signals) -> None:
        if received and loop.time() - received[-1] < DUPLICATE_SIGNAL_S:
            return
        received.append(loop.time())
        match len(received):
            case 1:
                draining.append(loop.create_task(drain_and_end(signum.name), name="drain"))
            case 2:
                log.warning("worker.drain_cut_short", signal=signum.name)
                interrupt()
            case _:
                draining[0].cancel()

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, on_signal, signum)
