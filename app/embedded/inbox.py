"""An SMTP server that stores emails as files, and web pages for reading them.

`python -m app.embedded.inbox FOLDER SMTP_PORT WEB_PORT` runs both until SIGTERM.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as default_policy
from html import escape
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.embedded.home import is_disk_full
from app.embedded.ports import LOOPBACK

ENVELOPE_SENDER = "Return-Path"
ENVELOPE_RECIPIENT = "X-Original-To"
"""The header added for each RCPT TO address, above the email's own headers."""
MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MAX_LISTED = 500
"""The most emails that the list page shows."""
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src * data:;"
    " frame-src 'self'; base-uri 'self'",
    "Referrer-Policy": "no-referrer",
}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1.5rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid var(--line); padding: .45rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th, .quiet { color: var(--quiet); font-weight: normal; }
td:first-child { white-space: nowrap; }
iframe { background: #fff; border: 1px solid var(--line); height: 36rem; width: 100%; }
pre { border: 1px solid var(--line); overflow-x: auto; padding: .8rem; white-space: pre-wrap; }
"""
EMPTY_INBOX = '<p class="quiet">No emails yet. Emails sent by the application appear here.</p>'


@dataclass(frozen=True, slots=True)
class Email:
    """An email as it was received."""

    id: str
    sender: str
    """The envelope sender. `to` holds the envelope recipients; the headers may name others."""
    to: tuple[str, ...]
    subject: str
    received_at: datetime
    message: EmailMessage

    @property
    def text(self) -> str | None:
        return _content(self.message, "plain")

    @property
    def html(self) -> str | None:
        return _content(self.message, "html")


class Inbox:
    """The folder in which the SMTP server stores emails; `just up` sets INBOX_FOLDER to its path.

    Each email is one .eml file, so emails survive a restart and any process can read them.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._cache: dict[str, Email] = {}

    def store(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        """Store an email completely or not at all.

        Returns:
            The id of the email. Ids sort by time of arrival.

        Raises:
            OSError: the email cannot be written.
        """
        email_id = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        trace = f"{ENVELOPE_SENDER}: <{sender}>\r\n"
        trace += "".join(f"{ENVELOPE_RECIPIENT}: {address}\r\n" for address in recipients)
        unfinished = self._folder / f"{email_id}.new"
        try:
            unfinished.write_bytes(trace.encode() + content)
            unfinished.rename(self._folder / f"{email_id}.eml")
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        return email_id

    def emails(self, to: str | None = None, *, limit: int | None = None) -> list[Email]:
        """Return emails, newest first.

        Args:
            to: return only emails with this envelope recipient, ignoring case.
            limit: look only at this many of the newest emails.
        """
        ids = sorted((file.stem for file in self._folder.glob("*.eml")), reverse=True)
        found = (self.email(email_id) for email_id in ids[:limit])
        return [email for email in found if email and (to is None or _is_to(email, to))]

    def email(self, email_id: str) -> Email | None:
        """Return the email with this id; None if there is none."""
        if email_id not in self._cache:
            source = self.source(email_id)
            if source is None:
                return None
            self._cache[email_id] = _parse(email_id, source)
        return self._cache[email_id]

    def source(self, email_id: str) -> bytes | None:
        """Return the envelope headers and the email as received; None if there is no such email."""
        if not email_id.replace("-", "").isalnum():
            return None
        try:
            return (self._folder / f"{email_id}.eml").read_bytes()
        except OSError:
            return None

    def clear(self) -> None:
        """Delete all emails."""
        for file in self._folder.glob("*.eml"):
            file.unlink(missing_ok=True)
        self._cache.clear()

    async def wait_for(
        self, to: str | None = None, count: int = 1, within: float = 150.0
    ) -> list[Email]:
        """Wait until there are at least `count` emails, and return all of them, newest first.

        Args:
            to: count and return only emails with this recipient.
            within: seconds to wait.

        Raises:
            TimeoutError: too few emails arrived in time. The message says how many did.
        """
        deadline = time.monotonic() + within
        while len(found := self.emails(to)) < count:
            if time.monotonic() > deadline:
                recipient = f" to {to}" if to else ""
                raise TimeoutError(f"{len(found)} of {count} emails{recipient} arrived")
            await asyncio.sleep(0.02)
        return found


def _parse(email_id: str, source: bytes) -> Email:
    message = BytesParser(EmailMessage, policy=default_policy).parsebytes(source)
    nanoseconds = email_id.partition("-")[0]
    return Email(
        id=email_id,
        sender=str(message.get(ENVELOPE_SENDER, "")).strip("<>"),
        to=tuple(str(address) for address in message.get_all(ENVELOPE_RECIPIENT, [])),
        subject=str(message.get("Subject", "")),
        received_at=datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC),
        message=message,
    )


def _is_to(email: Email, address: str) -> bool:
    return address.casefold() in (recipient.casefold() for recipient in email.to)


def _content(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body(preferencelist=(subtype,))
    return None if part is None else str(part.get_content())


class SmtpHandler:
    """The handler for aiosmtpd, which looks up `handle_DATA` by name. It accepts any recipient."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 # aiosmtpd's name
        sender, content = envelope.mail_from or "", envelope.original_content or b""
        try:
            email_id = self._inbox.store(sender, envelope.rcpt_tos, content)
        except OSError as error:  # a temporary failure, so the client tries again later
            status = "452 4.3.1" if is_disk_full(error) else "451 4.3.0"
            return f"{status} Cannot store the email: {error.strerror}"
        return f"250 OK {email_id}"


def smtp_protocol(inbox: Inbox) -> SMTP:
    """Create the SMTP protocol for one connection."""
    return SMTP(
        SmtpHandler(inbox),
        data_size_limit=MAX_MESSAGE_BYTES,
        enable_SMTPUTF8=True,
        hostname="localhost",
    )


def inbox_application(inbox: Inbox) -> Starlette:
    """Create the web application: pages for people and JSON for scripts.

    Only the host names 127.0.0.1 and localhost are accepted, to prevent DNS rebinding.
    """

    def find(request: Request) -> Email:
        email = inbox.email(request.path_params["id"])
        if email is None:
            raise HTTPException(404)
        return email

    async def home(_: Request) -> Response:
        return HTMLResponse(
            list_page(inbox.emails(limit=MAX_LISTED), MAX_LISTED), headers=SECURITY_HEADERS
        )

    async def emails(_: Request) -> Response:
        return JSONResponse([_summary(email) for email in inbox.emails()])

    async def email(request: Request) -> Response:
        return HTMLResponse(email_page(find(request)), headers=SECURITY_HEADERS)

    async def source(request: Request) -> Response:
        content = inbox.source(find(request).id)
        return PlainTextResponse(content, headers={"X-Content-Type-Options": "nosniff"})

    async def clear(_: Request) -> Response:
        inbox.clear()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/", home),
            Route("/emails", emails),
            Route("/emails", clear, methods=["DELETE"]),
            Route("/emails/{id}", email),
            Route("/emails/{id}/source", source),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _summary(email: Email) -> dict[str, object]:
    return {
        "id": email.id,
        "from": email.sender,
        "to": email.to,
        "subject": email.subject,
        "received_at": email.received_at.isoformat(),
    }


def list_page(emails: Sequence[Email], limit: int) -> str:
    """Render the page that lists the emails."""
    rows = "".join(
        f'<tr><td class="quiet">{email.received_at:%Y-%m-%d %H:%M:%S}</td>'
        f"<td>{escape(', '.join(email.to))}</td>"
        f'<td><a href="/emails/{escape(email.id)}">'
        f"{escape(email.subject) or '(no subject)'}</a></td></tr>"
        for email in emails
    )
    head = "<tr><th>Received (UTC)</th><th>To</th><th>Subject</th></tr>"
    more = (
        f'<p class="quiet">Only the newest {limit} are shown.</p>' if len(emails) == limit else ""
    )
    body = f"<table>{head}{rows}</table>{more}" if emails else EMPTY_INBOX
    return _page("Inbox", f"<h1>Inbox</h1>{body}", refresh=True)


def email_page(email: Email) -> str:
    """Render one email. Its content is escaped, or shown in a sandboxed frame without scripts."""
    headers = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in email.message.items()
    )
    parts = [
        f'<p><a href="/">Inbox</a> · <a href="/emails/{escape(email.id)}/source">Source</a></p>',
        f"<h1>{escape(email.subject) or '(no subject)'}</h1>",
    ]
    if email.html is not None:
        inner = escape('<base target="_blank">' + email.html)
        allowed = "allow-popups allow-popups-to-escape-sandbox"
        parts.append(f'<iframe title="Email" sandbox="{allowed}" srcdoc="{inner}"></iframe>')
    if email.text is not None:
        parts.append(f"<h2>Text</h2><pre>{escape(email.text)}</pre>")
    parts.append(f"<h2>Headers</h2><table>{headers}</table>")
    return _page(email.subject or "Email", "".join(parts))


def _page(title: str, body: str, *, refresh: bool = False) -> str:
    refresh_tag = '<meta http-equiv="refresh" content="5">' if refresh else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{refresh_tag}<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


async def serve(folder: Path, smtp_port: int, web_port: int) -> None:
    """Run the SMTP server and the web pages until SIGTERM."""
    inbox = Inbox(folder)
    loop = asyncio.get_running_loop()
    smtp_server = await loop.create_server(lambda: smtp_protocol(inbox), LOOPBACK, smtp_port)
    config = uvicorn.Config(
        inbox_application(inbox), LOOPBACK, web_port, log_level="warning", lifespan="off"
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        smtp_server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
