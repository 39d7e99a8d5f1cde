"""The inbox: emails can be listed, read and deleted, and their content can do no harm."""

from __future__ import annotations

import asyncio
import os
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from app.embedded.inbox import Inbox, inbox_application, smtp_protocol
from app.embedded.ports import LOOPBACK
from tests.embedded.disks import fill

HOSTILE = (
    b"Subject: <script>alert(1)</script>\r\n"
    b'From: "</td><b>" <us@example.org>\r\n'
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="x"\r\n\r\n'
    b"--x\r\nContent-Type: text/plain\r\n\r\nplain <i>text</i>\r\n"
    b'--x\r\nContent-Type: text/html\r\n\r\n<p onload="x">"hello"</p></iframe>\r\n--x--\r\n'
)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path)


def browser(inbox: Inbox, host: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(inbox_application(inbox))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


async def test_inbox_lists_the_newest_email_first_and_waits_for_emails_to_a_recipient(
    inbox: Inbox,
) -> None:
    for to in ("ada@example.org", "grace@example.org", "ada@example.org"):
        inbox.store("us@example.org", [to], b"Subject: Hi\r\n\r\nText\r\n")

    everything = inbox.emails()
    assert [email.to for email in everything][1] == ("grace@example.org",)
    assert everything == sorted(everything, key=lambda email: email.received_at, reverse=True)
    assert len(await inbox.wait_for("Ada@Example.org", count=2)) == 2
    with pytest.raises(TimeoutError, match="1 of 2 emails to grace"):
        await inbox.wait_for("grace@example.org", count=2, within=0.05)


async def test_emails_are_listed_as_json_served_as_source_and_deleted(inbox: Inbox) -> None:
    email_id = inbox.store("us@example.org", ["ada@example.org"], b"Subject: Hi\r\n\r\nText\r\n")
    async with browser(inbox) as http:
        (listed,) = (await http.get("/emails")).json()
        source = await http.get(f"/emails/{email_id}/source")
        cleared = await http.delete("/emails")
        left = (await http.get("/emails")).json()

    assert listed.pop("received_at").endswith("+00:00")
    assert listed == {
        "id": email_id,
        "from": "us@example.org",
        "to": ["ada@example.org"],
        "subject": "Hi",
    }
    assert source.text.endswith("Subject: Hi\r\n\r\nText\r\n")
    assert (cleared.status_code, left) == (204, [])


async def test_email_content_is_escaped_on_the_pages(inbox: Inbox) -> None:
    email_id = inbox.store("<x>", ['"<b>"@example.org'], HOSTILE)
    async with browser(inbox) as http:
        listed = (await http.get("/")).text
        page = await http.get(f"/emails/{email_id}")

    for text in (listed, page.text):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
        assert "<b>" not in text
    assert "plain &lt;i&gt;text&lt;/i&gt;" in page.text
    assert (
        '<iframe title="Email" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    )
    assert "&lt;p onload=&quot;x&quot;&gt;&quot;hello&quot;&lt;/p&gt;&lt;/iframe&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%00"])
async def test_unknown_email_is_not_found(inbox: Inbox, name: str) -> None:
    async with browser(inbox) as http:
        assert (await http.get(f"/emails/{name}")).status_code == 404


async def test_inbox_refuses_a_request_for_another_host(inbox: Inbox) -> None:
    async with browser(inbox, "rebound.example.org") as http:
        assert (await http.get("/emails")).status_code == 400


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"Subject: =?utf-8?b?x?=\r\n\r\n"])
async def test_malformed_email_is_still_shown(inbox: Inbox, content: bytes) -> None:
    email_id = inbox.store("us@example.org", ["ada@example.org"], content)
    async with browser(inbox) as http:
        assert (await http.get("/")).status_code == 200
        assert (await http.get(f"/emails/{email_id}")).status_code == 200


@pytest.mark.parametrize("disk", [1], indirect=True)
async def test_email_is_refused_temporarily_while_the_disk_is_full(disk: Path) -> None:
    ballast = fill(disk)
    refused = await send(Inbox(disk))
    files = os.listdir(disk)  # noqa: PTH208 # ruff flags the pathlib call as blocking
    ballast.unlink()
    accepted = await send(Inbox(disk))

    assert refused == "452 4.3.1 Cannot store the email: No space left on device"
    assert files == [ballast.name]
    assert accepted.startswith("250 OK ")
    assert len(Inbox(disk).emails()) == 1


async def test_email_is_refused_with_451_if_the_inbox_folder_is_missing(
    tmp_path: Path,
) -> None:
    refused = await send(Inbox(tmp_path / "missing"))
    assert refused == "451 4.3.0 Cannot store the email: No such file or directory"


async def send(inbox: Inbox) -> str:
    """Send an email to the inbox's SMTP server and return its reply."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "us@example.org", "ada@example.org", "Hi"
    message.set_content("Hello. " * 2000)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: smtp_protocol(inbox), LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        try:
            _, answer = await aiosmtplib.send(message, hostname=LOOPBACK, port=port)
        except aiosmtplib.SMTPDataError as error:
            return f"{error.code} {error.message}"
    return f"250 {answer}"
