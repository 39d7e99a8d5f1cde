"""Helpers that cancel and shield tasks, and measure how late the event loop wakes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from time import monotonic
from typing import Any, TypeVar

from app import metrics

T = TypeVar("T")

DUPLICATE_SIGNAL_S = 0.5
"""Signals to stop that are this close together count as one. systemd signals every process of a
service and `uv run` passes its signal on; Ctrl-C reaches `just up` directly and through `just`."""


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks repeatedly until they have ended.

    Cancelling once is not enough: on Python 3.11 `asyncio.wait_for`, which libraries use, loses a
    cancellation that arrives together with its result (python/cpython issue 86296).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1)


async def finish_despite_cancellation(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, then raise CancelledError if the caller has been cancelled."""
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


LAG_INTERVAL_S = 0.5


async def watch_lag() -> None:
    """Measure the lag of the event loop until cancelled."""
    while True:
        started_at = monotonic()
        await asyncio.sleep(LAG_INTERVAL_S)
        metrics.loop_lag.observe(max(0.0, monotonic() - started_at - LAG_INTERVAL_S))
