"""Sockets bound before their servers start, so that a port in use causes a one-line error; and a
small server for a port of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from app.connections import Connections
from app.settings.environment import SettingsError


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Open a listening socket. It queues connections until a server accepts them.

    Args:
        variable: the name of the port's setting, for error messages.

    Raises:
        SettingsError: the port is taken or not permitted, or the host is not an address of this
            machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                problem = "is in use: stop the process that uses it, or choose another port"
            case errno.EACCES:
                problem = "is not permitted: choose a port above 1023"
            case _:
                problem = "is not an address of this machine: use 127.0.0.1 or 0.0.0.0"
                raise SettingsError({"HOST": problem}) from None
        raise SettingsError({variable: f"is port {port}, which {problem}"}) from None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers: the process has its own."""
        yield


@asynccontextmanager
async def serve(asgi_app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application on this event loop while the block runs."""
    config = uvicorn.Config(
        asgi_app,
        http=Connections(),  # type: ignore[arg-type] # called like a class
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def respond(send: Any, status: int, content_type: str, body: bytes) -> None:
    """Send an ASGI response in one piece."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
