"""An SMTP server with scripted replies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

from app.email.smtp import SmtpPool
from app.settings import Smtp

DROP = "drop"
"""In place of a reply: close the connection."""
HANG = "hang"
"""In place of a reply: send nothing."""
DEFAULT_REPLIES = {
    "greeting": "220 scripted",
    "EHLO": "250-scripted\r\n250-STARTTLS\r\n250 AUTH PLAIN",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 fine",
    "RCPT": "250 fine",
    "DATA": "354 go ahead",
    "content": "250 accepted",
    "QUIT": "221 bye",
}
AMPLE_S = 600.0
"""A time limit that no test reaches, however busy the machine is."""
SHORT_S = 0.2
"""A time limit for a reply that never comes."""


@dataclass
class ScriptedServer:
    """The server's replies, and what it has received."""

    replies: dict[str, str] = field(default_factory=dict)
    replies_to: dict[str, str] = field(default_factory=dict)
    """Replies to RCPT, by address."""
    replies_once: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    max_at_once: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    frozen: set[asyncio.StreamWriter] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    """Every email received, whatever the reply."""
    accepted: list[bytes] = field(default_factory=list)
    """The received emails to which the server replied 250."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        self.max_at_once = max(self.max_at_once, len(self.open))
        try:
            await self._session(reader, writer)
        except ConnectionError:
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._reply(writer, "greeting")
        while line := await reader.readline():
            command = line.decode().strip()
            self.commands.append(command)
            verb = command.partition(" ")[0].upper()
            special = (
                self.replies_to.get(command[len("RCPT TO:<") : -1]) if verb == "RCPT" else None
            )
            reply = await self._reply(writer, verb, special)
            if verb == "STARTTLS" and self.tls and reply.startswith("220"):
                await writer.start_tls(self.tls)
            if verb == "DATA" and reply.startswith("354"):
                content = await reader.readuntil(b"\r\n.\r\n")
                self.contents.append(content)
                if (await self._reply(writer, "content")).startswith("250"):
                    self.accepted.append(content)
            if verb == "QUIT":
                return

    async def _reply(
        self, writer: asyncio.StreamWriter, stage: str, reply: str | None = None
    ) -> str:
        default = self.replies.get(stage, DEFAULT_REPLIES[stage])
        reply = reply or self.replies_once.pop(stage, default)
        if reply == DROP:
            raise ConnectionError
        if reply == HANG or writer in self.frozen:
            await asyncio.Event().wait()
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        return reply

    def freeze(self) -> None:
        """Stop replying on all open connections, as if a firewall had dropped them."""
        self.frozen |= self.open

    def hang_up(self) -> None:
        """Close all open connections, as servers do with idle ones."""
        for writer in self.open:
            writer.close()


@asynccontextmanager
async def scripted_server(
    replies: Mapping[str, str] | None = None,
    *,
    implicit_tls: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ScriptedServer]:
    """Run a server. `replies` overrides the default replies, by stage."""
    server = ScriptedServer(replies=dict(replies or {}), tls=tls)
    sessions: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        sessions.add(task)
        with suppress(asyncio.CancelledError):
            await task

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls if implicit_tls else None)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


def short_limits(replies: Mapping[str, str]) -> dict[str, Any]:
    """Return arguments for `smtp_pool_to` that shorten the time limit of a stage that hangs."""
    if replies.get("content") == HANG:
        return {"reply_timeout": SHORT_S}
    return {"timeout": SHORT_S} if HANG in replies.values() else {}


@asynccontextmanager
async def smtp_pool_to(
    server: ScriptedServer,
    *,
    pool_type: type[SmtpPool] = SmtpPool,
    connections: int = 2,
    tls: str = "none",
    password: str | None = None,
    timeout: float = AMPLE_S,  # noqa: ASYNC109 # the pool's, not this function's
    reply_timeout: float = AMPLE_S,
    reuse_timeout: float | None = None,
    clock: Callable[[], float] = monotonic,
) -> AsyncIterator[SmtpPool]:
    """Open a pool for this server. The time limits are in seconds."""
    smtp = Smtp("127.0.0.1", server.port, tls, "mail" if password else None, password, connections)
    pool = pool_type(
        smtp,
        hostname="activelog.example",
        timeout=timedelta(seconds=timeout),
        reply_timeout=timedelta(seconds=reply_timeout),
        reuse_timeout=None if reuse_timeout is None else timedelta(seconds=reuse_timeout),
        clock=clock,
    )
    try:
        yield pool
    finally:
        await pool.close()
