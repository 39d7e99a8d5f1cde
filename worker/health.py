"""The worker's HTTP endpoints: liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from app import metrics
from app.jobs import statements
from app.listening import listen, respond, serve
from app.resources import Resources
from worker.claim_loop import ClaimLoop

MAX_POP_AGE_S = 5.0
"""A worker with free slots that has not popped for this many seconds is not ready."""
READY_TIMEOUT_S = 1.0
"""Seconds within which Postgres and Redis have to answer."""


class Health:
    """The server for `/health/live`, `/health/ready` and `/metrics`, on the worker's event loop.

    A response therefore means that the loop is running. `/health/live` means no more than that: it
    does not depend on Postgres or Redis.
    """

    def __init__(self, resources: Resources, claim_loop: ClaimLoop) -> None:
        self._resources = resources
        self._claim_loop = claim_loop

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve while the block runs, unless the port is 0.

        Raises:
            SettingsError: the port or the host cannot be used.
        """
        if not port:
            yield
            return
        async with serve(self._answer, listen(host, port, "METRICS_PORT")):
            yield

    async def ready(self) -> bool:
        """Tell whether Postgres and Redis answer, and the claim loop is able to pop.

        It is if it has popped recently, or if all slots are in use.
        """
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await statements.pauses(self._resources.engine_database)
                await self._resources.redis.ping()
        except Exception:  # noqa: BLE001 # any failure means not ready
            return False
        return (
            self._claim_loop.is_full or monotonic() - self._claim_loop.last_pop_at < MAX_POP_AGE_S
        )

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        status, kind, body = 404, "text/plain", b"not found\n"
        match scope["path"]:
            case "/health/live":
                status, body = 200, b"live\n"
            case "/health/ready":
                status, body = (200, b"ready\n") if await self.ready() else (503, b"not ready\n")
            case "/metrics":
                status, kind, body = 200, metrics.CONTENT_TYPE, metrics.render()
        await respond(send, status, kind, body)
