"""The mailer: a small pool of kept connections, one email to one recipient at a time on each."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parseaddr
from time import monotonic
from types import TracebackType

from app import dependency_health
from app.email.smtp.connection import Connection
from app.email.smtp.replies import DEPENDENCY, Refused, TemporarilyRefused, outage
from app.errors import Unavailable
from app.settings import Mail, Smtp

TIMEOUT = timedelta(seconds=60)
KEPT_SHARE = 0.25
"""Of the timeout: how long the kept connections have to answer before they are taken for dead."""


class Mailer:
    """Sends emails over at most `smtp.connections` connections, made when they are needed."""

    def __init__(
        self,
        smtp: Smtp,
        *,
        hostname: str,
        timeout: timedelta = TIMEOUT,
        answer: timedelta | None = None,
        kept_patience: timedelta | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            hostname: how we greet the server.
            timeout: how long everything before the content may take, including the wait for a free
                connection.
            answer: how long the server has to answer the content; None: as long as `timeout`.
            kept_patience: how long all kept connections together have to accept sender and
                recipient; None: `KEPT_SHARE` of `timeout`.
            clock: tells the age of connections, in seconds.
        """
        self._timeout = timeout
        self._answer = timeout if answer is None else answer
        self._kept_patience = KEPT_SHARE * timeout if kept_patience is None else kept_patience
        self._clock = clock
        self._smtp = smtp
        self._hostname = hostname
        self._tls = None if smtp.tls == "none" else ssl.create_default_context()
        self._free = asyncio.Semaphore(smtp.connections)
        self._kept: list[Connection] = []

    @property
    def server(self) -> str:
        """In words that may be shown: where it is and how it is spoken to."""
        tls = {"none": "in plain text", "starttls": "STARTTLS", "implicit": "TLS"}[self._smtp.tls]
        return f"{self._smtp.host}:{self._smtp.port} ({tls})"

    @property
    def send_timeout(self) -> timedelta:
        """How long `send` takes at most."""
        return self._timeout + self._answer

    @property
    def idle_connections(self) -> int:
        """How many connections are open and wait for the next email."""
        return len(self._kept)

    async def send(
        self,
        sender: str,
        recipient: str,
        content: bytes,
        *,
        before_data: Callable[[], Awaitable[None]],
    ) -> None:
        """Hand an email over: the server has taken it when this returns.

        Takes at most `send_timeout`. `before_data` is called at the last moment at which the
        email can be withheld, by raising.

        Raises:
            Refused, TemporarilyRefused: what the server said to this email.
            Unavailable: no connection, 421, or silence before the email was handed over.
            AuthenticationFailed: an Unavailable that a person must mend.
            Ambiguous: silence after it.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout.total_seconds()
        async with _Until(deadline):
            await self._free.acquire()
        try:
            async with _Until(deadline):
                connection = await self._ready(sender, recipient, before_data)
            try:
                await connection.hand_over(content, recipient, self._answer)
            except BaseException:
                connection.close()  # its state is unknown
                raise
            self._kept.append(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        await asyncio.gather(*(connection.quit() for connection in self._kept))
        self._kept.clear()

    async def _ready(
        self, sender: str, recipient: str, before_data: Callable[[], Awaitable[None]]
    ) -> Connection:
        """A connection on which the server waits for the email."""
        connection = await self._addressed(sender, recipient)
        try:
            await before_data()
            await connection.start_data()
        except BaseException:
            connection.close()
            raise
        return connection

    async def _addressed(self, sender: str, recipient: str) -> Connection:
        """A connection on which the server has accepted sender and recipient.

        A kept one may have been ended while it idled, by the server or, in silence, by whatever is
        between. That is no outage: the next is tried, and then a new one.
        """
        patience = asyncio.get_running_loop().time() + self._kept_patience.total_seconds()
        while self._kept:
            kept = self._kept.pop()
            if kept.worn:
                kept.close()
                continue
            try:
                async with _Until(patience):
                    await _address(kept, sender, recipient)
            except Unavailable:
                continue
            return kept
        fresh = await Connection.open(
            self._smtp,
            self._tls,
            hostname=self._hostname,
            patience=self._timeout,
            clock=self._clock,
        )
        await _address(fresh, sender, recipient)
        return fresh


async def _address(connection: Connection, sender: str, recipient: str) -> None:
    try:
        await connection.address(sender, recipient)
    except BaseException as error:
        connection.close()
        if isinstance(error, Refused | TemporarilyRefused):
            dependency_health.record_success(DEPENDENCY)
        raise
    dependency_health.record_success(DEPENDENCY)


class _Until:
    """A limit on the block, after which there is an outage.

    A class, as three an email are: a generator takes twice the time.
    """

    __slots__ = ("_limit",)

    def __init__(self, deadline: float) -> None:
        self._limit = asyncio.timeout_at(deadline)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            raise outage("timed out") from None


@asynccontextmanager
async def open_mailer(mail: Mail) -> AsyncIterator[Mailer]:
    """A mailer that greets the server in the name of the sender's domain.

    It connects when it first sends, so that it can be opened while the server is away.
    """
    domain = parseaddr(mail.from_address)[1].rpartition("@")[2]
    mailer = Mailer(mail.smtp, hostname=domain.encode("idna").decode())
    try:
        yield mailer
    finally:
        await mailer.close()
