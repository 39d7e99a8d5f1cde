"""Keeping stock arq alive as the host of the process, with Redis or without.

`arq worker.WorkerSettings` gives the process, `cron_jobs` and the health key. By itself arq neither
starts nor stays without Redis, and ends on a signal before our jobs have drained.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from app.event_loop import cancel_all
from app.redis import OUTAGES

log = structlog.get_logger()


class HostRedis(ArqRedis):
    """What arq asks of Redis, answered with "nothing there" while Redis is away."""

    has_work: Callable[[], Awaitable[bool]] | None = None
    """For `arq --burst`, which ends when its queue is empty: whether ours have work left."""

    async def zrangebyscore(self, *args: Any, **kwargs: Any) -> Any:
        return await _or(super().zrangebyscore(*args, **kwargs), [])

    async def zcard(self, *args: Any, **kwargs: Any) -> Any:
        if self.has_work is not None:
            return int(await self.has_work())
        return await _or(super().zcard(*args, **kwargs), 0)

    async def delete(self, *args: Any, **kwargs: Any) -> Any:
        return await _or(super().delete(*args, **kwargs), 0)

    async def psetex(self, *args: Any, **kwargs: Any) -> Any:
        return await _or(super().psetex(*args, **kwargs), None)

    async def enqueue_job(self, *args: Any, **kwargs: Any) -> Any:
        return await _or(super().enqueue_job(*args, **kwargs), None)

    def pipeline(self, *args: Any, **kwargs: Any) -> Any:
        return _HostPipeline(super().pipeline(*args, **kwargs))


class _HostPipeline:
    """A pipeline whose answers are empty while Redis is away: arq reads the server's figures so."""

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
        return await _or(self._pipeline.execute(*args, **kwargs), [{} for _ in range(commands)])


async def _or(answer: Awaitable[Any], nothing: Any) -> Any:
    try:
        return await answer
    except OUTAGES as error:
        log.debug("host.redis_failed", error=type(error).__name__)
        return nothing


def host_redis(url: str) -> HostRedis:
    """The client for arq's `redis_pool`. It connects when it is first used."""
    pool: ConnectionPool = ConnectionPool.from_url(
        url, socket_timeout=3, socket_connect_timeout=2, socket_keepalive=True
    )
    # Never pickle: whoever can write to Redis would run code here.
    return HostRedis(
        pool_or_conn=pool,
        job_serializer=msgspec.json.encode,
        job_deserializer=msgspec.json.decode,
    )


def drain_on_signals(drain: Callable[[], Awaitable[None]]) -> None:
    """On SIGTERM or SIGINT drain, then end arq's main task, which is the one that calls this.

    Replaces arq's own handlers, which would cut the jobs short. A second signal ends at once.
    """
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    draining: list[asyncio.Task[None]] = []

    async def drain_and_end(name: str) -> None:
        log.info("worker.drain_started", signal=name)
        try:
            await drain()
        finally:
            if main is not None:
                await cancel_all((main,))  # once may be lost, and arq would go on without us

    def on_signal(signum: signal.Signals) -> None:
        if draining:
            draining[0].cancel()
        else:
            draining.append(loop.create_task(drain_and_end(signum.name), name="drain"))

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, on_signal, signum)
