"""The letters: one .eml file each, so that they outlive a restart and any process can read them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from pathlib import Path

ENVELOPE_SENDER = "Return-Path"
ENVELOPE_RECIPIENT = "X-Original-To"
"""One line for each address of RCPT TO, above the letter's own headers."""


@dataclass(frozen=True, slots=True)
class Letter:
    id: str
    sender: str
    """The envelope's, as are the recipients; the header may say otherwise."""
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
    """The letters in a folder, which the SMTP server fills: `INBOX_FOLDER` in the settings."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self._known: dict[str, Letter] = {}

    def store(self, sender: str, recipients: Sequence[str], content: bytes) -> str:
        """Keep a letter under an id that sorts by the time of its arrival: whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        letter = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        trace = f"{ENVELOPE_SENDER}: <{sender}>\r\n"
        trace += "".join(f"{ENVELOPE_RECIPIENT}: {address}\r\n" for address in recipients)
        unfinished = self._folder / f"{letter}.new"
        try:
            unfinished.write_bytes(trace.encode() + content)
            unfinished.rename(self._folder / f"{letter}.eml")
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        return letter

    def letters(self, to: str | None = None, *, most: int | None = None) -> list[Letter]:
        """Newest first; `to` matches one recipient of the envelope, in any case."""
        ids = sorted((file.stem for file in self._folder.glob("*.eml")), reverse=True)
        found = (self.letter(one) for one in ids[:most])
        return [one for one in found if one is not None and (to is None or _is_to(one, to))]

    def letter(self, letter_id: str) -> Letter | None:
        if letter_id not in self._known:
            source = self.source(letter_id)
            if source is None:
                return None
            self._known[letter_id] = _parse(letter_id, source)
        return self._known[letter_id]

    def source(self, letter_id: str) -> bytes | None:
        """The bytes as they arrived, below the lines of the envelope. None when it is gone."""
        if not letter_id.replace("-", "").isalnum():
            return None
        try:
            return (self._folder / f"{letter_id}.eml").read_bytes()
        except OSError:
            return None

    def clear(self) -> None:
        for file in self._folder.glob("*.eml"):
            file.unlink(missing_ok=True)
        self._known.clear()

    async def wait_for(
        self, to: str | None = None, count: int = 1, within: float = 150.0
    ) -> list[Letter]:
        """Wait until that many letters are there, newest first.

        Raises:
            TimeoutError: fewer came within so many seconds; says how many.
        """
        deadline = time.monotonic() + within
        while len(found := self.letters(to)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} letters to {to or 'anybody'}")
            await asyncio.sleep(0.02)
        return found


def _parse(letter_id: str, source: bytes) -> Letter:
    message = BytesParser(EmailMessage, policy=modern).parsebytes(source)
    nanoseconds = letter_id.partition("-")[0]
    return Letter(
        id=letter_id,
        sender=str(message.get(ENVELOPE_SENDER, "")).strip("<>"),
        to=tuple(str(address) for address in message.get_all(ENVELOPE_RECIPIENT, [])),
        subject=str(message.get("Subject", "")),
        received_at=datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC),
        message=message,
    )


def _is_to(letter: Letter, address: str) -> bool:
    return address.casefold() in (one.casefold() for one in letter.to)


def _content(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return None if part is None else str(part.get_content())
