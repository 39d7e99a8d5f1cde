"""A client that sends requests over open connections at almost no cost of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter


class Caller:
    """One open connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> float:
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


async def call(port: int) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", port))


async def ask_all(callers: Sequence[Caller], requests: Sequence[bytes]) -> list[float]:
    """Divide the requests among the callers. Each caller sends its share one after another."""

    async def share(number: int) -> list[float]:
        return [await callers[number].ask(request) for request in requests[number :: len(callers)]]

    shares = await asyncio.gather(*(share(number) for number in range(len(callers))))
    return [taken for times in shares for taken in times]
