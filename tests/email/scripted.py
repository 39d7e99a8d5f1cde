"""An SMTP server that says what a test tells it to say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

from app.email.smtp import Mailer
from app.settings import Smtp

DROP = "drop"
"""Ends the connection instead of answering."""
HANG = "hang"
"""Never answers."""
USUAL = {
    "greeting": "220 scripted",
    "EHLO": "250-scripted\r\n250-STARTTLS\r\n250 AUTH PLAIN",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 fine",
    "RCPT": "250 fine",
    "DATA": "354 go ahead",
    "content": "250 taken",
    "QUIT": "221 bye",
}
AMPLE_S = 600.0
"""A time limit that no test reaches, however busy the machine is."""
SHORT_S = 0.2
"""A time limit for a server that never answers."""


@dataclass
class Scripted:
    """What it says at each command, and what it has seen."""

    says: dict[str, str] = field(default_factory=dict)
    says_to: dict[str, str] = field(default_factory=dict)
    """Answers to RCPT by address."""
    says_once: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    most_at_once: int = 0
    open_now: set[asyncio.StreamWriter] = field(default_factory=set)
    frozen: set[asyncio.StreamWriter] = field(default_factory=set)
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    """Every email that was handed over, answered or not."""
    taken: list[bytes] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now.add(writer)
        self.most_at_once = max(self.most_at_once, len(self.open_now))
        try:
            await self._session(reader, writer)
        except ConnectionError:
            pass
        finally:
            self.open_now.discard(writer)
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "greeting")
        while line := await reader.readline():
            command = line.decode().strip()
            self.commands.append(command)
            verb = command.partition(" ")[0].upper()
            answer = self.says_to.get(command[len("RCPT TO:<") : -1]) if verb == "RCPT" else None
            said = await self._say(writer, verb, answer)
            if verb == "STARTTLS" and self.tls and said.startswith("220"):
                await writer.start_tls(self.tls)
            if verb == "DATA" and said.startswith("354"):
                content = await reader.readuntil(b"\r\n.\r\n")
                self.contents.append(content)
                if (await self._say(writer, "content")).startswith("250"):
                    self.taken.append(content)
            if verb == "QUIT":
                return

    async def _say(
        self, writer: asyncio.StreamWriter, stage: str, answer: str | None = None
    ) -> str:
        usual = self.says.get(stage, USUAL[stage])
        said = answer or self.says_once.pop(stage, usual)
        if said == DROP:
            raise ConnectionError
        if said == HANG or writer in self.frozen:
            await asyncio.Event().wait()
        writer.write(said.encode() + b"\r\n")
        await writer.drain()
        return said

    def freeze(self) -> None:
        """Say nothing more on any open connection, as one that a firewall has forgotten."""
        self.frozen |= self.open_now

    def hang_up(self) -> None:
        """End every open connection, as a server does with idle ones."""
        for writer in self.open_now:
            writer.close()


@asynccontextmanager
async def scripted(
    says: Mapping[str, str] | None = None,
    *,
    implicit_tls: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Scripted]:
    """A scripted server; `says` replaces what it says at a command."""
    script = Scripted(says=dict(says or {}), tls=tls)
    sessions: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(script.converse(reader, writer))
        sessions.add(task)
        with suppress(asyncio.CancelledError):
            await task

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls if implicit_tls else None)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)


def short_limits(says: Mapping[str, str]) -> dict[str, Any]:
    """A short limit for the step that is never answered; the others stay ample."""
    if says.get("content") == HANG:
        return {"answer": SHORT_S}
    return {"timeout": SHORT_S} if HANG in says.values() else {}


@asynccontextmanager
async def mailer_to(
    script: Scripted,
    *,
    kind: type[Mailer] = Mailer,
    connections: int = 2,
    tls: str = "none",
    password: str | None = None,
    timeout: float = AMPLE_S,  # noqa: ASYNC109 # the mailer's, not this function's
    answer: float = AMPLE_S,
    kept_patience: float | None = None,
    clock: Callable[[], float] = monotonic,
) -> AsyncIterator[Mailer]:
    """A mailer of this server; its time limits are in seconds."""
    smtp = Smtp("127.0.0.1", script.port, tls, "mail" if password else None, password, connections)
    mailer = kind(
        smtp,
        hostname="activelog.example",
        timeout=timedelta(seconds=timeout),
        answer=timedelta(seconds=answer),
        kept_patience=None if kept_patience is None else timedelta(seconds=kept_patience),
        clock=clock,
    )
    try:
        yield mailer
    finally:
        await mailer.close()
