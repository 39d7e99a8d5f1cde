"""What machines ask the worker: whether it lives, whether it works, and its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import Any

import uvicorn

from app import metrics
from app.jobs import statements
from app.listening import listen
from app.resources import Resources
from worker.claim_loop import ClaimLoop

MAX_POP_AGE_S = 5.0
"""Seconds since the intake last looked at the queues with success."""
READY_TIMEOUT_S = 1.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the worker."""
        yield


class Health:
    """`/health/live`, `/health/ready` and `/metrics`, served on the worker's own event loop.

    So that it answers only while the loop turns; that is what live means, Redis or not.
    """

    def __init__(self, resources: Resources, claim_loop: ClaimLoop) -> None:
        self._resources = resources
        self._claim_loop = claim_loop

    @asynccontextmanager
    async def serve(self, host: str, port: int) -> AsyncIterator[None]:
        """Answer as long as the block runs. Port 0: do not.

        Raises:
            SettingsError: the port is taken.
        """
        if not port:
            yield
            return
        listening = listen(host, port, "METRICS_PORT")
        config = uvicorn.Config(
            self._answer, interface="asgi3", lifespan="off", log_config=None, access_log=False
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await serving

    async def ready(self) -> bool:
        """Postgres and Redis answer, and the intake looked at the queues a moment ago."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await statements.pauses(self._resources.engine)
                await self._resources.redis.ping()
        except Exception:  # noqa: BLE001 # whatever it is, it is not ready
            return False
        return monotonic() - self._claim_loop.last_pop_at < MAX_POP_AGE_S

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        status, kind, body = 404, b"text/plain", b"not found\n"
        match scope["path"]:
            case "/health/live":
                status, body = 200, b"live\n"
            case "/health/ready":
                status, body = (200, b"ready\n") if await self.ready() else (503, b"not ready\n")
            case "/metrics":
                status, kind, body = 200, b"text/plain; version=0.0.4", metrics.render()
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
