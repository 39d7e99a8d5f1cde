"""Responses that are sent while they are produced, and cancelled when the client disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from app.api.methods import is_head
from app.event_loop import cancel_all
from app.exports.csv import DownloadTooSlow

log = structlog.get_logger(__name__)

Begin = Callable[[], Awaitable[None]]
Write = Callable[[bytes], Awaitable[None]]


class StreamedDownload(Response[str]):
    """A file download. `source` writes the content.

    When the client disconnects, `source` is cancelled and awaited, so that it can release its
    resources. If `source` fails before it calls `begin`, the client gets an ordinary error
    response. If it fails later, the connection is closed before the end of the body, so that the
    client can tell that the file is incomplete. For a HEAD request, `source` ends at `begin`, so it
    produces nothing.
    """

    def __init__(
        self, source: Callable[[Begin, Write], Awaitable[None]], media_type: str, filename: str
    ) -> None:
        super().__init__("", media_type=media_type)
        self._source = source
        self._filename = filename

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return _StreamingResponse(
            self._source,
            media_type=self.media_type,
            headers={"Content-Disposition": f'attachment; filename="{self._filename}"'},
        )


class _HeadersSent(Exception):
    """The response to a HEAD request is complete."""


class _StreamingResponse(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, source: Callable[[Begin, Write], Awaitable[None]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(scope, send))
        disconnect = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait((sending, disconnect), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            await cancel_all((sending, disconnect))
            for task in (sending, disconnect):
                if not task.cancelled():
                    task.exception()  # retrieved: it means nothing once the client has left

    async def _send(self, scope: Scope, send: Send) -> None:
        async def begin() -> None:
            await self.start_response(send)
            if is_head(scope):
                raise _HeadersSent

        try:
            with suppress(_HeadersSent):
                await self._source(begin, partial(_write, send))
        except DownloadTooSlow as error:
            log.info("download.cut_off", reason=str(error))
            return  # without the end of the body: uvicorn closes the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
