"""One connection to the SMTP server, which sends one email after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from ssl import SSLContext

import aiosmtplib

from app.email.smtp.replies import Ambiguous, outage, reply_error, scrub
from app.settings import Smtp

MAX_AGE_S = 240
"""The age up to which a connection is reused: many servers close connections after 300 s."""
MAX_EMAILS = 100
"""How many emails a connection may send: many servers refuse more."""
QUIT_TIMEOUT_S = 1
ACCEPTED = (250, 251)
START_MAIL_INPUT = 354
MAILBOX_NAME_NOT_ALLOWED = 553


class Connection:
    """An open connection: greeted, and encrypted and authenticated as configured.

    `open`, `send_envelope`, `start_data` and `send_content` raise the same errors as
    `SmtpPool.send`. After such an error the connection's state is unknown, and the caller must
    close the connection.
    """

    def __init__(self, client: aiosmtplib.SMTP, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._opened_at = clock()
        self._emails = 0

    @classmethod
    async def open(
        cls,
        smtp: Smtp,
        tls: SSLContext | None,
        *,
        hostname: str,
        reply_timeout: timedelta,
        clock: Callable[[], float],
    ) -> Connection:
        """Connect, greet the server, and encrypt and authenticate as configured.

        Args:
            hostname: the name with which we greet the server.
            reply_timeout: for connecting, and for each reply until the connection is ready.
            clock: returns monotonic seconds, to measure the age of the connection.
        """
        client = aiosmtplib.SMTP(
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username,
            password=smtp.password,
            local_hostname=hostname,
            timeout=reply_timeout.total_seconds(),
            use_tls=smtp.tls == "implicit",
            start_tls=smtp.tls == "starttls",
            tls_context=tls,
        )
        try:
            with _translate_errors("connecting"):
                await client.connect()
                if client.is_ehlo_or_helo_needed:
                    await client.ehlo()
        except BaseException:
            client.close()
            raise
        return cls(client, clock)

    @property
    def is_stale(self) -> bool:
        """Whether the connection is closed, too old, or has sent too many emails to be reused."""
        too_old = self._clock() - self._opened_at > MAX_AGE_S
        return too_old or self._emails >= MAX_EMAILS or not self._client.is_connected

    async def send_envelope(self, sender: str, recipient: str) -> None:
        """Send the sender and the recipient, and check that the server accepts them.

        Both addresses must be ASCII, as all accounts' addresses are.
        """
        with _translate_errors("MAIL", recipient):
            await self._command(b"MAIL", b"FROM:" + _path(sender))
        with _translate_errors("RCPT", recipient):
            await self._command(b"RCPT", b"TO:" + _path(recipient))

    async def start_data(self) -> None:
        """Send DATA, after which the server waits for the content."""
        with _translate_errors("DATA"):
            await self._command(b"DATA", expected=(START_MAIL_INPUT,))

    async def send_content(self, content: bytes, recipient: str, reply_timeout: timedelta) -> None:
        """Send the content, which must have CRLF line endings, and read the reply.

        aiosmtplib's own `data` does not reveal whether a timeout came before or after the content
        was sent.
        """
        protocol = self._client.protocol
        if protocol is None:
            raise outage("DATA: disconnected")
        stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            protocol.write(stuffed + end)
            code, text = await protocol.read_response(reply_timeout.total_seconds())
        except (aiosmtplib.SMTPException, OSError):
            raise Ambiguous("SMTP: no reply after the email was sent") from None
        self._emails += 1
        if not 200 <= code < 300:
            raise reply_error("end of DATA", code, scrub(text, recipient))

    async def _command(self, *words: bytes, expected: Collection[int] = ACCEPTED) -> None:
        """Send a command and check the reply.

        There is no timeout here: the caller sets one for all of an email's commands.
        """
        reply = await self._client.execute_command(*words, timeout=None)
        if reply.code not in expected:
            raise aiosmtplib.SMTPResponseException(reply.code, reply.message)

    async def quit(self) -> None:
        """Send QUIT, wait at most a second for the reply, and close the connection."""
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=QUIT_TIMEOUT_S)
        self.close()

    def close(self) -> None:
        """Close the connection without sending QUIT."""
        self._client.close()


def _path(address: str) -> bytes:
    """Return an address in angle brackets.

    Raises:
        ValueError: the address is not ASCII, or contains a space or an angle bracket.
    """
    if not re.fullmatch(r"[!-;=?-~]+", address):
        raise ValueError
    return b"<" + address.encode("ascii") + b">"


@contextmanager
def _translate_errors(stage: str, recipient: str = "") -> Iterator[None]:
    """Replace aiosmtplib's exceptions with ours, without a cause: theirs can name the recipient."""
    try:
        yield
    except aiosmtplib.SMTPAuthenticationError as error:
        raise reply_error("AUTH", error.code, scrub(error.message, recipient)) from None
    except aiosmtplib.SMTPResponseException as error:
        raise reply_error(stage, error.code, scrub(error.message, recipient)) from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise outage(f"{stage}: {scrub(str(error), recipient)}") from None
    except ValueError:
        raise reply_error(
            stage, MAILBOX_NAME_NOT_ALLOWED, "this address cannot be used with SMTP"
        ) from None
