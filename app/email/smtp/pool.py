"""A pool of SMTP connections, each of which sends one email to one recipient at a time."""

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
"""The timeout for everything before the content, and again for the reply to the content."""
REUSE_SHARE = 0.25
"""The share of the timeout within which idle connections must respond, or else they are closed."""


class SmtpPool:
    """A pool of at most `smtp.connections` connections, which are opened when they are needed."""

    def __init__(
        self,
        smtp: Smtp,
        *,
        hostname: str,
        timeout: timedelta = TIMEOUT,
        reply_timeout: timedelta | None = None,
        reuse_timeout: timedelta | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """
        Args:
            hostname: the name with which we greet the server.
            timeout: for everything before the content, including the wait for a free connection.
            reply_timeout: for the reply to the content; by default `timeout`.
            reuse_timeout: for all idle connections together to accept the sender and the recipient;
                by default `REUSE_SHARE` of `timeout`.
            clock: returns monotonic seconds, to measure the age of connections.
        """
        self._timeout = timeout
        self._reply_timeout = timeout if reply_timeout is None else reply_timeout
        self._reuse_timeout = REUSE_SHARE * timeout if reuse_timeout is None else reuse_timeout
        self._clock = clock
        self._smtp = smtp
        self._hostname = hostname
        self._tls = None if smtp.tls == "none" else ssl.create_default_context()
        self._free = asyncio.Semaphore(smtp.connections)
        self._idle: list[Connection] = []

    @property
    def server(self) -> str:
        """The server's host, port and encryption as text for operators, without credentials."""
        tls = {"none": "in plain text", "starttls": "STARTTLS", "implicit": "TLS"}[self._smtp.tls]
        return f"{self._smtp.host}:{self._smtp.port} ({tls})"

    @property
    def send_timeout(self) -> timedelta:
        """The longest time that `send` can take."""
        return self._timeout + self._reply_timeout

    @property
    def idle_connections(self) -> int:
        """How many open connections are waiting for the next email."""
        return len(self._idle)

    async def send(
        self,
        sender: str,
        recipient: str,
        content: bytes,
        *,
        before_data: Callable[[], Awaitable[None]],
    ) -> None:
        """Send an email, and return once the server has accepted it.

        Takes at most `send_timeout`. `before_data` is called at the last moment at which the
        email can still be withheld. To withhold it, `before_data` raises an exception.

        Raises:
            Refused, TemporarilyRefused: the server does not accept this email.
            Unavailable: no connection was free, connecting failed, or the server replied 421 or did
                not reply before the content was sent.
            AuthenticationFailed: the server rejects our login or sender address; only an operator
                can fix that.
            Ambiguous: the server did not reply after the content was sent.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout.total_seconds()
        async with _Deadline(deadline):
            await self._free.acquire()
        try:
            async with _Deadline(deadline):
                connection = await self._connection_in_data(sender, recipient, before_data)
            try:
                await connection.send_content(content, recipient, self._reply_timeout)
            except BaseException:
                connection.close()  # its state is unknown
                raise
            self._idle.append(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the idle connections."""
        await asyncio.gather(*(connection.quit() for connection in self._idle))
        self._idle.clear()

    async def _connection_in_data(
        self, sender: str, recipient: str, before_data: Callable[[], Awaitable[None]]
    ) -> Connection:
        """Return a connection on which the server is waiting for the content."""
        connection = await self._connection_with_envelope(sender, recipient)
        try:
            await before_data()
            await connection.start_data()
        except BaseException:
            connection.close()
            raise
        return connection

    async def _connection_with_envelope(self, sender: str, recipient: str) -> Connection:
        """Return a connection on which the server has accepted the sender and the recipient.

        An idle connection may have been closed by the server, or dropped silently by a firewall.
        That is not an outage: try the next idle connection, and finally open a new one.
        """
        deadline = asyncio.get_running_loop().time() + self._reuse_timeout.total_seconds()
        while self._idle:
            idle = self._idle.pop()
            if idle.is_stale:
                idle.close()
                continue
            try:
                async with _Deadline(deadline):
                    await _send_envelope(idle, sender, recipient)
            except Unavailable:
                continue
            return idle
        fresh = await Connection.open(
            self._smtp,
            self._tls,
            hostname=self._hostname,
            reply_timeout=self._timeout,
            clock=self._clock,
        )
        await _send_envelope(fresh, sender, recipient)
        return fresh


async def _send_envelope(connection: Connection, sender: str, recipient: str) -> None:
    """Send the envelope, record that the server responded, and close the connection on an error."""
    try:
        await connection.send_envelope(sender, recipient)
    except BaseException as error:
        connection.close()
        if isinstance(error, Refused | TemporarilyRefused):
            dependency_health.record_success(DEPENDENCY)
        raise
    dependency_health.record_success(DEPENDENCY)


class _Deadline:
    """A time limit for a block. Raises `Unavailable` when the time is up.

    This is a class and not a generator because it is entered several times for each email, and a
    generator would take twice as long.
    """

    __slots__ = ("_limit",)

    def __init__(self, deadline: float) -> None:
        self._limit = asyncio.timeout_at(deadline)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._limit.__aexit__(error_type, error, traceback)
        except TimeoutError:
            raise outage("timed out") from None


@asynccontextmanager
async def open_smtp_pool(mail: Mail) -> AsyncIterator[SmtpPool]:
    """Open a pool that greets the server with the domain of the sender's address.

    The pool connects when it first sends, so it can be opened while the server is unavailable.
    """
    domain = parseaddr(mail.from_address)[1].rpartition("@")[2]
    pool = SmtpPool(mail.smtp, hostname=domain.encode("idna").decode())
    try:
        yield pool
    finally:
        await pool.close()
