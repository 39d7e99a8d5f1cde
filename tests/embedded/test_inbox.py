"""The inbox: what arrives can be read, counted and emptied, and cannot do anything."""

from __future__ import annotations

import asyncio
import os
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from app.embedded.inbox.letters import Inbox
from app.embedded.inbox.receiving import smtp_protocol
from app.embedded.inbox.web import inbox_application
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


async def test_letters_are_listed_newest_first_and_found_by_recipient(inbox: Inbox) -> None:
    for to in ("ada@example.org", "grace@example.org", "ada@example.org"):
        inbox.store("us@example.org", [to], b"Subject: Hi\r\n\r\nText\r\n")

    everything = inbox.letters()
    assert [one.to for one in everything][1] == ("grace@example.org",)
    assert everything == sorted(everything, key=lambda one: one.received_at, reverse=True)
    assert len(await inbox.wait_for("Ada@Example.org", count=2)) == 2
    with pytest.raises(TimeoutError, match="1 of 2 letters to grace"):
        await inbox.wait_for("grace@example.org", count=2, within=0.05)


async def test_json_tells_of_each_letter_and_delete_empties(inbox: Inbox) -> None:
    letter = inbox.store("us@example.org", ["ada@example.org"], b"Subject: Hi\r\n\r\nText\r\n")
    async with browser(inbox) as http:
        (told,) = (await http.get("/letters")).json()
        source = await http.get(f"/letters/{letter}/source")
        emptied = await http.delete("/letters")
        left = (await http.get("/letters")).json()

    assert told.pop("received_at").endswith("+00:00")
    assert told == {
        "id": letter,
        "from": "us@example.org",
        "to": ["ada@example.org"],
        "subject": "Hi",
    }
    assert source.text.endswith("Subject: Hi\r\n\r\nText\r\n")
    assert (emptied.status_code, left) == (204, [])


async def test_what_a_letter_says_is_text_on_the_pages(inbox: Inbox) -> None:
    letter = inbox.store("<x>", ['"<b>"@example.org'], HOSTILE)
    async with browser(inbox) as http:
        listed = (await http.get("/")).text
        page = await http.get(f"/letters/{letter}")

    for text in (listed, page.text):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
        assert "<b>" not in text
    assert "plain &lt;i&gt;text&lt;/i&gt;" in page.text
    assert (
        '<iframe title="Letter" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    )
    assert "&lt;p onload=&quot;x&quot;&gt;&quot;hello&quot;&lt;/p&gt;&lt;/iframe&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "%00"])
async def test_an_unknown_letter_is_not_found(inbox: Inbox, name: str) -> None:
    async with browser(inbox) as http:
        assert (await http.get(f"/letters/{name}")).status_code == 404


async def test_it_is_served_under_the_names_of_this_machine_only(inbox: Inbox) -> None:
    async with browser(inbox, "rebound.example.org") as http:
        assert (await http.get("/letters")).status_code == 400


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"Subject: =?utf-8?b?x?=\r\n\r\n"])
async def test_a_broken_letter_is_shown_all_the_same(inbox: Inbox, content: bytes) -> None:
    letter = inbox.store("us@example.org", ["ada@example.org"], content)
    async with browser(inbox) as http:
        assert (await http.get("/")).status_code == 200
        assert (await http.get(f"/letters/{letter}")).status_code == 200


@pytest.mark.parametrize("disk", [1], indirect=True)
async def test_the_inbox_has_a_letter_sent_again_when_there_is_room(disk: Path) -> None:
    ballast = fill(disk)
    refused = await sent(Inbox(disk))
    files = os.listdir(disk)  # noqa: PTH208 # pathlib's would count as blocking
    ballast.unlink()
    accepted = await sent(Inbox(disk))

    assert refused == "452 4.3.1 The letter cannot be stored: No space left on device"
    assert files == [ballast.name]
    assert accepted.startswith("250 OK ")
    assert len(Inbox(disk).letters()) == 1


async def test_the_inbox_answers_451_when_it_cannot_store_a_letter_for_another_reason(
    tmp_path: Path,
) -> None:
    refused = await sent(Inbox(tmp_path / "missing"))
    assert refused == "451 4.3.0 The letter cannot be stored: No such file or directory"


async def sent(inbox: Inbox) -> str:
    """Send a letter to the inbox's SMTP server; what it answers."""
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
