"""Sending 2,000 emails to a local server, compared with one connection per email."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID

import aiosmtplib
import trustme
import uvloop

from app.email import EmailConfig, Recipient
from app.email.compose import compose
from app.email.smtp import SmtpPool
from app.embedded.home import ROOT
from app.jinja import Templates
from app.settings import Smtp
from app.stats.emails import WeeklySummary
from tests.bench.environment import Environment
from tests.bench.table import Row

NEEDS = ("DATABASE_URL",)
VERSIONS = ("aiosmtplib", "uvloop", "css-inline", "jinja2")
NOTES = (
    "Weekly summaries of about 20 kB, composed beforehand, sent to an SMTP server that runs in "
    "its own process and discards them. Four at a time, over four connections or one connection "
    "per email; with uvloop, as in the worker."
)

EMAILS = 2_000
AT_ONCE = 4
COMPOSED = 100
QUICK = 10
"""--quick divides the number of emails by this."""
OURS, PLAIN = "ActiveLog, open connections", "aiosmtplib, one connection per email"

CONFIG = EmailConfig(
    Templates(), "ActiveLog <hello@bench.example>", "https://bench.example", "bench"
)
SENDER = CONFIG.envelope_sender
RECIPIENT = Recipient(UUID(int=0), "Ada", "ada@bench.example")

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Server:
    """The SMTP server for one measurement."""

    process: Process
    port: int
    tls: str
    authority: str
    """The file with the certificate authority that signed the server's certificate."""

    async def stop(self) -> tuple[int, int]:
        """Stop the server and return how many connections and emails it received."""
        self.process.terminate()
        said, _ = await self.process.communicate()
        connections, emails = said.split()
        return int(connections), int(emails)


Connect = Callable[[Server], AbstractAsyncContextManager[Send]]


class Measurement(NamedTuple):
    rate: float
    connections: int


async def bench(environment: Environment, *, rounds: int, quick: bool, only: str) -> list[Row]:
    count = EMAILS // (QUICK if quick else 1)
    rows = [Row("composing an email", "ActiveLog", f"{_composing_ms():.1f} ms")]
    for tls, what in (("none", "emails in plain text"), ("starttls", "emails with STARTTLS")):
        if only not in what:
            continue
        seen: dict[str, list[Measurement]] = {PLAIN: [], OURS: []}
        for _ in range(rounds):
            for name, connect in ((PLAIN, _one_connection_each), (OURS, _open_connections)):
                seen[name].append(await _measure(environment.folder, tls, connect, count))
        rows += _comparison(f"{count:,} {what}", seen)
    return rows


def _comparison(what: str, seen: dict[str, list[Measurement]]) -> list[Row]:
    rates = {
        name: median(measurement.rate for measurement in found) for name, found in seen.items()
    }
    ratio = rates[OURS] / rates[PLAIN]
    used = {
        name: max(measurement.connections for measurement in found) for name, found in seen.items()
    }
    texts = {name: f"{rates[name]:,.0f}/s over {used[name]:,} connections" for name in seen}
    return [
        Row(what, PLAIN, texts[PLAIN]),
        Row(what, OURS, f"{texts[OURS]}: {ratio:.1f}x", ">= 4x", ratio >= 4),
    ]


async def _measure(folder: Path, tls: str, connect: Connect, count: int) -> Measurement:
    content = _email().as_bytes()
    async with _server(folder, tls) as server:
        seconds = await asyncio.to_thread(uvloop.run, _send(server, connect, content, count))
        connections, taken = await server.stop()
    if taken != count:
        raise RuntimeError(f"{taken} of {count} emails arrived")
    return Measurement(count / seconds, connections)


async def _send(server: Server, connect: Connect, content: bytes, count: int) -> float:
    """Measure the seconds that `count` sends take, on an event loop like the worker's."""
    begun = perf_counter()
    async with connect(server) as send:

        async def send_a_share() -> None:
            for _ in range(count // AT_ONCE):
                await send(content)

        await asyncio.gather(*(send_a_share() for _ in range(AT_ONCE)))
    return perf_counter() - begun


@asynccontextmanager
async def _one_connection_each(server: Server) -> AsyncIterator[Send]:
    trusted = ssl.create_default_context(cafile=server.authority)

    async def send(content: bytes) -> None:
        await aiosmtplib.send(
            content,
            sender=SENDER,
            recipients=RECIPIENT.address,
            hostname="127.0.0.1",
            port=server.port,
            local_hostname=CONFIG.domain,  # avoids a name lookup for each connection
            start_tls=server.tls == "starttls",
            tls_context=trusted,
        )

    yield send


@asynccontextmanager
async def _open_connections(server: Server) -> AsyncIterator[Send]:
    smtp = Smtp("127.0.0.1", server.port, server.tls, None, None, AT_ONCE)
    with patch.dict(os.environ, SSL_CERT_FILE=server.authority):
        pool = SmtpPool(smtp, hostname=CONFIG.domain)  # reads SSL_CERT_FILE

    async def send(content: bytes) -> None:
        await pool.send(SENDER, RECIPIENT.address, content, before_data=_do_nothing)

    yield send
    await pool.close()


async def _do_nothing() -> None:
    """Do nothing before an email is sent."""


@asynccontextmanager
async def _server(folder: Path, tls: str) -> AsyncIterator[Server]:
    authority, certificate = folder / "authority.pem", folder / "certificate.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(authority)
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.contenders.smtp_sink", certificate),
        cwd=ROOT,
        stdout=PIPE,
    )
    assert process.stdout is not None  # set by stdout=PIPE
    try:
        port = int(await process.stdout.readline())
        yield Server(process, port, tls, str(authority))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _email() -> EmailMessage:
    return compose(CONFIG, RECIPIENT, WeeklySummary.sample(), "bench", datetime.now(UTC))


def _composing_ms() -> float:
    """Measure the milliseconds to compose an email, with all templates already parsed."""
    _email().as_bytes()
    begun = perf_counter()
    for _ in range(COMPOSED):
        _email().as_bytes()
    return (perf_counter() - begun) / COMPOSED * 1000
