"""Recipients with awkward names, and emails as a mail client reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from html.parser import HTMLParser
from pathlib import Path
from uuid import UUID

from app.email import Email, EmailConfig, Recipient, one_line
from app.email.compose import compose
from app.jinja import FOLDER, Templates

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AWKWARD = {
    "plain": "Ada Lovelace",
    "emoji": "Ada 👩‍🚀🏃🏽‍♀️",
    "Chinese": "王小明",
    "Arabic": "عائشة بنت محمد",
    "200 characters": "Wolfeschlegelsteinhausen " * 8,
    "200 emoji": "👩‍🚀" * 66,
    "script": "<script>alert('x')</script>",
    "CR LF": "Ada\r\nBcc: eve@example.com\r\n\r\nhello",
    "template": "{{ app_url }}{% raw %}",
    "quotes": 'Ada "the" Lovelace, <eve@example.com>',
    "encoded word": "=?utf-8?q?Eve?=",
    "text direction overrides": "Ada\u202eecalevoL\u202c",
}


class HtmlText(HTMLParser):
    """The text of an HTML document, including its title and styles, and its tags.

    Raises:
        AssertionError: an attribute is an event handler.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def email_config(folder: Path = FOLDER, reply_to: str | None = None) -> EmailConfig:
    from_address = "ActiveLog <hello@activelog.example>"
    url = "https://activelog.example"
    return EmailConfig(Templates(folder), from_address, url, "a test secret", reply_to=reply_to)


def recipient(name: str) -> Recipient:
    return Recipient(UUID(int=1), name, "ada@example.com")


def compose_and_parse(
    email: Email, recipient: Recipient, config: EmailConfig | None = None
) -> EmailMessage:
    """Compose an email, and parse it as a mail client does."""
    sent = compose(config or email_config(), recipient, email, "once", NOON).as_bytes()
    assert len(sent) < 100_000
    assert all(len(line) <= 998 for line in sent.split(b"\r\n"))
    assert sent.isascii()
    message = message_from_bytes(sent, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def to_name(message: EmailMessage) -> str:
    """Return the name in the To header, decoded according to RFC 2047.

    The standard library's `display_name` turns the folds between encoded words into spaces.
    """
    old = message_from_bytes(message.as_bytes(policy=policy.SMTP), policy=policy.compat32)
    name, _ = parseaddr("".join(str(old["To"]).splitlines()))
    return str(make_header(decode_header(name)))


def header_text(text: str) -> str:
    """Return text as it appears in a header, before it is truncated."""
    return one_line(text).replace("=?", "= ?")


def html_of(email: Email) -> str:
    """Return the HTML of an email, with its styles inlined."""
    part = compose_and_parse(email, recipient("Ada")).get_body(("html",))
    assert part is not None
    return str(part.get_content())
