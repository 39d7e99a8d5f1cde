"""Ports on the loopback address: find free ports, and probe the servers that use them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from random import SystemRandom
from urllib.parse import urlsplit

import psutil

LOOPBACK = "127.0.0.1"
FREE_PORT_RANGE = range(20_000, 32_768)
"""Ports that neither Linux nor macOS uses for outgoing connections by default."""
REPLY_TIMEOUT_S = 5.0
"""Timeout for one request: a server may accept connections long before it can reply."""


def free_ports(count: int) -> list[int]:
    """Find distinct free ports, which later calls skip while TIME_WAIT lasts (60 s on Linux).

    Each port is left in TIME_WAIT. Servers can still bind it, because they set SO_REUSEADDR. Calls
    to this function bind without that option, so they skip the port.
    """
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            port = SystemRandom().choice(FREE_PORT_RANGE)
            with suppress(OSError):
                bound = stack.enter_context(socket.socket())
                bound.bind((LOOPBACK, port))
                _leave_in_time_wait(bound)
                found.append(port)
    return found


def _leave_in_time_wait(bound: socket.socket) -> None:
    """Connect to the port, and close the server's side first: this leaves it in TIME_WAIT."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.listen(1)
    with socket.create_connection(bound.getsockname()) as client:
        bound.accept()[0].close()
        client.recv(1)


def default_or_free_port(default: int) -> int:
    """Return the default port if it is free, otherwise a random free port."""
    return default if _is_free(default) else free_ports(1)[0]


def _is_free(port: int) -> bool:
    """Bind as a server would, then connect: on macOS, bind succeeds despite a wildcard listener."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOOPBACK, port)) != 0


def is_listening(pid: int, port: int) -> bool:
    """Whether the process or one of its children listens on the port; True if we may not check."""
    try:
        process = psutil.Process(pid)
        tree = [process, *process.children(recursive=True)]
        found = [connection for member in tree for connection in member.net_connections("tcp")]
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in found
    )


async def first_line(port: int, request: bytes = b"") -> bytes:
    """Return the first line of the server's reply; empty if the server sends no reply."""
    (line,) = await lines(port, 1, request)
    return line


async def lines(port: int, count: int, request: bytes = b"") -> list[bytes]:
    """Return the first lines of the server's reply; all empty if the server does not reply."""
    try:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(request)
                return [await reader.readline() for _ in range(count)]
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return [b""] * count


async def http_status(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> int | None:
    """Send a request without a body and return the status; None if there is no response."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, "Connection": "close", "Content-Length": "0", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode()
    status = (await first_line(parts.port or 80, request)).split(b" ")
    return int(status[1]) if len(status) > 1 and status[1].isdigit() else None
