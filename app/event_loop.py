"""Cancelling tasks, shielding them, and measuring how late the event loop wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from time import monotonic
from typing import Any, TypeVar

from app import metrics

T = TypeVar("T")


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: on Python 3.11 `asyncio.wait_for`, which libraries use, loses a cancellation
    that comes at the same moment as its result (python/cpython issue 86296).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)


async def to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Let it run to its end, whoever is cancelled meanwhile: that is raised afterwards."""
    task = asyncio.ensure_future(coroutine)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


TICK = 0.5


async def watch_lag() -> None:
    """Measure it until cancelled."""
    while True:
        began = monotonic()
        await asyncio.sleep(TICK)
        metrics.loop_lag.observe(max(0.0, monotonic() - began - TICK))
