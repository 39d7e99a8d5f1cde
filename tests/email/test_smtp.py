"""The mailer against servers that refuse, drop, hang and lie."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from app.email.smtp import (
    Ambiguous,
    AuthenticationFailed,
    Mailer,
    Refused,
    TemporarilyRefused,
)
from app.email.smtp.connection import OLDEST
from app.email.smtp.pool import KEPT_SHARE
from app.errors import Unavailable
from tests.email.scripted import (
    DROP,
    HANG,
    SHORT_S,
    Scripted,
    mailer_to,
    scripted,
    short_limits,
)
from tests.support.working import until

SENDER, RECIPIENT = "hello@activelog.example", "ada@example.com"
CONTENT = b"Subject: hello\r\n\r\n.a line that begins with a dot\r\n"


async def nothing() -> None:
    pass


async def send(mailer: Mailer, recipient: str = RECIPIENT) -> None:
    await mailer.send(SENDER, recipient, CONTENT, before_data=nothing)


async def failure(script: Scripted, **how: object) -> Exception:
    async with mailer_to(script, **how) as mailer:  # type: ignore[arg-type] # passed through
        with pytest.raises(Exception) as caught:  # its kind is what is asked for
            await send(mailer)
        assert "ada" not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert mailer.idle_connections == 0
    return caught.value


async def test_a_letter_arrives_as_it_was_handed_over() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        await send(mailer)
    assert [CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"] == script.taken
    assert f"MAIL FROM:<{SENDER}>" in script.commands
    assert f"RCPT TO:<{RECIPIENT}>" in script.commands
    assert "EHLO activelog.example" in script.commands


@pytest.mark.parametrize(
    ("stage", "answer", "kind"),
    [
        ("greeting", "421 busy", Unavailable),
        ("greeting", "554 go away", Unavailable),
        ("greeting", "nonsense", Unavailable),
        ("greeting", DROP, Unavailable),
        ("greeting", HANG, Unavailable),
        ("EHLO", "421 closing", Unavailable),
        ("MAIL", "421 closing", Unavailable),
        ("MAIL", "451 try later", TemporarilyRefused),
        ("MAIL", "530 authenticate first", AuthenticationFailed),
        ("MAIL", "550 5.7.1 not your address", AuthenticationFailed),
        ("RCPT", "421 too many", Unavailable),
        ("RCPT", "450 4.2.1 mailbox ada busy", TemporarilyRefused),
        ("RCPT", "451 greylisted", TemporarilyRefused),
        ("RCPT", "550 5.1.1 <ada@example.com>: no such user ada", Refused),
        ("RCPT", "552 mailbox full", Refused),
        ("RCPT", DROP, Unavailable),
        ("RCPT", HANG, Unavailable),
        ("DATA", "451 not now", TemporarilyRefused),
        ("DATA", "554 no valid recipients", Refused),
        ("DATA", DROP, Unavailable),
        ("DATA", HANG, Unavailable),
        ("content", "421 closing", Unavailable),
        ("content", "451 disk full", TemporarilyRefused),
        ("content", "552 too big", Refused),
        ("content", "554 5.7.1 spam", Refused),
        ("content", DROP, Ambiguous),
        ("content", HANG, Ambiguous),
    ],
)
async def test_every_answer_is_one_fact(stage: str, answer: str, kind: type[Exception]) -> None:
    says = {stage: answer}
    async with scripted(says) as script:
        assert kind is type(await failure(script, **short_limits(says)))


@pytest.mark.parametrize(
    ("stage", "answer", "blamed"),
    [
        ("RCPT", "550 no such user", True),
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "550 5.2.1 disabled", True),
        ("RCPT", "550 5.5.0 mailbox unavailable", True),
        ("RCPT", "553 malformed", True),
        ("RCPT", "552 full", False),
        ("RCPT", "552 5.2.2 full", False),
        ("RCPT", "550 5.7.1 your server is on a list", False),
        ("RCPT", "550 5.1.8 the sender's domain does not exist", False),
        ("content", "550 5.1.1 no such user", True),
        ("content", "550 5.7.1 spam", False),
        ("content", "554 spam", False),
    ],
)
async def test_an_address_is_blamed_only_for_itself(stage: str, answer: str, blamed: bool) -> None:
    async with scripted({stage: answer}) as script:
        refusal = await failure(script)
    assert isinstance(refusal, Refused)
    assert blamed == refusal.blames_address


async def test_no_server_is_an_outage() -> None:
    async with scripted() as script:
        pass
    assert Unavailable is type(await failure(script))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("535 5.7.8 wrong", AuthenticationFailed), ("454 4.7.0 not now", Unavailable)],
)
async def test_refused_credentials_are_told_from_a_server_that_cannot_check_them(
    answer: str, kind: type[Exception]
) -> None:
    async with scripted({"AUTH": answer}) as script:
        assert kind is type(await failure(script, password="secret"))


async def test_an_address_that_smtp_cannot_carry_is_refused_before_it_is_sent() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        with pytest.raises(Refused) as caught:
            await send(mailer, "adä@example.com")
    assert caught.value.blames_address
    assert not [command for command in script.commands if command.startswith("RCPT")]


async def test_a_sender_that_smtp_cannot_carry_is_no_fault_of_the_recipient() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        with pytest.raises(AuthenticationFailed):
            await mailer.send("hellö@activelog.example", RECIPIENT, CONTENT, before_data=nothing)


async def test_many_letters_share_few_connections() -> None:
    async with scripted() as script:
        async with mailer_to(script, connections=3) as mailer:
            await asyncio.gather(*(send(mailer) for _ in range(60)))
            assert mailer.idle_connections == 3
        await until(lambda: script.commands.count("QUIT") == 3)
    assert len(script.taken) == 60
    assert script.connections == 3
    assert script.most_at_once == 3


async def test_a_connection_is_replaced_after_a_hundred_letters() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        for _ in range(101):
            await send(mailer)
    assert len(script.taken) == 101
    assert script.connections == 2


async def test_a_connection_is_replaced_before_servers_end_it_for_its_age() -> None:
    seconds = 0.0
    async with scripted() as script, mailer_to(script, clock=lambda: seconds) as mailer:
        await send(mailer)
        seconds = OLDEST - 1
        await send(mailer)
        assert script.connections == 1
        seconds = OLDEST + 1
        await send(mailer)
    assert (len(script.taken), script.connections) == (3, 2)
    assert OLDEST < 300


async def test_a_connection_that_the_server_ended_while_idle_is_no_outage() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        await send(mailer)
        script.hang_up()
        await send(mailer)
        script.says_once["MAIL"] = "421 idle for too long"
        await send(mailer)
    assert script.says_once == {}
    assert len(script.taken) == 3


async def test_connections_that_went_silent_while_idle_are_no_outage() -> None:
    """They share one time limit: with a second for each, the email would run out of time."""
    async with (
        scripted() as script,
        mailer_to(script, connections=64, timeout=60, kept_patience=1) as mailer,
    ):
        await asyncio.gather(*(send(mailer) for _ in range(64)))
        kept = script.connections
        script.freeze()
        await send(mailer)
    assert 64 == kept
    assert (65, 65) == (len(script.taken), script.connections)
    assert KEPT_SHARE < 0.5  # by default too, most of the time is left for a new connection


async def test_a_recipient_refused_among_good_ones_harms_none_of_them() -> None:
    async with scripted() as script, mailer_to(script) as mailer:
        script.says_to["gone@example.com"] = "550 5.1.1 gone"
        names = [*("ada@example.com",) * 9, "gone@example.com", *("bo@example.com",) * 9]
        results = await asyncio.gather(
            *(send(mailer, name) for name in names), return_exceptions=True
        )
    assert len(script.taken) == 18
    assert [Refused] == [type(result) for result in results if result is not None]


async def test_a_letter_can_be_withheld_until_data() -> None:
    async def withhold() -> None:
        raise LookupError

    async with scripted() as script, mailer_to(script) as mailer:
        with pytest.raises(LookupError):
            await mailer.send(SENDER, RECIPIENT, CONTENT, before_data=withhold)
        assert "DATA" not in script.commands
        await send(mailer)
    assert len(script.taken) == 1


async def test_waiting_for_a_free_connection_ends_in_time() -> None:
    """With no connections allowed, none is ever free."""
    async with scripted() as script:
        assert Unavailable is type(await failure(script, connections=0, timeout=SHORT_S))
        assert script.connections == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("how", ["implicit", "starttls"])
@pytest.mark.parametrize("flaw", [None, "unknown authority", "another name", "expired"])
async def test_the_server_must_show_a_certificate_that_we_trust(
    how: str,
    flaw: str | None,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted = tmp_path / "trusted.pem"
    (trustme.CA() if flaw == "unknown authority" else authority).cert_pem.write_to_path(trusted)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    name = "smtp.example.com" if flaw == "another name" else "127.0.0.1"
    not_after = datetime.now(UTC) - timedelta(days=1) if flaw == "expired" else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    async with scripted(implicit_tls=how == "implicit", tls=context) as script:
        if flaw:
            assert Unavailable is type(await failure(script, tls=how, password="secret"))
            assert not [command for command in script.commands if command.startswith("AUTH")]
            return
        async with mailer_to(script, tls=how, password="secret") as mailer:
            await send(mailer)
    assert len(script.taken) == 1


async def test_no_password_is_sent_to_a_server_without_starttls() -> None:
    async with scripted({"EHLO": "250-scripted\r\n250 AUTH PLAIN"}) as script:
        assert Unavailable is type(await failure(script, tls="starttls", password="secret"))
    assert not [command for command in script.commands if command.startswith("AUTH")]


async def test_a_connection_that_is_not_greeted_back_is_closed() -> None:
    async with scripted({"EHLO": "550 go away"}) as script:
        assert Unavailable is type(await failure(script))
        await until(lambda: not script.open_now)
