"""`arq tests.support.stock_worker.WorkerSettings`: stock arq's loop runs the sample jobs.

Our engine runs beside that loop, without slots, for the heartbeat, the finisher and the relay.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import msgspec
from arq import func
from arq.connections import RedisSettings

from app import logs
from app.jobs.handlers import HANDLERS
from app.resources import open_resources
from app.settings import Settings
from tests.support import sample_jobs
from worker.engine import Engine
from worker.settings import run

__all__ = ["WorkerSettings", "sample_jobs"]

SETTINGS = Settings.from_env(os.environ)
STACK = AsyncExitStack()


async def start(ctx: dict[str, Any]) -> None:
    logs.configure(SETTINGS.logs)
    opened = open_resources(SETTINGS, process="activelog-worker")
    resources = await STACK.enter_async_context(opened)
    without_slots = replace(SETTINGS, worker=replace(SETTINGS.worker, slots=0))
    ctx["engine"] = engine = Engine(without_slots, resources, clock=None, handlers=HANDLERS)
    await engine.start()
    STACK.push_async_callback(engine.drain)


async def stop(_ctx: dict[str, Any]) -> None:
    await STACK.aclose()


class WorkerSettings:
    functions = (func(run, name="run"),)
    queue_name = "arq:queue:default"
    redis_settings = RedisSettings.from_dsn(SETTINGS.redis.url)
    job_deserializer = msgspec.json.decode
    job_serializer = msgspec.json.encode
    keep_result = 0
    poll_delay = 0.05
    on_startup = start
    on_shutdown = stop
