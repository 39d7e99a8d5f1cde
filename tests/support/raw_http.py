"""HTTP as bytes on a socket, for requests that no client sends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support.working import WAIT_LIMIT_S


class RawConnection:
    """A connection that sends exactly the bytes that it is given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str, *, receive_buffer: int = 2**16) -> RawConnection:
        """Connect. `receive_buffer` is how many bytes asyncio reads ahead of the test."""
        address = urlsplit(url)
        return cls(
            *await asyncio.open_connection(address.hostname, address.port, limit=receive_buffer)
        )

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def send_unless_closed(self, data: bytes) -> None:
        with suppress(ConnectionError):
            await self.send(data)

    async def head(self) -> bytes:
        """Read the status line and the headers of a response.

        Raises:
            asyncio.IncompleteReadError: the server closed the connection.
        """
        async with asyncio.timeout(WAIT_LIMIT_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def response(self) -> tuple[int, bytes]:
        """Read one response with a Content-Length, and return its status and its body.

        Raises:
            asyncio.IncompleteReadError: the server closed the connection.
        """
        head = await self.head()
        async with asyncio.timeout(WAIT_LIMIT_S):
            lengths = [
                int(value)
                for name, _, value in (line.partition(b":") for line in head.split(b"\r\n"))
                if name.lower() == b"content-length"
            ]
            body = await self.reader.readexactly(lengths[0] if lengths else 0)
        return int(head.split(b" ")[1]), body

    async def rest(self) -> bytes:
        """Return what the server sends until it closes the connection."""
        async with asyncio.timeout(WAIT_LIMIT_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    def close(self) -> None:
        self._writer.close()


async def status_of(url: str, target: str) -> int:
    """Return the status of a GET whose target is sent exactly as given."""
    connection = await RawConnection.open(url)
    try:
        await connection.send(f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return (await connection.response())[0]
    finally:
        connection.close()
