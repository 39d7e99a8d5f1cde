"""Request bodies: how long their clients may pause, and how much of them a process holds."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPScope, Receive, ReceiveMessage, Send

from app import metrics
from app.errors import Busy

RETRY_AFTER_S = 5
LIMIT = "bodies"
metrics.refused.labels(LIMIT)  # so that the series exists before the first refusal


class BodyLimits(NamedTuple):
    max_pause_s: float = 15.0
    """The longest wait for more of a body. Time in which we do not read it does not count."""
    max_anonymous_bytes: int = 16_000
    """The largest body of a request without a user. Other limits are those of the routes."""
    max_held_bytes: int = 64 * 1024 * 1024
    """The most memory that the bodies of all requests in progress may take up in this process."""


BODY_LIMITS = BodyLimits()


class Bodies:
    """ASGI middleware that counts the bodies of all requests in progress.

    When they exceed their limit, the unfinished one that began first is refused (503). A client
    that sends slowly can therefore not keep others from sending, and a small body, which arrives in
    one piece, is never refused.
    """

    def __init__(self, limits: BodyLimits = BODY_LIMITS) -> None:
        self.limits = limits
        self.held_bytes = 0
        self.unfinished: dict[_Body, None] = {}
        """Oldest first."""

    async def run(self, app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
        body = _Body(self, scope, receive)
        try:
            await app(scope, body.receive, send)
        finally:
            body.release()

    def add(self, size: int) -> None:
        self.held_bytes += size
        metrics.body_bytes.set(self.held_bytes)

    def make_room(self) -> None:
        """Refuse unfinished bodies until the rest is within the limit."""
        while self.held_bytes > self.limits.max_held_bytes and self.unfinished:
            next(iter(self.unfinished)).refuse()


class _Body:
    """The body of one request."""

    def __init__(self, bodies: Bodies, scope: HTTPScope, receive: Receive) -> None:
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        self._held_bytes = 0
        self._is_complete = False
        self._is_refused = False
        self._wait: asyncio.Timeout | None = None

    async def receive(self) -> ReceiveMessage:
        """Receive the next ASGI message.

        Raises:
            HTTPException: the client paused for too long (408), or the body is too large (413).
            Busy: this body was refused.
        """
        if self._is_complete:
            return await self._receive()
        self._raise_if_refused()
        max_pause_s = self._bodies.limits.max_pause_s
        try:
            async with asyncio.timeout(max_pause_s) as self._wait:
                message = await self._receive()
        except TimeoutError:
            self._raise_if_refused()
            detail = f"The rest of the body did not arrive within {max_pause_s:g} seconds."
            raise HTTPException(detail, status_code=408) from None
        finally:
            self._wait = None
        self._raise_if_refused()
        if message["type"] == "http.request":
            self._count(len(message["body"]), is_last=not message.get("more_body"))
            self._raise_if_refused()
        return message

    def _count(self, size: int, *, is_last: bool) -> None:
        self._held_bytes += size
        self._bodies.add(size)
        if self._scope.get("user") is None and (
            self._held_bytes > self._bodies.limits.max_anonymous_bytes
        ):
            raise HTTPException(status_code=413)
        if is_last:
            self._is_complete = True
            self._bodies.unfinished.pop(self, None)
        else:
            self._bodies.unfinished.setdefault(self)
        self._bodies.make_room()

    def refuse(self) -> None:
        """Release the body, and let its request fail."""
        metrics.refused.labels(LIMIT).inc()
        self._is_refused = True
        self.release()
        if self._wait is not None:
            self._wait.reschedule(asyncio.get_running_loop().time())

    def release(self) -> None:
        self._bodies.unfinished.pop(self, None)
        self._bodies.add(-self._held_bytes)
        self._held_bytes = 0

    def _raise_if_refused(self) -> None:
        if self._is_refused:
            raise Busy(
                "Too many large requests are in progress. Try again in a moment.",
                retry_after=RETRY_AFTER_S,
            )
