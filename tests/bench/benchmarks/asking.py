"""A client that sends requests over open connections at almost no cost of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter


class Connection:
    """One open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, request: bytes) -> float:
        """Send a request and wait for the complete response.

        Returns:
            The milliseconds until the response was complete.

        Raises:
            AssertionError: the response is not 2xx.
        """
        began = perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 20"), head
        _, _, rest = head.lower().partition(b"content-length:")
        await self._reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return (perf_counter() - began) * 1000

    def close(self) -> None:
        self._writer.close()


async def connect(port: int) -> Connection:
    return Connection(*await asyncio.open_connection("127.0.0.1", port))


async def send_all(connections: Sequence[Connection], requests: Sequence[bytes]) -> list[float]:
    """Divide the requests among the connections, each of which carries one request at a time."""

    async def share(number: int) -> list[float]:
        return [
            await connections[number].send(request)
            for request in requests[number :: len(connections)]
        ]

    shares = await asyncio.gather(*(share(number) for number in range(len(connections))))
    return [taken for times in shares for taken in times]
