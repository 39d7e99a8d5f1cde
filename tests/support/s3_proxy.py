"""A proxy for S3. Tests decide whether a call is passed on, fails or blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

import httpx
import uvicorn

from tests.support.working import WAIT_LIMIT_S, until

HOP_BY_HOP = {b"connection", b"transfer-encoding", b"keep-alive", b"content-length", b"date"}


class Call(NamedTuple):
    """A request to S3."""

    method: str
    path: str
    query: str

    @property
    def part(self) -> int:
        """The number of the part being uploaded; 0 if this call does not upload a part."""
        return int(self.query.partition("partNumber=")[2].partition("&")[0] or 0)

    @property
    def completes(self) -> bool:
        return self.method == "POST" and self.query.startswith("uploadId=")


Rule: TypeAlias = Callable[[Call], Awaitable[int | None]]
"""A function that returns a status to respond with, 0 to hang up, or None to pass the call on."""


async def pass_on(_: Call) -> int | None:
    return None


class S3Proxy:
    def __init__(self, target: str) -> None:
        self._target = target
        self._client = httpx.AsyncClient(base_url=target, timeout=WAIT_LIMIT_S)
        self.url = ""
        self.before: Rule = pass_on
        self.after: Rule = pass_on
        """The rule to apply after S3 has handled a call."""
        self.calls: list[Call] = []
        self.closing = asyncio.Event()

    async def hold(self) -> int:
        """Block a call until the proxy is closed. Rules can call this."""
        await self.closing.wait()
        return 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        call = Call(scope["method"], scope["path"], scope["query_string"].decode())
        self.calls.append(call)
        status = await self.before(call)
        answer: httpx.Response | None = None
        if status is None:
            headers = [(k, v) for k, v in scope["headers"] if k not in {b"expect", b"connection"}]
            url = httpx.URL(self._target, raw_path=_raw_path(scope))
            answer = await self._client.request(call.method, url, content=body, headers=headers)
            status = await self.after(call)
        if status == 0:
            raise ConnectionAbortedError  # makes the server close the connection without a response
        await _answer(send, status or 0, answer)


def _raw_path(scope: Any) -> bytes:
    query: bytes = scope["query_string"]
    path: bytes = scope["raw_path"]
    return path + (b"?" + query if query else b"")


async def _answer(send: Any, status: int, answer: httpx.Response | None) -> None:
    headers: list[tuple[bytes, bytes]] = []
    content = b""
    if not status:
        assert answer is not None
        status, content = answer.status_code, answer.content
        headers = [(k, v) for k, v in answer.headers.raw if k.lower() not in HOP_BY_HOP]
        length = answer.headers.get("content-length", str(len(content)))
        headers.append((b"content-length", length.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def s3_proxy(target: str) -> AsyncIterator[S3Proxy]:
    """Run a proxy for this S3 server on a free port."""
    proxy = S3Proxy(target)
    server = uvicorn.Server(uvicorn.Config(proxy, port=0, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    proxy.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.should_exit = True
        await serving
        await proxy._client.aclose()
