"""One connection to the SMTP server, and one email after another over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from ssl import SSLContext

import aiosmtplib

from app.email.smtp.replies import Ambiguous, meaning, outage, scrubbed
from app.settings import Smtp

OLDEST = 240
"""Seconds after which a connection is not used again: many servers end theirs after 300."""
MAX_EMAILS = 100
"""Emails after which a connection is not used again: many servers refuse the next."""
TAKEN = (250, 251)
GO_AHEAD = 354
NO_ADDRESS = 553


class Connection:
    """An open, greeted, encrypted and authenticated connection.

    Every method may raise the errors of app/email/smtp/replies.py. After any of them the state of
    the connection is unknown, and its holder closes it.
    """

    def __init__(self, client: aiosmtplib.SMTP, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._opened_at = clock()
        self._letters = 0

    @classmethod
    async def open(
        cls,
        smtp: Smtp,
        tls: SSLContext | None,
        *,
        hostname: str,
        patience: timedelta,
        clock: Callable[[], float],
    ) -> Connection:
        """Connect, greet the server, and encrypt and authenticate as the settings say.

        Args:
            hostname: how we greet the server.
            patience: the limit for connecting, and for each reply until the greeting is done.
            clock: tells the age of the connection, in seconds.
        """
        client = aiosmtplib.SMTP(
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username,
            password=smtp.password,
            local_hostname=hostname,
            timeout=patience.total_seconds(),
            use_tls=smtp.tls == "implicit",
            start_tls=smtp.tls == "starttls",
            tls_context=tls,
        )
        try:
            with _facts("connecting"):
                await client.connect()
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
        except BaseException:
            client.close()
            raise
        return cls(client, clock)

    @property
    def worn(self) -> bool:
        """Too old or too much used for another email, or ended by the server."""
        too_old = self._clock() - self._opened_at > OLDEST
        return too_old or self._letters >= MAX_EMAILS or not self._client.is_connected

    async def address(self, sender: str, recipient: str) -> None:
        """Have the server accept both names, which must be ASCII: no account has another."""
        with _facts("MAIL", recipient):
            await self._command(b"MAIL", b"FROM:" + _path(sender))
        with _facts("RCPT", recipient):
            await self._command(b"RCPT", b"TO:" + _path(recipient))

    async def start_data(self) -> None:
        with _facts("DATA"):
            await self._command(b"DATA", wanted=(GO_AHEAD,))

    async def hand_over(self, content: bytes, recipient: str, patience: timedelta) -> None:
        """Send the content, whose lines end with CRLF, and read the answer to it.

        aiosmtplib's own `data` cannot tell silence before the content from silence after it.
        """
        protocol = self._client.protocol
        if protocol is None:
            raise outage("DATA: disconnected")
        stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            protocol.write(stuffed + end)
            code, text = await protocol.read_response(patience.total_seconds())
        except (aiosmtplib.SMTPException, OSError):
            raise Ambiguous("SMTP: no response after the message was sent") from None
        self._letters += 1
        if not 200 <= code < 300:
            raise meaning("content", code, scrubbed(text, recipient))

    async def _command(self, *words: bytes, wanted: Collection[int] = TAKEN) -> None:
        """Without a limit of its own: whoever sends has one for all commands of an email."""
        answer = await self._client.execute_command(*words, timeout=None)
        if answer.code not in wanted:
            raise aiosmtplib.SMTPResponseException(answer.code, answer.message)

    async def quit(self) -> None:
        """Take leave, for a second at most."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=1)
        self.close()

    def close(self) -> None:
        self._client.close()


def _path(address: str) -> bytes:
    """
    Raises:
        ValueError: it is not ASCII, or holds what would end it.
    """
    if not re.fullmatch(r"[!-;=?-~]+", address):
        raise ValueError
    return b"<" + address.encode("ascii") + b">"


@contextmanager
def _facts(stage: str, recipient: str = "") -> Iterator[None]:
    """Turn the library's exceptions into ours, without a cause: theirs name the recipient."""
    try:
        yield
    except aiosmtplib.SMTPAuthenticationError as error:
        raise meaning("AUTH", error.code, scrubbed(error.message, recipient)) from None
    except aiosmtplib.SMTPResponseException as error:
        raise meaning(stage, error.code, scrubbed(error.message, recipient)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise outage(f"{stage}: {scrubbed(str(error), recipient)}") from None
    except ValueError:
        raise meaning(stage, NO_ADDRESS, "this address cannot be used with SMTP") from None
