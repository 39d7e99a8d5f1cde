"""Answers that are sent while they are made, and that end when nobody reads them any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from app.event_loop import cancel_all

Begin = Callable[[], Awaitable[None]]
Write = Callable[[bytes], Awaitable[None]]


class Streamed(Response[str]):
    """A file to save, whose bytes `source` writes.

    Whatever `source` holds, it holds while it runs: it is ended, and waited for, when the reader is
    gone. What it raises before it has called `begin` is answered as a failure like any other; what
    it raises later ends the connection before the end of the body, by which the reader can tell.
    """

    def __init__(
        self, source: Callable[[Begin, Write], Awaitable[None]], media_type: str, filename: str
    ) -> None:
        super().__init__("", media_type=media_type)
        self._source = source
        self._filename = filename

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return _Sending(
            self._source,
            media_type=self.media_type,
            headers={"Content-Disposition": f'attachment; filename="{self._filename}"'},
        )


class _Sending(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, source: Callable[[Begin, Write], Awaitable[None]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await cancel_all((sending, leaving))

    async def _send(self, send: Send) -> None:
        await self._source(partial(self.start_response, send), partial(_write, send))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _left(receive: Receive) -> None:
    """Return when the reader has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
