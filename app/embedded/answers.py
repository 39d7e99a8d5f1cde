"""Asking a port of this machine whether its server answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from app.embedded.ports import LOOPBACK

PATIENCE = 5.0
"""Seconds for one question. A server that is starting may accept long before it answers."""


async def first_line(port: int, question: bytes = b"") -> bytes:
    """What the server says first; empty when nothing listens or it hangs up."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(question)
                return await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return b""


async def http_status(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> int | None:
    """The status of one request without a body; None when there is no answer."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, "Connection": "close", "Content-Length": "0", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    question = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode()
    status = (await first_line(parts.port or 80, question)).split(b" ")
    return int(status[1]) if len(status) > 1 and status[1].isdigit() else None
